"""Python functions as what Task states call: the ``@express.function`` decorator, and files full of them."""

from __future__ import annotations

import functools
import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, Literal, TypeVar, get_args, overload

from express.errors import ConfigurationError

Mode = Literal["thread", "inline", "process", "async"]
F = TypeVar("F", bound=Callable[..., Any])


class Function(Generic[F]):
    """A function with what the engine must know about it; calling it calls the function.

    ``run`` is ``async`` for coroutine functions, else one of ``thread`` (the default), ``inline`` (promises not to block) and ``process``.
    ``concurrency`` is how many calls may run at a time, None for no limit of its own. ``idempotent`` is False where a second call would
    harm: ``express check`` then says so of a Retry. It changes nothing that runs.
    """

    wrapped: F

    def __init__(
        self,
        wrapped: F,
        name: str | None = None,
        run: Mode | None = None,
        concurrency: int | None = None,
        idempotent: bool | None = None,
    ) -> None:
        inner: F = wrapped.wrapped if isinstance(wrapped, Function) else wrapped
        functools.update_wrapper(self, inner)  # first: it brings along the function's own attributes
        self.wrapped = inner
        self.name: str = str(name or getattr(inner, "__name__", "function"))
        self.run = _mode(inner, self.name, run)
        if concurrency is not None and (isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 1):
            raise ConfigurationError(f"function {self.name!r}: concurrency must be a number from 1, not {concurrency!r}")
        self.concurrency = concurrency
        if not (idempotent is None or isinstance(idempotent, bool)):
            raise ConfigurationError(f"function {self.name!r}: idempotent must be True or False, not {idempotent!r}")
        self.idempotent = idempotent
        self.takes_context = _takes_context(inner, self.name)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self.wrapped(*arguments, **named)

    def __repr__(self) -> str:
        return f"<express.function {self.name!r} run={self.run!r}>"


@overload
def function(name: F, /) -> Function[F]: ...


@overload
def function(
    name: str | None = None,
    /,
    *,
    run: Literal["thread", "inline", "process"] | None = None,
    concurrency: int | None = None,
    idempotent: bool | None = None,
) -> Callable[[F], Function[F]]: ...


def function(name: Any = None, /, *, run: Any = None, concurrency: int | None = None, idempotent: bool | None = None) -> Any:
    """Makes a function one that Task states can call: ``@express.function``, or ``@express.function("price", run="inline")``.

    It is found by ``name`` (its own without one) in ``arn:aws:lambda:...:function:NAME`` and in lambda:invoke's FunctionName.
    """
    if callable(name):
        return Function(name)
    return lambda wrapped: Function(wrapped, name, run, concurrency, idempotent)


def as_function(name: str, provided: Callable[..., Any]) -> Function[Any]:
    """What a mapping of functions holds under ``name``: made by the decorator, or any callable."""
    if isinstance(provided, Function):
        return provided
    if not callable(provided):
        raise ConfigurationError(f"function {name!r}: expected something that can be called, not {type(provided).__name__}")
    return Function(provided, name)


def _mode(wrapped: Callable[..., Any], name: str, run: str | None) -> Mode:
    if inspect.iscoroutinefunction(wrapped) or inspect.iscoroutinefunction(type(wrapped).__call__):  # an object with an async __call__ too
        if run not in (None, "async"):
            raise ConfigurationError(f"function {name!r} is async, so it cannot have run={run!r}: leave run out")
        return "async"
    modes = [mode for mode in get_args(Mode) if mode != "async"]
    if run is None:
        return "thread"
    if run not in modes:
        raise ConfigurationError(f"function {name!r}: run must be one of {', '.join(map(repr, modes))}, not {run!r}")
    return run  # type: ignore[return-value]


def _takes_context(wrapped: Callable[..., Any], name: str) -> bool:
    """Whether the function has room for a second argument, as Lambda's handlers do; one that takes only one gets the event alone."""
    try:
        parameters = list(inspect.signature(wrapped).parameters.values())
    except (TypeError, ValueError):  # written in C, without a signature
        return False
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return True
    places = [parameter for parameter in parameters if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)]
    needed = [
        parameter.name for parameter in parameters if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
    ]
    if not places or len(needed) > 2 or any(name not in {place.name for place in places[:2]} for name in needed):
        raise ConfigurationError(f"function {name!r} takes ({', '.join(needed)}): expected (event) or (event, context)")
    return len(places) >= 2


# --- Files ------------------------------------------------------------------------------------------------------------------------


def load(path: str | os.PathLike[str]) -> dict[str, Function[Any]]:
    """Runs a Python file and returns its functions by name. ConfigurationError with one sentence for a file that cannot be used."""
    module = load_module(path)
    found: dict[str, Function[Any]] = {}
    problems: list[str] = []
    for value in vars(module).values():
        if isinstance(value, Function):
            known = found.setdefault(value.name, value)
            if known is not value:
                problems.append(f"{path}: two functions are named {value.name!r}; names must differ")
    if problems:
        raise ConfigurationError(*problems)
    if not found:
        raise ConfigurationError(f"{path}: has no function with @express.function, so it provides nothing")
    return found


def load_module(path: str | os.PathLike[str]) -> ModuleType:
    """The module of a Python file, run once: the same file is the same module. Its folder can be imported from, as a Lambda's can."""
    file = Path(path).resolve()
    if not file.is_file():
        raise ConfigurationError(f"{path}: no such file; expected a Python file with functions")
    name = file.stem
    known = sys.modules.get(name)
    if known is not None:
        if _same_file(known, file):
            return known
        name = f"express_functions_{name}_{abs(hash(str(file))):x}"
        if (known := sys.modules.get(name)) is not None:
            return known
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"{path}: not a Python file; its name must end in .py")
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        del sys.modules[name]
        raise ConfigurationError(f"{path}{_line(error, file)}: {_says(error)}") from error
    return module


def _same_file(module: ModuleType, file: Path) -> bool:
    known = getattr(module, "__file__", None)
    return known is not None and Path(known).resolve() == file


def _line(error: BaseException, file: Path) -> str:
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return f", line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return f", line {lines[-1]}" if lines else ""


def _says(error: BaseException) -> str:
    if isinstance(error, ConfigurationError):
        return str(error)
    if isinstance(error, SyntaxError):
        return f"not valid Python: {error.msg}"
    return f"fails when it is imported: {type(error).__name__}: {error}"
