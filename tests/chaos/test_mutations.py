"""The planted bugs still fit the engine as it is, and their record is of all of them. ``python -m tests.chaos.mutations`` plants them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.chaos.mutations import MUTATIONS, RECORD, Mutation, mutated


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_it_can_still_be_planted_and_is_python(mutation: Mutation, project: Path) -> None:
    for file, text in mutated(mutation).items():
        ast.parse(text, file)
        assert text != (project / file).read_text()
    for test in mutation.tests:
        path, _, name = test.partition("::")
        assert f"def {name}" in (project / path).read_text(), test


def test_source_that_has_changed_is_told() -> None:
    gone = MUTATIONS[0]._replace(edits=(MUTATIONS[0].edits[0]._replace(old="no such line"),))
    with pytest.raises(ValueError, match=r"express/commits\.py has 0 times, not once: 'no such line'"):
        mutated(gone)


def test_there_are_twenty_and_the_record_has_them_all() -> None:
    record = RECORD.read_text()
    assert len(MUTATIONS) == 20
    assert [mutation.name for mutation in MUTATIONS if f"| {mutation.name} |" not in record] == []
    assert sum("**nobody**" in line for line in record.splitlines()) <= 1
