"""The architecture, kept true: which room may import from which (docs/architecture.md shows the same as a picture)."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).parent.parent

# A room is a module or a package with everything below it; the longest name that fits counts. Each names what it may import from: rooms
# above it, never one below, so that there is no way around in a circle. A permission that nobody uses is taken away again.
# `express.errors` may be imported from everywhere. Nothing imports an adapter: the registry finds them by name.
CONTRACTS = {
    "express.sources",
    "express.sinks",
    "express.commits",
    "express.addresses",
    "express.options",
    "express.origins",
    "express.units",
}
ROOMS: dict[str, set[str]] = {
    # data, knowing nothing of each other
    "express.errors": set(),
    "express.units": set(),
    "express.printable": set(),
    "express.clock": set(),
    "express.documents": {"express.units"},
    "express.commits": set(),
    "express.addresses": set(),
    "express.options": set(),
    "express.origins": set(),
    "express.sqlite_files": set(),
    "express.language": set(),
    "express.reports": {"express.language"},
    "express.aws_loader": set(),
    "express.aws": {"express.addresses", "express.aws_loader", "express.options"},  # what the sources, the sinks and the tasks at AWS share
    # and at the other brokers
    "express.redis": {"express.addresses", "express.options"},  # what the Redis source, the Redis sink and the memory in Redis share
    "express.queue": {"express.sqlite_files"},  # the file of an embedded queue: its source, its sink and those who send
    "express.kafka_access": set(),
    "express.kafka_silence": set(),
    "express.kafka": {"express.addresses", "express.kafka_access", "express.options"},  # what the Kafka source and the Kafka sink share
    # what generated code runs on: no language, no compiler
    "express.runtime": {"express.clock"},
    "express.tasks": {
        "express.addresses",
        "express.aws",
        "express.aws_loader",
        "express.kafka",
        "express.queue",
        "express.redis",
        "express.runtime",
        "express.clock",
        "express.language.codes",
        "express.language.http_tasks",
        "express.language.model",
        "express.language.resources",
        "express.options",
        "express.origins",
    },
    "express.outcome": {"express.runtime"},
    "express.observers": set(),
    "express.observers.recording": {"express.runtime.values"},
    "express.observers.transcript": {"express.observers", "express.runtime.values", "express.units"},
    # the contracts of where events come from and go to
    "express.sources": {"express.commits", "express.runtime.context"},
    "express.sinks": {"express.sources", "express.runtime.context"},
    # from definition to program to result
    "express.compiler": {"express.language", "express.runtime"},
    "express.timers": {"express.runtime"},
    "express.executor": {"express.clock", "express.timers", "express.runtime", "express.outcome"},
    "express.program": {
        "express.clock",
        "express.language",
        "express.compiler",
        "express.runtime",
        "express.tasks",
        "express.observers",
        "express.options",
        "express.executor",
        "express.outcome",
    },
    "express.room": {"express.observers"},
    "express.dead_letters": {"express.outcome", "express.runtime"},
    "express.envelopes": {"express.sinks", "express.runtime.values"},
    "express.turns": {"express.runtime"},
    "express.dead_letter_limit": set(),
    "express.lane": {"express.outcome", "express.runtime", "express.sources", "express.turns"},
    "express.reruns": {
        "express.documents",
        "express.executor",
        "express.lane",
        "express.outcome",
        "express.runtime",
        "express.sources",
    },
    "express.endings": {
        "express.clock",
        "express.dead_letters",
        "express.lane",
        "express.observers",
        "express.outcome",
        "express.runtime",
        "express.sinks",
        "express.sources",
        "express.dead_letter_limit",
    },
    "express.evaluation": {
        "express.dead_letters",
        "express.endings",
        "express.executor",
        "express.lane",
        "express.outcome",
        "express.reruns",
        "express.runtime",
        "express.sinks",
        "express.turns",
    },
    # what stands around a workflow in a pipeline
    "express.patterns": set(),
    "express.filtering": {"express.patterns", "express.runtime"},
    "express.gate": {"express.endings", "express.filtering", "express.lane", "express.observers", "express.runtime"},
    "express.batches": {
        "express.dead_letters",
        "express.documents",
        "express.endings",
        "express.lane",
        "express.runtime",
        "express.units",
    },
    "express.dedup": {
        "express.sqlite_files",
        "express.addresses",
        "express.clock",
        "express.documents",
        "express.endings",
        "express.lane",
        "express.observers",
        "express.options",
        "express.program",
        "express.redis",
        "express.runtime",
        "express.turns",
        "express.sinks",
        "express.sources",
    },
    "express.pipes": {"express.batches", "express.dedup", "express.reruns"},
    "express.committer": {"express.commits", "express.observers", "express.sources"},
    "express.dispatcher": {
        "express.dedup",
        "express.batches",
        "express.filtering",
        "express.gate",
        "express.committer",
        "express.endings",
        "express.evaluation",
        "express.executor",
        "express.lane",
        "express.observers",
        "express.pipes",
        "express.room",
        "express.runtime",
        "express.sinks",
        "express.sources",
        "express.turns",
        "express.dead_letter_limit",
    },
    # how it is started
    "express.registry": {"express.addresses", "express.options", "express.sinks", "express.sources"},
    "express.connections": {"express.addresses", "express.options", "express.origins"},
    "express.config": {
        "express.dedup",
        "express.connections",
        "express.registry",
        "express.documents",
        "express.batches",
        "express.filtering",
        "express.pipes",
        "express.reruns",
        "express.runtime.limits",
        "express.addresses",
        "express.options",
        "express.units",
        "express.turns",
        "express.dead_letter_limit",
    },
    "express.loading": {"express.options", "express.program", "express.tasks"},
    "express.functions": {"express.loading", "express.options", "express.tasks"},
    "express.surroundings": {"express.config", "express.functions", "express.loading", "express.options"},
    "express.dlq": {
        "express.addresses",
        "express.aws",
        "express.commits",
        "express.kafka",
        "express.options",
        "express.outcome",
        "express.program",
        "express.queue",
        "express.redis",
        "express.runtime",
        "express.sinks",
        "express.sources",
    },
    "express.progress": {"express.observers", "express.units"},
    "express.leaving": {"express.runtime.interrupts"},
    "express.callbacks": {"express.runtime"},
    "express.testing": {"express.clock", "express.observers"},
    "express.checking": {"express.language", "express.tasks"},
    # workflows tested and drawn
    "express.testcases": {
        "express.documents",
        "express.language",
        "express.loading",
        "express.observers",
        "express.outcome",
        "express.printable",
        "express.program",
        "express.runtime",
        "express.tasks",
        "express.testing",
        "express.units",
    },
    "express.drawing": {
        "express.language",
        "express.loading",
        "express.observers",
        "express.printable",
        "express.testcases.coverage",
        "express.units",
    },
    "express.teststate": {
        "express.clock",
        "express.compiler",
        "express.executor",
        "express.language",
        "express.observers",
        "express.program",
        "express.runtime",
        "express.tasks",
        "express.testing",
    },
    "express.api": {
        "express.printable",
        "express.checking",
        "express.sqlite_files",
        "express.callbacks",
        "express.config",
        "express.drawing",
        "express.functions",
        "express.evaluation",
        "express.executor",
        "express.language",
        "express.observers",
        "express.outcome",
        "express.program",
        "express.queue",
        "express.registry",
        "express.runtime",
        "express.tasks.launching",
        "express.tasks.warming",
        "express.teststate",
        "express.addresses",
        "express.options",
        "express.sinks",
        "express.sources",
    },
    "express.launching": {"express.api", "express.program", "express.registry", "express.runtime.values", "express.tasks.launching"},
    "express.worker": {
        "express.dedup",
        "express.api",
        "express.config",
        "express.functions",
        "express.dispatcher",
        "express.executor",
        "express.launching",
        "express.leaving",
        "express.loading",
        "express.observers",
        "express.program",
        "express.progress",
        "express.registry",
        "express.tasks.warming",
        "express.addresses",
        "express.options",
        "express.sinks",
        "express.sources",
    },
    "express": {
        "express.checking",
        "express.teststate",
        "express.program",
        "express.tasks",
        "express.outcome",
    },
    "express.cli": {"express"},  # everything, by way of the verbs
    "express.__main__": {"express.cli"},
}

# Libraries that belong to one place.
LIBRARIES: dict[str, set[str]] = {
    "aiokafka": {
        "consumers.kafka",
        "consumers.kafka_member",
        "consumers.kafka_records",
        "express.dlq.kafka",
        "express.kafka",
        "express.kafka_access",
        "express.kafka_silence",
        "express.sinks.kafka",
        "express.tasks.kafka",
    },
    "redis": {
        "consumers.redis",
        "express.dedup.redis",
        "express.dlq.redis",
        "express.redis",
        "express.sinks.redis",
        "express.tasks.redis",
    },
    "aiobotocore": {"express.aws"},
    "aiohttp": {"express.api", "express.sinks.http", "express.tasks.http", "express.tasks.aws_errors", "express.tasks.remote"},
    "prometheus_client": {"express.observers"},
    "typer": {"express.cli"},
    "rich": {"express.cli", "express.progress"},
    "uvloop": {"express.worker", "express.cli"},
    "jsonatapy": {"express.runtime.jsonata_library"},
    "ruamel": {"express.language", "express.documents"},
}


class Import(NamedTuple):
    module: str
    imported: str
    where: str


def modules() -> dict[str, Path]:
    """Every module of the product by its name."""
    found = {}
    for package in ("express", "consumers"):
        for path in sorted((PROJECT / package).rglob("*.py")):
            name = ".".join(path.relative_to(PROJECT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


MODULES = modules()


def imports(module: str, path: Path) -> Iterator[Import]:
    """What a module imports, wherever the import stands: at the top, inside a function, for the type checker only."""
    place = path.relative_to(PROJECT)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        where = f"{place}:{node.lineno}"
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, alias.name, where)
        else:
            assert node.level == 0, f"{where}: a relative import; the project spells modules out"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield Import(module, whole if whole in MODULES else str(node.module), where)


@functools.cache
def every_import() -> list[Import]:
    """Read by the first test that asks: parallel workers collect this file without running it."""
    return [found for module, path in MODULES.items() for found in imports(module, path)]


def room(module: str) -> str | None:
    while module:
        if module in ROOMS:
            return module
        module = module.rpartition(".")[0]
    return None


def within(module: str, places: set[str]) -> bool:
    return any(module == place or module.startswith(f"{place}.") for place in places)


def is_adapter(module: str) -> bool:
    return within(module, {"consumers"}) or (module.startswith("express.sinks.") and module in MODULES)


@functools.cache
def own_imports() -> list[Import]:
    return [found for found in every_import() if found.imported.partition(".")[0] in ("express", "consumers")]


def test_every_module_has_a_room() -> None:
    inside = [module for module in MODULES if not is_adapter(module)]
    homeless = [module for module in inside if room(module) in (None, "express") and module != "express"]
    assert homeless == [], "name the room in ROOMS, and what it may import"


def test_a_room_imports_only_from_the_rows_above_its_own() -> None:
    wrong = []
    for module, imported, where in own_imports():
        if is_adapter(module):
            continue
        own = room(module)
        assert own is not None, module
        allowed = ROOMS[own] | {"express.errors"} | ({own} if own != "express" else set())
        if not within(imported, allowed):
            wrong.append(f"{where}: {module} imports {imported}")
    assert wrong == []


def test_a_room_may_import_only_from_rooms_above_it() -> None:
    order = list(ROOMS)
    wrong = [
        f"{own} may import from {allowed}, which comes later"
        for own in order
        for allowed in ROOMS[own]
        if (above := room(allowed)) is None or order.index(above) >= order.index(own)
    ]
    assert wrong == []


def test_no_room_may_import_more_than_it_does() -> None:
    used = {(room(found.module), found.imported) for found in own_imports() if not is_adapter(found.module)}
    idle = [
        f"{own} does not import from {allowed}"
        for own, permissions in ROOMS.items()
        for allowed in permissions
        if own != "express.cli" and not any(module == own and within(imported, {allowed}) for module, imported in used)
    ]
    assert idle == [], "take the permission away"


def test_the_architecture_shows_every_room() -> None:
    text = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = "\n".join(line.split("|")[1] for line in text.splitlines() if line.startswith("| `"))
    missing = [name for name in ROOMS if f"`{name.removeprefix('express.')}`" not in table]
    assert missing == [], "a row of the table under 'The rooms'"


def test_an_adapter_knows_the_contracts_and_nothing_of_the_engine() -> None:
    allowed = CONTRACTS | {
        "express.errors",
        "express.runtime.context",
        "express.runtime.values",
        "express.runtime.limits",
        "express.kafka",
        "express.kafka_silence",
        "express.sqlite_files",
        "express.queue",
        "express.redis",
        "express.aws",
        "express.envelopes",
        "express.tasks.http",  # how a connection is used, by HTTP Tasks and by webhooks,
        "express.runtime.failures",  # and what it says where it cannot be
        "consumers",
    }
    wrong = [
        f"{where}: {module} imports {imported}"
        for module, imported, where in own_imports()
        if is_adapter(module) and not within(imported, allowed)
    ]
    assert wrong == []


def test_nobody_imports_an_adapter() -> None:
    """They are found by scheme, once, through the registry's strings. Adapters may share code among themselves."""
    wrong = [
        f"{where}: {module} imports {imported}"
        for module, imported, where in own_imports()
        if is_adapter(imported) and not is_adapter(module)
    ]
    assert wrong == []


def test_only_the_command_line_imports_the_command_line() -> None:
    wrong = [
        where
        for module, imported, where in own_imports()
        if within(imported, {"express.cli"}) and not within(module, {"express.cli", "express.__main__"})
    ]
    assert wrong == []


def test_a_library_is_used_in_its_own_place_only() -> None:
    wrong = [
        f"{where}: {module} imports {imported}"
        for module, imported, where in every_import()
        if (library := imported.partition(".")[0]) in LIBRARIES and not within(module, LIBRARIES[library])
    ]
    assert wrong == []


def test_the_commit_tracker_and_the_language_are_pure() -> None:
    """No clock, no loop, no files (`language` may read a definition's text, not the disk)."""
    impure = {"asyncio", "os", "socket", "threading", "time", "subprocess", "pathlib", "random"}
    wrong = [
        f"{where}: {module} imports {imported}"
        for module, imported, where in every_import()
        if within(module, {"express.commits", "express.language"}) and imported.partition(".")[0] in impure
    ]
    assert wrong == []


def test_importing_express_loads_no_adapter_no_command_line_and_no_server() -> None:
    """A notebook that compiles a workflow pays for the compiler only."""
    code = "import express, sys; print('\\n'.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True).stdout.split()
    unwanted = [
        name for name in loaded if name in ("aiokafka", "redis", "aiobotocore", "typer", "rich", "aiohttp", "uvloop") or is_adapter(name)
    ]
    assert unwanted == []


def test_every_module_says_what_it_is() -> None:
    silent = [module for module, path in MODULES.items() if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert silent == []
