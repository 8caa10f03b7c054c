"""Broker to broker, ``express run``'s pipeline beside two loops written by hand: ``python bench/pipeline.py [--count N] [--repeats N]``.

Each runs in a process of its own, pinned to one core; a real broker has the other. In ``bench/peers``: ``usual.py`` is what most users
write, ``best.py`` the fastest loop found by hand. All read the same topic and give the same guarantees (at least once, committed after the
acknowledgement of all replicas). Express runs with all metrics on; every output of every run is compared with what ``by_hand`` makes of the
event, and Express' counters with the number of events. Fails when an output is wrong; the ratios are printed, and judged with --strict.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "peers"), str(HERE.parent)]

PARTITIONS = 4
GOALS = {"usual": 1.2, "best": 0.7}
PEERS = ("usual", "best")
WARMED = 50_000  # fewer events are no measurement: a test that all of it works
PRINTED = re.compile(r"(\d+) events/s, ([\d.]+) us CPU/event")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--in-flight", type=int, default=4000, help="of Express; best.py has two polls of 2,000 in flight")
    parser.add_argument("--servers", metavar="HOST:PORT", help="a broker that runs already, instead of one with a core of its own")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a goal is missed")
    parser.add_argument("--profile", metavar="FILE", help="profile one run of Express instead (cProfile)")
    options = parser.parse_args()

    from work import by_hand, events

    from tests.brokers import apache
    from tests.brokers.kafka_bed import Kafka

    if not options.servers and (why := apache.missing()):
        print(f"pipeline: needs a real Kafka broker: {why}")
        return 0
    cores = sorted(os.sched_getaffinity(0))
    mine, theirs = cores[0], cores[-1]
    if mine == theirs:
        print("only one core: the broker and the loops share it")
    if options.servers:
        kafka = Kafka("outside", options.servers)
    else:
        cluster = apache.Cluster(heap=1024, prefix=["taskset", "-c", str(theirs)], quick=False)
        kafka = Kafka("apache", cluster.servers, cluster)
    try:
        if not options.servers:
            cluster.start()
        os.sched_setaffinity(0, {theirs})
        made = events(options.count)
        expected = {json.loads(by_hand(value))["id"]: by_hand(value) for _, value in made}
        source = kafka.topic(PARTITIONS)
        kafka.produce(source, made)
        run = _Run(kafka, source, expected, mine, options.in_flight)
        if options.profile:
            print(run.one("express", options.profile))
            return 0
        for name in (*PEERS, "express") if options.count >= WARMED else ():  # the broker's JIT, page cache
            run.one(name)
        figures: dict[str, list[tuple[float, float]]] = {name: [] for name in (*PEERS, "express")}
        for _ in range(options.repeats):
            for name in figures:
                figures[name].append(run.one(name))
                print(f"  {name:8} {figures[name][-1][0]:9,.0f} events/s  {figures[name][-1][1]:6.1f} us CPU/event", flush=True)
    finally:
        kafka.close()
    return _report(figures, options.count, options.strict)


def _report(figures: dict[str, list[tuple[float, float]]], count: int, strict: bool) -> int:
    print(f"\n{count:,} events, {PARTITIONS} partitions, one core; median of {len(figures['express'])} (lowest to highest)")
    for name, runs in figures.items():
        rates, times = [rate for rate, _ in runs], [cpu for _, cpu in runs]
        spread = f"({min(rates):,.0f} to {max(rates):,.0f})"
        print(f"{name:8} {statistics.median(rates):9,.0f} events/s {spread:22} {statistics.median(times):6.1f} us CPU/event")
    missed = False
    for name, goal in GOALS.items():
        ratios = [ours / peer for (ours, _), (peer, _) in zip(figures["express"], figures[name], strict=True)]
        ratio = statistics.median(ratios)
        missed |= ratio < goal
        spread, outcome = f"({min(ratios):.2f} to {max(ratios):.2f})", "reached" if ratio >= goal else "MISSED"
        print(f"express / {name:5} {ratio:5.2f} {spread}, goal {goal}: {outcome}")
    return 1 if missed and strict else 0


class _Run:
    """One loop over the whole topic, as a process on its own core, checked."""

    def __init__(self, kafka: Any, source: str, expected: dict[str, bytes], core: int, in_flight: int) -> None:
        self.kafka, self.source, self.expected, self.core, self.in_flight = kafka, source, expected, core, in_flight

    def one(self, name: str, profile: str = "") -> tuple[float, float]:
        """(events/s, us CPU/event)"""
        sink, group, count = self.kafka.topic(PARTITIONS), self.kafka.group(), len(self.expected)
        command = (
            [sys.executable, str(HERE / "peers" / f"{name}.py")] if name in PEERS else [sys.executable, str(Path(__file__)), "--as-express"]
        )
        more = [str(self.in_flight), profile] if name == "express" else []
        done = subprocess.run(
            ["taskset", "-c", str(self.core), *command, self.kafka.servers, self.source, sink, group, str(count), *more],
            capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        found = PRINTED.search(done.stdout)
        if done.returncode or found is None:
            raise SystemExit(f"{name} failed:\n{done.stdout}{done.stderr}")
        rate, microseconds = float(found[1]), float(found[2])
        self._check(name, sink, group)
        return rate, microseconds

    def _check(self, name: str, sink: str, group: str) -> None:
        """Every event has its one output, and everything is committed."""
        written = self.kafka.read(sink, len(self.expected), 120)
        outputs = {json.loads(record.value)["id"]: record.value for record in written}
        wrong = [key for key, value in self.expected.items() if json.loads(outputs.get(key, b"null")) != json.loads(value)]
        if wrong or len(written) != len(self.expected):
            raise SystemExit(f"{name}: {len(written)} outputs of {len(self.expected)} events, {len(wrong)} wrong, such as {wrong[:3]}")
        committed = self.kafka.committed(group, self.source, range(PARTITIONS))
        if sum(offset for offset, _ in committed.values()) != len(self.expected):
            raise SystemExit(f"{name}: committed {committed}")


# The pipeline as `express run` builds and runs it, in its own process


def as_express(servers: str, source: str, sink: str, group: str, count: str, in_flight: str, profile: str) -> None:
    from work import WORKFLOW

    from express.config import Configuration, InFlight, Ops, Pipeline, Settings, Workflow
    from express.worker import work

    with tempfile.TemporaryDirectory() as folder:
        definition = Path(folder) / "orders.asl.json"
        definition.write_text(json.dumps(WORKFLOW))
        pipeline = Pipeline(
            source=f"kafka://{servers}/{source}?group={group}",
            workflow="orders",
            sink=f"kafka://{servers}/{sink}",
            in_flight=InFlight(records=int(in_flight)),
        )
        workflow = Workflow(definition=str(definition), functions=(str(HERE / "cargo" / "price.py"),))
        settings = Settings(workflows={"orders": workflow}, pipelines=(pipeline,), ops=Ops(listen="127.0.0.1:0"))
        worker = _timed()(Configuration(settings=settings, directory=Path(folder)), int(count))
        if profile:
            import cProfile

            profiler = cProfile.Profile()
            profiler.enable()
        work(worker)
        if profile:
            profiler.disable()
            profiler.dump_stats(profile)
    metrics = worker.parts[0].program.metrics
    assert metrics is not None, "metrics are on in every figure"
    counted = {"started": metrics.started[0], "succeeded": metrics.statuses["SUCCEEDED"], "records": worker.parts[0].metrics.source_records}
    assert set(counted.values()) == {int(count)}, counted
    assert sum(metrics.execution.counts) == int(count)
    print(f"{worker.rate:.0f} events/s, {worker.microseconds:.1f} us CPU/event")


def _timed() -> Any:
    """The worker, with a watch: from the first records, as in the peers, to the last acknowledgement."""
    from express.worker import Worker

    class Timed(Worker):
        def __init__(self, configuration: Any, count: int) -> None:
            super().__init__(configuration)
            self.count, self.rate, self.microseconds = count, 0.0, 0.0

        async def run(self) -> Any:
            watch = asyncio.ensure_future(self.watch())
            try:
                return await super().run()
            finally:
                watch.cancel()

        async def watch(self) -> None:
            metrics = self.parts[0].metrics
            while not metrics.source_records:
                await asyncio.sleep(0.002)
            began = time.perf_counter(), time.process_time()
            while metrics.results < self.count:
                await asyncio.sleep(0.002)
            seconds, cpu = time.perf_counter() - began[0], time.process_time() - began[1]
            self.rate, self.microseconds = self.count / seconds, cpu / self.count * 1e6
            self.stop()

    return Timed


if __name__ == "__main__":
    if "--as-express" in sys.argv:
        as_express(*sys.argv[sys.argv.index("--as-express") + 1 :])
    else:
        sys.exit(main())
