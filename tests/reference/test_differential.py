"""Express and the plain interpreter agree on random machines, inputs and outcomes of tasks: ending, output, error, transitions."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.reference import choices, expressions, interpreter, machines
from tests.reference.differential import Tally, compare

MACHINES = 350  # with four inputs each; `python -m tests.reference --count N` for more
BATCHES = 7
PER_BATCH = MACHINES // BATCHES

tally = Tally()


@pytest.mark.parametrize("batch", range(BATCHES))
def test_express_and_the_reference_agree(batch: int) -> None:
    differences = [str(each) for seed in range(batch * PER_BATCH, (batch + 1) * PER_BATCH) for each in compare(seed, tally)]
    assert not differences, "\n\n".join(differences[:3])


def test_every_feature_was_part_of_what_was_compared() -> None:
    if tally.pairs < 1_000:
        pytest.skip("the comparisons did not run in this process")
    wanted = set()
    for seed in range(2_000):
        wanted |= set(machines.case(seed, inputs=0).features)
    assert {feature for feature in wanted if not tally.features[feature]} == set()
    assert tally.traces > tally.pairs / 2
    for ending in ("SUCCEEDED None", "FAILED own error", "FAILED States.Runtime", "FAILED States.NoChoiceMatched", "FAILED States.Timeout"):
        assert tally.endings[ending], ending
    for ending in (
        "FAILED States.ResultPathMatchFailure",
        "FAILED States.IntrinsicFailure",
        "FAILED States.DataLimitExceeded",
        "FAILED None",
    ):
        assert tally.endings[ending], ending
    assert tally.endings["TIMED_OUT States.Timeout"]


def test_the_same_seed_makes_the_same_case() -> None:
    for seed in range(20):
        one, other = machines.case(seed), machines.case(seed)
        assert one.definition == other.definition
        assert one.inputs == other.inputs


@pytest.mark.parametrize("module", [interpreter, expressions, choices, machines])
def test_the_reference_imports_nothing_from_express(module: object) -> None:
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))  # type: ignore[attr-defined]
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {name for name in imported if name.split(".")[0] in ("express", "consumers")}
    assert {name for name in imported if name.startswith("tests")} <= {
        "tests.reference",
        "tests.reference.choices",
        "tests.reference.expressions",
        "tests.reference.interpreter",
    }
