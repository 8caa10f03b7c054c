"""Configuration: the design's example is understood, and every mistake is named with its file, line and field."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from express.config import Api, Configuration, Route, Settings, connections_of, host_and_port, load, validate
from express.errors import ConfigurationError
from express.options import HttpConnection, KafkaConnection, RedisConnection
from express.pipes import Pipe
from express.registry import SINKS, SOURCES

COMPLETE = """\
workflows:
  orders: {definition: orders.asl.json, functions: [orders_functions.py], substitutions: {}}
connections:
  events: {kafka: {servers: ["broker:9092"], security: SASL_SSL, username: express, password: {file: secret}}}
pipelines:
  - source: kafka://events/orders?group=orders        # a connection's name may stand for the servers
    workflow: orders
    sink: kafka://events/orders.done                  # optional: without one, the execution's end is what is committed
    dead_letter: kafka://events/orders.dead
    order: unordered                                  # unordered | key | partition
    in_flight: {records: 500, bytes: 64MiB}
    commit_every: 200ms
    drain: 20s
api: {listen: 127.0.0.1:8083, token: null}
ops: {listen: 127.0.0.1:9464}
limits: {payload: 256KiB, execution: 5m, transitions: null}
log: {format: auto, level: info}
"""
MINIMAL = """\
workflows: {orders: {definition: orders.asl.json}}
pipelines: [{source: "memory:", workflow: orders}]
"""

SOURCE_LIST, SINK_LIST = (", ".join(f"{scheme}:" for scheme in table) for table in (SOURCES, SINKS))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "orders.asl.json").write_text("{}")
    (tmp_path / "orders_functions.py").write_text("")
    (tmp_path / "secret").write_text("hunter2\n")
    return tmp_path


def read(folder: Path, text: str, name: str = "express.yaml", **environment: str) -> Configuration:
    (folder / name).write_text(text)
    return load(folder / name, environment)


def routes(folder: Path, text: str, **environment: str) -> list[Route]:
    return validate(read(folder, text, **environment))


def problems(folder: Path, text: str, **environment: str) -> list[str]:
    """What loading and validating say, without the folder in front."""
    with pytest.raises(ConfigurationError) as raised:
        routes(folder, text, **environment)
    return [problem.removeprefix(f"{folder}/").replace(f"{folder}/", "") for problem in raised.value.problems]


# --- What is understood -------------------------------------------------------------------------------------------------------------


def test_the_complete_example_says_what_the_defaults_are(folder: Path) -> None:
    settings = read(folder, COMPLETE).settings
    assert settings.limits == Settings().limits
    assert settings.log == Settings().log
    (given,), (default,) = settings.pipelines, read(folder, MINIMAL).settings.pipelines
    assert (given.order, given.in_flight, given.commit_every, given.drain) == (
        default.order, default.in_flight, default.commit_every, default.drain,
    )  # fmt: skip
    assert (given.in_flight.bytes, given.commit_every, given.drain) == (67_108_864, 0.2, 20.0)


def test_a_connection_s_name_stands_for_its_servers_and_carries_its_credentials(folder: Path) -> None:
    (route,) = routes(folder, COMPLETE)
    assert route.name == "orders"
    assert (route.source.servers, route.source.name, route.source.options) == (("broker:9092",), "orders", {"group": "orders"})
    assert route.sink is not None
    assert route.sink.servers == ("broker:9092",)
    connection = route.source_options.connection
    assert connection is not None
    assert connection.password == "hunter2"
    assert route.dead_letter_options.connection == connection
    assert route.dead_letter_options.for_dead_letters
    assert "hunter2" not in repr(route)


def test_a_connection_may_be_named_by_an_option_too(folder: Path) -> None:
    (route,) = routes(folder, COMPLETE.replace("kafka://events/orders?group=orders", "kafka://ignored:1/orders?connection=events"))
    assert (route.source.servers, route.source.options) == (("broker:9092",), {})


def test_a_connection_of_redis_is_one_for_redis_addresses_only(folder: Path) -> None:
    text = MINIMAL.replace('"memory:"', "'redis://streams/orders?group=g'")
    (route,) = routes(folder, f"connections: {{streams: {{redis: {{server: 'r:1', password: {{file: secret}}}}}}}}\n{text}")
    assert route.source.servers == ("r:1",)
    assert route.source_options.connection == RedisConnection(server="r:1", password="hunter2")
    assert "hunter2" not in repr(route)
    found = problems(folder, "connections: {streams: {kafka: {servers: ['k:1']}}}\n" + text)
    assert found == ["express.yaml:3: pipelines[0].source: redis: needs a connection of redis, 'streams' is one of kafka"]


def test_a_webhook_s_connection_is_named_beside_its_host(folder: Path) -> None:
    hooks = "connections: {hooks: {http: {allow: ['https://a.example']}}}\n"
    (route,) = routes(folder, hooks + MINIMAL.replace('"memory:"', "'memory:', sink: 'https://a.example/in?connection=hooks&timeout=5s'"))
    assert route.sink is not None
    assert (route.sink.servers, route.sink.options) == (("a.example",), {"timeout": "5s"})
    assert route.sink_options.connection == HttpConnection(allow=("https://a.example",))


def test_a_region_counts_beside_a_connection_that_is_named_by_an_option(folder: Path) -> None:
    text = "connections: {account: {aws: {profile: orders}}}\n" + MINIMAL
    for source, servers in (("sqs://eu-west-1/orders?connection=account", ("eu-west-1",)), ("sqs://account/orders", ())):
        (route,) = routes(folder, text.replace('"memory:"', f"'{source}'"))
        assert route.source.servers == servers


def test_without_a_source_it_is_a_queue_of_the_pipeline_s_name_beside_the_configuration(folder: Path) -> None:
    two = "[{workflow: orders}, {workflow: orders, name: late}, {workflow: orders, source: 'memory:'}]"
    found = routes(folder, f"workflows: {{orders: {{definition: orders.asl.json}}}}\npipelines: {two}\n")
    assert [(route.source.text.partition(":")[0], route.source.name, route.source_given) for route in found] == [
        ("queue", str(folder / "orders.db"), False), ("queue", str(folder / "late.db"), False), ("memory", "", True),
    ]  # fmt: skip
    where = "express.yaml:2: pipelines[0].source"
    assert problems(folder, "workflows: {orders: {definition: orders.asl.json}}\npipelines: [{workflow: orders, name: ../x}]\n") == [
        f"{where}: expected an address: a queue of its own cannot be called '../x'"
    ]


def test_relative_paths_start_from_the_configuration_file(folder: Path) -> None:
    (route,) = routes(folder, MINIMAL.replace('"memory:"', '"file:in.jsonl", sink: "file:out/done.jsonl", dead_letter: "file:/dead.jsonl"'))
    assert route.source.name == f"{folder}/in.jsonl"
    assert route.sink is not None
    assert route.sink.name == route.source_options.checkpoint_beside == f"{folder}/out/done.jsonl"
    assert route.dead_letter is not None
    assert route.dead_letter.name == "/dead.jsonl"


def test_pipelines_of_one_workflow_get_names_of_their_own(folder: Path) -> None:
    pipelines = "".join(f"  - {{source: 'memory:', workflow: orders{name}}}\n" for name in ("", "", ", name: x"))
    assert [route.name for route in routes(folder, f"{MINIMAL.splitlines()[0]}\npipelines:\n{pipelines}")] == ["orders", "orders-2", "x"]


def test_json_is_accepted_tabs_and_all(folder: Path) -> None:
    text = (
        '{\n\t"workflows": {"orders": {"definition": "orders.asl.json"}},\n\t"pipelines": [{"source": "memory:", "workflow": "orders"}]\n}'
    )
    assert len(validate(read(folder, text, "express.json"))) == 1


def test_variables_and_their_defaults_are_put_in_and_read_as_what_the_field_wants(folder: Path) -> None:
    text = MINIMAL.replace(
        "workflow: orders}",
        "workflow: '${WORKFLOW}', in_flight: {records: '${RECORDS}'}, drain: '${DRAIN:-7s}', name: 'a$${b}'}",
    )
    (route,) = routes(folder, text, WORKFLOW="orders", RECORDS="42")
    assert (route.workflow, route.in_flight.records, route.drain, route.name) == ("orders", 42, 7.0, "a${b}")


def test_an_absent_ops_address_is_not_the_same_as_the_default_one_written_out(folder: Path) -> None:
    assert read(folder, MINIMAL).settings.ops.listen is None
    assert read(folder, COMPLETE).settings.ops.listen == "127.0.0.1:9464"


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:9464", "127.0.0.1", 9464), ("[::1]:0", "::1", 0), (":80", "0.0.0.0", 80), ("localhost:1", "localhost", 1)],
)
def test_an_endpoint_s_address_is_taken_apart(text: str, host: str, port: int) -> None:
    assert host_and_port(text) == (host, port)


def test_the_documentation_s_example_is_understood_and_says_the_defaults(folder: Path) -> None:
    document = (Path(__file__).parent.parent / "docs" / "configuration.md").read_text()
    example = document.partition("```yaml\n")[2].partition("```")[0].replace("/run/secrets/kafka", "secret")
    settings = read(folder, example).settings
    (route,) = routes(folder, example)
    default = read(folder, MINIMAL).settings
    assert (settings.limits, settings.log, settings.api) == (default.limits, default.log, Api())
    (given,), (unsaid,) = settings.pipelines, default.pipelines
    for field in ("order", "in_flight", "commit_every", "drain"):
        assert getattr(given, field) == getattr(unsaid, field), field
    assert route.source_options.connection is not None
    assert route.source_options.connection.mechanism == KafkaConnection(servers=("x",)).mechanism
    assert all(f"`{scheme}:" in document for scheme in {**SOURCES, **SINKS})


# --- What is wrong ------------------------------------------------------------------------------------------------------------------

WRONG = {
    "unknown field": (
        "pipelines:\n  - source: 'memory:'\n    workflow: orders\n    sinc: 'drop:'\n",
        "express.yaml:4: pipelines[0].sinc: there is no field of this name, did you mean 'sink'?",
    ),
    "unknown section": (
        "zebra: 1\n",
        (
            "express.yaml:1: zebra: there is no field of this name, expected one of workflows, connections, functions, pipelines, "
            "extensions, api, ops, limits, log"
        ),
    ),
    "missing field": ("pipelines:\n  - source: 'memory:'\n", "express.yaml:2: pipelines[0]: the field 'workflow' is missing"),
    "not a list": ("pipelines: memory\n", "express.yaml:1: pipelines: expected a list, found 'memory'"),
    "not a mapping": ("workflows: [a]\n", "express.yaml:1: workflows: expected names, each with its value, found a list"),
    "wrong number": (
        "pipelines:\n  - source: 'memory:'\n    workflow: a\n    in_flight:\n      records: many\n",
        "express.yaml:5: pipelines[0].in_flight.records: expected a whole number, found 'many'",
    ),
    "wrong text": ("workflows:\n  a:\n    definition: 5\n", "express.yaml:3: workflows.a.definition: expected a text, found 5"),
    "wrong choice": ("log: {level: loud}\n", "express.yaml:1: log.level: expected one of debug, info, warning, error, found 'loud'"),
    "wrong duration": (
        "limits:\n  execution: soon\n",
        "express.yaml:2: limits.execution: expected a duration such as 200ms, 20s or 5m, found 'soon'",
    ),
    "number for a duration": (
        "limits: {execution: 300}\n",
        "express.yaml:1: limits.execution: expected a duration such as 200ms, 20s or 5m, found 300",
    ),
    "wrong size": ("limits: {payload: big}\n", "express.yaml:1: limits.payload: expected a size such as 256KiB or 64MiB, found 'big'"),
    "nothing where something is needed": (
        "workflows: {a: {definition: }}\n",
        "express.yaml:1: workflows.a.definition: expected a text, found nothing",
    ),
    "duplicate key": ("workflows:\n  a: {definition: x}\n  a: {definition: y}\n", "express.yaml:3: the key 'a' is there twice"),
    "malformed YAML": (
        "workflows: {orders: {definition: x}\npipelines: []\n",
        "express.yaml:2: not YAML: while parsing a flow mapping, expected ',' or '}', but got '<scalar>'",
    ),
    "variable that is not set": ("log: {level: '${LEVEL}'}\n", "express.yaml:1: log.level: the environment variable LEVEL is not set"),
    "variable without a name": (
        "log: {level: '${1}'}\n",
        "express.yaml:1: log.level: expected the name of an environment variable after ${, as in ${NAME} or ${NAME:-default}",
    ),
    "secret file that is missing": (
        "connections:\n  a:\n    kafka: {servers: [x], password: {file: nowhere}}\n",
        "express.yaml:3: connections.a.kafka.password: the file nowhere cannot be read: No such file or directory",
    ),
    "secret of the wrong type": (
        "connections: {a: {kafka: {servers: [x], password: 12345}}}\n",
        "express.yaml:1: connections.a.kafka.password: expected a text, found something else",
    ),
    "definition that is missing": (
        "workflows:\n  a:\n    definition: gone.json\n",
        "express.yaml:3: workflows.a.definition: there is no file gone.json",
    ),
    "functions that are missing": (
        "workflows: {a: {definition: orders.asl.json, functions: [gone.py]}}\n",
        "express.yaml:1: workflows.a.functions[0]: there is no file gone.py",
    ),
    "no pipeline": ("log: {level: info}\n", "express.yaml:1: pipelines: there is no pipeline: nothing would run"),
    "empty file": ("", "express.yaml:1: pipelines: there is no pipeline: nothing would run"),
    "endpoint without a port": (
        "ops: {listen: localhost}\n",
        "express.yaml:1: ops.listen: expected HOST:PORT such as 127.0.0.1:9464, found 'localhost'",
    ),
    "payload beyond AWS": (
        "limits: {payload: 1MiB}\n",
        "express.yaml:1: limits.payload: expected 1 KiB to 256 KiB, AWS's limit, found 1 MiB",
    ),
    "execution beyond AWS": ("limits: {execution: 6m}\n", "express.yaml:1: limits.execution: expected a duration up to 5m, AWS's limit"),
    "limit of transitions": (
        "limits: {transitions: 5}\n",
        "express.yaml:1: limits.transitions: this version of Express has no limit of transitions: a loop ends at limits.execution",
    ),
    "SASL without a password": (
        "connections: {a: {kafka: {servers: [x], security: SASL_SSL}}}\n",
        "express.yaml:1: connections.a.kafka: security SASL_SSL needs username and password",
    ),
    "password without SASL": (
        "connections: {a: {kafka: {servers: [x], username: u, password: p}}}\n",
        "express.yaml:1: connections.a.kafka: username and password would not be used with security PLAINTEXT",
    ),
    "certificate without a key": (
        "connections: {a: {kafka: {servers: [x], security: SSL, certificate: orders.asl.json}}}\n",
        "express.yaml:1: connections.a.kafka: certificate and key belong together",
    ),
    "no servers": (
        "connections: {a: {kafka: {servers: []}}}\n",
        "express.yaml:1: connections.a.kafka.servers: expected at least one HOST:PORT",
    ),
    "bad server": (
        "connections: {a: {kafka: {servers: ['x:y']}}}\n",
        "express.yaml:1: connections.a.kafka.servers[0]: expected HOST:PORT, found 'x:y'",
    ),
    "function that is nowhere": (
        "functions: {price: {concurrency: 2}}\n",
        "express.yaml:1: functions.price: expected exactly one of python, url and lambda",
    ),
    "function in two places": (
        "functions: {price: {url: 'http://h/', lambda: a}}\nconnections: {a: {aws: {}}}\n",
        "express.yaml:1: functions.price: expected exactly one of python, url and lambda, found url and lambda",
    ),
    "function at no address": (
        "functions: {price: {url: 'h:80'}}\n",
        "express.yaml:1: functions.price.url: expected http://HOST:PORT/PATH or https://HOST/PATH, found 'h:80'",
    ),
    "function of an account that is not there": (
        "functions: {price: {lambda: b}}\nconnections: {a: {aws: {}}}\n",
        "express.yaml:1: functions.price.lambda: there is no connection to AWS named 'b' (there are: a)",
    ),
    "timeout of a function that has none": (
        "functions: {price: {lambda: a, timeout: 3s}}\nconnections: {a: {aws: {}}}\n",
        "express.yaml:1: functions.price.timeout: expected a duration, and only with url: others have the TimeoutSeconds of their states",
    ),
    "endpoint of one service": (
        "connections: {a: {aws: {endpoints: {sqs: 'localhost:4566'}}}}\n",
        "express.yaml:1: connections.a.aws.endpoints.sqs: expected http://HOST:PORT or https://HOST, found 'localhost:4566'",
    ),
    "connection of no kind": ("connections: {a: {}}\n", "express.yaml:1: connections.a: expected one of kafka, redis, aws, http and queue"),
    "connection of two kinds": (
        "connections: {a: {redis: {server: x}, kafka: {servers: [x]}}}\n",
        "express.yaml:1: connections.a: expected one of kafka, redis, aws, http and queue",
    ),
    "bad Redis server": (
        "connections: {a: {redis: {server: 'x:y'}}}\n",
        "express.yaml:1: connections.a.redis.server: expected HOST:PORT, found 'x:y'",
    ),
    "Redis authority without TLS": (
        "connections: {a: {redis: {server: x, ca: orders.asl.json}}}\n",
        "express.yaml:1: connections.a.redis: ca would not be used without tls: true",
    ),
    "Redis authority that is missing": (
        "connections: {a: {redis: {server: x, tls: true, ca: gone.pem}}}\n",
        "express.yaml:1: connections.a.redis.ca: there is no file gone.pem",
    ),
    "half of a key of AWS": (
        "connections: {a: {aws: {access_key_id: x}}}\n",
        "express.yaml:1: connections.a.aws: access_key_id and secret_access_key belong together",
    ),
    "nothing allowed": (
        "connections: {a: {http: {allow: []}}}\n",
        "express.yaml:1: connections.a.http.allow: expected at least one https://HOST: nothing else is ever called",
    ),
    "bad entry of an allow-list": (
        "connections: {a: {http: {allow: ['https://*']}}}\n",
        "express.yaml:1: connections.a.http.allow[0]: expected https://HOST, https://HOST:PORT or https://HOST:PORT/PATH, found 'https://*'",
    ),
    "bad private network": (
        "connections: {a: {http: {allow: ['https://a'], private: ['10.0.0.1/8']}}}\n",
        "express.yaml:1: connections.a.http.private[0]: expected a network such as 10.1.0.0/16 or fd00::/8, found '10.0.0.1/8'",
    ),
    "no authentication": (
        "connections: {a: {http: {allow: ['https://a'], authentication: {}}}}\n",
        "express.yaml:1: connections.a.http.authentication: expected one of basic, api_key and oauth",
    ),
    "secret with a line break": (
        'connections: {a: {http: {allow: ["https://a"], authentication: {api_key: {name: X-Key, value: "wonder\\n"}}}}}\n',
        (
            "express.yaml:1: connections.a.http.authentication.api_key.name: the value of 'X-Key' has characters that no header can have, "
            "such as a line break"
        ),
    ),
    "header that is HTTP's own": (
        "connections: {a: {http: {allow: ['https://a'], headers: {Host: b}}}}\n",
        "express.yaml:1: connections.a.http.headers.Host: 'Host' cannot be the name of a header here",
    ),
    "bad endpoint of OAuth": (
        "connections: {a: {http: {allow: ['https://a'], authentication: {oauth: {endpoint: a, client_id: b, client_secret: c}}}}}\n",
        "express.yaml:1: connections.a.http.authentication.oauth.endpoint: expected https://HOST/PATH, found 'a'",
    ),
    "no connections at a time": (
        "connections: {a: {http: {allow: ['https://a'], limit: 0}}}\n",
        "express.yaml:1: connections.a.http.limit: expected a number from 1",
    ),
    "bad endpoint of AWS": (
        "connections: {a: {aws: {endpoint: 'localhost:4566'}}}\n",
        "express.yaml:1: connections.a.aws.endpoint: expected http://HOST:PORT or https://HOST, found 'localhost:4566'",
    ),
}  # fmt: skip

# One pipeline, its fields after source and workflow, and the problem after "express.yaml:2: pipelines[0]"
WRONG_PIPELINES = {
    "unknown workflow": ("source: 'memory:', workflow: order", ".workflow: there is no workflow 'order' (there are: orders)"),
    "address that does not parse": (
        "source: orders, workflow: orders",
        ".source: 'orders' is not an address: expected one such as kafka://localhost:9092/orders?group=orders or file:events.jsonl",
    ),
    "source that does not exist": (
        "source: 'carrier-pigeon:x', workflow: orders",
        f".source: carrier-pigeon:x: there is no source called carrier-pigeon:, expected one of {SOURCE_LIST}",
    ),
    "source of a later version": (
        "source: 'nats://x/y', workflow: orders",
        f".source: nats://x/y: this version of Express has no nats: source; it has {SOURCE_LIST}",
    ),
    "sink as a source": (
        "source: 'drop:', workflow: orders",
        f".source: drop:: there is no source called drop:, expected one of {SOURCE_LIST}",
    ),
    "sink of a later version": (
        "source: 'memory:', workflow: orders, sink: 'nats://x/y'",
        f".sink: nats://x/y: this version of Express has no nats: sink; it has {SINK_LIST}",
    ),
    "a limit of dead letters that are not kept": (
        "source: 'memory:', workflow: orders, dead_letter_limit: {consecutive: 5}",
        ".dead_letter_limit: there is no dead_letter: the first failure stops the pipeline anyway",
    ),
    "a limit of nothing": (
        "source: 'memory:', workflow: orders, dead_letter: 'drop:', dead_letter_limit: {window: 5}",
        ".dead_letter_limit: expected consecutive (dead letters in a row), ratio (0 to 1), or both",
    ),
    "a share of more than all": (
        "source: 'memory:', workflow: orders, dead_letter: 'drop:', dead_letter_limit: {ratio: 50}",
        ".dead_letter_limit.ratio: expected a number from 0 to below 1, such as 0.5",
    ),
    "nothing in flight": ("source: 'memory:', workflow: orders, in_flight: {records: 0}", ".in_flight.records: expected at least 1"),
    "in flight below one event": (
        "source: 'memory:', workflow: orders, in_flight: {bytes: 1KiB}",
        ".in_flight.bytes: expected at least limits.payload (256 KiB): an event of that size would never fit",
    ),
    "commits all the time": ("source: 'memory:', workflow: orders, commit_every: 1ms", ".commit_every: expected at least 10ms"),
    "connection that does not exist": (
        "source: 'kafka://a:1/b?connection=c', workflow: orders",
        ".source: there is no connection 'c' in the configuration",
    ),
    "results that come back": (
        "source: 'kafka://a:1/b?group=c', workflow: orders, sink: 'kafka://a:1/b'",
        ".sink: the results would come back as events: the sink is what the source reads",
    ),
    "redrive of a source without a policy": (
        "source: 'memory:', workflow: orders, dead_letter: 'redrive:'",
        ".dead_letter: memory: has no policy for what fails: redrive: is for sqs",
    ),
    "batches that cannot be": (
        "source: 'memory:', workflow: orders, batch: {records: 501}",
        ".batch.records: expected at most in_flight.records (500): a batch of that many could never be taken",
    ),
    "a pattern with a mistake": (
        "source: 'memory:', workflow: orders, filter: [{value: {total: [{prefx: a}]}}]",
        (
            ".filter[0].value.total[0].prefx: there is no condition of this name, expected one of "
            "prefix, suffix, equals-ignore-case, wildcard, anything-but, numeric, exists, cidr"
        ),
    ),
    "a retry that is none": (
        "source: 'memory:', workflow: orders, retry: {attempts: 1}",
        ".retry.attempts: expected 2 to 1,000 executions in all, the first included",
    ),
    "dead letters that come back": (
        "source: 'file:a', workflow: orders, dead_letter: 'file:./a'",
        ".dead_letter: the dead letters would come back as events: they would go where the source reads",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_in_a_configuration_is_one_sentence_with_its_line_and_field(folder: Path, name: str) -> None:
    text, sentence = WRONG[name]
    found = problems(folder, text)
    # Most of these lack a pipeline too: that is said as well, where nothing worse kept it from being looked for.
    assert sentence in found
    assert [problem for problem in found if problem != sentence and not problem.endswith("there is no pipeline: nothing would run")] == []


@pytest.mark.parametrize("name", WRONG_PIPELINES)
def test_a_mistake_in_a_pipeline_is_one_sentence_with_its_line_and_field(folder: Path, name: str) -> None:
    pipeline, sentence = WRONG_PIPELINES[name]
    assert problems(folder, f"{MINIMAL.splitlines()[0]}\npipelines: [{{{pipeline}}}]\n") == [f"express.yaml:2: pipelines[0]{sentence}"]


def test_two_sinks_cannot_share_a_file(folder: Path) -> None:
    pipeline = "{source: 'memory:', workflow: orders, sink: 'file:a', dead_letter: 'file:./a'}"
    assert problems(folder, f"{MINIMAL.splitlines()[0]}\npipelines: [{pipeline}]\n") == [
        "express.yaml:2: pipelines: the sink of pipeline orders and the dead letters of pipeline orders would both write a"
    ]


@pytest.mark.parametrize("order", ["unordered", "key", "partition"])
def test_a_pipeline_says_in_which_order_its_events_run(folder: Path, order: str) -> None:
    (route,) = routes(folder, MINIMAL.replace("workflow: orders}", f"workflow: orders, order: {order}}}"))
    assert route.order == order


def test_every_setting_of_the_page_about_pipelines_is_understood(folder: Path) -> None:
    text = (Path(__file__).parent.parent / "docs/pipelines.md").read_text()
    found = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found
    for block in found:
        (route,) = routes(
            folder, f"{MINIMAL.splitlines()[0]}\npipelines:\n  - source: 'memory:'\n    workflow: orders\n    dead_letter: 'drop:'\n{block}"
        )
        assert route.pipe != Pipe(), block


def test_all_problems_are_named_at_once_in_the_order_of_the_file(folder: Path) -> None:
    text = "workflows:\n  a:\n    definition: 1\n    fonctions: []\npipelines:\n  - wrkflow: a\n    source: 2\nlog:\n  level: ${X}\n"
    assert problems(folder, text) == [
        "express.yaml:3: workflows.a.definition: expected a text, found 1",
        "express.yaml:4: workflows.a.fonctions: there is no field of this name, did you mean 'functions'?",
        "express.yaml:6: pipelines[0].wrkflow: there is no field of this name, did you mean 'workflow'?",
        "express.yaml:7: pipelines[0].source: expected a text, found 2",
        "express.yaml:6: pipelines[0]: the field 'workflow' is missing",
        "express.yaml:9: log.level: the environment variable X is not set",
    ]


def test_what_a_variable_or_a_secret_file_holds_is_never_shown(folder: Path) -> None:
    found = problems(folder, "limits: {execution: '${SECRET}', payload: {file: secret}}\n", SECRET="hunter3")
    assert found == [
        "express.yaml:1: limits.execution: expected a duration such as 200ms, 20s or 5m, found what the variable holds",
        "express.yaml:1: limits.payload: expected a size such as 256KiB or 64MiB, found what the file holds",
    ]


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"a: &a [*a]", b"\x00", b"a: !!python/object:os.system x", b"- a", b"5", b"a: {b: 2001-01-01}"]
)
def test_a_file_that_is_something_else_altogether_is_one_configuration_error(folder: Path, content: bytes) -> None:
    (folder / "express.yaml").write_bytes(content)
    with pytest.raises(ConfigurationError) as raised:
        load(folder / "express.yaml", {})
    assert all("\n" not in problem and str(folder) in problem for problem in raised.value.problems)


def test_a_workflow_says_which_of_several_connections_to_aws_its_tasks_use(folder: Path) -> None:
    connections = "connections: {one: {aws: {region: eu-west-1}}, two: {aws: {region: us-east-1}}, streams: {redis: {server: 'r:1'}}}\n"
    configuration = read(folder, connections + MINIMAL)
    (workflow,) = configuration.settings.workflows.values()
    assert list(connections_of(configuration, workflow)) == ["one", "two", "streams"]
    assert list(connections_of(configuration, msgspec.structs.replace(workflow, aws="two"))) == ["two", "streams"]
    text = connections + MINIMAL.replace("definition: ", "aws: streams, definition: ")
    assert "there is no connection to AWS named 'streams' (there are: one, two)" in problems(folder, text)[0]
