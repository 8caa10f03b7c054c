"""Bugs planted one at a time, each alone in a copy of the tree: ``python -m tests.chaos.mutations`` says which test notices which.

A mutation is exact text replaced in a file. Text that is gone, or there twice, fails loudly: then the engine has changed, and the mutation
has to be written anew for what it has become (``tests/chaos/test_mutations.py`` notices at once).
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).parent.parent.parent
RECORD = PROJECT / "docs" / "mutations.md"
NOBODY = "**nobody**"
SEEDS = "300"  # of the simulation, for each mutation
PATIENCE = 420  # seconds for the tests of one mutation, each target; one that hangs has noticed, too

SIMULATION = "tests/simulation/test_simulation.py::test_whatever_goes_wrong_nothing_is_lost_and_no_promise_is_broken"


class Edit(NamedTuple):
    """``old`` is in the file exactly once."""

    file: str
    old: str
    new: str


class Mutation(NamedTuple):
    """A bug that other engines had, or that this one might get. ``tests``: who should notice."""

    name: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]


COMMITS, DISPATCHER, ENDINGS = "express/commits.py", "express/dispatcher.py", "express/endings.py"
MEMBER, MEMORY = "consumers/kafka_member.py", "consumers/memory.py"

MUTATIONS = (
    Mutation(
        "commit the highest seen instead of the lowest unfinished",
        (Edit(COMMITS, "offset = min(pending) if pending else self._delivered + 1", "offset = self._delivered + 1"),),
        (SIMULATION, "tests/test_commits.py"),
    ),
    Mutation(
        "commit the offset without + 1",
        (
            Edit(
                COMMITS,
                "offset = min(pending) if pending else self._delivered + 1",
                "offset = min(pending) if pending else self._delivered",
            ),
        ),
        (SIMULATION, "tests/test_commits.py"),
    ),
    Mutation(
        "one tracker reused across assignments",
        (
            Edit(MEMBER, 'NOWHERE = TopicPartition("", -1)', 'KEPT: dict = {}\nNOWHERE = TopicPartition("", -1)'),
            Edit(
                MEMBER,
                "Assignment(partition.topic, partition.partition, tracker)",
                "Assignment(partition.topic, partition.partition, KEPT.setdefault((self.membership.group, partition), tracker))",
            ),
            Edit(
                MEMORY,
                "Assignment(self.log.name, partition, tracker)",
                "Assignment(self.log.name, partition, self.log.kept.setdefault(partition, tracker))",
            ),
            Edit(
                MEMORY,
                "        self.members: set[MemorySource] = set()",
                "        self.members: set[MemorySource] = set()\n        self.kept: dict = {}",
            ),
        ),
        (
            "tests/consumers/test_memory.py",
            "tests/consumers/test_kafka.py::test_finished_work_beyond_the_position_is_skipped_by_the_next_member",
        ),
    ),
    Mutation(
        "fence before drain",
        (
            Edit(
                DISPATCHER,
                "        try:\n            await self._drain(lanes)\n",
                "        self._fence(assignments)\n        try:\n            await self._drain(lanes)\n",
            ),
        ),
        (SIMULATION, "tests/test_dispatcher.py::test_a_revoked_partition_is_drained_committed_and_only_then_fenced"),
    ),
    Mutation(
        "commit before the sink's acknowledgement",
        (
            Edit(
                ENDINGS,
                "            results, self._results = self._results, []\n",
                "            results, self._results = self._results, []\n"
                "            for entry in results:\n                entry.assignment.tracker.finish([entry.message.offset])\n",
            ),
        ),
        (SIMULATION, "tests/test_dispatcher.py::test_nothing_is_committed_before_the_sink_has_acknowledged"),
    ),
    Mutation(
        "acknowledge on enqueue instead of on delivery",
        (
            Edit(
                "express/sinks/kafka.py",
                "        self._turn += 1\n        self._wake.set()",
                "        self._turn += 1\n        self._wake.set()\n        self._acknowledged(entries)",
            ),
            Edit(
                "express/sinks/kafka.py",
                "            self._count(partition, len(sent))\n            self._acknowledged(sent)",
                "            self._count(partition, len(sent))",
            ),
        ),
        ("tests/sinks/test_kafka.py",),
    ),
    Mutation(
        "a failed commit advances the tracker",
        (Edit("express/committer.py", "        for assignment in committed:\n", "        for assignment in positions:\n"),),
        (SIMULATION, "tests/test_dispatcher.py::test_a_refused_commit_changes_nothing_and_is_tried_again"),
    ),
    Mutation(
        "drop the offset map on restart",
        (Edit(COMMITS, "None if committed is None else decode(metadata, committed)", "None"),),
        (SIMULATION, "tests/test_commits.py"),
    ),
    Mutation(
        "trust a map of an unknown version",
        (Edit(COMMITS, " or len(body) < 3 or body[0] != VERSION:", " or len(body) < 3:"),),
        (SIMULATION, "tests/test_commits.py"),
    ),
    Mutation(
        "skip gaps beyond the highest finished",
        (
            Edit(
                COMMITS,
                "for offset in offsets if offset <= known.highest and offset not in unfinished}",
                "for offset in offsets if offset not in unfinished}",
            ),
        ),
        (SIMULATION, "tests/test_commits.py"),
    ),
    Mutation(
        "lose the dead letter's error and go on",
        (
            Edit(
                ENDINGS,
                "        self._release(entry.assignment, (entry.message,))\n"
                "        place = dead_letters.place(entry.message)\n        self._fail(",
                "        self._settle([entry])\n        place = dead_letters.place(entry.message)\n        str(",
            ),
        ),
        (SIMULATION, "tests/test_dispatcher.py::test_a_dead_letter_that_is_rejected_stops_the_pipeline_before_the_failure_is_lost"),
    ),
    Mutation(
        "the dead-letter limit never resets",
        (
            Edit(
                "express/dead_letter_limit.py",
                "            self._consecutive = 0\n            self._note(False",
                "            self._note(False",
            ),
        ),
        (SIMULATION, "tests/test_dead_letter_limit.py"),
    ),
    Mutation(
        "cancel getmany",
        (
            Edit(
                MEMBER,
                "            await self._consumer.getmany(NOWHERE, timeout_ms=0)\n"
                "        except Exception:\n            self._mend_fetch_count()\n            raise",
                "            await asyncio.wait_for(self._consumer.getmany(NOWHERE, timeout_ms=200), 0.02)\n"
                "        except TimeoutError:\n            pass\n"
                "        except Exception:\n            self._mend_fetch_count()\n            raise",
            ),
        ),
        ("tests/consumers/test_kafka_faults.py::test_errors_of_a_fetch_do_not_keep_the_consumer_alive_for_ever",),
    ),
    Mutation(
        "pause without resume",
        (Edit(DISPATCHER, "        self._paused = False\n        self.source.resume()", "        self._paused = False"),),
        (SIMULATION, "tests/test_dispatcher.py::test_intake_pauses_at_the_limit_of_records_and_goes_on_at_half_of_it"),
    ),
    Mutation(
        "resume without room",
        (
            Edit(
                "express/room.py",
                "self._closed = records > self._records or size > self._bytes or self.busy()",
                "self._closed = False",
            ),
        ),
        (SIMULATION, "tests/test_dispatcher.py::test_intake_pauses_at_the_limit_of_records_and_goes_on_at_half_of_it"),
    ),
    Mutation(
        "key order broken by a retry",
        (
            Edit(
                "express/evaluation.py",
                "                reruns.park(lane, message, self._gave_up)\n",
                "                reruns.park(lane, message, self._gave_up)\n                self._over(lane, message)\n",
            ),
        ),
        (SIMULATION, "tests/test_reruns.py"),
    ),
    Mutation(
        "visibility not extended",
        (Edit("consumers/leasing.py", "lost = await self._extend(dict(self.leases.held))", "lost: list[int] = []"),),
        ("tests/consumers/test_queue.py",),
    ),
    Mutation(
        "delete a batch although one entry failed",
        (
            Edit(
                "consumers/sqs.py",
                'done.extend(int(each["Id"]) for each in answer.get("Successful", ()))',
                "done.extend(offsets if answer else ())",
            ),
        ),
        ("tests/consumers/test_sqs.py::test_what_of_a_batch_could_not_be_deleted_is_deleted_with_the_next",),
    ),
    Mutation(
        "checkpoint a file before its line is done",
        (
            Edit(
                "consumers/file.py",
                "                offset=position.offset,\n                metadata=position.metadata,",
                '                offset=reach,\n                metadata="",',
            ),
        ),
        ("tests/consumers/test_file.py",),
    ),
    Mutation(
        "drain deadline ignored",
        (
            Edit(
                DISPATCHER,
                "not self._endings.gone and (remaining := deadline - loop.time()) > 0:",
                "not self._endings.gone and (remaining := 3600.0):",
            ),
        ),
        (SIMULATION, "tests/test_dispatcher.py::test_stop_gives_up_what_does_not_end_within_the_drain_deadline"),
    ),
)


def mutated(mutation: Mutation, root: Path = PROJECT) -> dict[str, str]:
    """The new text of each file. ValueError when the source is not what the mutation was written for."""
    texts: dict[str, str] = {}
    for edit in mutation.edits:
        text = texts.get(edit.file) or (root / edit.file).read_text()
        if (found := text.count(edit.old)) != 1:
            raise ValueError(f"{mutation.name}: {edit.file} has {found} times, not once: {edit.old!r}")
        texts[edit.file] = text.replace(edit.old, edit.new)
    return texts


def copied(folder: Path) -> Path:
    """The tree as it is, without what the verbs made."""
    made = shutil.ignore_patterns(".git", ".venv*", "__pycache__", ".*_cache", ".hypothesis", "*.egg-info", "demo-output", "build", "dist")
    return Path(shutil.copytree(PROJECT, folder / "tree", ignore=made))


def noticed(root: Path, test: str) -> tuple[bool, str]:
    """Whether tests fail in the copy, and which was the first."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", test]
    environment = {**os.environ, "EXPRESS_SEEDS": SEEDS, "PYTHONPATH": str(root)}
    environment.pop("EXPRESS_TEST_SESSION", None)
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, cwd=root, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            status = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # a group of our own, with everything that the tests have started
            process.wait()
            return True, f"{test} did not end within {PATIENCE} s"
        output.seek(0)
        text = output.read()
    failed = re.search(r"^(?:FAILED|ERROR) (\S+?)(?: - |$)", text, re.MULTILINE)
    if status == 1 and failed:
        return True, failed[1]
    if status not in (0, 1):
        raise RuntimeError(f"pytest ended with {status}:\n{text[-3000:]}")
    if " skipped" in text and " passed" not in text:
        return False, f"{test} was skipped"
    return False, ""


def row(mutation: Mutation, by: Sequence[str], silent: Sequence[str]) -> str:
    found = "<br>".join(f"`{name.removeprefix('tests/')}`" for name in by) or NOBODY
    if silent and by:
        found += f"<br>not by `{'`, `'.join(name.removeprefix('tests/') for name in silent)}`"
    return f"| {mutation.name} | {found} |"


def recorded(rows: Mapping[str, str]) -> str:
    """The record with these rows, by the names of their mutations; those that were not run are as they were."""
    before = RECORD.read_text().splitlines() if RECORD.exists() else []
    known = {line.split(" | ")[0].removeprefix("| "): line for line in before if line.startswith("| ")} | dict(rows)
    lines = [known[mutation.name] for mutation in MUTATIONS if mutation.name in known]
    noticed_ones = sum(NOBODY not in line for line in lines)
    return "\n".join(
        [
            "# Planted bugs",
            "",
            "Written by `python -m tests.chaos.mutations`. Each bug is planted alone in a copy of the tree (`tests/chaos/mutations.py`",
            f"has the exact text), then the tests named there run until the first of them fails; the simulation with {SEEDS} of its seeds.",
            "",
            f"**{noticed_ones} of {len(lines)} are noticed** (last run {time.strftime('%Y-%m-%d', time.gmtime())}).",
            "",
            "| planted | noticed by |",
            "|---|---|",
            *lines,
            "",
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.mutations", description=__doc__)
    parser.add_argument("words", nargs="*", help="only those whose name has one of these words; the others' rows stay")
    chosen = parser.parse_args()
    wanted = [each for each in MUTATIONS if not chosen.words or any(word in each.name for word in chosen.words)]
    rows: list[tuple[Mutation, list[str], list[str]]] = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="express-mutations-") as folder:
        root = copied(Path(folder))
        for mutation in wanted:
            texts = mutated(mutation)
            for file, text in texts.items():
                (root / file).write_text(text)
            outcomes = [(test, *noticed(root, test)) for test in mutation.tests]
            for file in texts:
                shutil.copyfile(PROJECT / file, root / file)
            by, silent = [found for _, caught, found in outcomes if caught], [test for test, caught, _ in outcomes if not caught]
            rows.append((mutation, by, silent))
            print(f"{time.monotonic() - began:5.0f} s  {mutation.name}: {', '.join(by) or 'NOBODY'}", flush=True)
            for test, caught, found in outcomes:
                if not caught:
                    print(f"         not by {found or test}", flush=True)
    survivors = [mutation.name for mutation, by, _ in rows if not by]
    print(f"{len(rows) - len(survivors)} of {len(rows)} noticed" + "".join(f"\nsurvived: {name}" for name in survivors))
    RECORD.write_text(recorded({mutation.name: row(mutation, by, silent) for mutation, by, silent in rows}))
    return 1 if len(survivors) * 20 > len(rows) else 0


if __name__ == "__main__":
    sys.exit(main())
