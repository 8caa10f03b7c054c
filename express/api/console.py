"""Pages for people: which state machines there are, and each as a picture. Read-only, complete in themselves, nothing is fetched."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

from aiohttp import web

from express.api.machines import Machines
from express.api.store import Machine
from express.drawing import diagram, page
from express.drawing.marks import NONE
from express.drawing.svg import text
from express.errors import RequestError
from express.observers.metrics import WorkflowMetrics
from express.program import Program
from express.runtime.context import iso

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
PATH = "/console"


class Console:
    def __init__(self, machines: Machines) -> None:
        self._machines = machines

    async def page(self, path: str) -> web.Response | None:
        """``/console`` or ``/console/NAME``; None for a path that there is not."""
        if path.rstrip("/") == PATH:
            return _html(self._list())
        name = path.removeprefix(f"{PATH}/")
        machine = self._machines.get(name) if name != path else None
        if machine is None:
            return None
        try:
            program = self._machines.program(self._machines.of(machine))
        except RequestError as error:
            return _html(_page(machine.name, f"<p>{text(error.message)}</p>"))
        # A large definition takes a while to be arranged: executions go on meanwhile
        return _html(await asyncio.to_thread(_draw, program))

    def _list(self) -> str:
        rows = "\n".join(self._row(machine) for machine in self._machines) or '<tr><td colspan="6">none yet</td></tr>'
        heads = ("State machine", "Created", "Versions", "Aliases", "Started", "Ended")
        table = f"<table><thead><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr></thead><tbody>\n{rows}\n</tbody></table>"
        return _page("State machines", table)

    def _row(self, machine: Machine) -> str:
        started = ended = ""
        try:
            metrics = self._machines.program(self._machines.of(machine)).metrics
        except RequestError:
            ended = "cannot be run"
        else:
            if metrics is not None:
                started, ended = f"{metrics.started[0]:,}", _ended(metrics)
        link = f'<a href="{PATH}/{quote(machine.name)}">{text(machine.name)}</a>'
        if machine.name in self._machines.given:
            link += " (of a pipeline)"
        cells = (
            link,
            iso(machine.created),
            ", ".join(str(version.number) for version in machine.versions[-10:]),
            ", ".join(text(alias.name) for alias in machine.aliases[:10]),
            started,
            ended,
        )
        return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _ended(metrics: WorkflowMetrics) -> str:
    return ", ".join(f"{count:,} {status.lower()}" for status, count in metrics.statuses.items() if count)


def _draw(program: Program) -> str:
    workflow = program.workflow
    return page.render(diagram.draw(workflow), NONE, program.name, workflow.comment, program.sha256)


def _page(title: str, body: str) -> str:
    return f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{text(title)}</title><style>{page.STYLE}</style></head>
<body><h1>{text(title)}</h1>
{body}
</body>
</html>
"""


def _html(body: str) -> web.Response:
    return web.Response(text=body, content_type="text/html", headers=HEADERS)
