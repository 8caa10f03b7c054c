"""Regular expressions that JavaScript refuses, and so AWS when a definition is made."""

from __future__ import annotations

import pytest

from express.language.jsonata import parse
from express.language.regular_expressions import Character, Class, Group, Looks, Sign, parts
from express.language.scanner import SyntaxProblem


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        ("a**", "nothing to repeat"), ("^*", "nothing to repeat"), (r"\b+", "nothing to repeat"), ("(?:*a)", "nothing to repeat"),
        ("a|*", "nothing to repeat"), ("a{1}{2}", "nothing to repeat"), ("(?<=a)*", "nothing to repeat"), ("a*+", "nothing to repeat"),
        ("a{2,1}", "numbers out of order in {} quantifier"), ("[b-a]", "range out of order in character class"),
        ("(?i)a", "invalid group"), ("(?P<n>a)", "invalid group"), ("(?<n>a)(?<n>b)", "duplicate capture group name 'n'"),
        (r"(?<n>a)\k", "invalid named reference"), ("[😀-😎]", "range out of order in character class"),
    ],
)  # fmt: skip
def test_what_javascript_refuses_is_a_syntax_problem(pattern: str, what: str) -> None:
    with pytest.raises(SyntaxProblem, match="Invalid regular expression: ") as caught:
        parse(f"$contains($states.input, /{pattern}/)")
    assert str(caught.value).startswith(f"Invalid regular expression: {what}")
    assert 25 <= caught.value.position <= 25 + 2 * len(pattern)


@pytest.mark.parametrize("pattern", ["(a", "a)", "[a", "a\\"])
def test_what_does_not_end_neither(pattern: str) -> None:
    with pytest.raises(SyntaxProblem):
        parts(pattern, 0)


def test_parts_are_in_order() -> None:
    found = parts(r"(?<n>a|[^\d-z])+?(?=b)", 0)
    assert found == (
        Group("(?<n>"), Character("a"), Sign("|"), Class(True, (("-", "-"), ("z", "z")), ("d",)), Sign(")"), Sign("+?"),
        Looks("(?="), Character("b"), Sign(")"),
    )  # fmt: skip


def test_a_number_behind_a_backslash_refers_to_a_group_or_is_a_character() -> None:
    assert parts(r"(a)\1", 0)[-1] == Looks("\\1")
    assert parts(r"(a)\2", 0)[-1] == Character("\x02")


def test_there_is_a_bound() -> None:
    with pytest.raises(SyntaxProblem, match="a regular expression may have at most 10,000 characters"):
        parse(f"/{'a' * 10_001}/")
