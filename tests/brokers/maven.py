"""Jars by Maven into a cache outside the tree, filled once."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path


def jars(pom: Path, name: str) -> Path:
    """The folder of what a pom names. Renamed into place when complete, so that two test runs may do it at once."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "express-tests"
    ready = cache / f"{name}-{hashlib.sha256(pom.read_bytes()).hexdigest()[:8]}"
    if not ready.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        half = Path(tempfile.mkdtemp(prefix="filling-", dir=cache))
        command = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={half}"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
        if done.returncode:
            shutil.rmtree(half, ignore_errors=True)
            raise RuntimeError(f"Maven could not fetch the jars of {name}:\n{done.stdout}{done.stderr}")
        try:
            half.rename(ready)
        except OSError:  # somebody else was faster
            shutil.rmtree(half, ignore_errors=True)
    return ready
