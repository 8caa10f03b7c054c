"""Counters of a workflow: bounded in labels, exact in number."""

from __future__ import annotations

import pytest

from express.observers.metrics import BOUNDS, Histogram, WorkflowMetrics


@pytest.fixture
def metrics() -> WorkflowMetrics:
    return WorkflowMetrics("orders", "ab" * 32, [("Charge", "Task"), ("Done", "Succeed")])


def test_buckets_run_from_1_us_to_300_s_in_steps_of_1_2_5_5() -> None:
    assert BOUNDS[:4] == (1e-6, 2.5e-6, 5e-6, 1e-5)
    assert BOUNDS[-4:] == (50.0, 100.0, 250.0, 300.0)
    assert list(BOUNDS) == sorted(set(BOUNDS))


@pytest.mark.parametrize(("seconds", "bucket"), [(0.0, 0), (1e-6, 0), (1.1e-6, 1), (300.0, len(BOUNDS) - 1), (300.1, len(BOUNDS))])
def test_an_observation_falls_into_the_first_bucket_whose_bound_is_not_below_it(seconds: float, bucket: int) -> None:
    histogram = Histogram()
    histogram.observe(seconds)
    assert histogram.counts.index(1) == bucket
    assert (histogram.count, histogram.total) == (1, [seconds])


def test_a_failure_without_an_error_name_is_counted_as_none(metrics: WorkflowMetrics) -> None:
    metrics.failed(0, None)
    assert metrics.failures == {(0, "none"): 1}


def test_the_65th_error_value_of_a_state_and_all_later_ones_are_other(metrics: WorkflowMetrics) -> None:
    for _ in range(2):
        for number in range(100):
            metrics.failed(0, f"Error{number}")
            metrics.caught(0, f"Error{number}", "Done")
    metrics.failed(1, "Another")  # another state has its own 64
    assert metrics.failures[0, "Error0"] == metrics.failures[0, "Error63"] == 2
    assert metrics.failures[0, "other"] == metrics.catches[0, "other", "Done"] == 2 * 36
    assert metrics.failures[1, "Another"] == 1
    assert len(metrics.failures) == 64 + 1 + 1
    assert sum(metrics.failures.values()) - 1 == sum(metrics.catches.values()) == 200


def test_error_names_are_cut_and_made_writable_before_they_become_labels(metrics: WorkflowMetrics) -> None:
    metrics.failed(0, "\ud800" + "x" * 1000)
    metrics.failed(0, "\ud800" + "x" * 1000)
    assert metrics.failures == {(0, "?" + "x" * 127): 2}


def test_states_whose_entries_are_derived_take_them_from_their_observations(metrics: WorkflowMetrics) -> None:
    metrics.derived.add(1)
    metrics.seconds[1].observe(0.1)
    metrics.entered[0] += 2
    assert (metrics.entries(0), metrics.entries(1)) == (2, 1)
