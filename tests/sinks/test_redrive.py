"""``redrive:`` leaves what failed to its source: a whole pipeline over a queue with a policy, nothing acknowledged that was not done."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from consumers.leasing import Leased, Leases
from express import addresses
from express.errors import ConfigurationError
from express.options import SinkOptions
from express.sinks import Entry
from express.sinks.redrive import Redrive, open_sink
from express.sources import Assignment
from tests.brokers.aws_server import KEYS, Server
from tests.commandline import running
from tests.sinks.contract import Answers, entries

CONFIGURATION = """
workflows:
  orders: {{definition: orders.asl.json}}
connections:
  account: {{aws: {{endpoint: "{url}", region: eu-west-1, access_key_id: {access_key_id}, secret_access_key: {secret_access_key}}}}}
pipelines:
  - {{source: "sqs://account/{queue}", workflow: orders, sink: "file:done.jsonl", dead_letter: "redrive:", commit_every: 50ms}}
ops: {{listen: "127.0.0.1:0"}}
"""
WORKFLOW = {
    "StartAt": "Good",
    "States": {
        "Good": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericLessThan": 0, "Next": "Bad"}], "Default": "Done"},
        "Bad": {"Type": "Fail", "Error": "Negative"},
        "Done": {"Type": "Succeed"},
    },
}


async def test_what_it_is_given_is_refused_not_finished() -> None:
    leases: Leases[str] = Leases()
    leases.held = {0: "a", 1: "b"}
    assignment = Assignment("orders", 0, leases, identified=True)
    answers = await Answers(Redrive()).start()
    answers.sink.put([Entry(assignment, Leased("orders", "id", b"1", 0, offset=0), b"1", ())])
    assert len(answers.acknowledged) == 1
    leases.finish([0])  # as the dispatcher does
    assert (leases.finished(), leases.refused()) == ([], [0])
    answers.sink.put(entries(1))
    ((_, reason),) = answers.rejected
    assert reason == "redrive: its source takes nothing back"
    await answers.sink.flush()
    await answers.sink.stop()


def test_a_queue_s_own_policy_moves_what_fails_and_the_rest_is_done(tmp_path: Path, elasticmq: Server) -> None:
    dead = elasticmq.queue()
    policy = orjson.dumps({"deadLetterTargetArn": dead.attribute("QueueArn"), "maxReceiveCount": "2"}).decode()
    queue = elasticmq.queue(VisibilityTimeout=30, RedrivePolicy=policy)
    (tmp_path / "orders.asl.json").write_bytes(orjson.dumps(WORKFLOW))
    (tmp_path / "express.yaml").write_text(CONFIGURATION.format(url=elasticmq.url, queue=queue.name, **KEYS))
    queue.send(*({"MessageBody": '{"n":1}'} for _ in range(9)), {"MessageBody": '{"n":-1}'}, {"MessageBody": "oops"})
    with running("run", "-c", "express.yaml", cwd=tmp_path) as run:
        run.until(lambda: dead.waiting == 2, "the policy moved what failed")
        run.process.terminate()
        assert run.wait() == 0, run.stderr
    assert len((tmp_path / "done.jsonl").read_bytes().splitlines()) == 9
    assert {message["Body"] for message in dead.take()} == {'{"n":-1}', "oops"}
    assert (queue.waiting, queue.hidden) == (0, 0)


def test_addresses() -> None:
    assert isinstance(open_sink(addresses.parse("redrive:"), SinkOptions(name="x", for_dead_letters=True)), Redrive)
    with pytest.raises(ConfigurationError) as wrong:
        open_sink(addresses.parse("redrive:x"), SinkOptions(name="x"))
    assert len(wrong.value.problems) == 2
