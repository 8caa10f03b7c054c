"""Pages for people: which state machines there are, each with its drawing. Read-only."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from express.api.machines import Machines


def pages(machines: Machines) -> Callable[[str], web.Response | None]:
    """``path -> page``, None for a path that there is not."""

    def page(path: str) -> web.Response | None:
        return None

    return page
