"""Hostile requests made from AWS's model: no 500, no traceback, no answer that takes long. ``make fuzz`` sends many more."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter

import pytest

from tests.api.served import ACCOUNT, Served, passing
from tests.fuzz.api import request, wrong

COUNT = int(os.environ.get("EXPRESS_FUZZ_REQUESTS", "300"))
SEED = int(os.environ.get("EXPRESS_FUZZ_SEED", "0"))
LONGEST = 20.0  # seconds of one answer, on a busy machine


def known(server: Served) -> None:
    """The state machine that the requests are about, with a version and an alias; they may have deleted or changed it."""
    arn = f"{ACCOUNT}:stateMachine:known"
    server.client.delete_state_machine(stateMachineArn=arn)  # it may have become something else
    server.create("known", passing(1), publish=True)
    versions = [{"stateMachineVersionArn": f"{arn}:1", "weight": 100}]
    server.client.create_state_machine_alias(name="PROD", routingConfiguration=versions)


@pytest.mark.timeout(120 + COUNT)
def test_whatever_is_sent_is_answered_with_a_result_or_a_refusal(server: Served, caplog: pytest.LogCaptureFixture) -> None:
    found = []
    statuses: Counter[int] = Counter()
    with caplog.at_level(logging.ERROR, "express"):
        for seed in range(SEED * COUNT, (SEED + 1) * COUNT):
            if seed % 20 == 0:
                known(server)
            made = request(seed)
            began = time.monotonic()
            status, headers, answer = server.request(made.body, made.operation)
            took = time.monotonic() - began
            statuses[status] += 1
            reason = wrong(status, answer) or (f"{took:.1f} s" if took > LONGEST else None)
            if reason is None and not headers.get("x-amzn-RequestId"):
                reason = "no request id"
            if reason is not None:
                found.append(f"seed {seed}: {made.operation} {made.body[:300]!r}: {reason}")
    assert found == []
    assert statuses[200] > COUNT / 5, "most of it never got past the first check"
    # What fails while it runs is an execution's business, but a traceback is a defect
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []
    assert server.client.list_state_machines()["stateMachines"] is not None
