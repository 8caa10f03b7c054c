"""The Dockerfile's own steps, carried out without docker, and what the image then does."""

from __future__ import annotations

import fnmatch
from pathlib import Path

import pytest

from tests.deploy.dockerfile import Build, Stage, instructions

PROJECT = Path(__file__).parents[2]
DOCKERFILE = PROJECT / "deploy" / "Dockerfile"

pytestmark = [pytest.mark.installs, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    return Build(DOCKERFILE, PROJECT, tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def image(build: Build) -> Stage:
    return build.last


def test_what_the_dockerfile_copies_is_let_through_by_its_ignore_file() -> None:
    patterns = [line for line in DOCKERFILE.with_name("Dockerfile.dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert patterns[0] == "*"
    let_through = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    copied = [
        word for name, rest in instructions(DOCKERFILE.read_text()) if name == "COPY" and "--from" not in rest for word in rest.split()[:-1]
    ]
    assert copied
    assert [source for source in copied if not any(fnmatch.fnmatch(source.removeprefix("./"), pattern) for pattern in let_through)] == []


def test_the_image_does_not_run_as_root(image: Stage) -> None:
    user, _, group = image.user.partition(":")
    assert int(user) > 0
    assert int(group) > 0


def test_the_image_has_express_and_no_tools_of_development(build: Build, image: Stage) -> None:
    listed = build.shell(
        ("python", "-c", "import importlib.metadata as m; print(*sorted(d.name for d in m.distributions()))"), image
    ).stdout
    assert "express-workflows" in listed.split()
    assert {"pytest", "mypy", "ruff", "hypothesis", "confluent-kafka", "pip"} & set(listed.split()) == set()
    assert str(build.root) in build.shell(("python", "-c", "import express; print(express.__file__)"), image).stdout


def test_the_image_s_entry_point_answers(build: Build, image: Stage) -> None:
    shown = build.shell((*image.entrypoint, "--help"), image)
    assert shown.returncode == 0, shown.stderr
    assert "run" in shown.stdout
