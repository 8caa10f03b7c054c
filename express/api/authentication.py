"""Who may ask: everybody on this machine, or whoever has the token or signs (AWS's Signature Version 4) with one of the keys."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from express.config import is_loopback
from express.errors import RequestError

SKEW = 300.0  # seconds that a signature's time may be off, AWS's
ALGORITHM = "AWS4-HMAC-SHA256"
SIGNED = frozenset({"host", "x-amz-date", "x-amz-target"})  # what a signature has to cover
_FIELD = re.compile(r"(Credential|SignedHeaders|Signature)=([^\s,]+)")


class Access:
    """``token``: for ``Authorization: Bearer``. ``keys``: secret access keys by their ids. Without either, everybody may ask who calls this
    machine by a name of its own: a web page that has rebound its name to 127.0.0.1 does not.
    """

    def __init__(self, token: str | None = None, keys: Mapping[str, str] | None = None) -> None:
        self._token = None if token is None else token.encode()
        self._keys = dict(keys or {})
        self._signing: dict[tuple[str, str, str], bytes] = {}  # (key id, date, region): the derived key

    @property
    def open(self) -> bool:
        return self._token is None and not self._keys

    def check(self, headers: Mapping[str, str], body: bytes) -> None:
        """RequestError for whoever may not."""
        if self.open:
            _check_host(headers)
            return
        scheme, _, rest = headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._token is not None:
            if not hmac.compare_digest(rest.strip().encode(errors="replace"), self._token):
                raise RequestError("UnrecognizedClientException", "The security token included in the request is invalid.")
        elif scheme == ALGORITHM and self._keys:
            self._check_signature(headers, body, rest)
        else:
            expected = " or ".join(
                [
                    *(["a bearer token"] if self._token is not None else []),
                    *(["a signature (AWS Signature Version 4)"] if self._keys else []),
                ]
            )
            raise RequestError("MissingAuthenticationTokenException", f"Missing Authentication Token: expected {expected}")

    def _check_signature(self, headers: Mapping[str, str], body: bytes, rest: str) -> None:
        fields = dict(_FIELD.findall(rest)) if rest.isascii() else {}
        scope = fields.get("Credential", "").split("/")
        signed = fields.get("SignedHeaders", "").lower().split(";")
        if len(scope) != 5 or "Signature" not in fields or not SIGNED.issubset(signed):
            raise RequestError(
                "IncompleteSignatureException",
                f"Authorization header requires 'Credential', 'SignedHeaders' ({', '.join(sorted(SIGNED))} at least) and 'Signature'.",
            )
        key, date, region, service, end = scope
        secret = self._keys.get(key)
        if secret is None:
            raise RequestError("UnrecognizedClientException", "The security token included in the request is invalid.")
        when = headers.get("X-Amz-Date", "")
        _check_time(when, date)
        canonical = "\n".join(
            ["POST", "/", "", *(f"{name}:{' '.join(headers.get(name, '').split())}" for name in signed), "", ";".join(signed), _hash(body)]
        )
        credential = f"{date}/{region}/{service}/{end}"
        text = f"{ALGORITHM}\n{when}\n{credential}\n{_hash(canonical.encode(errors='surrogateescape'))}"
        signature = hmac.new(self._derived(key, secret, date, region, service, end), text.encode(), "sha256").hexdigest()
        if (service, end) != ("states", "aws4_request") or not hmac.compare_digest(signature, fields["Signature"]):
            raise RequestError(
                "InvalidSignatureException",
                "The request signature we calculated does not match the signature you provided. "
                "Check your AWS Secret Access Key and signing method.",
            )

    def _derived(self, key: str, secret: str, date: str, region: str, *scope: str) -> bytes:
        found = self._signing.get((key, date, region))
        if found is None or scope != ("states", "aws4_request"):
            found = f"AWS4{secret}".encode()
            for part in (date, region, *scope):
                found = hmac.digest(found, part.encode(), "sha256")
            if scope == ("states", "aws4_request"):
                if len(self._signing) > 100:
                    self._signing.clear()
                self._signing[key, date, region] = found
        return found


def _hash(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _check_time(when: str, date: str) -> None:
    try:
        signed = datetime.strptime(when, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        signed = 0.0
    if not when.startswith(date) or abs(time.time() - signed) > SKEW:
        raise RequestError(
            "InvalidSignatureException", f"Signature expired or not yet current: {when}; expected a time within 5 minutes of ours"
        )


def _check_host(headers: Mapping[str, str]) -> None:
    host = headers.get("Host", "")
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    name = (
        name.removeprefix("sync-").removeprefix("[").removesuffix("]")
    )  # "sync-" is what AWS's SDKs put before the name for StartSyncExecution
    if "Origin" in headers or not (is_loopback(name) or name.endswith(".localhost")):
        raise RequestError(
            "AccessDeniedException",
            "this endpoint has no token and no keys, so it answers on localhost only, and no web pages; "
            f"expected Host localhost or 127.0.0.1, found {host!r}",
        )
