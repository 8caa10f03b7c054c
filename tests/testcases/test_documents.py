"""docs/testing.md as it stands there: its files are written down, its commands run, what they print is compared. The example's cases."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from express.testcases import collect, coverage, suite
from express.testcases.coverage import Coverage
from tests.commandline import express

PROJECT = Path(__file__).parents[2]
TEXT = (PROJECT / "docs" / "testing.md").read_text()


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A folder with the files of the document, and the one with two mistakes that it speaks of."""
    for name, body in re.findall(r"^```\w+ (\S+)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL):
        (tmp_path / name).write_text(body)
    good = (tmp_path / "orders.test.yaml").read_text()
    wrong = good.replace("prices: [21, 21]", "prices: [21, 20]").replace("[HasItems, Price, Charge]\n", "[HasItems, Price, Release]\n")
    (tmp_path / "wrong.test.yaml").write_text("definition: orders.asl.json\n" + wrong)
    return tmp_path


def sessions() -> list[tuple[str, str]]:
    return re.findall(r"^```console\n\$ (.*?)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def timeless(text: str) -> str:
    return re.sub(r" in [\d.]+ \w+$", " in a moment", text, flags=re.MULTILINE)


@pytest.mark.parametrize("number", range(len(sessions())))
def test_the_commands_of_the_document_print_what_it_says(written: Path, number: int) -> None:
    command, output = sessions()[number]
    result = express(*shlex.split(command)[1:], cwd=written)
    assert result.stderr == ""
    assert timeless(result.stdout) == timeless(output)
    assert result.returncode == (1 if "failed" in output else 0)


def test_the_document_s_own_pytest_runs(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(written)
    names: dict[str, object] = {}
    exec(compile(program, "docs/testing.md", "exec"), names)
    assert callable(names["test_workflow"])
    for case in collect("orders.test.yaml"):
        names["test_workflow"](case)


def test_the_document_has_every_field_of_a_file() -> None:
    from express.testcases.files import Answer, CaseData, Expectation, FileData

    documented = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\|(.*?)\|", TEXT, re.MULTILINE))))
    fields = {name for kind in (FileData, CaseData, Expectation, Answer) for name in kind.__struct_encode_fields__}
    assert documented - {"field"} == fields


def test_the_cases_of_the_example_pass_and_reach_every_state_and_transition() -> None:
    summary = suite.run(collect(PROJECT / "examples" / "earthquakes"))
    assert [(case.name, result.problems) for case, result in summary.results if result.problems] == []
    assert summary.unused == []
    (found,) = summary.coverages
    assert isinstance(found, Coverage)
    assert found.missing == []
    assert coverage.empty(found.definition, collect(PROJECT / "examples" / "earthquakes")[0].bench.workflow).percent == 0
