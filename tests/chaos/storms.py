"""Smaller runs, each with its section in the record: ``python -m tests.chaos.storms storm drain dead-letter soak``.

MINUTES bounds the slow storm (10) and the soak (60); RATE is what the quick storm and the dead letters write. Brokers and members end with
the run.
"""

from __future__ import annotations

import gc
import os
import signal
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import orjson

from tests.brokers.kafka_bed import Kafka
from tests.brokers.plugin import chosen
from tests.chaos import record
from tests.chaos.events import Crowd
from tests.chaos.members import Member
from tests.chaos.scenario import Load, Settings, load

CROWD = "crowd.asl.json"


def minutes(usual: float) -> float:
    return float(os.environ.get("MINUTES", usual))


def rate(usual: float) -> float:
    return float(os.environ.get("RATE", usual))


def yet(ran: float, wanted: float) -> str:
    return "" if ran >= wanted else f" (**not run in full yet**: {wanted:g} minutes are)"


# --- Members that come and go -----------------------------------------------------------------------------------------------------


def most_of(kafka: Kafka, settings: Settings, definition: str = "chaos.asl.json") -> float:
    """Events a second that two members, broker and tester can do together, when there is always more."""
    with load(kafka, msgspec.structs.replace(settings, rate=20_000.0)) as run:
        for name in ("a", "b"):
            run.start(name, definition=definition)
        for member in run.members.values():
            member.until_ready()
        run.produce()
        time.sleep(5.0)
        before, began = len(run.ledger.terminals), time.monotonic()
        time.sleep(10.0)
        return (len(run.ledger.terminals) - before) / (time.monotonic() - began)


def storm(kafka: Kafka) -> list[str]:
    """A member joins or leaves every second for a minute; every five seconds for ten minutes, where work must go on, too: 60 % of what the
    calm group can do at most is written all the time, at least 50 % must come out."""
    told, violations = [], []
    usual = Settings(seconds=0.05, partitions=12)
    most = most_of(kafka, usual)
    for every, seconds, written in ((1.0, min(60.0, minutes(10) * 60), rate(400.0)), (5.0, minutes(10) * 60, 0.6 * most)):
        with load(kafka, msgspec.structs.replace(usual, rate=written)) as run:
            for name in ("a", "b"):
                run.start(name)
            for member in run.members.values():
                member.until_ready()
            run.produce()
            time.sleep(5.0)
            before, began, changes = len(run.ledger.terminals), time.monotonic(), 0
            there = False
            leaving: list[Member] = []
            while time.monotonic() - began < seconds:
                if there:
                    leaving.append(run.members.pop("guest"))
                    leaving[-1].signal(signal.SIGTERM)
                else:
                    run.start("guest")
                there, changes = not there, changes + 1
                time.sleep(max(0.0, began + changes * every - time.monotonic()))
            stormy = (len(run.ledger.terminals) - before) / (time.monotonic() - began)
            run.until_everything_has_ended(300.0)
            run.until_committed(60.0)
            codes = [member.ended(60.0)[0] for member in leaving]
            verdict = run.verdict()
        # Nobody was killed, so nobody may have left duplicates, or failed
        found = [violation for violation in verdict.violations if "no fault explains" not in violation]
        if verdict.duplicates > 0.005 * verdict.events:
            found.append(f"{verdict.duplicates} duplicates of {verdict.events} events")
        if any(code not in (0, -signal.SIGTERM) for code in codes):  # or before it had begun to listen to signals
            found.append(f"guests ended with {codes}")
        if every >= 5 and stormy < 0.5 * most:
            found.append(f"{stormy:.0f} events/s in the storm, {most:.0f} in the calm")
        whole = 1.0 if every < 5 else 10.0
        told.append(
            f"- Every {every:g} s for {seconds / 60:.1f} minutes{yet(seconds / 60, whole)}: {changes} joins and leaves, "
            f"{verdict.events:,} events, {verdict.duplicates} duplicates, {written:.0f} events/s written, {stormy:.0f} ended; "
            f"{len(found)} violations."
        )
        violations += found
    head = f"Two members and a guest. In the calm the two, broker and tester can do {most:.0f} events/s together."
    record.write("Rebalance storm", "\n".join([head, "", *told, *(f"- **{each}**" for each in violations)]))
    return violations


# --- The end of a process ---------------------------------------------------------------------------------------------------------


def drain(kafka: Kafka) -> list[str]:
    """SIGTERM while 200 executions of 60 s are under way: brokers up, and brokers gone."""
    told, violations = [], []
    for away in (False, True):
        settings = Settings(rate=300.0, seconds=60.0, drain=5.0, in_flight=200)
        with Load(kafka, settings, made=Crowd(60.0)) as run:
            member = run.start("a", definition=CROWD)
            member.until_ready()
            run.produce()
            run.fault("SIGTERM", "a", at_least=190)
            run._producing.stop()  # type: ignore[union-attr]
            if away:
                kafka.stop(kill=True)
                time.sleep(1.0)
            member.signal(signal.SIGTERM)
            code, seconds = member.ended(40.0)
            if away:
                kafka.start()
            limit = 30.0 if away else settings.drain + 5.0
            found = []
            if seconds > limit:
                found.append(f"drain: it took {seconds:.1f} s, the limit is {limit:g} s")
            if code != 0:
                found.append(f"drain: exit code {code}")
            if not away:
                # Nothing of it had ended: it comes again, and nothing is committed past it
                time.sleep(1.0)
                committed = run.kafka.committed(run.group, run.topic, range(settings.partitions))
                ended = set(run.ledger.terminals)
                passed = [
                    place for place in run.events if place not in ended and place[0] in committed and place[1] < committed[place[0]][0]
                ]
                if passed:
                    found.append(f"drain: committed past unfinished {passed[:3]}")
        told.append(
            f"- Brokers {'gone' if away else 'up'}, drain 5 s, 200 executions of 60 s in flight: exit code {code} after {seconds:.1f} s "
            f"(limit {limit:g} s), {len(found)} violations."
        )
        violations += found
    record.write("Drain at full load", "\n".join([*told, *(f"- **{each}**" for each in violations)]))
    return violations


# --- Dead letters that cannot be saved --------------------------------------------------------------------------------------------


def dead_letter(kafka: Kafka) -> list[str]:
    """Dead letters are refused for half a minute, since they need all of three brokers and one is down: nothing is committed past a failure
    that is not saved, and everything ends afterwards."""
    settings = Settings(rate=rate(300.0), seconds=0.05)
    with Load(kafka, settings, copies=3) as run:
        kafka.configure(run.dead, min_insync_replicas="3")
        member = run.start("a")
        member.until_ready()
        run.produce()
        time.sleep(3.0)
        fault = run.fault("dead letters refused", "a")
        fault.partitions = list(range(settings.partitions))
        kafka.stop(2, kill=True)
        time.sleep(5.0)
        before = sum(terminal.result is None for terminals in list(run.ledger.terminals.values()) for terminal in terminals)
        time.sleep(25.0)
        results = len(run.ledger.results_read)
        dead = sum(terminal.result is None for terminals in list(run.ledger.terminals.values()) for terminal in terminals) - before
        committed = kafka.committed(run.group, run.topic, range(run.settings.partitions))
        unsaved = [place for place, event in list(run.events.items()) if event.reason is not None and place not in run.ledger.terminals]
        passed = [place for place in unsaved if place[0] in committed and place[1] < committed[place[0]][0]]
        kafka.start()
        run.until_everything_has_ended(180.0)
        run.until_committed(60.0)
        verdict = run.verdict()
    violations = list(verdict.violations)
    if passed:
        violations.append(f"committed past {len(passed)} unsaved failures, such as {passed[:3]}")
    if not unsaved:
        violations.append("no failure waited: the run tells nothing")
    if dead:
        violations.append(f"{dead} dead letters although they were refused")
    text = (
        f"Refused for 30 s: {results:,} results came meanwhile, {len(unsaved)} failures waited, {len(passed)} of them were committed past. "
        f"Afterwards all {verdict.events:,} events ended, {verdict.duplicates} duplicates, {len(violations)} violations."
    )
    record.write("Dead letter unreachable", "\n".join([text, *(f"- **{each}**" for each in violations)]))
    return violations


# --- For long ---------------------------------------------------------------------------------------------------------------------


def soak(kafka: Kafka) -> list[str]:
    """At 70 % of what two members can do: memory, descriptors, threads and asyncio tasks stay as they are."""
    ran = minutes(60)
    usual = Settings(seconds=0.02, in_flight=500)
    most = most_of(kafka, usual, CROWD)
    used = msgspec.structs.replace(usual, rate=0.7 * most)
    samples: dict[str, list[tuple[float, float, int, int]]] = {}
    with Load(kafka, used, made=Crowd(0.02, 10.0)) as run:
        for name in ("a", "b"):
            run.start(name, definition=CROWD)
        for member in run.members.values():
            member.until_ready()
        run.produce()
        began = time.monotonic()
        while (now := time.monotonic() - began) < ran * 60:
            for name, member in run.members.items():
                samples.setdefault(name, []).append((now, *measured(member.worker())))
            time.sleep(5.0)
        run.until_everything_has_ended(120.0)
        run.until_committed(60.0)
        verdict = run.verdict()
        tasks = [
            said["tasks"]
            for place in run.ledger.results_read
            for terminal in run.ledger.terminals[place][:1]
            if terminal.result and "tasks" in (said := orjson.loads(terminal.result))
        ]
    violations, told = list(verdict.violations), []
    for name, own in samples.items():
        settled = [sample for sample in own if sample[0] >= 0.2 * ran * 60] or own
        slope, margin = regression(lows([(seconds, rss) for seconds, rss, _, _ in settled]))
        told.append(
            f"- {name}: {settled[0][1]:.1f} to {settled[-1][1]:.1f} MiB, slope {slope:+.2f} ± {margin:.2f} MiB/h (95 %); descriptors "
            f"{settled[0][2]} to {settled[-1][2]}, threads {settled[0][3]} to {settled[-1][3]}."
        )
        if ran >= 60 and slope - margin > 1.0:
            violations.append(f"the memory of {name} grows by {slope:.2f} ± {margin:.2f} MiB/h")
        if settled[-1][2] > settled[0][2] + 5:
            violations.append(f"the descriptors of {name} grow from {settled[0][2]} to {settled[-1][2]}")
    if tasks:
        third = max(1, len(tasks) // 3)
        first, last = statistics.mean(tasks[:third]), statistics.mean(tasks[-third:])
        told.append(f"- asyncio tasks, as functions saw them: {first:.0f} on average in the first third, {last:.0f} in the last.")
        if last > 2 * first + 20:
            violations.append(f"tasks grow from {first:.0f} to {last:.0f}")
    head = (
        f"{ran:g} minutes{yet(ran, 60)} at {used.rate:.0f} events/s, 70 % of the {most:.0f} that two members, broker and tester together "
        f"could do: {verdict.events:,} events, {verdict.duplicates} duplicates, {len(violations)} violations."
    )
    record.write("Soak", "\n".join([head, "", *told, *(f"- **{each}**" for each in violations)]))
    return violations


def measured(process: int) -> tuple[float, int, int]:
    """Of a process: MiB resident, open descriptors, threads."""
    status = Path(f"/proc/{process}/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return int(fields["VmRSS"].split()[0]) / 1024, len(os.listdir(f"/proc/{process}/fd")), int(fields["Threads"])


def lows(samples: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """(seconds, MiB) as (hours, MiB), the lowest of each three minutes: what waits for the collector comes and goes, a leak stays."""
    lowest: dict[int, tuple[float, float]] = {}
    for seconds, rss in samples:
        window = int(seconds // 180)
        if window not in lowest or rss < lowest[window][1]:
            lowest[window] = (seconds / 3600, rss)
    return list(lowest.values())


def regression(points: list[tuple[float, float]]) -> tuple[float, float]:
    """Slope, and the half of its 95 % interval."""
    if len(points) < 3:
        return 0.0, 0.0
    slope, start = statistics.linear_regression([x for x, _ in points], [y for _, y in points])
    mean = statistics.mean(x for x, _ in points)
    spread = sum((x - mean) ** 2 for x, _ in points)
    rest = sum((y - start - slope * x) ** 2 for x, y in points) / (len(points) - 2)
    return slope, 1.96 * (rest / spread) ** 0.5 if spread else 0.0


RUNS: dict[str, Callable[[Kafka], list[str]]] = {"storm": storm, "drain": drain, "dead-letter": dead_letter, "soak": soak}


def main(names: list[str]) -> int:
    kind, description = chosen()
    if kind != "apache" or any(name not in RUNS for name in names):
        print(f"expected some of {', '.join(RUNS)}, and java and mvn (there is {description})", file=sys.stderr)
        return 64
    gc.disable()  # a ledger only grows, by millions of objects, and none of them is garbage
    violations = []
    for name in names or list(RUNS):
        print(f"== {name}", flush=True)
        kafka = Kafka.open("apache", brokers=3 if name == "dead-letter" else 1, heap=256, quick=False)
        try:
            found = RUNS[name](kafka)
        finally:
            kafka.close()
        print(f"{name}: {len(found)} violations", *found[:20], sep="\n", flush=True)
        violations += found
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
