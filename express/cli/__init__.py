"""The command line: one file per verb, no logic; every error of the engine as one sentence and an exit code."""

from __future__ import annotations

import logging
import os
import sqlite3
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import typer

from express.cli import check, compile, dlq, exec, graph, queue, run, serve, test  # noqa: A004 - verbs
from express.cli.exits import MEANING, Exit
from express.errors import (
    CannotCreate,
    ConfigurationError,
    ConnectionFailed,
    DefinitionError,
    ExpressError,
    MissingFile,
    PipelineStopped,
    UnreadableFile,
)

EXAMPLES = """
\b
Examples:
  express check orders.asl.json
  express exec orders.asl.json --input '{"total": 65}' --functions orders_functions.py
  express run orders.asl.json --functions orders_functions.py --source file:orders.jsonl --sink file:done.jsonl
  express test orders.test.yaml --coverage
  express graph orders.asl.json -o orders.html
  express run -c express.yaml
  express serve --functions orders_functions.py
"""
EXITS = "\n".join(["", "\b", "Exit codes:", *(f"  {code:3d}  {text}" for code, text in MEANING.items())])

app = typer.Typer(
    name="express",
    help="Runs AWS Step Functions Express workflows on your own machines, over Kafka, at least once, at stream speed.",
    epilog=f"{EXAMPLES}\n{EXITS}",
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
for name, verb in (
    ("run", run),
    ("serve", serve),
    ("exec", exec),
    ("check", check),
    ("compile", compile),
    ("test", test),
    ("graph", graph),
):
    app.command(name, epilog=verb.EXAMPLES, short_help=verb.SHORT)(verb.command)

app.add_typer(dlq.app, name="dlq", epilog=dlq.EXAMPLES, help=dlq.SHORT, short_help=dlq.SHORT)
app.add_typer(queue.app, name="queue", epilog=queue.EXAMPLES, help=queue.SHORT, short_help=queue.SHORT)

UNREADABLE = "is not readable"  # how typer says it

# click's, wherever this version of typer keeps it
UsageError: type[Any] = typer.BadParameter.__mro__[1]
ClickException: type[Any] = typer.BadParameter.__mro__[2]


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"express {version('express-workflows')}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")] = False,
) -> None:
    """Runs AWS Step Functions Express workflows on your own machines, over Kafka, at least once, at stream speed."""
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(Exit.USAGE)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The ``express`` command. The only place that ends the process on purpose."""
    _open_standard_streams()
    status = _status(sys.argv[1:] if arguments is None else arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # `express ... | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if run.stuck():
        # A function that never returns has a thread: Python would wait for what it cannot end.
        logging.shutdown()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


def _open_standard_streams() -> None:
    """A daemon's parent may have closed some of the three: their numbers must not be given to a socket, and writing must not fail. What
    reads standard input still sees that it is closed."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115 - as long as the process
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115


def _status(arguments: Sequence[str]) -> int:
    try:
        return app(list(arguments), prog_name="express", standalone_mode=False) or Exit.OK
    except UsageError as error:
        if UNREADABLE in error.format_message():  # typer looks before we do; the code is the same whoever finds out
            return _say(Exit.NO_PERMISSION, f"no permission: {error.format_message().rstrip('.')}")
        path = error.ctx.command_path if error.ctx else "express"
        return _say(Exit.USAGE, f"{error.format_message().rstrip('.')} (see {path} --help)")
    except ClickException as error:
        return _say(Exit.USAGE, error.format_message())
    except (KeyboardInterrupt, typer.Abort):
        return Exit.INTERRUPTED
    except BrokenPipeError:
        return Exit.IO
    except Exception as error:
        if os.environ.get("EXPRESS_DEBUG"):
            traceback.print_exc()
        return _say(*_explain(error))


def _explain(error: Exception) -> tuple[Exit, str]:
    """The exit code and the sentences of an error. What nobody foresaw is a defect."""
    match error:
        case DefinitionError():
            return Exit.DEFINITION, str(error)
        case MissingFile():
            return Exit.NO_INPUT, str(error)
        case UnreadableFile():
            return Exit.NO_PERMISSION, str(error)
        case ConfigurationError():
            return Exit.CONFIGURATION, str(error)
        case ConnectionFailed(__cause__=PermissionError()):
            return Exit.NO_PERMISSION, str(error)
        case CannotCreate():
            return Exit.CANNOT_CREATE, str(error)
        case ConnectionFailed(__cause__=FileNotFoundError()):
            return Exit.NO_INPUT, str(error)
        case ConnectionFailed():
            return Exit.UNAVAILABLE, str(error)
        case PipelineStopped() | ExpressError():
            return Exit.NO, str(error)
        case FileNotFoundError(filename=str() as name):
            return Exit.NO_INPUT, f"there is no file {name}"
        case PermissionError(filename=str() as name):
            return Exit.NO_PERMISSION, f"no permission to open {name}"
        case IsADirectoryError(filename=str() as name):
            return Exit.NO_INPUT, f"{name} is a directory, expected a file"
        case OSError():
            return Exit.IO, f"{error.filename or 'input or output'}: {error.strerror or error}"
        case ExceptionGroup(exceptions=errors):
            explained = [_explain(one) for one in errors]
            return explained[0][0], "\n".join(text for _, text in explained)
        case sqlite3.Error():
            return Exit.IO, f"the queue could not be read or written: {error}"
    where = traceback.extract_tb(error.__traceback__)[-1]
    what = f"{type(error).__name__}: {error} at {where.filename}:{where.lineno}"
    return Exit.BUG, f"a defect of Express, please report it: {what} (EXPRESS_DEBUG=1 shows the whole traceback)"


def _say(status: Exit, text: str) -> Exit:
    for line in text.splitlines():
        print(f"express: {line}", file=sys.stderr)
    return status
