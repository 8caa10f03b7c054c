"""Express and the plain interpreter agree on random machines, inputs and outcomes of tasks: ending, output, error, transitions."""

from __future__ import annotations

import ast
import pkgutil
from pathlib import Path

import pytest

import tests.reference
from tests.reference import machines
from tests.reference.differential import Tally, compare

BATCHES = 10
MACHINES = 26  # in a batch; `make fuzz` for more
INPUTS = 20
OURS = {"__main__", "campaign", "differential", "shrinking", "test_differential", "test_regressions"}  # these know Express

tally = Tally()


@pytest.mark.parametrize("batch", range(BATCHES))
def test_express_and_the_reference_agree(batch: int) -> None:
    seeds = range(batch * MACHINES, (batch + 1) * MACHINES)
    differences = [str(each) for seed in seeds for each in compare(seed, tally, INPUTS)]
    assert not differences, "\n\n".join(differences[:3])


def test_five_thousand_pairs_were_compared_and_every_feature_was_part_of_them() -> None:
    if tally.pairs + tally.skipped.total() < BATCHES * MACHINES * INPUTS:
        pytest.skip("the comparisons did not all run in this process")
    assert tally.pairs > 4_500
    wanted: set[str] = set()
    for seed in range(2_000):
        wanted = wanted.union(*machines.case(seed, inputs=0).features.values())
    rare = {feature for feature in wanted if not tally.features[feature]}
    assert len(rare) < len(wanted) / 20, rare  # what is rare is there in the long run (docs/proofs.md)
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


REFERENCE = sorted({module.name for module in pkgutil.iter_modules(tests.reference.__path__)} - OURS)


@pytest.mark.parametrize("module", REFERENCE)
def test_the_reference_imports_nothing_from_express(module: str) -> None:
    text = (Path(__file__).parent / f"{module}.py").read_text(encoding="utf-8")
    tree = ast.parse(text)
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {name for name in imported if name.split(".")[0] in ("express", "consumers", "jsonatapy")}
    allowed = {"tests.reference", *(f"tests.reference.{name}" for name in REFERENCE)}
    assert {name for name in imported if name.startswith("tests")} <= allowed
    assert "import_module" not in text
    assert "__import__" not in text
