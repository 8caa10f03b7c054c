"""What the engine adds to the work itself: ``python bench/evaluator.py [--events N] [--repeats N] [--strict]``.

The same order events, JSON text in and JSON text out, by a function written by hand (``bench/peers/work.py``) and by its definition,
compiled with all metrics on; and with what costs something left out. They take turns on part after part of the events, each the fastest of
several looks, so that a busy machine slows all alike. Every output is compared with the one by hand, the counters with the number of
events. Beside them moto's interpreter runs the same definition, if moto is installed. With --strict a missed goal is exit code 1.
"""

from __future__ import annotations

import argparse
import gc
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "peers"), str(HERE.parent)]

import orjson  # noqa: E402
from work import WORKFLOW, by_hand, events, price  # noqa: E402

import express  # noqa: E402
from express.clock import REAL  # noqa: E402
from express.runtime.context import Execution  # noqa: E402
from express.runtime.values import dumps, loads  # noqa: E402

GOAL = 0.7  # of the throughput by hand
PART = 2_000

Evaluate = Callable[[list[bytes]], Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=9, help="looks at each part; the fastest counts")
    parser.add_argument("--strict", action="store_true")
    options = parser.parse_args()
    raws = [value for _, value in events(options.events)]
    assert len(set(raws)) == len(raws)

    programs = {metrics: _program(metrics) for metrics in (True, False)}
    runners: dict[str, Evaluate] = {
        "by hand": lambda part: [by_hand(raw) for raw in part],
        "express": _texts(programs[True]),
        "... without metrics": _texts(programs[False]),
        "... on decoded values": _values(programs[True]),
        "JSON in and out alone": lambda part: [orjson.dumps(orjson.loads(raw)) for raw in part],
    }
    _check(raws, runners)
    best = _measure(raws, runners, options.repeats)
    _assert_counters(programs[True], len(raws) * (2 * options.repeats + 2))

    hand = best["by hand"]
    print(f"{len(raws):,} distinct events, JSON text to JSON text, one core, fastest of {options.repeats} looks at each {PART:,}")
    for name, microseconds in best.items():
        print(f"  {name:22} {microseconds:6.2f} us/event  {1e6 / microseconds:9,.0f} events/s  {hand / microseconds:5.2f} of by hand")
    reached = hand / best["express"]
    metrics = best["express"] - best["... without metrics"]
    more = best["express"] - hand
    print(f"  {more:.2f} us more than by hand, of which metrics {metrics:.2f} us (one look at the clock: {_clock():.0f} ns)")
    _moto(raws[:300])
    print(f"goal {GOAL}: {'reached' if reached >= GOAL else 'missed'} ({reached:.2f})")
    return 1 if options.strict and reached < GOAL else 0


def _program(metrics: bool) -> express.Program:
    return express.compile(WORKFLOW, "orders", {"price": express.function("price", run="inline")(price)}, metrics=metrics)


def _texts(program: express.Program) -> Evaluate:
    """As the dispatcher runs a plain program on a pipeline's records."""
    process = program.process
    return lambda part: [process(raw, None) for raw in part]


def _values(program: express.Program) -> Evaluate:
    """As whoever has values and wants values, decoding and encoding around it."""
    evaluate = program.evaluate

    def run(part: list[bytes]) -> list[bytes]:
        outputs = []
        for raw in part:
            value = loads(raw)
            now = REAL.time()
            outputs.append(dumps(evaluate(value, Execution(program, value, now, now + 300))))
        return outputs

    return run


def _check(raws: list[bytes], runners: dict[str, Evaluate]) -> None:
    """Everybody makes the same of every event."""
    for start in range(0, len(raws), PART):
        part = raws[start : start + PART]
        expected = [orjson.loads(text) for text in runners["by hand"](part)]
        for name in ("express", "... without metrics", "... on decoded values"):
            assert [orjson.loads(text) for text in runners[name](part)] == expected, name


def _assert_counters(program: express.Program, count: int) -> None:
    metrics = program.metrics
    assert metrics is not None
    entries = {name: metrics.entries(number) for number, (name, _) in enumerate(metrics.states)}
    assert metrics.started[0] == metrics.statuses["SUCCEEDED"] == metrics.execution.count == count, (
        metrics.started,
        metrics.statuses,
        count,
    )
    assert entries["HasTotal"] == entries["Slim"] == entries["Price"] == entries["Gold"] == entries["Fast"] + entries["Slow"] == count, (
        entries
    )
    assert entries["Empty"] == 0
    assert not metrics.failures


def _measure(raws: list[bytes], runners: dict[str, Evaluate], repeats: int) -> dict[str, float]:
    """Microseconds an event."""
    total = dict.fromkeys(runners, 0.0)
    order = list(runners)
    gc.collect()
    gc.freeze()
    for start in range(0, len(raws), PART):
        part = raws[start : start + PART]
        fastest = dict.fromkeys(runners, 1e9)
        for _ in range(repeats):
            random.shuffle(order)
            for name in order:
                began = time.perf_counter()
                runners[name](part)
                fastest[name] = min(fastest[name], time.perf_counter() - began)
        for name, seconds in fastest.items():
            total[name] += seconds
    return {name: seconds / len(raws) * 1e6 for name, seconds in total.items()}


def _clock() -> float:
    """Nanoseconds that a look at the clock takes."""
    clock = time.perf_counter
    looks = []
    for _ in range(200):
        began = clock()
        for _ in range(1_000):
            clock()
        looks.append(clock() - began)
    return min(looks) * 1e6


def _moto(raws: list[bytes]) -> None:
    """moto's interpreter (taken over from LocalStack) on the same definition; it cannot call a function, so Price is a Pass there."""
    try:
        from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser  # noqa: F401
    except ImportError:
        print("  moto: not installed (pip install 'moto[stepfunctions]'), left out")
        return
    import boto3
    from moto import mock_aws
    from moto.core.config import default_user_config

    states = {
        **WORKFLOW["States"],
        "Price": {"Type": "Pass", "Result": {"amount": 1.0, "ok": True}, "ResultPath": "$.pricing", "Next": "Gold"},
    }
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    with mock_aws():
        client = boto3.client("stepfunctions", "us-east-1", aws_access_key_id="none", aws_secret_access_key="none")
        role = "arn:aws:iam::000000000000:role/none"
        machine = client.create_state_machine(
            name="orders", definition=orjson.dumps({**WORKFLOW, "States": states}).decode(), roleArn=role, type="STANDARD"
        )["stateMachineArn"]
        took = []
        for number, raw in enumerate(raws):
            began = time.perf_counter()
            arn = client.start_execution(stateMachineArn=machine, name=f"order-{number}", input=raw.decode())["executionArn"]
            while (status := client.describe_execution(executionArn=arn))["status"] == "RUNNING":
                time.sleep(0)
            took.append(time.perf_counter() - began)
            assert status["status"] == "SUCCEEDED", status
    print(f"  moto's interpreter     {statistics.median(took) * 1e6:,.0f} us/event (median of {len(raws)}, its API included)")


if __name__ == "__main__":
    sys.exit(main())
