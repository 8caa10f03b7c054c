"""``express dlq``: dead letters listed, shown, sent again or removed."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from express.cli import extensions, substitutions
from express.cli.exits import Exit, usage
from express.cli.extensions import Extension

if TYPE_CHECKING:
    from express.config import Configuration
    from express.dlq.boxes import Box
    from express.dlq.letters import Letter
    from express.program import Program

SHORT = "List, show, replay or drop dead letters."
EXAMPLES = """
\b
Examples:
  express dlq list file:dead-letters.jsonl
  express dlq show kafka://localhost:9092/orders.dead 3-1041
  express dlq replay queue:dead.db --all --definition orders.asl.json --functions orders_functions.py --dry-run
  express dlq replay queue:dead.db --to queue:orders.db --error OutOfStock
  express dlq drop redis://localhost:6379/orders.dead 1526919030474-55
  express dlq drop -c express.yaml kafka://events/orders.dead --all
"""

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]})

Place = Annotated[str, typer.Argument(metavar="ADDRESS", help="Where the dead letters are: file:, kafka:, queue:, redis: or sqs:.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="ID...", help="Which, as list names them.")]
Config = Annotated[Path | None, typer.Option("-c", "--config", metavar="FILE", help="For the connections that addresses name.")]
Error = Annotated[str | None, typer.Option("--error", metavar="NAME", help="Only those that failed with this error.")]
All = Annotated[bool, typer.Option("--all", help="All that are there.")]


@app.command("list", short_help="A line for each dead letter.")
def list_(place: Place, error: Error = None, configuration: Config = None) -> int:
    """A line for each dead letter, oldest first: its id, when it failed last, in which workflow and state, with which error and cause."""

    async def listed() -> int:
        count = 0
        async with _opened(place, configuration) as box:
            async for one in box.letters():
                if error is None or one.reason("error") == error:
                    count += 1
                    print(_line(one))
        print(f"{count:,} dead letter{'' if count == 1 else 's'} in {place}", file=sys.stderr)
        return Exit.OK

    return _run(listed())


@app.command(short_help="One dead letter, whole.")
def show(place: Place, identity: Annotated[str, typer.Argument(metavar="ID")], configuration: Config = None) -> int:
    """One dead letter: why it is one, its key, its headers and the original record."""

    async def shown() -> int:
        async with _opened(place, configuration) as box:
            one, *_ = await _chosen(box, place, [identity], None, every=False)  # a file may hold the same line twice
        for name, text in one.reasons.items():
            print(f"{name}: {text}")
        for name, content in one.headers:
            print(f"header {name}: {content.decode(errors='backslashreplace')}")
        print(f"key: {'-' if one.key is None else one.key.decode(errors='backslashreplace')}")
        print("null" if one.value is None else one.value.decode(errors="backslashreplace"))
        return Exit.OK

    return _run(shown())


@app.command(short_help="Send original records again, or see what would become of them.")
def replay(
    place: Place,
    ids: Ids = None,
    to: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Where the records go: kafka:, queue:, redis: or sqs:.")] = None,
    error: Error = None,
    every: All = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the dead letters where they are.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Send and remove nothing.")] = False,
    definition: Annotated[Path | None, typer.Option(metavar="FILE", help="With --dry-run: what this definition does with them.")] = None,
    functions: Annotated[list[Path] | None, typer.Option(metavar="FILE", help="The definition's functions; they really run.")] = None,
    substitute: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help=substitutions.HELP)] = None,
    extension: Annotated[list[Extension] | None, typer.Option(help=extensions.HELP)] = None,
    batch: Annotated[bool, typer.Option("--batch", help="The definition takes batches: each record is an array of one.")] = False,
    configuration: Config = None,
) -> int:
    """Sends the original records, keys and headers untouched, to ADDRESS; each is removed here once it is acknowledged there. With
    --definition and --dry-run they run through that definition instead, with the connections, functions and substitutions that the
    configuration has for it, and nothing is sent: exit code 1 when some still fail."""
    if definition is not None and not dry_run:
        raise usage("expected --dry-run beside --definition: what is sent runs in a pipeline")
    if dry_run == (to is not None) and definition is None:
        raise usage("expected --to ADDRESS, or --dry-run")

    from express.loading import program_of
    from express.surroundings import surroundings

    async def replayed() -> int:
        async with _opened(place, configuration) as box:
            chosen = await _chosen(box, place, ids, error, every=every)
            if definition is not None:
                there = surroundings(definition, configuration, os.environ, functions or ())
                program = program_of(
                    definition,
                    there.functions,
                    substitutions={**there.substitutions, **substitutions.parsed(substitute)},
                    connections=there.connections,
                    extensions=(*there.extensions, *(extension or ())),
                )
                return await _rehearsed(program, chosen, batch)
            if to is None:
                for one in chosen:
                    print(_line(one))
                print(f"would send {len(chosen):,} of {place}", file=sys.stderr)
                return Exit.OK
            return await _sent(box, place, chosen, to, keep, configuration)

    return _run(replayed())


@app.command(short_help="Remove dead letters for good.")
def drop(place: Place, ids: Ids = None, error: Error = None, every: All = False, configuration: Config = None) -> int:
    """Removes dead letters for good. Kafka removes only from the beginning of a partition."""

    async def dropped() -> int:
        async with _opened(place, configuration) as box:
            chosen = await _chosen(box, place, ids, error, every=every)
            await box.remove([one.id for one in chosen])
        print(f"dropped {len(chosen):,} of {place}")
        return Exit.OK

    return _run(dropped())


def _run(steps: Coroutine[Any, Any, int]) -> int:
    return asyncio.run(steps)


def _settings(path: Path | None) -> Configuration:
    from express.config import Configuration, Settings, load

    return Configuration(settings=Settings(), directory=Path()) if path is None else load(path, os.environ)


@asynccontextmanager
async def _opened(place: str, configuration: Path | None) -> AsyncIterator[Box]:
    from express.config import resolve
    from express.dlq.boxes import BOXES, open_box

    box = open_box(*resolve(_settings(configuration), place, BOXES, "place of dead letters"))
    await box.start()
    try:
        yield box
    finally:
        await box.stop()


async def _chosen(box: Box, place: str, ids: list[str] | None, error: str | None, *, every: bool) -> list[Letter]:
    """The letters that were named, in their order; all of these must be there."""
    from express.errors import ConfigurationError

    if not ids and error is None and not every:
        raise usage("expected IDs, --error NAME, or --all")
    if ids and (every or error is not None):
        raise usage("expected IDs, or --error NAME or --all, not both")
    if every and error is not None:
        raise usage("expected --error NAME or --all, not both")
    found = [one async for one in box.letters() if (one.id in ids if ids else error is None or one.reason("error") == error)]
    if missing := set(ids or ()) - {one.id for one in found}:
        raise ConfigurationError(*(f"{place}: there is no dead letter {each}" for each in sorted(missing)))
    return found


async def _rehearsed(program: Program, chosen: list[Letter], batch: bool) -> int:
    from express.dlq.replaying import rehearse
    from express.runtime.values import dumps

    failed = 0
    async for tried in rehearse(program, chosen, batch):
        outcome = tried.outcome
        before = tried.letter.reason("error") or "no error name"
        failed += outcome.status != "SUCCEEDED"
        now = dumps(outcome.output).decode() if outcome.status == "SUCCEEDED" else f"{outcome.error}: {outcome.cause}"
        print(f"{tried.letter.id}  {before} -> {outcome.status}  {_cut(now)}")
    print(f"{len(chosen) - failed:,} of {len(chosen):,} would succeed; nothing was sent", file=sys.stderr)
    return Exit.NO if failed else Exit.OK


async def _sent(box: Box, place: str, chosen: list[Letter], to: str, keep: bool, configuration: Path | None) -> int:
    from rich.console import Console
    from rich.progress import Progress

    from express import registry
    from express.config import resolve
    from express.dlq.replaying import send
    from express.options import SinkOptions

    if to.startswith("file:"):
        raise usage("expected --to kafka:, queue:, redis: or sqs:, whose records keep key and headers; a file has lines only")
    address, connection = resolve(_settings(configuration), to, registry.SINKS, "sink")
    sink = registry.open_sink(address, SinkOptions(name="dlq", connection=connection, for_replay=True))
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("sending", total=len(chosen))
        advance: Callable[[int], None] = lambda count: progress.advance(task, count)  # noqa: E731
        try:
            await send(box, chosen, sink, keep=keep, sent=advance)
        finally:
            await sink.stop()
    print(f"sent {len(chosen):,} of {place} to {to}{', and kept them' if keep else ''}")
    return Exit.OK


def _line(one: Letter) -> str:
    where = "/".join(part for part in (one.reason("workflow"), one.reason("state")) if part)
    why = ": ".join(part for part in (one.reason("error"), one.reason("cause")) if part)
    return "  ".join(part for part in (one.id, one.reason("last-failure"), where, _cut(why)) if part)


def _cut(text: str, most: int = 120) -> str:
    """On one line, and not a long one."""
    text = text.translate({10: " ", 13: " ", 27: "?"})
    return text if len(text) <= most else f"{text[: most - 3]}..."
