"""The README's session and docs/api.md as they stand there: by the AWS CLI, by boto3 and by curl."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from express.api.operating import Operating
from express.config import load
from tests.api.served import Served, client, served
from tests.commandline import Running, running

PROJECT = Path(__file__).parent.parent.parent
README, GUIDE = (PROJECT / "README.md").read_text(), (PROJECT / "docs" / "api.md").read_text()
CLI = "awscli==1.46.3"  # it brings a botocore of its own: not into the project's environment
ADDRESS = "127.0.0.1:8083"


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[str]:
    """One string per command, continuation lines joined."""
    joined = [re.sub(r"\\\n\s*", "", block) for block in blocks(text, "console")]
    return [line.removeprefix("$ ") for block in joined for line in block.splitlines() if line.startswith("$ ")]


@pytest.fixture(scope="module")
def aws() -> Path:
    """The AWS CLI's folder of programs: an environment of its own in a cache outside the tree, made once."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "express-tests"
    ready = cache / f"{CLI.replace('==', '-')}-python{sys.version_info.major}.{sys.version_info.minor}"
    if not ready.exists():
        cache.mkdir(parents=True, exist_ok=True)
        half = Path(tempfile.mkdtemp(prefix="filling-", dir=cache))
        for command in ([sys.executable, "-m", "venv", "--without-pip", str(half)], [*_installer(half), CLI]):
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
            if done.returncode:
                shutil.rmtree(half, ignore_errors=True)
                pytest.skip(f"{CLI} cannot be installed here: {' '.join(done.stderr.split())[-300:]}")
        program = half / "bin" / "aws"
        program.write_text('#!/bin/sh\nexec "$(dirname "$0")/python" -m awscli "$@"\n')  # its own would name the folder that is renamed
        program.chmod(0o755)
        try:
            half.rename(ready)
        except OSError:  # somebody else was faster
            shutil.rmtree(half, ignore_errors=True)
    return ready / "bin"


def _installer(environment: Path) -> list[str]:
    """uv, where the project was installed by it; else our own pip."""
    if importlib.util.find_spec("uv") is not None:
        return [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", f"{environment}/bin/python"]
    return [sys.executable, "-m", "pip", "--python", f"{environment}/bin/python", "install", "--quiet"]


def _where(process: Running) -> str:
    process.until_said("the API of Step Functions at ")
    return process.stderr.partition("the API of Step Functions at http://")[2].partition(",")[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "examples").symlink_to(PROJECT / "examples")
    return tmp_path


@pytest.mark.installs
@pytest.mark.timeout(400)
def test_the_session_of_the_readme_is_run_by_the_aws_cli(folder: Path, aws: Path) -> None:
    serve, *others = commands(README)
    assert serve.startswith("express serve ")
    words = serve.removesuffix("&").split()[1:]
    with running(*words, "--api", "127.0.0.1:0", cwd=folder) as process:
        script = "\n".join(others).replace(ADDRESS, _where(process))
        environment = {**os.environ, "PATH": f"{aws}:{os.environ['PATH']}", "AWS_PAGER": "", "HOME": str(folder)}
        done = subprocess.run(["/bin/sh", "-e", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert '"stateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:alerts"' in done.stdout
    assert '"status": "SUCCEEDED"' in done.stdout


@pytest.fixture(scope="module")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("guide")) as running_:
        yield running_


def test_the_program_of_the_guide_runs(guide: Served) -> None:
    (program,) = blocks(GUIDE, "python")
    exec(compile(program.replace(f"http://{ADDRESS}", guide.url), "docs/api.md", "exec"), {})


def test_the_request_by_curl_is_answered(guide: Served) -> None:
    if shutil.which("curl") is None:
        pytest.skip("there is no curl here")
    (command,) = (each for each in commands(GUIDE) if each.startswith("curl "))
    done = subprocess.run(
        ["/bin/sh", "-c", command.replace(f"http://{ADDRESS}", guide.url)], capture_output=True, text=True, check=True, timeout=30
    )
    assert '"stateMachines"' in done.stdout


def test_the_command_beside_a_pipeline_serves_its_workflow(folder: Path) -> None:
    (command,) = (each for each in commands(GUIDE) if each.startswith("express run "))
    with running(*command.replace(ADDRESS, "127.0.0.1:0").split()[1:], cwd=folder) as process:
        (machine,) = client(f"http://{_where(process)}").list_state_machines()["stateMachines"]
    assert machine["name"] == "alerts"


def test_the_configuration_of_the_guide_is_understood(tmp_path: Path) -> None:
    (text,) = blocks(GUIDE, "yaml")
    for name in ("token", "key"):
        (tmp_path / name).write_text(f"the-{name}-of-whoever-may-ask\n")
        text = text.replace(f"/run/secrets/express-{name}", str(tmp_path / name))
    (tmp_path / "express.yaml").write_text(text)
    api = load(tmp_path / "express.yaml", {}).settings.api
    assert api is not None
    assert (api.listen, api.token, api.data) == ("0.0.0.0:8083", "the-token-of-whoever-may-ask", "/var/lib/express")
    assert [(key.access_key_id, key.secret_access_key) for key in api.keys] == [("EXPRESS", "the-key-of-whoever-may-ask")]


def test_every_operation_that_is_served_is_in_the_guide() -> None:
    operations = {*Operating(None, None, None).names(), "StartSyncExecution"}  # type: ignore[arg-type]
    assert [name for name in operations if not re.search(rf"\b{name}\b", GUIDE)] == []
