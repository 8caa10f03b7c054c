"""Paths give what AWS's library gives: the table and random pairs, asked of the library itself. Skipped without a JDK and Maven."""

from __future__ import annotations

import pytest

from tests.jsonpath_library.comparing import differences
from tests.jsonpath_library.library import Missing, jars
from tests.jsonpath_library.random_paths import Pairs
from tests.runtime.jsonpath_cases import CASES, STORE


@pytest.fixture(scope="module", autouse=True)
def library() -> None:
    try:
        jars()
    except Missing as reason:
        pytest.skip(f"json-path cannot be run: {reason}")


def test_the_table_is_what_the_library_answers() -> None:
    """But for the groups that say otherwise in their name."""
    asked = [path for group, cases in CASES.items() if "later versions" not in group and "AWS's library" not in group for path, _ in cases]
    assert len(asked) > 280
    assert list(differences((path, STORE) for path in asked)) == []


def test_random_paths_select_what_the_library_selects() -> None:
    pairs = Pairs(1)
    assert list(differences([pairs.pair() for _ in range(2_000)])) == []
