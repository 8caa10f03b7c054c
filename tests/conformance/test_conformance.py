"""The score against recorded answers of AWS never falls: the floors below are what was reached, and only go up."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.conformance import data, score

pytestmark = pytest.mark.skipif(not data.present(), reason=data.ABSENT)

# For every suite and group how many cases must be right: `ok`, then strictly (the text of the cause, too)
FLOORS: dict[str, dict[str, tuple[int, int]]] = {
    "executions": {
        "base": (14, 14),
        "choice_operators": (186, 186),
        "comments": (1, 1),
        "context_object": (4, 4),
        "error_handling": (10, 9),
        "express": (4, 4),
        "intrinsic_functions": (38, 38),
        "local_mocking": (3, 3),
        "logs": (25, 25),
        "scenarios": (26, 26),
        "services": (19, 19),
        "test_sfn_api": (4, 4),
        "test_sfn_api_express": (2, 2),
        "timeouts": (3, 3),
    },
    "test_state": {
        "field_validation_mode": (2, 2),
        "field_validation_mode_present": (2, 2),
        "state_context_object": (3, 3),
        "state_mock_validation": (6, 6),
        "test_state_machine_scenarios": (6, 6),
        "test_state_mock_scenarios": (6, 6),
        "test_state_scenarios": (9, 9),
    },
    "validation": {
        "credentials": (1, 1),
        "scenarios": (7, 7),
        "services": (1, 1),
        "test_sfn_api_express": (2, 2),
        "test_sfn_api_map_run": (44, 44),
        "test_sfn_api_validation": (1, 1),
    },
    "real": {"all": (58, 58)},
    "lint": {"invalid": (20, 20), "valid": (31, 31)},
}
# Cases that Express cannot run yet: they may only become fewer
NOT_YET = {"test_state": 68, "executions": 113, "validation": 0, "real": 2, "lint": 11}


@pytest.fixture(scope="module", params=FLOORS)
def suite(request: pytest.FixtureRequest) -> tuple[str, list[score.Score]]:
    return request.param, list(score.SUITES[request.param]())


def test_no_group_is_below_its_floor(suite: tuple[str, list[score.Score]]) -> None:
    name, scores = suite
    groups = {group: counts for (_, group), counts in score.by_group(scores).items()}
    wrong = [f"{each.case}: wanted {each.wanted}, got {each.got}"[:500] for each in scores if each.not_yet is None and not each.ok]
    for group, (right, strict) in FLOORS[name].items():
        counts = groups.get(group, Counter())
        assert counts["ok"] >= right, f"{group}: {counts['ok']} of {right}\n" + "\n".join(wrong)
        assert counts["strict"] >= strict, f"{group}: {counts['strict']} of {strict} strictly"


def test_nothing_new_is_called_not_yet(suite: tuple[str, list[score.Score]]) -> None:
    name, scores = suite
    assert sum(each.not_yet is not None for each in scores) <= NOT_YET[name]


def test_no_case_crashes(suite: tuple[str, list[score.Score]]) -> None:
    assert [each.case for each in suite[1] if isinstance(each.got, dict) and each.got.get("status") == "CRASHED"] == []
