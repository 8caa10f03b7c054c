"""json-path 2.0.0, the library whose answers AWS's paths give: pairs of path and document in, its answers out. Needs a JDK and Maven."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
POM = HERE / "pom.xml"


class Missing(Exception):  # noqa: N818 - named for what happened
    """The library cannot be run here; says why."""


def jars() -> Path:
    """The folder of jars, filled once by Maven; as ``tests.brokers.apache`` does it."""
    lacking = [program for program in ("java", "javac", "mvn") if not shutil.which(program)]
    if lacking:
        raise Missing(f"{' and '.join(lacking)} not found")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "express-tests"
    ready = cache / f"json-path-{hashlib.sha256(POM.read_bytes()).hexdigest()[:8]}"
    if not ready.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        half = Path(tempfile.mkdtemp(prefix="filling-", dir=cache))
        command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={half}"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
        if done.returncode:
            shutil.rmtree(half, ignore_errors=True)
            raise Missing(f"Maven could not fetch json-path: {done.stdout[-500:]}")
        try:
            half.rename(ready)
        except OSError:  # somebody else was faster
            shutil.rmtree(half, ignore_errors=True)
    return ready


def ask(pairs: Iterable[tuple[str, Any]]) -> list[dict[str, Any]]:
    """``{"value": ...}`` or ``{"error": ...}`` for each pair."""
    questions = "".join(json.dumps({"path": path, "document": document}) + "\n" for path, document in pairs)
    # SLF4J without a logger says so on standard error
    command = ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{jars()}/*", str(HERE / "Ask.java")]
    done = subprocess.run(command, input=questions, capture_output=True, text=True, timeout=300, check=False)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if len(answers) != questions.count("\n"):
        raise RuntimeError(f"the library broke off: {done.stderr[-2_000:]}")
    return answers
