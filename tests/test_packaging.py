"""What `pip install` gets: one wheel with every module and mark, and a version that everybody agrees on."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
SETTINGS = tomllib.loads((PROJECT / "pyproject.toml").read_text())

pytestmark = [pytest.mark.installs, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in ("express", "consumers"):
        shutil.copytree(PROJECT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(source)]
    subprocess.run(command, check=True, timeout=240)
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return message_from_bytes(wheel.read(name))


def test_the_wheel_holds_every_module_and_the_marks_of_typed_packages(wheel: zipfile.ZipFile) -> None:
    here = {str(path.relative_to(PROJECT)) for package in ("express", "consumers") for path in (PROJECT / package).rglob("*.py")}
    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert packed == here | {"express/py.typed", "consumers/py.typed"}


def test_every_package_has_its_first_file() -> None:
    """Without one it is a namespace package, which type checkers and packagers each treat their own way."""
    folders = {path.parent for package in ("express", "consumers") for path in (PROJECT / package).rglob("*.py")}
    assert [str(folder.relative_to(PROJECT)) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def test_the_version_is_said_once_and_the_changelog_knows_it(metadata: Message) -> None:
    version = SETTINGS["project"]["version"]
    assert metadata["Version"] == version
    assert f"## {version}" in (PROJECT / "CHANGELOG.md").read_text()


def test_the_licence_travels_with_the_wheel(wheel: zipfile.ZipFile, metadata: Message) -> None:
    assert metadata["License-Expression"] == "Apache-2.0"
    (licence,) = (name for name in wheel.namelist() if name.endswith("licenses/LICENSE"))
    assert wheel.read(licence) == (PROJECT / "LICENSE").read_bytes()
