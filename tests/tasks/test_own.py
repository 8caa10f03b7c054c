"""Tasks of Express' own, on the real servers: records of Kafka, commands of Redis, records of an embedded queue."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

import express
from express.config import load, reachable
from express.connections import problems
from express.errors import DefinitionError
from express.executor import Executor
from express.language.http_tasks import FIELDS
from express.language.resources import OWN
from express.options import Connection, KafkaConnection, QueueConnection, RedisConnection
from express.outcome import Outcome
from express.queue import Queue
from express.tasks import INTEGRATIONS
from express.tasks.aws_optimised import SERVICES
from express.tasks.http import gateway
from express.tasks.redis import COMMANDS, shown
from express.tasks.warming import warm
from tests.brokers.kafka_bed import Kafka
from tests.brokers.redis_server import Server
from tests.brokers.secured_kafka import PASSWORD, USER, SecuredKafka

pytestmark = pytest.mark.uvloop_only
NOBODY = "127.0.0.1:9"


def calling(task: str, parameters: Any, **fields: Any) -> dict[str, Any]:
    state = {"Type": "Task", "Resource": f"arn:express:tasks:::{task}", "Parameters": parameters, "End": True, **fields}
    return {"StartAt": "Call", "States": {"Call": state}}


def ran(task: str, parameters: Any, connections: Mapping[str, Connection], event: Any = None) -> Outcome:
    return express.compile(calling(task, parameters), connections=connections).run({} if event is None else event)


def output(outcome: Outcome) -> Any:
    assert outcome.status == "SUCCEEDED", outcome
    return outcome.output


# --- Before anything runs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", OWN)
def test_what_a_definition_says_is_checked_against_what_there_is(task: str) -> None:
    needed, _ = OWN[task]
    (missing, *_, unknown) = [
        (problem.severity, problem.code, problem.location, problem.message)
        for problem in express.check(calling(task, {"Conection": "a"}), advice=False)
        if problem.code in ("MISSING_PARAMETER", "UNKNOWN_PARAMETER")
    ][::-1]
    assert unknown == (
        "ERROR",
        "UNKNOWN_PARAMETER",
        "/States/Call/Parameters",
        f"{task} has no parameter 'Conection' (did you mean 'Connection'?)",
    )
    assert missing == ("ERROR", "MISSING_PARAMETER", "/States/Call/Parameters", f"{task} needs the parameter {needed[-1]}")
    with pytest.raises(DefinitionError, match="has no parameter"):
        express.compile(calling(task, {"Conection": "a"}), connections={})


@pytest.mark.parametrize("task", OWN)
def test_aws_has_none_of_them(task: str) -> None:
    definition = calling(task, dict.fromkeys(OWN[task][0], "x"))
    assert express.check(definition, advice=False) == []
    (found,) = express.check(definition, portable=True, advice=False)
    assert (found.code, found.location) == ("NOT_PORTABLE", "/States/Call/Resource")


def test_a_task_that_there_is_not_is_named_with_one_that_there_is() -> None:
    (found,) = express.check(calling("kafka:prodcue", {}), advice=False)
    assert (found.location, found.message) == (
        "/States/Call/Resource", "there is no Task arn:express:tasks:::kafka:prodcue (did you mean 'kafka:produce'?)",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "there", "sentence"),
    [
        ({}, {}, "redis:command needs Connection, the name of a connection of kind redis (there are: none)"),
        ({}, {"a": 1, "b": 1}, "redis:command needs Connection, the name of a connection of kind redis (there are: a, b)"),
        ({"Connection": "cahce"}, {"cache": 1}, "redis:command: there is no connection 'cahce' of kind redis: did you mean 'cache'?"),
        ({"Connection": "events"}, {"cache": 1}, "redis:command: there is no connection 'events' of kind redis: there are: cache"),
        ({"Connection.$": "$.c"}, {"cache": 1}, "redis:command: Connection must be a text that does not depend on the data"),
        ({"Command": "flushall"}, {"cache": 1}, ("redis:command: 'flushall' is no command that Tasks may use: "
            "the connection's commands can allow it"),
        ),
    ],
)  # fmt: skip
def test_a_connection_is_the_configuration_s_and_never_the_data_s(given: Any, there: Any, sentence: str) -> None:
    connections: dict[str, Connection] = {name: RedisConnection(server=NOBODY) for name in there} | {
        "events": KafkaConnection(servers=(NOBODY,))
    }
    with pytest.raises(DefinitionError) as refused:
        express.compile(calling("redis:command", {"Command": "GET", **given}), connections=connections)
    assert [problem.message for problem in refused.value.problems] == [sentence]


def test_a_configuration_has_their_connections(tmp_path: Path) -> None:
    (tmp_path / "express.yaml").write_text(
        "connections:\n  jobs: {queue: {path: jobs.db}}\n  cache: {redis: {server: '127.0.0.1:6379', commands: [SCAN, CONFIG GET]}}\n"
    )
    found = reachable(load(tmp_path / "express.yaml", {}), None)
    assert found["jobs"] == QueueConnection(path=str(tmp_path / "jobs.db"))
    assert [list(problems(each)) for each in found.values()] == [[], []]
    for command in ("SUBSCRIBE", "SELECT", "MULTI", "scan", "FLUSH ALL NOW"):
        assert list(problems(RedisConnection(server="a:1", commands=(command,)))) != [], command


async def test_clients_are_opened_when_the_process_starts(redis: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    connections = {
        "cache": RedisConnection(server=redis.address),
        "jobs": QueueConnection(path=str(tmp_path / "jobs.db")),
        "gone": QueueConnection(path=str(tmp_path / "no" / "jobs.db")),
    }
    definitions = [
        calling("redis:command", {"Command": "PING"}),
        calling("queue:send", {"Connection": "jobs", "Body": 1}),
        calling("queue:send", {"Connection": "gone", "Body": 1}),
    ]
    programs = [express.compile(each, connections=connections) for each in definitions]
    executor = Executor()
    try:
        with caplog.at_level(logging.WARNING):
            await warm(executor, [binding for program in programs for binding in program.bindings])
        assert (tmp_path / "jobs.db").exists()
        assert b"name=express" in await asyncio.to_thread(redis.do, "CLIENT", "LIST")
        (said,) = [record.getMessage() for record in caplog.records if record.name == "express"]
        assert said.startswith("no client for queue:send of QueueConnection(")
    finally:
        await executor.close()


def test_the_page_s_configuration_goes_with_its_workflow(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "brokers.md").read_text()
    (configuration,) = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (workflow,) = re.findall(r"^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "secret").write_text("wonder\n")
    (tmp_path / "express.yaml").write_text(configuration.replace("/run/secrets/kafka", "secret"))
    connections = reachable(load(tmp_path / "express.yaml", {}), None)
    assert [list(problems(each)) for each in connections.values()] == [[], [], []]
    assert express.check(workflow, advice=False) == []
    assert express.compile(workflow, connections=connections).states == ("Tell", "Count", "Pack")
    table = {
        match[1]: (set(re.findall(r"`([A-Z]\w+)`", match[2])))
        for match in re.finditer(r"^\| `(\w+:\w+)` \| ([^|]*) \|", page, re.MULTILINE)
    }
    assert table == {task: {*needed, *others} - {"Connection"} for task, (needed, others) in OWN.items()}


def test_the_table_of_all_tasks_has_every_resource_and_every_field() -> None:
    page = (Path(__file__).parents[2] / "docs" / "tasks.md").read_text().partition("## Every Task in one table")[2].partition("## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("| `arn:")]
    fields = {match: set(re.findall(r"`(\w+)`", row[1])) for row in rows for match in re.findall(r"`arn:\w+:\w+:::([\w:-]+)", row[0])}
    for task, (needed, others) in OWN.items():
        assert fields[task] == {*needed, *others}
    assert fields["apigateway:invoke"] == set(gateway.FIELDS)
    assert fields["http:invoke"] == set(FIELDS)
    own = {name.rpartition(":")[2] if name.startswith("express") else name for name in INTEGRATIONS if name not in SERVICES}
    assert own - {"aws-sdk"} <= {task if task in INTEGRATIONS else task.partition(":")[0] for task in fields}


# --- queue:send -------------------------------------------------------------------------------------------------------------------


def test_a_record_of_a_queue_is_on_the_disk_when_the_state_has_succeeded(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    parameters = {"Body.$": "$.order", "Key.$": "$.order.id", "Headers": {"kind": "order"}}
    outcome = ran("queue:send", parameters, {"jobs": QueueConnection(path=str(path))}, {"order": {"id": "7", "total": 65}})
    assert output(outcome) == {"MessageId": 1}
    with Queue(path) as queue:
        (taken,) = queue.take(10, 30.0)
    assert (taken.value, taken.key, list(taken.headers)) == (b'{"id":"7","total":65}', b"7", [("kind", b"order")])


def test_a_record_may_be_delayed(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    output(ran("queue:send", {"Body": None, "DelaySeconds": 600}, {"jobs": QueueConnection(path=str(path))}))
    with Queue(path) as queue:
        assert (queue.waiting(), queue.held()) == (0, 1)


def test_what_comes_together_is_written_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred branches of a Map: a sync of the disk for each would be a hundred."""
    batches: list[int] = []
    put = Queue.put

    def counted(self: Queue, records: Any, delay: float = 0.0) -> list[int]:
        batches.append(len(records))
        return put(self, records, delay)

    monkeypatch.setattr(Queue, "put", counted)
    inner = calling("queue:send", {"Body.$": "$"})
    definition = {"StartAt": "Each", "States": {"Each": {"Type": "Map", "ItemProcessor": inner, "End": True}}}
    path = tmp_path / "jobs.db"
    outcome = express.compile(definition, connections={"jobs": QueueConnection(path=str(path))}).run(list(range(100)))
    assert sorted(each["MessageId"] for each in output(outcome)) == list(range(1, 101))
    assert sum(batches) == 100
    assert len(batches) < 50


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"DelaySeconds.$": "$.minus"}, "queue:send: DelaySeconds must be a whole number from 0 to 604,800."),
        ({"Key.$": "$.minus"}, "queue:send: Key must be a text."),
        ({"Headers": {"a.$": "$.minus"}}, "queue:send: Headers must be an object of texts."),
    ],
)
def test_what_cannot_be_sent_is_said_in_the_error(more: Any, sentence: str, tmp_path: Path) -> None:
    outcome = ran("queue:send", {"Body": 1, **more}, {"jobs": QueueConnection(path=str(tmp_path / "jobs.db"))}, {"minus": -1})
    assert (outcome.error, outcome.cause) == ("States.Runtime", sentence)


def test_a_queue_that_cannot_be_written_fails_the_state(tmp_path: Path) -> None:
    (tmp_path / "jobs.db").write_text("no database, but long enough to be looked at as one: " * 100)
    outcome = ran("queue:send", {"Body": 1}, {"jobs": QueueConnection(path=str(tmp_path / "jobs.db"))})
    assert outcome.error == "Queue.Failed"


# --- redis:command ----------------------------------------------------------------------------------------------------------------


def test_replies_of_redis_are_json(redis: Server) -> None:
    cache = {"cache": RedisConnection(server=redis.address)}

    def reply(command: str, *arguments: Any) -> Any:
        return output(ran("redis:command", {"Command": command, "Arguments.$": "$"}, cache, list(arguments)))["Reply"]

    assert reply("SET", "a", "ä") == "OK"
    assert reply("get", "a") == "ä"
    assert reply("GET", "none") is None
    assert reply("INCRBY", "n", 5) == 5
    assert reply("HSET", "h", "x", 1, "y", {"z": [True]}) == 2
    assert reply("HGETALL", "h") == {"x": "1", "y": '{"z":[true]}'}
    assert reply("SADD", "s", "b", "a") == 2
    assert sorted(reply("SMEMBERS", "s")) == ["a", "b"]
    assert reply("ZADD", "z", 1.5, "m") == 1
    assert reply("ZSCORE", "z", "m") == 1.5
    redis.do("SET", "bytes", b"\xff\xfe")
    assert reply("GET", "bytes") == "//4="


def test_what_redis_refuses_has_its_own_word_in_the_error(redis: Server) -> None:
    redis.do("SET", "a", "text")
    outcome = ran("redis:command", {"Command": "LPUSH", "Arguments": ["a", "b"]}, {"cache": RedisConnection(server=redis.address)})
    assert (outcome.error, outcome.cause) == (
        "Redis.WRONGTYPE", "WRONGTYPE Operation against a key holding the wrong kind of value",
    )  # fmt: skip
    outcome = ran("redis:command", {"Command": "INCR", "Arguments": ["a"]}, {"cache": RedisConnection(server=redis.address)})
    assert outcome.error == "Redis.ERR"


@pytest.mark.parametrize(
    "command", ["CONFIG", "EVAL", "FLUSHALL", "flushdb", "KEYS", "SCRIPT LOAD", "GET x", "SUBSCRIBE", "ſet x", "SHUTDOWN"]
)
def test_a_command_that_the_data_choose_is_looked_at_when_it_comes(redis: Server, command: str) -> None:
    redis.do("SET", "kept", "1")
    outcome = ran("redis:command", {"Command.$": "$"}, {"cache": RedisConnection(server=redis.address)}, command)
    assert outcome.error == "States.Permissions"
    assert redis.do("GET", "kept") == b"1"


def test_a_connection_can_allow_more(redis: Server) -> None:
    cache = {"cache": RedisConnection(server=redis.address, commands=("DBSIZE", "CONFIG GET"))}
    assert output(ran("redis:command", {"Command": "DBSIZE"}, cache)) == {"Reply": 0}
    assert output(ran("redis:command", {"Command": "CONFIG GET", "Arguments": ["appendonly"]}, cache)) == {"Reply": {"appendonly": "yes"}}
    assert ran("redis:command", {"Command.$": "$"}, cache, "CONFIG SET").error == "States.Permissions"


def test_no_command_that_is_allowed_reaches_beyond_data() -> None:
    assert not COMMANDS & {
        "CONFIG",
        "EVAL",
        "EVALSHA",
        "FCALL",
        "FLUSHALL",
        "FLUSHDB",
        "KEYS",
        "SCAN",
        "MIGRATE",
        "DEBUG",
        "SELECT",
        "AUTH",
    }


def test_a_reply_of_any_kind_is_json() -> None:
    assert shown({b"a": {b"x", b"y"}, 1: [None, True, 1.5]}) == {"a": ["x", "y"], "1": [None, True, 1.5]}


def test_redis_that_nobody_answers_for_is_a_failed_connection() -> None:
    outcome = ran("redis:command", {"Command": "PING"}, {"cache": RedisConnection(server=NOBODY)})
    assert outcome.error == "Redis.ConnectionFailed"
    assert outcome.cause is not None
    assert outcome.cause.startswith(f"{NOBODY} cannot be reached: ")


# --- kafka:produce ----------------------------------------------------------------------------------------------------------------


def test_a_record_of_kafka_is_with_the_brokers_when_the_state_has_succeeded(kafka: Kafka) -> None:
    topic = kafka.topic(partitions=3)
    events = {"events": KafkaConnection(servers=tuple(kafka.servers.split(",")))}
    parameters = {"Connection": "events", "Topic": topic, "Value.$": "$", "Key": "k", "Headers": {"kind": "order"}, "Partition": 2}
    told = output(ran("kafka:produce", parameters, events, {"total": 65}))
    assert (told["Topic"], told["Partition"], told["Offset"]) == (topic, 2, 0)
    assert told["Timestamp"] > 1_700_000_000_000
    (written,) = kafka.read(topic, 1)
    assert (written.value, written.key, written.partition) == (b'{"total":65}', b"k", 2)
    assert written.headers == {"kind": b"order"}


def test_one_producer_serves_many_records_and_errors_have_kafka_s_names(kafka: Kafka) -> None:
    """Each in a Map of one execution: what fails has no effect on its neighbours."""
    topic = kafka.topic()
    events = {"events": KafkaConnection(servers=tuple(kafka.servers.split(",")))}
    inner = calling(
        "kafka:produce",
        {"Topic.$": "$.topic", "Value.$": "$.value", "Partition.$": "$.partition"},
        Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Caught"}],
    )
    inner["States"]["Caught"] = {"Type": "Pass", "End": True}
    definition = {"StartAt": "Each", "States": {"Each": {"Type": "Map", "ItemProcessor": inner, "End": True}}}
    program = express.compile(definition, connections=events)
    good = [{"topic": topic, "value": number, "partition": None} for number in range(50)]
    found = output(program.run([*good, {"topic": "missing-topic", "value": 1, "partition": None}]))
    assert sorted(each["Offset"] for each in found[:50]) == list(range(50))
    assert found[50]["Error"] == "Kafka.UnknownTopicOrPartition"
    assert "Express creates no topics" in found[50]["Cause"]
    assert sorted(json.loads(written.value) for written in kafka.read(topic, 50)) == list(range(50))
    beyond = program.run([{"topic": topic, "value": 1, "partition": 7}])
    assert (beyond.error, beyond.cause) == ("States.Runtime", f"kafka:produce: topic {topic!r} has 1 partitions, from 0.")


@pytest.mark.parametrize("topic", ["no topic", None, "..", ""])
def test_what_is_no_topic_is_never_asked_for(topic: Any) -> None:
    outcome = ran("kafka:produce", {"Topic.$": "$", "Value": 1}, {"events": KafkaConnection(servers=(NOBODY,))}, topic)
    assert outcome.error == "States.Runtime"


@pytest.mark.kafka
@pytest.mark.parametrize("security", ["SSL", "SASL_SSL"])
def test_a_record_of_kafka_goes_over_a_secured_connection(secured_kafka: SecuredKafka, security: Any) -> None:
    topic = secured_kafka.topic()
    told = {"username": USER, "password": PASSWORD} if security == "SASL_SSL" else {}
    known = KafkaConnection(servers=(secured_kafka.at(security),), security=security, ca=str(secured_kafka.authority.file), **told)
    assert output(ran("kafka:produce", {"Topic": topic, "Value.$": "$"}, {"events": known}, "paid"))["Offset"] == 0
    assert [written.value for written in secured_kafka.read(topic, 1)] == [b'"paid"']
    stranger = msgspec.structs.replace(known, ca=str(secured_kafka.stranger.file))
    refused = ran("kafka:produce", {"Topic": topic, "Value": 1}, {"events": stranger})
    assert (refused.status, refused.error) == ("FAILED", "Kafka.ConnectionFailed"), refused


def test_kafka_that_nobody_answers_for_is_a_failed_connection() -> None:
    outcome = ran("kafka:produce", {"Topic": "t", "Value": 1}, {"events": KafkaConnection(servers=(NOBODY,))})
    assert (outcome.error, outcome.cause) == ("Kafka.ConnectionFailed", f"no Kafka broker answers at {NOBODY}")
