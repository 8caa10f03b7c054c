"""``https://api.example.com:443/v1``: where requests may go, as the allow-list of an HTTP connection has it."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import unquote

import msgspec

PORTS = {"http": 80, "https": 443}
_ENTRY = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?(?P<path>/[^?#\s]*)?", re.ASCII
)
_ROUNDS = 3  # of percent-encoding that a server may undo, one behind the other


class Origin(msgspec.Struct, frozen=True):
    """Scheme, host in lower case (an IPv6 address without brackets), port, and the path that every path must be or be below."""

    scheme: str
    host: str
    port: int
    prefix: str = "/"

    def admits(self, scheme: str, host: str, port: int | None, path: str) -> bool:
        """Whether a URL taken apart (``path`` as it goes over the wire) is here. A path that may mean another one, by ``..`` in whatever
        spelling, is below no prefix."""
        if (scheme, host, port) != (self.scheme, self.host, self.port):
            return False
        if self.prefix == "/":
            return True
        return (path == self.prefix or path.startswith(f"{self.prefix.rstrip('/')}/")) and not _climbs(path)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{'' if self.prefix == '/' else self.prefix}"


def parse(text: str) -> Origin:
    """ValueError with what was expected. A name has ASCII letters only (``xn--...`` for others): what is compared is what is sent."""
    found = _ENTRY.fullmatch(text)
    if found is None:
        raise ValueError(f"expected https://HOST, https://HOST:PORT or https://HOST:PORT/PATH, found {text!r}")
    scheme, host, path = found["scheme"], found["host"].lower(), found["path"] or "/"
    port = int(found["port"] or PORTS[scheme])
    if not 0 < port < 65536:
        raise ValueError(f"expected a port from 1 to 65535, found {port}")
    if host.startswith("["):
        try:
            host = IPv6Address(host[1:-1]).compressed
        except AddressValueError:
            raise ValueError(f"expected an IPv6 address in brackets, found {host!r}") from None
    if _climbs(path):
        raise ValueError(f"expected a path without '..', found {path!r}")
    return Origin(scheme, host, port, path)


def _climbs(path: str) -> bool:
    for _ in range(_ROUNDS):
        if any(part.partition(";")[0] in ("..", ".") for part in path.replace("\\", "/").split("/")):
            return True
        path = unquote(path)
    return "%" in path  # still encoded: who knows what it becomes
