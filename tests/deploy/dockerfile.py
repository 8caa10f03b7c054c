"""A Dockerfile carried out without docker: the same steps below a folder of the test, with the host's Python as the base image."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec


class Stage(msgspec.Struct):
    """What a stage left: its file system and the settings that the image keeps."""

    root: Path
    environment: dict[str, str]
    workdir: str = "/"
    user: str = "root"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    healthcheck: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()


def instructions(text: str) -> list[tuple[str, str]]:
    """(INSTRUCTION, the rest) for each, continuation lines joined, comments gone."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(name.upper(), rest.strip()) for name, _, rest in (line.strip().partition(" ") for line in joined.splitlines()) if name]


class Build:
    """Runs every stage in the same folder, ``root``, one after the other. A virtual environment, which holds its own path, works where
    it is copied to."""

    def __init__(self, dockerfile: Path, context: Path, folder: Path) -> None:
        self.context, self.folder, self.root = context, folder, folder / "root"
        self.stages: dict[str, Stage] = {}
        base = folder / "base"
        subprocess.run([sys.executable, "-m", "venv", str(base)], check=True)
        self.base = {
            **{
                name: value
                for name, value in os.environ.items()
                if name.startswith(("PIP_", "UV_", "SSL_", "HTTP", "HTTPS", "http", "https", "LANG"))
            },
            "PATH": f"{base / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "HOME": os.environ.get("HOME", str(folder)),
        }
        self.last = self._run(instructions(dockerfile.read_text()))

    def inside(self, text: str) -> str:
        """Absolute paths of the image, wherever they stand in a command, as paths below ``root``; the base image's own stay."""
        return re.sub(r"(?<![\w/.:])/(?=(?:src|wheels|opt|etc|tmp)\b)", f"{self.root}/", text)

    def shell(self, command: str | tuple[str, ...], stage: Stage, seconds: float = 180) -> subprocess.CompletedProcess[str]:
        """A command as RUN would: in the stage's folder, with its environment and no other."""
        line = command if isinstance(command, str) else shlex.join(command)
        return subprocess.run(
            ["/bin/sh", "-c", self.inside(line)],
            cwd=self.inside(stage.workdir) if stage.workdir != "/" else self.root,
            env=stage.environment,
            capture_output=True,
            text=True,
            timeout=seconds,
        )

    def _run(self, steps: list[tuple[str, str]]) -> Stage:
        stage, name = Stage(self.root, dict(self.base)), ""
        for instruction, rest in steps:
            match instruction:
                case "ARG":
                    variable, _, value = rest.partition("=")
                    stage.environment[variable] = value
                case "FROM":
                    if name:
                        self._set_aside(stage, name)
                    name = rest.partition(" AS ")[2] or "final"
                    self.root.mkdir()
                    stage = Stage(self.root, dict(self.base))
                case "WORKDIR":
                    stage.workdir = rest
                    Path(self.inside(rest)).mkdir(parents=True, exist_ok=True)
                case "COPY":
                    self._copy(rest.split(), stage)
                case "RUN":
                    done = self.shell(rest, stage)
                    assert done.returncode == 0, f"RUN {rest}\n{done.stdout}{done.stderr}"
                case "ENV":
                    for variable, value in (pair.split("=", 1) for pair in shlex.split(rest)):
                        stage.environment[variable] = self.inside(value.replace("$PATH", stage.environment["PATH"]))
                case "USER":
                    stage.user = rest
                case "EXPOSE":
                    stage.ports += (rest,)
                case "HEALTHCHECK":
                    stage.healthcheck = tuple(json.loads(rest.partition("CMD ")[2]))
                case "ENTRYPOINT":
                    stage.entrypoint = tuple(json.loads(rest))
                case "CMD":
                    stage.command = tuple(json.loads(rest))
                case _:
                    raise AssertionError(f"an instruction this test does not know: {instruction}")
        return stage

    def _set_aside(self, stage: Stage, name: str) -> None:
        stage.root = self.folder / "stages" / name
        stage.root.parent.mkdir(exist_ok=True)
        self.root.rename(stage.root)
        self.stages[name] = stage

    def _copy(self, words: list[str], stage: Stage) -> None:
        origin = self.context
        if words[0].startswith("--from="):
            origin = self.stages[words.pop(0).removeprefix("--from=")].root
        *sources, target = words
        destination = Path(self.inside(target)) if target.startswith("/") else Path(self.inside(stage.workdir), target)
        for source in sources:
            found = origin / source.lstrip("/")
            assert found.exists(), f"COPY {source}: not in the build's context"
            if found.is_dir():
                shutil.copytree(found, destination, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                destination.mkdir(parents=True, exist_ok=True)
                shutil.copy(found, destination)
