"""Task tokens: what somebody outside needs to end a Task that waits for him. Random, and recognisable as ours without a look-up."""

from __future__ import annotations

import re
import secrets
from hashlib import blake2b

_FORM = re.compile(r"AQC([0-9a-f]{48})([0-9a-f]{16})", re.ASCII)


def new_token() -> str:
    """Emitted where an attempt of a Task begins that waits to be called back: every attempt has its own."""
    secret = secrets.token_hex(24)
    return f"AQC{secret}{_sum(secret)}"


def well_formed(token: str) -> bool:
    """Whether some Express made it, this process or another, now or long ago; False for what was cut off or mistyped."""
    found = _FORM.fullmatch(token)
    return found is not None and found[2] == _sum(found[1])


def _sum(secret: str) -> str:
    return blake2b(secret.encode(), digest_size=8, person=b"express").hexdigest()
