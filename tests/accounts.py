"""Tests of permissions, also where the tests run as root, who may do everything."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def as_anybody() -> Iterator[None]:
    """Runs as somebody who has no permissions to speak of."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)
