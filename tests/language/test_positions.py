"""Where in its text each value of a definition stands."""

from __future__ import annotations

import pytest

from express.language.positions import Positions

JSON = """{
  "StartAt": "A",
  "States": {
    "A": {"Type": "Choice", "Choices": [
      {"Variable": "$.a", "IsNull": true, "Next": "B"},
      {"Variable": "$.b", "IsNull": true, "Next": "B"}], "Default": "B"},
    "a/b~c": {"Type": "Wait", "Seconds": ${Seconds}, "Next": "B"},
    "B": {
      "Type": "Pass", "Result": [1, [2, 3], "x"], "End": true
    }
  }
}
"""
YAML = """\
# a comment
StartAt: A
States:
  A:
    Type: Choice
    Choices:
      - Variable: $.a
        Next: B
      - {Variable: $.b, Next: B}
  B: {Type: Pass, Result: [1, [2, 3]], End: true}
"""


@pytest.mark.parametrize(
    ("location", "place"),
    [
        ("/", (1, 1)),
        ("/StartAt", (2, 3)),
        ("/States/A", (4, 5)),
        ("/States/A/Choices/0/Next", (5, 43)),
        ("/States/A/Choices/1", (6, 7)),
        ("/States/A/Default", (6, 58)),
        ("/States/a~1b~0c/Next", (7, 54)),
        ("/States/B/Type", (9, 7)),
        ("/States/B/Result/1/1", (9, 41)),
        ("/States/B/Result/2", (9, 45)),
        ("/States/B/End", (9, 51)),
    ],
)
def test_places_in_json(location: str, place: tuple[int, int]) -> None:
    assert Positions(JSON).of(location) == place


@pytest.mark.parametrize(
    ("location", "place"),
    [
        ("/StartAt", (2, 1)),
        ("/States/A/Choices/0", (7, 9)),
        ("/States/A/Choices/0/Next", (8, 9)),
        ("/States/A/Choices/1/Next", (9, 25)),
        ("/States/B/Result/1/1", (10, 35)),
        ("/States/B/End", (10, 40)),
    ],
)
def test_places_in_yaml(location: str, place: tuple[int, int]) -> None:
    assert Positions(YAML).of(location) == place


def test_what_is_absent_is_where_it_would_be() -> None:
    assert Positions(JSON).of("/States/B/Next") == (8, 5)
    assert Positions(JSON).of("/States/Gone/Next") == (3, 3)
    assert Positions(JSON).of("/TimeoutSeconds") == (1, 1)


@pytest.mark.parametrize(
    "text", ["", "{", '{"a": [1, ', '{"a": }', "]", "}", "a: [", "a: b: c", "\0", '{"\\ud800": 1}', "[" * 5000, "{" * 5000]
)
def test_broken_text_has_what_places_it_has(text: str) -> None:
    assert Positions(text).of("/States/A") == (1, 1)


def test_a_broken_text_is_known_up_to_where_it_breaks() -> None:
    assert Positions('{"StartAt": "A",\n "States": {"A": [}').of("/States/A") == (2, 13)
