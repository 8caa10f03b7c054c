"""``@express.function`` and files of functions."""

from __future__ import annotations

import functools
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from express.errors import ConfigurationError
from express.tasks.function import Function, as_function, function, load

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a file of functions; what running it did to the interpreter is undone."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)

    def write(text: str, name: str = "some_functions.py") -> Path:
        (tmp_path / name).write_text(textwrap.dedent(text))
        return tmp_path / name

    yield write  # type: ignore[misc]
    for name in set(sys.modules) - before:
        del sys.modules[name]


# --- The decorator ----------------------------------------------------------------------------------------------------------------


def test_a_decorated_function_stays_callable_and_keeps_its_name_and_documentation() -> None:
    @function("price", run="inline")
    def compute(event: Any) -> Any:
        """Computes."""
        return event + 1

    assert compute(1) == 2
    assert (compute.name, compute.run, compute.__name__, compute.__doc__) == ("price", "inline", "compute", "Computes.")


def test_without_arguments_it_takes_the_functions_own_name_and_a_thread() -> None:
    @function
    def price(event: Any) -> Any:
        return event

    @function()
    def other(event: Any) -> Any:
        return event

    assert (price.name, price.run, other.name, other.concurrency) == ("price", "thread", "other", None)


def test_an_async_function_runs_in_a_task() -> None:
    @function("price")
    async def price(event: Any) -> Any:
        return event

    class Waits:
        async def __call__(self, event: Any) -> Any:
            return event

    assert price.run == "async"
    assert as_function("object", Waits()).run == "async"
    assert as_function("partial", functools.partial(price.wrapped)).run == "async"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"run": "fork"}, "function 'work': run must be one of 'thread', 'inline', 'process', not 'fork'"),
        ({"concurrency": 0}, "function 'work': concurrency must be a number from 1, not 0"),
        ({"concurrency": True}, "function 'work': concurrency must be a number from 1, not True"),
    ],
)
def test_what_the_decorator_cannot_mean_is_refused(arguments: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        function("work", **arguments)(lambda event: event)
    assert str(caught.value) == message


def test_decorating_twice_decorates_the_function_itself() -> None:
    @function("price")
    async def price(event: Any) -> Any:
        return event

    again = function("again")(price)
    assert (again.name, again.run, again.wrapped) == ("again", "async", price.wrapped)


def test_attributes_of_the_function_do_not_pass_for_the_decorators() -> None:
    def work(event: Any) -> Any:
        return event

    work.run = "inline"  # type: ignore[attr-defined]
    work.name = "other"  # type: ignore[attr-defined]
    made = function("work")(work)
    assert (made.name, made.run) == ("work", "thread")


def test_an_async_function_cannot_have_another_mode() -> None:
    async def work(event: Any) -> Any:
        return event

    with pytest.raises(ConfigurationError, match="function 'work' is async, so it cannot have run='thread': leave run out"):
        function("work", run="thread")(work)


# --- Parameters -------------------------------------------------------------------------------------------------------------------


def two_with_default(event: Any, context: Any = None) -> Any: ...
def any_number(*arguments: Any) -> Any: ...
def named_too(event: Any, *, limit: int = 3, **others: Any) -> Any: ...
def only_by_position(event: Any, context: Any, /) -> Any: ...


@pytest.mark.parametrize(
    ("given", "takes_context"),
    [
        (lambda event: 1, False),
        (lambda event, context: 1, True),
        (two_with_default, True),
        (any_number, True),
        (named_too, False),
        (only_by_position, True),
        (len, False),
        (dict, False),
        (functools.partial(two_with_default, context=None), False),
    ],
)
def test_a_function_with_room_for_one_argument_gets_the_event_alone(given: Any, takes_context: bool) -> None:
    assert as_function("work", given).takes_context is takes_context


def nothing() -> Any: ...
def three(event: Any, context: Any, more: Any) -> Any: ...
def needs_a_name(event: Any, *, limit: int) -> Any: ...


@pytest.mark.parametrize(("given", "shape"), [(nothing, "()"), (three, "(event, context, more)"), (needs_a_name, "(event, limit)")])
def test_a_function_that_cannot_be_called_with_an_event_is_refused(given: Any, shape: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        as_function("work", given)
    assert str(caught.value) == f"function 'work' takes {shape}: expected (event) or (event, context)"


def test_what_cannot_be_called_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="function 'work': expected something that can be called, not int"):
        as_function("work", 5)  # type: ignore[arg-type]


# --- Files ------------------------------------------------------------------------------------------------------------------------


def test_a_file_gives_its_functions_by_name(write: Write) -> None:
    file = write("""
        from express.tasks.function import function

        @function("price", run="inline")
        def compute(event): return event

        @function
        async def ship(event, context): return event

        also_price = compute

        def helper(event): return event
    """)
    found = load(file)
    assert {name: made.run for name, made in found.items()} == {"price": "inline", "ship": "async"}
    assert all(isinstance(made, Function) for made in found.values())


def test_the_same_file_is_run_once(write: Write) -> None:
    file = write("from express.tasks.function import function\n@function\ndef price(event): return event\n")
    assert load(file)["price"] is load(str(file))["price"]


def test_a_file_may_import_its_neighbours(write: Write) -> None:
    write("def double(event): return event * 2\n", "some_neighbour.py")
    file = write("from express.tasks.function import function\nfrom some_neighbour import double\nprice = function('price')(double)\n")
    assert load(file)["price"](4) == 8


def test_a_file_named_like_a_library_does_not_hide_it(write: Write) -> None:
    file = write("from express.tasks.function import function\n@function\ndef price(event): return event\n", "json.py")
    assert "price" in load(file)
    assert load(file)["price"] is load(file)["price"]
    import json

    assert json.loads("1") == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def price(event: return 1\n", r"some_functions\.py, line 1: not valid Python: "),
        ("import os\nimport no_such_module_at_all\n", r", line 2: fails when it is imported: ModuleNotFoundError: No module named"),
        ("raise SystemExit(2)\n", r", line 1: fails when it is imported: SystemExit: 2"),
        ("def price(event): return 1\n", r": has no function with @express\.function, so it provides nothing"),
        (
            "from express.tasks.function import function\na = function('x')(lambda e: 1)\nb = function('x')(lambda e: 2)\n",
            r": two functions are named 'x'; names must differ",
        ),
        (
            "from express.tasks.function import function\n@function('x', run='forever')\ndef x(event): ...\n",
            r", line 2: function 'x': run must be one of",
        ),
    ],
)
def test_a_file_that_cannot_be_used_gets_one_sentence(write: Write, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load(write(text))


@pytest.mark.parametrize(("name", "message"), [("missing.py", "no such file"), (".", "no such file")])
def test_what_is_no_file_gets_one_sentence(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load(tmp_path / name)


def test_a_file_that_is_not_python_gets_one_sentence(write: Write) -> None:
    with pytest.raises(ConfigurationError, match=r"not a Python file; its name must end in \.py"):
        load(write("x", "functions.txt"))


def test_a_function_says_whether_a_second_call_would_harm() -> None:
    @function("charge", idempotent=False)
    def charge(event: Any) -> Any:
        return event

    @function
    def look(event: Any) -> Any:
        return event

    assert (charge.idempotent, look.idempotent) == (False, None)
    with pytest.raises(ConfigurationError, match="function 'charge': idempotent must be True or False, not 'no'"):
        function("charge", idempotent="no")(print)  # type: ignore[call-overload]
