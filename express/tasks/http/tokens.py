"""How a connection authenticates: the headers that its requests carry, and where OAuth's tokens come from."""

from __future__ import annotations

import asyncio
import base64
import time

import aiohttp
import msgspec

from express.options import HttpConnection, OAuth
from express.runtime.failures import StateError
from express.tasks.http import answers, forms

EARLY = 30.0  # seconds before its end at which a token is no longer used
LIFETIME = 300.0  # seconds, of a token that does not say how long it lives
MOST = 65_536  # bytes of an answer with a token
UNAUTHORISED = "Events.ConnectionResource.InvalidConnectionState"


class _Token(msgspec.Struct):
    access_token: str
    expires_in: float | str | None = None
    token_type: str = "Bearer"


class Tokens:
    """The authentication of one connection. An OAuth token is asked for once, by whoever needs it first; the others wait for it."""

    def __init__(self, session: aiohttp.ClientSession, connection: HttpConnection) -> None:
        self._session = session
        self._oauth: OAuth | None = None
        self._headers: dict[str, str] = {}
        self._until = 0.0
        self._lock = asyncio.Lock()
        given = connection.authentication
        if given is None:
            return
        if given.basic is not None:
            self._headers = {"authorization": _basic(given.basic.username, given.basic.password)}
        elif given.api_key is not None:
            self._headers = {given.api_key.name.lower(): given.api_key.value}
        self._oauth = given.oauth

    @property
    def renewable(self) -> bool:
        """Whether another try may help where this one is not accepted."""
        return self._oauth is not None

    @property
    def ready(self) -> dict[str, str] | None:
        """What to send, if nothing has to be asked for first."""
        if self._oauth is None or (self._headers and time.monotonic() < self._until):
            return self._headers
        return None

    async def headers(self, instead_of: dict[str, str] | None = None) -> dict[str, str]:
        """What to send, by names in lower case; ``instead_of``: what was not accepted. StateError when no token is to be had."""
        if (ready := self.ready) is not None and ready is not instead_of:
            return ready
        async with self._lock:
            if not self._headers or self._headers is instead_of or time.monotonic() >= self._until:
                assert self._oauth is not None, "nothing else is not ready"
                self._headers, self._until = await self._ask(self._oauth)
            return self._headers

    async def _ask(self, oauth: OAuth) -> tuple[dict[str, str], float]:
        form = {"grant_type": "client_credentials", **oauth.body}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json", **oauth.headers}
        if oauth.credentials == "body":
            form = {**form, "client_id": oauth.client_id, "client_secret": oauth.client_secret}
        else:
            headers["Authorization"] = _basic(oauth.client_id, oauth.client_secret)
        content = forms.joined(list(form.items())).encode()
        asked = self._session.request(
            oauth.method, oauth.endpoint, params=oauth.query or None, data=content, headers=headers, allow_redirects=False
        )
        async with asked as answer:
            body = await answers.read(answer, MOST)
            if answer.status != 200:
                # Not its body: some servers repeat what they were sent
                raise StateError(UNAUTHORISED, f"The connection's authorization server answered {answer.status}.")
        try:
            token = msgspec.json.decode(body, type=_Token)
            seconds = LIFETIME if token.expires_in is None else float(token.expires_in)
        except (msgspec.DecodeError, ValueError):
            raise StateError(UNAUTHORISED, "The connection's authorization server answered without a token.") from None
        return {"authorization": f"Bearer {token.access_token}"}, time.monotonic() + seconds - EARLY


def _basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
