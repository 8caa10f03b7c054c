"""Timestamps and suggestions."""

from __future__ import annotations

import pytest

from express.language import timestamps
from express.language.suggestions import did_you_mean, nearest


@pytest.mark.parametrize(
    "text",
    [
        "2016-03-14T01:59:00Z",
        "2016-03-14T01:59:00.123456789Z",
        "2016-03-14T01:59:00+05:30",
        "2016-02-29T23:59:59-00:00",
        "0001-01-01T00:00:00Z",
    ],
)
def test_timestamps(text: str) -> None:
    assert timestamps.valid(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2016-03-14",
        "2016-03-14 01:59:00Z",
        "2016-03-14t01:59:00z",
        "2016-03-14T01:59:00",
        "2016-03-14T01:59Z",
        "2016-13-14T01:59:00Z",
        "2015-02-29T01:59:00Z",
        "2016-03-14T24:00:00Z",
        "2016-03-14T01:60:00Z",
        "2016-03-14T01:59:60Z",
        "2016-03-14T01:59:00.Z",
        "2016-03-14T01:59:00+0530",
        "2016-03-14T01:59:00Z\n",
        "٢٠١٦-03-14T01:59:00Z",
        "2016-03-14T01:59:00." + "0" * 100 + "Z",
    ],
)
def test_what_is_no_timestamp(text: str) -> None:
    assert not timestamps.valid(text)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Chrage", "Charge"),
        ("charge", "Charge"),
        ("Chargee", "Charge"),
        ("Ship Ordr Nwo", "Ship Order Now"),
        ("Refund", None),
        ("C", None),
        ("", None),
        ("x" * 1_000, None),
    ],
)
def test_what_was_probably_meant(name: str, expected: str | None) -> None:
    assert nearest(name, ["Cancel", "Charge", "Ship Order Now"]) == expected


def test_a_suggestion_ends_a_sentence() -> None:
    assert did_you_mean("Chrage", ["Charge"]) == " (did you mean 'Charge'?)"
    assert did_you_mean("Refund", ["Charge"]) == ""
