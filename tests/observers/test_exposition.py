"""What /metrics says: names, labels and values, as Prometheus' own tools read them."""

from __future__ import annotations

import asyncio
import subprocess
import threading
import time

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

import express
from express.observers.exposition import Exposition
from express.observers.metrics import BOUNDS, WorkflowMetrics
from express.observers.pipeline import PipelineMetrics
from express.observers.stall import Heartbeat
from tests.observers.promtool import promtool

# Name and labels of everything the contract promises; le is left out.
PROMISED = {
    "express_executions_started_total": {"workflow"},
    "express_executions_total": {"workflow", "status"},
    "express_execution_seconds": {"workflow"},
    "express_state_entered_total": {"workflow", "state", "type"},
    "express_state_seconds": {"workflow", "state", "type"},
    "express_task_attempt_seconds": {"workflow", "state"},
    "express_state_failures_total": {"workflow", "state", "error"},
    "express_state_retries_total": {"workflow", "state"},
    "express_state_caught_total": {"workflow", "state", "error", "next"},
    "express_integration_scheduled_total": {"workflow", "resource"},
    "express_integration_started_total": {"workflow", "resource"},
    "express_integration_succeeded_total": {"workflow", "resource"},
    "express_integration_failed_total": {"workflow", "resource"},
    "express_integration_timed_out_total": {"workflow", "resource"},
    "express_integration_schedule_seconds": {"workflow", "resource"},
    "express_integration_run_seconds": {"workflow", "resource"},
    "express_inflight": {"pipeline"},
    "express_event_seconds": {"pipeline"},
    "express_source_records_total": {"pipeline"},
    "express_source_lag": {"topic", "partition"},
    "express_commit_lag": {"pipeline"},
    "express_leases_lost_total": {"pipeline"},
    "express_dead_letters_total": {"pipeline"},
    "express_events_filtered_total": {"pipeline"},
    "express_events_duplicate_total": {"pipeline"},
    "express_execution_retries_total": {"pipeline"},
    "express_loop_stall_seconds": set(),
    "express_definition_info": {"workflow", "sha256"},
    "express_stuck_calls": set(),
}
HOSTILE = 'a "quoted"\nname \\ with } and é'


@pytest.fixture
def exposition() -> Exposition:
    workflow = WorkflowMetrics("orders", "ab" * 32, [("Charge", "Task"), (HOSTILE, "Pass")])
    workflow.started[0] = 3
    workflow.resource("arn:aws:states:::sqs:sendMessage").run.observe(0.5)
    workflow.statuses["SUCCEEDED"] = 2
    workflow.entered[0] = 3
    workflow.derived.add(1)
    for seconds in (1e-6, 2e-6, 400.0):
        workflow.seconds[0].observe(seconds)
        workflow.seconds[1].observe(seconds)
    workflow.attempts[0].observe(0.5)
    workflow.execution.observe(0.25)
    workflow.failed(0, "OutOfStock")
    workflow.failed(0, HOSTILE)
    workflow.retried(0)
    workflow.caught(0, "OutOfStock", HOSTILE)
    pipeline = PipelineMetrics("orders", lambda: {("orders", 0): 5, ("orders", 1): 0})
    pipeline.source_records, pipeline.in_flight, pipeline.dead_letters, pipeline.commit_lag = 4, 1, 2, 3
    pipeline.event_seconds.observe(2.0)
    other = PipelineMetrics("returns", lambda: {("orders", 0): 7})
    return Exposition([workflow], [pipeline, other], Heartbeat())


def samples(exposition: Exposition) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample of the text format, by name and labels."""
    body, content_type = exposition.render()
    assert content_type.startswith("text/plain; version=0.0.4")
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for family in parse_text(body.decode()):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, f"twice: {key}"
            found[key] = sample.value
    return found


def test_every_promised_metric_is_there_with_its_labels_and_nothing_else_is_called_express(exposition: Exposition) -> None:
    found: dict[str, set[str]] = {}
    for name, labels in samples(exposition):
        base = name
        for suffix in ("_bucket", "_sum", "_count"):
            base = base.removesuffix(suffix)
        if base.startswith("express_"):
            assert found.setdefault(base, {label for label, _ in labels} - {"le"}) == {label for label, _ in labels} - {"le"}
    assert found == PROMISED


def test_values_are_those_that_were_counted(exposition: Exposition) -> None:
    found = samples(exposition)

    def value(name: str, **labels: str) -> float:
        return found[name, frozenset(labels.items())]

    assert value("express_executions_total", workflow="orders", status="SUCCEEDED") == 2
    assert value("express_state_entered_total", workflow="orders", state=HOSTILE, type="Pass") == 3
    assert value("express_state_failures_total", workflow="orders", state="Charge", error=HOSTILE) == 1
    assert value("express_state_caught_total", workflow="orders", state="Charge", error="OutOfStock", next=HOSTILE) == 1
    assert value("express_state_retries_total", workflow="orders", state="Charge") == 1
    assert value("express_source_lag", topic="orders", partition="0") == 7, "the pipeline that is further behind counts"
    assert value("express_commit_lag", pipeline="orders") == 3
    assert value("express_definition_info", workflow="orders", sha256="ab" * 32) == 1
    charge = {"workflow": "orders", "state": "Charge", "type": "Task"}
    assert value("express_state_seconds_bucket", **charge, le="1e-06") == 1
    assert value("express_state_seconds_bucket", **charge, le="2.5e-06") == 2
    assert value("express_state_seconds_bucket", **charge, le="300.0") == 2
    assert value("express_state_seconds_bucket", **charge, le="+Inf") == value("express_state_seconds_count", **charge) == 3
    assert value("express_state_seconds_sum", **charge) == pytest.approx(400.000003)


def test_the_process_and_the_garbage_collector_are_shown_too(exposition: Exposition) -> None:
    names = {name for name, _ in samples(exposition)}
    assert {"process_resident_memory_bytes", "process_open_fds", "python_gc_collections_total", "python_info"} <= names


@pytest.mark.parametrize(
    "accept", ["application/openmetrics-text; version=1.0.0", "application/openmetrics-text;version=0.0.1,text/plain;q=0.5"]
)
def test_a_scraper_that_asks_for_openmetrics_gets_it_when_the_version_is_known(exposition: Exposition, accept: str) -> None:
    body, content_type = exposition.render(accept)
    if content_type.startswith("application/openmetrics-text"):
        assert {family.name for family in parse_openmetrics(body.decode())} >= {"express_state_seconds", "express_executions"}
    else:
        assert b"# EOF" not in body


def test_promtool_accepts_every_metric(exposition: Exposition) -> None:
    checked = subprocess.run([promtool(), "check", "metrics"], input=exposition.render()[0], capture_output=True)
    assert (checked.returncode, checked.stdout.decode(), checked.stderr.decode()) == (0, "", "")


def test_a_scrape_of_many_states_stays_cheap() -> None:
    """1,000 states are 46,000 lines; through prometheus_client's own writer they took 0.8 s."""
    workflow = WorkflowMetrics("big", "ab" * 32, [(f"State{number}", "Task" if number % 2 else "Pass") for number in range(1000)])
    exposition = Exposition([workflow], [])
    best = float("inf")
    for _ in range(3):
        before = time.process_time()
        body, _ = exposition.render()
        best = min(best, time.process_time() - before)
    assert body.count(b"\n") > 1500 * (len(BOUNDS) + 3)
    assert best < 0.5


def test_the_copy_is_taken_on_the_loop_that_counts_and_adds_up_what_is_in_tallies() -> None:
    """Executions count the usual way through them by one addition; another thread must not add those up while they are written."""
    program = express.compile({"StartAt": "Charge", "States": {"Charge": {"Type": "Pass", "End": True}}}, name="orders")
    assert program.metrics is not None
    exposition = Exposition([program.metrics], [])
    counting = asyncio.new_event_loop()
    exposition.attach(counting)
    seen: list[int] = []
    thread = threading.Thread(target=counting.run_forever)
    thread.start()
    try:
        for wanted in (3, 8):
            for _ in range(wanted):
                program.run({})
            looked = threading.Event()
            exposition.look(lambda: (seen.append(threading.get_ident()), looked.set()))  # noqa: B023
            assert looked.wait(5)
    finally:
        counting.call_soon_threadsafe(counting.stop)
        thread.join()
        counting.close()
    assert set(seen) == {thread.ident}
    found = samples(exposition)
    assert found["express_state_entered_total", frozenset({"workflow": "orders", "state": "Charge", "type": "Pass"}.items())] == 11
    assert found["express_executions_total", frozenset({"workflow": "orders", "status": "SUCCEEDED"}.items())] == 11
    exposition.look(lambda: seen.append(0))  # the loop has ended: the last copy is what there is
    assert 0 not in seen
    assert samples(exposition)["express_executions_started_total", frozenset({"workflow": "orders"}.items())] == 11


def test_workflows_that_come_go_and_change_are_shown_as_they_are_at_each_look() -> None:
    first, second = (WorkflowMetrics("orders", sha256, [("Charge", "Task")]) for sha256 in ("ab" * 32, "cd" * 32))
    present = [first]
    shown = Exposition(lambda: present, [])

    def samples() -> list[str]:
        shown.look(lambda: None)
        return [line for line in shown.render()[0].decode().splitlines() if "workflow=" in line]

    before = samples()
    assert any('le="+Inf"' in line and 'workflow="orders"' in line for line in before)
    second.workflow = "orders:1"
    present.append(second)
    both = samples()
    assert len(both) == 2 * len(before)
    assert len(set(both)) == len(both)
    second.workflow = "returns"
    present.remove(first)
    after = samples()
    assert len(after) == len(before)
    assert all('workflow="returns"' in line for line in after)
    present.clear()
    assert samples() == []
