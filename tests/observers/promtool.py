"""Finds promtool: on the PATH, or unpacked from Debian's `prometheus` package into a cache outside the tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest


def promtool() -> Path:
    """The program, or a skip that says what is missing."""
    found = shutil.which("promtool")
    if found:
        return Path(found)
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "express-tests" / "promtool"
    if not (cache / "promtool").exists():
        if not (shutil.which("apt-get") and shutil.which("dpkg")):
            pytest.skip("promtool is not on the PATH, and there is no apt-get to fetch Debian's package `prometheus`, which has it")
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            fetched = subprocess.run(["apt-get", "download", "prometheus"], cwd=folder, capture_output=True, text=True)
            if fetched.returncode:  # a fresh container has no package lists
                subprocess.run(["apt-get", "update"], cwd=folder, capture_output=True)
                fetched = subprocess.run(["apt-get", "download", "prometheus"], cwd=folder, capture_output=True, text=True)
            packages = list(Path(folder).glob("prometheus_*.deb"))
            if not packages:
                pytest.skip(f"promtool is not on the PATH, and `apt-get download prometheus` failed: {fetched.stderr.strip()[-200:]}")
            subprocess.run(["dpkg", "-x", str(packages[0]), folder], check=True, capture_output=True)
            (Path(folder) / "usr/bin/promtool").replace(cache / "promtool")  # at once: another test run may do the same
    return cache / "promtool"
