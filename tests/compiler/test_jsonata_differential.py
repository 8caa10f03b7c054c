"""Compiled expressions against the library, on random expressions: ``python -m tests.jsonata_differential`` compares many more."""

from __future__ import annotations

import pytest

from tests.jsonata_differential import Pair, pair

EACH = 500


@pytest.mark.parametrize("first", range(0, 6 * EACH, EACH))
@pytest.mark.large
def test_random_expressions_answer_what_the_library_answers(first: int) -> None:
    found = [each for seed in range(first, first + EACH) if (each := pair(seed)) is not None]
    assert len(found) > 0.85 * EACH, "most of the expressions are to be compiled"
    different = [each for each in found if not each.agrees]
    assert [_shown(each) for each in different if each.reason is None] == []
    assert len(different) < 0.01 * EACH, "differences with a reason are rare"


def _shown(each: Pair) -> str:
    return f"seed {each.seed}: {each.text} on {each.given}: {each.ours} here, {each.theirs} there; {each.source}"
