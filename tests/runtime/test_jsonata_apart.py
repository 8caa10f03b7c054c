"""Expressions that may outgrow any process: they end as expressions do, and whoever asked lives."""

from __future__ import annotations

import os
import resource
import threading
from pathlib import Path
from typing import Any

import pytest

import express
from express.runtime import jsonata_apart
from express.runtime.failures import StateError
from express.runtime.jsonata_library import ENDLESS, LibraryQuery
from express.runtime.jsonata_process import MEMORY, allowance

pytestmark = pytest.mark.uvloop_only


def evaluate(text: str, **document: Any) -> Any:
    return LibraryQuery(text, "Output", text, power=ENDLESS)(document)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("$$.a", None),
        ("$$.n", 2**53 - 1),
        ("$$.x * 2", 3.0),
        ("$$.long", 123_456_789_012_345_678_901_234_567_890),
        ("$$.t & 'é\\u0000'", "a\nbé\x00"),
        ("($f := function($n){ $n = 0 ? 0 : 1 + $f($n - 1) }; $f(2000))", 2_000),
        ("$partition([1, 2, 3], 2)", [[1, 2], [3]]),
    ],
)
def test_the_answer_is_the_same(text: str, wanted: Any) -> None:
    assert evaluate(text, a=None, n=2**53 - 1, x=1.5, t="a\nb", long=123_456_789_012_345_678_901_234_567_890) == wanted


def test_so_is_the_failure() -> None:
    for text in ("$$.nothing", "1 + 'a'", "function($x){ $x }", "$error('é \\ud83d')", "$parse('{')"):
        causes = []
        for power in (1, ENDLESS):
            with pytest.raises(StateError) as caught:
                LibraryQuery(text, "Output/a", text, power=power)({})
            causes.append((caught.value.error, caught.value.cause))
        assert causes[0] == causes[1]


@pytest.mark.parametrize(
    "text",
    [
        # 2 to the 60 parts, and each is looked at
        "$reduce([1..60], function($x, $i){ [[$x], [$x]] }, 1)",
        "($x := $reduce([1..60], function($x, $i){ {'a': $x, 'b': $x} }, 1); $x.**.a)",
        # a function in a function in a function
        "($f := function($a, $b){ 1 }; $x := $reduce([1..100000], function($x, $i){ $f(?, {'a': [[$x]]}) }); $x)",
        # backslashes of backslashes
        "$reduce([1..300], function($x, $i){ $string({'a': $x}) }, 'a')",
        "($f := function($x){ $f([[$x]]) }; $f(1))",
    ],
)
def test_what_no_process_can_hold_is_a_failure(text: str) -> None:
    with pytest.raises(StateError) as caught:
        evaluate(text)
    assert caught.value.error == "States.QueryEvaluationError"
    assert evaluate("1 + 1") == 2


def test_a_process_that_was_killed_is_made_anew() -> None:
    assert evaluate("1 + 1") == 2
    process = jsonata_apart._process
    assert process is not None
    os.kill(process.pid, 9)
    with pytest.raises(StateError, match="D1000: The evaluation needs more memory than it may have"):
        evaluate("1 + 1")
    assert evaluate("1 + 1") == 2


def test_it_is_given_up_when_it_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert evaluate("1") == 1
    monkeypatch.setattr(jsonata_apart, "SECONDS", -1)
    with pytest.raises(StateError, match="D1012: Evaluation timeout after 100 milliseconds"):
        evaluate("$reduce([1..100000], function($x, $i){ $x + $i })")
    monkeypatch.undo()
    assert evaluate("2") == 2


def test_where_no_process_can_be_made_the_evaluation_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    jsonata_apart._end()
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(StateError, match="There is no process for an evaluation that may need any memory"):
        evaluate("1")


def test_several_threads_get_each_their_own_answer() -> None:
    found: dict[int, Any] = {}

    def ask(number: int) -> None:
        for _ in range(20):
            found[number] = evaluate("$$.n + 1", n=number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: number + 1 for number in range(4)}


def test_a_fork_has_a_process_of_its_own() -> None:
    assert evaluate("1 + 1") == 2
    jsonata_apart._after_fork()  # what happens in the child
    assert jsonata_apart._process is None
    assert evaluate("2 + 2") == 4


def test_a_program_that_may_need_the_process_has_it_before_the_first_event() -> None:
    def program(output: str) -> express.Program:
        return express.compile(
            {"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": {"Type": "Pass", "Output": output, "End": True}}}
        )

    jsonata_apart._end()
    program("{% $states.input.x %}").warm()
    assert jsonata_apart._process is None
    endless = program("{% ($f := function($n){ $n = 0 ? 'done' : $f($n - 1) }; $f($states.input)) %}")
    endless.warm()
    made = jsonata_apart._process
    assert made is not None
    assert endless.run(3).output == "done"
    assert jsonata_apart._process is made


@pytest.mark.parametrize(
    ("said", "wanted"), [("536870912\n", 128 << 20), ("max\n", MEMORY), ("9223372036854771712\n", MEMORY), (None, MEMORY)]
)
def test_in_a_container_it_may_take_a_quarter_of_the_memory(tmp_path: Path, said: str | None, wanted: int) -> None:
    limit = tmp_path / "memory.max"
    if said is not None:
        limit.write_text(said)
    assert allowance([limit]) == wanted


@pytest.mark.skipif(not Path("/proc/self/oom_score_adj").exists(), reason="needs Linux")
def test_it_is_bounded_and_goes_first_where_memory_runs_out() -> None:
    jsonata_apart.begin()
    assert jsonata_apart._process is not None
    process = Path(f"/proc/{jsonata_apart._process.pid}")
    (limit,) = (line.split()[3] for line in (process / "limits").read_text().splitlines() if line.startswith("Max address space"))
    size = int((process / "statm").read_text().split()[0]) * resource.getpagesize()
    assert size < int(limit) <= size + MEMORY
    assert (process / "oom_score_adj").read_text() == "1000\n"
