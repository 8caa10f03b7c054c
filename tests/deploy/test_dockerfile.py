"""The Dockerfile's own steps, carried out without docker, and what the image then does."""

from __future__ import annotations

import fnmatch
import json
import subprocess
import time
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.brokers.processes import free_port
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


def test_what_runs_in_the_image_is_healthy_until_sigterm_and_then_ends_well(build: Build, image: Stage, tmp_path: Path) -> None:
    """The workflow of the ConfigMap over a pipe; the health check asks the port of this test instead of 9464."""
    for name, text in YAML(typ="safe").load(PROJECT / "deploy" / "kubernetes" / "configmap.yaml")["data"].items():
        (tmp_path / name).write_text(text)
    port = free_port()
    (assumed,) = image.ports
    check = tuple(word.replace(f":{assumed}/", f":{port}/") for word in image.healthcheck)
    assert build.shell(check, image).returncode != 0, "nothing runs yet"
    command = [str(build.root / "opt" / "express" / "bin" / image.entrypoint[0]), "run", "orders.asl.json", "--ops", f"127.0.0.1:{port}"]
    command += ["--functions", "orders_functions.py", "--source", "stdin:", "--sink", "file:done.jsonl", "--dead-letter", "file:dead.jsonl"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, cwd=tmp_path, env=image.environment, text=True, **pipes) as running:
        try:
            running.stdin.write('{"items": [{"quantity": 2, "price": 21}]}\n{"items": []}\n')
            running.stdin.flush()
            patience = time.monotonic() + 30
            while (unhealthy := build.shell(check, image)).returncode and time.monotonic() < patience:
                time.sleep(0.2)
            assert unhealthy.returncode == 0, unhealthy.stderr
            while not (tmp_path / "dead.jsonl").read_bytes() and time.monotonic() < patience:
                time.sleep(0.1)
            running.terminate()
            output, _ = running.communicate(timeout=25)
        finally:
            running.kill()
    assert running.returncode == 0, output
    assert json.loads((tmp_path / "done.jsonl").read_text())["value"]["total"] == 42
    assert json.loads((tmp_path / "dead.jsonl").read_text())["express-error"] == "EmptyOrder"


def test_the_image_starts_as_the_deployment_starts_it(image: Stage) -> None:
    deployment = YAML(typ="safe").load(PROJECT / "deploy" / "kubernetes" / "deployment.yaml")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert list(image.command) == container["args"]
    assert image.workdir == container["volumeMounts"][0]["mountPath"]
    assert image.user == "{runAsUser}:{runAsGroup}".format(**deployment["spec"]["template"]["spec"]["securityContext"])
