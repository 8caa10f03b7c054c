"""botocore's reader of AWS's models, one for all: what was read to check a definition is not read again to make a client."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def loader() -> Any:
    """Keeps what it has read: a second client of a service takes a fifth of the time. ImportError without botocore."""
    import botocore.session

    return botocore.session.Session().get_component("data_loader")
