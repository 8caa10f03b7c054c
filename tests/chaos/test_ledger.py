"""The ledger itself: each broken promise is seen, and none where all were kept. Without a broker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from express.commits import OffsetMap, encode
from tests.chaos import record
from tests.chaos.cluster import order_kept, stands
from tests.chaos.events import Crowd, Event
from tests.chaos.ledger import REACH, Commit, Fault, Ledger, Terminal, judge

MADE = Crowd(0.3)


def result(number: int, milliseconds: int, by: str = "[1, 1.0, 2.0]") -> Terminal:
    return Terminal(milliseconds, b'{"n": %d, "square": %d, "by": %s}' % (number, number**2, by.encode()), None)


class Told:
    """A ledger that was told by the test. Events 1 to 4 stand at offsets 0 to 3 of partition 0, the last of them fails."""

    def __init__(self) -> None:
        self.ledger: Any = Ledger.__new__(Ledger)
        self.ledger.strange, self.ledger.commits, self.ledger.results_read = [], [], []
        self.ledger.terminals = {(0, offset): [result(offset + 1, 1_000 + offset)] for offset in range(3)}
        self.ledger.terminals[0, 3] = [Terminal(1_003, None, b"Flaky")]
        self.ledger.results_read = [(0, 0), (0, 1), (0, 2)]
        self.events = {(0, offset): Event(offset + 1, b"Flaky" if offset == 3 else None) for offset in range(4)}
        self.faults: list[Fault] = []

    def violations(self) -> list[str]:
        return judge(self.ledger, self.events, self.faults, 1).violations


def test_where_everything_was_kept_nothing_is_said() -> None:
    told = Told()
    told.ledger.commits.append(Commit(1_010, 0, 1, encode(1, OffsetMap(3, ()))[0]))
    told.ledger.commits.append(Commit(1_020, 0, 4, ""))
    assert told.violations() == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda told: told.ledger.terminals.pop((0, 1)), "I1: event 2 at (0, 1) has neither"),
        (lambda told: told.ledger.terminals.update({(0, 1): [result(7, 1_001)]}), "I1: the result of event 2"),
        (
            lambda told: told.ledger.terminals.update({(0, 1): [Terminal(1_001, None, b"Flaky")]}),
            "I1: event 2 at (0, 1), expected a result",
        ),
        (lambda told: told.ledger.terminals.update({(0, 9): [result(10, 1_001)]}), "I6: a terminal for (0, 9)"),
        (lambda told: told.ledger.commits.append(Commit(1_000, 0, 2, "")), "I2: Commit"),
        (lambda told: told.ledger.commits.append(Commit(1_000, 0, 1, encode(1, OffsetMap(2, ()))[0])), "I3: Commit"),
        (lambda told: told.ledger.commits.append(Commit(2_000, 0, 1, "nonsense")), "has a map that cannot be read"),
        (lambda told: told.ledger.terminals[0, 1].append(result(2, 3_000)), "1 duplicates that no fault explains"),
    ],
)
def test_a_broken_promise_is_named(change: Any, said: str) -> None:
    told = Told()
    change(told)
    assert len(found := told.violations()) == 1, found
    assert said in found[0]


def test_duplicates_are_held_against_the_budget_of_the_fault_that_made_them() -> None:
    told = Told()
    told.ledger.commits.append(Commit(1_001, 0, 1, ""))
    # In flight 1, and what was completed from the last commit until then: the events at 1, 2 and 3
    told.faults = [Fault("kill -9", 2_000, "a", [0], 1)]
    told.ledger.terminals[0, 2] += [result(3, 3_000 + again) for again in range(4)]
    assert told.violations() == []
    told.ledger.terminals[0, 2].append(result(3, 3_009))
    assert told.violations() == ["kill -9 of a: 5 duplicates, the budget was 1 + 3"]


def test_an_earlier_fault_that_still_has_an_effect_takes_what_the_last_one_cannot() -> None:
    told = Told()
    told.ledger.commits.append(Commit(1_001, 0, 1, ""))
    told.faults = [Fault("kill -9", 2_000, "a", [0], 1), Fault("SIGCONT", 2_500, "b", [0], 0, in_flight=1)]
    told.ledger.terminals[0, 2] += [result(3, 3_000 + again) for again in range(8)]
    assert told.violations() == []
    assert [fault.duplicates for fault in told.faults] == [4, 4]


def test_a_kill_is_to_blame_for_what_the_killed_process_had_ended_and_for_nothing_else() -> None:
    told = Told()
    told.ledger.commits.append(Commit(1_001, 0, 1, ""))
    killed, latency = Fault("kill -9", 2_000, "a", [0], 1, process=1), Fault("latency", 2_500, "of all", [0], 0, in_flight=100)
    told.faults = [killed, latency]
    told.ledger.terminals[0, 2].append(result(3, 3_000, by="[2, 1.0, 2.0]"))
    assert told.violations() == []
    assert (killed.duplicates, latency.duplicates) == (1, 0), "however much another fault may still take"
    told.ledger.terminals[0, 2].append(result(3, 3_001, by="[3, 1.0, 2.0]"))
    assert told.violations() == []
    assert (killed.duplicates, latency.duplicates) == (1, 1), "process 2 lives"
    told.faults = [killed]
    assert told.violations() == ["1 duplicates that no fault explains"]


def test_a_kill_that_left_more_than_its_budget_is_named_although_another_fault_has_room() -> None:
    told = Told()
    told.faults = [Fault("kill -9", 2_000, "a", [0], 0, process=1, in_flight=1), Fault("latency", 2_500, "all", [0], 0, in_flight=100)]
    told.ledger.commits.append(Commit(1_500, 0, 0, ""))
    for offset in range(3):
        told.ledger.terminals[0, offset].append(result(offset + 1, 3_000, by="[2, 1.0, 2.0]"))
    assert told.violations() == ["kill -9 of a: 3 duplicates, the budget was 1 + 0"]


def duplicated(fault: int, *commits: Commit, again: int = 3_000) -> list[str]:
    """Event 3, which first ended at 1,002, ends again, with one fault and these commits."""
    told = Told()
    told.faults = [Fault("SIGSTOP", fault, "a", [0], 1)]
    told.ledger.commits += commits
    told.ledger.terminals[0, 2].append(result(3, again))
    return told.violations()


def test_what_was_committed_before_a_fault_is_no_duplicate_of_that_fault_however_large_its_budget_is() -> None:
    unexplained = ["1 duplicates that no fault explains"]
    assert duplicated(2_000, Commit(1_500, 0, 2, "")) == []
    assert duplicated(2_000, Commit(1_500, 0, 3, "")) == unexplained, "by the position"
    assert duplicated(2_000, Commit(1_500, 0, 1, encode(1, OffsetMap(2, (1,)))[0])) == unexplained, "by the map"
    assert duplicated(2_000, Commit(1_500, 0, 1, encode(1, OffsetMap(3, (1, 2)))[0])) == [], "the map says that it is not"


def test_a_fault_explains_nothing_that_began_long_after_it() -> None:
    late = 1_002 - REACH
    assert duplicated(late) == []
    assert duplicated(late - 1) == ["1 duplicates that no fault explains"]


def test_a_zombie_s_second_end_may_come_after_the_commit_of_another_but_not_long_after_the_fault() -> None:
    elsewhere = Commit(2_500, 0, 3, "")
    assert duplicated(1_000, elsewhere) == []
    assert duplicated(1_000, elsewhere, again=1_000 + REACH + 1) == ["1 duplicates that no fault explains"]
    assert duplicated(1_000, again=1_000 + 2 * REACH) == [], "slow, and nobody has committed it"


def test_order_and_overlap_of_a_key() -> None:
    told = Told()
    busy = {(0, offset): Event(21 * (1 + 120 * offset), None) for offset in range(3)}  # of one key
    told.ledger.terminals = {place: [result(event.number, 1, f"[1, {place[1]}.0, {place[1]}.9]")] for place, event in busy.items()}
    assert order_kept(told.ledger, busy, MADE) == []
    told.ledger.results_read = [(0, 1), (0, 0)]
    assert "I4: (0, 0)" in order_kept(told.ledger, busy, MADE)[0]
    told.ledger.results_read = []
    told.ledger.terminals[0, 1] = [result(1, 1, "[1, 0.5, 1.5]")]
    assert "I5: process 1 ran 1" in order_kept(told.ledger, busy, MADE)[0]


def test_a_stand_does_not_count_the_time_in_which_a_broker_was_away() -> None:
    told = Told()
    told.ledger.terminals = {(0, 0): [result(1, 1_000)], (0, 1): [result(2, 41_000)]}
    assert stands(told.ledger, 100.0, [])[0].seconds == 40.0
    assert stands(told.ledger, 100.0, [(30.0, 60.0)])[0].seconds == 29.0


def test_a_section_of_the_record_is_replaced_and_the_others_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECORD", raising=False)
    path = tmp_path / "chaos.md"
    for title, text in (("One", "first"), ("Two", "second"), ("One", "third")):
        record.write(title, text, path)
    written = path.read_text()
    assert written.startswith(record.INTRODUCTION)
    assert [line for line in written.splitlines() if line.startswith("## ")] == ["## One", "## Two"]
    assert ("first" in written, "second" in written, "third" in written) == (False, True, True)
