"""Hostile text of definitions does not become code: an allow-list that is not the compiler's, and an audit hook."""

from __future__ import annotations

import pytest

from tests.fuzz.allowed import violations
from tests.fuzz.definitions import Findings, examine, warm_up

BATCH = 100


@pytest.mark.parametrize("batch", range(3))
def test_nothing_of_a_hostile_definition_becomes_code_and_running_it_opens_nothing(batch: int) -> None:
    warm_up()
    findings = Findings()
    for seed in range(1_000 + batch * BATCH, 1_000 + (batch + 1) * BATCH):
        examine(seed, findings)
    assert findings.violations == []
    assert findings.outcomes["compiled"] + findings.outcomes["refused"] == BATCH
    assert findings.outcomes["refused"] < 0.97 * BATCH  # some that was written is looked at


@pytest.mark.parametrize(
    "code",
    [
        "import os",
        "def run(data):\n    return eval",
        "def run(data):\n    return data.__class__.__mro__",
        "def run(data):\n    return [x for x in data]",
        "def run(data):\n    return f'{data}'",
        "def run(data):\n    return unknown(data)",
        "def run(data):\n    yield data",
        "def run(data):\n    known = 1",
        "@known\ndef run(data):\n    return data",
        "def run(data):\n    é = 1\n    return é",
        "def __getattr__(data):\n    return data",
        "class run:\n    pass",
    ],
)
def test_the_allow_list_finds_what_it_is_for(code: str) -> None:
    assert violations(code, {"known"})


def test_what_the_compiler_writes_passes_the_allow_list() -> None:
    assert (
        violations("def run(data, execution):\n    if data is known:\n        return {**data, 'a': -1}\n    return data", {"known"}) == []
    )
