"""``python -m tests.fuzz``: hostile definitions, damaged texts and the longest texts, each counted; then atheris, where it is installed.

Exit code 1 for a violation, an undeclared error or a budget that is not kept.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import subprocess
import sys
import time
import tracemalloc

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tests.fuzz.definitions import CHUNK, Findings, in_processes
from tests.fuzz.targets import BYTES, SECONDS, TARGETS, mutated

SHOWN = 10


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--definitions", type=int, default=100_000, help="hostile definitions (default 100,000)")
    parser.add_argument("--texts", type=int, default=20_000, help="damaged texts of each parser (default 20,000)")
    parser.add_argument("--seconds", type=int, default=60, help="atheris, for each parser (default 60)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    failed = definitions(arguments.seed, arguments.definitions, arguments.processes)
    for name in TARGETS:
        failed |= texts(name, arguments.seed, arguments.texts if name != "definition" else arguments.texts // 10)
        failed |= longest(name)
    if arguments.seconds:
        failed |= atheris(arguments.seconds)
    return 1 if failed else 0


def definitions(first: int, count: int, processes: int) -> bool:
    findings = Findings()
    began = time.monotonic()
    with _progress() as progress:
        bar = progress.add_task("hostile definitions", total=count)
        for part in in_processes(first, count, processes):
            findings.outcomes.update(part.outcomes)
            findings.violations += part.violations
            progress.advance(bar, CHUNK)
    looked_at = f"{findings.outcomes.pop('compiled', 0):,} compiled, {findings.outcomes.pop('refused', 0):,} refused"
    took = f"{count:,} hostile definitions in {time.monotonic() - began:.0f} s"
    print(f"{took} ({looked_at}): {len(findings.violations)} violations; {dict(findings.outcomes)}")
    for seed, what in findings.violations[:SHOWN]:
        print(f"  seed {seed}: {what}")
    return bool(findings.violations)


def texts(name: str, first: int, count: int) -> bool:
    target = TARGETS[name]
    valid, slowest, undeclared = 0, 0.0, list[str]()
    for seed in range(first, first + count):
        text = mutated(target, seed)
        began = time.process_time()
        try:
            valid += target.takes(text)
        except Exception as error:
            undeclared.append(f"seed {seed}: {type(error).__name__}: {error}: {text!r:.200}")
        slowest = max(slowest, time.process_time() - began)
    found = f"{valid:,} still valid, slowest {slowest * 1_000:.0f} ms, {len(undeclared)} undeclared errors"
    print(f"{name}: {count:,} damaged texts, {found}")
    for each in undeclared[:SHOWN]:
        print(f"  {each}")
    return bool(undeclared)


def longest(name: str) -> bool:
    """The budget for 64 KiB, against the best of three."""
    target = TARGETS[name]
    worst, most, over = 0.0, 0, list[str]()
    for text in target.longest():
        seconds = min(_seconds(name, text) for _ in range(3))
        gc.collect()
        tracemalloc.start()
        target.takes(text)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        worst, most = max(worst, seconds), max(most, size)
        if seconds > SECONDS or size > BYTES:
            over.append(f"{text[:70]!r}: {seconds * 1_000:.0f} ms, {size / 2**20:.0f} MiB")
    print(f"{name}: {len(target.bombs)} texts of 64 KiB: at most {worst * 1_000:.0f} ms and {most / 2**20:.0f} MiB")
    for each in over:
        print(f"  over the budget: {each}")
    return bool(over)


def _seconds(name: str, text: str) -> float:
    began = time.process_time()
    TARGETS[name].takes(text)
    return time.process_time() - began


def atheris(seconds: int) -> bool:
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed (extra `fuzz`): coverage-guided fuzzing was NOT run")
        return False
    failed = False
    for name in TARGETS:
        command = [sys.executable, "-m", "tests.fuzz.coverage_guided", name, "--seconds", str(seconds)]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        runs = [line.split()[-1] for line in found.stderr.splitlines() if "number_of_executed_units" in line]
        print(f"atheris: {found.stdout.strip().splitlines()[-1:]} {' '.join(runs)} runs")
        if found.returncode:
            print(found.stderr[-3_000:])
            failed = True
    return failed


def _progress() -> Progress:
    console = Console(stderr=True)
    return Progress(TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=console, disable=not console.is_terminal)


if __name__ == "__main__":
    sys.exit(main())
