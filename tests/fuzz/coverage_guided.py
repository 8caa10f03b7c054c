"""``python -m tests.fuzz.coverage_guided TARGET --seconds N``: atheris on one parser, until time is up or something undeclared is raised.

Atheris is a C extension and exists for some Pythons only: where it cannot be imported, this says so and ends with 3.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.targets import LONGEST, TARGETS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.coverage_guided", description=__doc__)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    try:
        import atheris
    except ImportError as error:
        print(f"atheris cannot be imported here ({error}): pip install 'express-workflows[fuzz]' where it exists", file=sys.stderr)
        return 3
    for module in ("language", "compiler"):
        for name in [name for name in sys.modules if name.startswith(f"express.{module}")]:
            _instrument(atheris, name)
    target = TARGETS[arguments.target]
    slowest = [0.0, ""]

    def one(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        began = time.process_time()
        target.takes(text)
        seconds = time.process_time() - began
        if seconds > slowest[0]:
            slowest[:] = [seconds, text]

    with tempfile.TemporaryDirectory() as corpus:
        for seed in range(200):
            Path(corpus, f"{seed}").write_text(target.sample(seed)[:LONGEST], encoding="utf-8", errors="replace")
        statistics = "-print_final_stats=1"
        options = [
            f"-max_total_time={arguments.seconds}",
            f"-max_len={LONGEST}",
            f"-seed={arguments.seed}",
            "-rss_limit_mb=2048",
            "-print_final_stats=1",
        ]
        atheris.Setup([sys.argv[0], *options, statistics, corpus], one)
        began = time.monotonic()
        child = os.fork()  # libFuzzer ends its process
        if child == 0:
            atheris.Fuzz()
            os._exit(0)
        _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    print(f"{target.name}: {'no undeclared error' if code == 0 else f'FAILED ({code})'} in {time.monotonic() - began:.0f} s")
    return 0 if code == 0 else 1


def _instrument(atheris: object, name: str) -> None:
    module = sys.modules[name]
    for attribute, value in list(vars(module).items()):
        if getattr(value, "__module__", None) == name and hasattr(value, "__code__"):
            setattr(module, attribute, atheris.instrument_func(value))  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.exit(main())
