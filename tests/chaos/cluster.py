"""The large run: three brokers, four members, everything that goes wrong at once, and the record of what the ledger says.

``python -m tests.chaos.cluster``; EVENTS, RATE (events a second), SEED (of the faults), ORDER and IN_FLIGHT change it, MINUTES bounds how
long is written, whichever comes first. Brokers, members, proxy and ledger are this run's own and end with it, however it ends.
"""

from __future__ import annotations

import gc
import heapq
import os
import random
import signal
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import orjson

from tests.brokers.kafka_bed import Kafka
from tests.brokers.plugin import chosen
from tests.chaos import record
from tests.chaos.events import Crowd, Event
from tests.chaos.ledger import Fault, Ledger, Place, Verdict, judge
from tests.chaos.proxy import Proxy
from tests.chaos.scenario import Load, Settings

PARTITIONS, MEMBERS = 12, 4
STOPPED = 20.0  # seconds that a member is stopped for, more than three sessions
CUT = 30.0  # seconds that a broker cannot be reached for
CANNOT_REACH = 69  # exit code
FROZEN = 30.0  # seconds without anything from a partition that has something


def settings() -> Settings:
    return Settings(
        rate=float(os.environ.get("RATE", "1000")),
        seconds=0.3,
        partitions=PARTITIONS,
        session=6.0,
        drain=2.0,
        in_flight=int(os.environ.get("IN_FLIGHT", "1500")),
    )


class Faults:
    """What goes wrong and when, by one seed; each in its own rhythm, from ``begin`` until ``stop``."""

    def __init__(self, run: Load, kafka: Kafka, proxy: Proxy, seed: int, say: Callable[[str], None]) -> None:
        self.run, self.kafka, self.proxy, self.chooser, self.say = run, kafka, proxy, random.Random(seed), say
        self.counted: Counter[str] = Counter()
        self.excused: list[tuple[float, float]] = []  # in seconds of the epoch: when a broker could not be reached
        self._names = [f"m{number}" for number in range(MEMBERS)]
        self._stopped: set[str] = set()
        self._busy = False  # a broker is away
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._enough = threading.Event()
        self._restarting: threading.Thread | None = None
        self._thread = threading.Thread(target=self._go, name="faults", daemon=True)
        self.failure: BaseException | None = None

    def begin(self) -> None:
        for name in self._names:
            self.run.start(name, f"--order={os.environ.get('ORDER', 'key')}", definition="crowd.asl.json")
        for member in list(self.run.members.values()):
            member.until_ready()
        for seconds, act in (
            (12.0, self._kill),
            (25.0, self._freeze),
            (40.0, self._restart_broker),
            (18.0, self._network),
            (2.0, self._supervise),
        ):
            self._in(seconds, act)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """No more of it; whoever is away comes back."""
        self._enough.set()
        self._thread.join(120)
        if self._restarting is not None:
            self._restarting.join(120)
        self.proxy.tell()
        for name in list(self._stopped):
            self._thaw(name)
        self.kafka.start()
        for name in self._names:
            if self.run.members[name].process.poll() is not None:
                self._begin(name)
        if self.failure is not None:
            raise self.failure

    def _in(self, seconds: float, act: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._agenda, (time.monotonic() + seconds, self._number, act))

    def _go(self) -> None:
        try:
            while not self._enough.is_set():
                if self._agenda and self._agenda[0][0] <= time.monotonic():
                    heapq.heappop(self._agenda)[2]()
                else:
                    self._enough.wait(0.05)
        except BaseException as error:
            self.failure = error

    def _note(self, what: str, member: str, partitions: list[int], unfinished: int = 0, everybody: bool = False) -> Fault:
        most = self.run.settings.in_flight * (MEMBERS if everybody else 1)
        fault = Fault(what, int(time.time() * 1000), member, partitions, unfinished, in_flight=most)
        self.run.faults.append(fault)
        self.counted[what] += 1
        self.say(f"{what} {member}{f', {unfinished} unfinished' if unfinished else ''}")
        return fault

    # Members

    def _kill(self) -> None:
        """kill -9 of the first member, by turns, that has 50 executions unfinished; a kill of less counts separately."""
        self._in(self.chooser.uniform(12.0, 20.0), self._kill)
        names = [name for name in self._names if name not in self._stopped]
        self.chooser.shuffle(names)
        until, found = time.monotonic() + 5.0, ("", 0, [])  # type: tuple[float, tuple[str, int, list[int]]]
        while time.monotonic() < until and found[1] < 50:
            for name in names:
                if (state := self.run.members[name].state())[0] > found[1]:
                    found = (name, *state)
                if found[1] >= 50:
                    break
            time.sleep(0.3)
        name, unfinished, partitions = found
        if not name:
            return
        fault = self._note("kill -9" if unfinished >= 50 else "kill -9 of little", name, partitions, unfinished)
        self.run.members[name].kill()
        fault.milliseconds, fault.process = int(time.time() * 1000), self.run.members[name].worker()
        self._in(2.0, lambda: self._begin(name))

    def _begin(self, name: str) -> None:
        self.run.start(name, f"--order={os.environ.get('ORDER', 'key')}", definition="crowd.asl.json")

    def _supervise(self) -> None:
        """As whoever runs processes does: one that could not start, because a broker was away, is started again."""
        self._in(2.0, self._supervise)
        for name in self._names:
            member = self.run.members[name]
            code = member.process.poll()
            if code is not None and code != -signal.SIGKILL:
                self.counted[f"starts that failed ({code})"] += 1
                self.say(f"{member.name} ended with {code}: {member.tail(300).strip()}")
                if code != CANNOT_REACH:
                    raise AssertionError(f"{member.name} ended with {code}:\n{member.tail()}")
                self._begin(name)

    def _freeze(self) -> None:
        self._in(self.chooser.uniform(70.0, 90.0), self._freeze)
        name = self.chooser.choice([name for name in self._names if self.run.members[name].process.poll() is None])
        unfinished, partitions = self.run.members[name].state()
        if not partitions:
            return
        self._stopped.add(name)
        self._note("SIGSTOP", name, partitions, unfinished)
        self.run.members[name].signal(signal.SIGSTOP)
        self._in(STOPPED, lambda: self._thaw(name, partitions))

    def _thaw(self, name: str, partitions: list[int] | None = None) -> None:
        if name in self._stopped:
            self._stopped.discard(name)
            self._note("SIGCONT", name, partitions or list(range(PARTITIONS)))
            self.run.members[name].signal(signal.SIGCONT)

    # Brokers and what is between

    def _restart_broker(self) -> None:
        if self._busy:  # another one is cut off: soon
            self._in(3.0, self._restart_broker)
            return
        self._in(120.0, self._restart_broker)
        number, kill = self.chooser.randrange(3), self.chooser.random() < 0.5
        self._busy = True
        self._note("broker killed" if kill else "broker restarted", str(number), list(range(PARTITIONS)), everybody=True)
        self._restarting = threading.Thread(target=self._away, args=(number, kill), daemon=True)
        self._restarting.start()

    def _away(self, number: int, kill: bool) -> None:
        began = time.time()
        try:
            self.kafka.stop(number, kill=kill)
            time.sleep(3.0)
            self.kafka.start()
        except BaseException as error:
            self.failure = self.failure or error
        finally:
            self.excused.append((began, time.time() + 2.0))
            self._busy = False

    def _network(self) -> None:
        """Latency, a broker cut off, half-open connections, by turns; calm in between."""
        kinds = ("latency", "cut", "half-open")
        kind = "latency" if self._busy else kinds[sum(self.counted[each] for each in kinds) % 3]
        number = self.chooser.randrange(3)
        everything = list(range(PARTITIONS))
        if kind == "latency":
            self._note("latency", "of all", everything, everybody=True)
            self.proxy.tell(latency=0.2, jitter=0.1)
            lasts = 20.0
        elif kind == "cut":
            self._note("cut", str(number), everything, everybody=True)
            self.proxy.tell(cut=[number])
            lasts = CUT
        else:
            self._note("half-open", str(number), everything, everybody=True)
            self.proxy.tell(half_open=[number])
            lasts = 15.0
        began = time.time()
        if kind != "latency":
            self._busy = True

        def calm() -> None:
            self.proxy.tell()
            if kind != "latency":
                self._busy = False
                self.excused.append((began, time.time() + 2.0))
                self._note(f"{kind} is over", str(number), everything, everybody=True)
            self._in(self.chooser.uniform(15.0, 30.0), self._network)

        self._in(lasts, calm)


def order_kept(ledger: Ledger, events: dict[Place, Event], made: Crowd) -> list[str]:
    """I4 and I5 as the topics show them. Of a key, results come first in the order of their offsets; and what one process said about when
    it ran two events of a key does not overlap."""
    violations, highest = [], {}  # type: tuple[list[str], dict[tuple[int, bytes], int]]
    seen: set[Place] = set()
    for place in ledger.results_read:
        if place in seen or place not in events:
            continue
        seen.add(place)
        key = (place[0], made._key(events[place].number))
        if place[1] < highest.get(key, -1):
            violations.append(f"I4: {place} of key {key[1]!r} had its first result after {highest[key]}")
        highest[key] = max(place[1], highest.get(key, -1))
    ran: dict[tuple[int, int, bytes], list[tuple[float, float, int]]] = defaultdict(list)
    for place, terminals in ledger.terminals.items():
        for terminal in terminals:
            if terminal.result is not None and place in events:
                process, began, ended = orjson.loads(terminal.result)["by"]
                ran[process, place[0], made._key(events[place].number)].append((began, ended, place[1]))
    for (process, _, key), spans in ran.items():
        spans.sort()
        for (_, ended, offset), (began, _, other) in pairwise(spans):
            if began < ended - 0.001 and other != offset:
                violations.append(f"I5: process {process} ran {other} of key {key!r} while {offset} of it ran")
    return violations


class Stand(NamedTuple):
    """A time without a terminal of a partition, in seconds of the epoch; ``seconds``: without the time in which a broker was away."""

    partition: int
    begin: float
    end: float
    seconds: float


def stands(ledger: Ledger, until: float, excused: list[tuple[float, float]]) -> list[Stand]:
    """The longest one of each partition, while events were written to all of them at a steady rate."""
    moments: dict[int, list[float]] = defaultdict(list)
    for (partition, _), terminals in ledger.terminals.items():
        moments[partition] += [terminal.milliseconds / 1000 for terminal in terminals]
    longest = []
    for partition, own in sorted(moments.items()):
        own.sort()
        most = Stand(partition, own[0], own[0], 0.0)
        for begin, end in pairwise(own):
            if begin < until and end - begin > most.seconds:
                away = sum(max(0.0, min(end, over) - max(begin, since)) for since, over in excused)
                most = max(most, Stand(partition, begin, end, end - begin - away), key=lambda stand: stand.seconds)
        longest.append(most)
    return longest


def main() -> int:
    kind, description = chosen()
    if kind != "apache":
        print(f"three brokers need java and mvn, there is {description}", file=sys.stderr)
        return 69
    events, minutes, seed = (
        int(os.environ.get(name, default)) for name, default in (("EVENTS", "2000000"), ("MINUTES", "180"), ("SEED", "1"))
    )
    chosen_settings, made, began, started = settings(), Crowd(0.3), time.monotonic(), time.time()

    def say(what: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {what}", flush=True)

    # Three brokers share two cores with everything else: followers ask fifty times a second, not once for each batch
    gathering = {"replica.fetch.min.bytes": "65536", "replica.fetch.wait.max.ms": "20"}
    gc.disable()  # the ledger only grows, by millions of objects, and none of them is garbage
    kafka = Kafka.open("apache", brokers=3, heap=256, proxied=True, settings=gathering)
    proxy = None
    try:
        proxy = Proxy(kafka.cluster.nodes)
        with Load(kafka, chosen_settings, copies=3, needed=2, servers=kafka.cluster.outer_servers, made=made) as run:
            faults = Faults(run, kafka, proxy, seed, say)
            faults.begin()
            say(f"{MEMBERS} members are ready; {description}")
            run.produce()
            assert run._producing is not None
            run._producing.most = events
            faults.start()
            until, told = time.monotonic() + minutes * 60, time.monotonic()
            while run._producing.written < events and time.monotonic() < until and faults.failure is None:
                time.sleep(0.5)
                if time.monotonic() - told > 30:
                    told = time.monotonic()
                    flying = ", ".join(
                        f"{name} {member.state()[0]}" for name, member in sorted(run.members.items()) if member.process.poll() is None
                    )
                    longest, partition = max(((seconds, number) for number, seconds in dict(run.ledger.stood).items()), default=(0.0, 0))
                    say(
                        f"{len(run.events):,} events written, {len(run.ledger.terminals):,} ended; in flight: {flying}; longest stand "
                        f"so far: partition {partition}, {longest:.1f} s, with the time in which a broker was away"
                    )
            producing_ended = time.time()
            faults.stop()
            say(f"no more faults; {len(run.events):,} events written, {len(run.ledger.terminals):,} ended")
            run.until_everything_has_ended(300.0)
            run.until_committed(180.0)
            say("everything has ended")
            for member in run.members.values():
                member.signal(signal.SIGTERM)
            codes = [member.ended(chosen_settings.drain + 8.0)[0] for member in run.members.values()]
            time.sleep(1.0)  # the ledger reads the last commits
            verdict = judge(run.ledger, run.events, run.faults, chosen_settings.in_flight)
            if any(codes):
                verdict.violations.append(f"members ended with {codes}")
            if os.environ.get("ORDER", "key") == "key":
                verdict.violations += order_kept(run.ledger, run.events, made)
            stood = stands(run.ledger, producing_ended, faults.excused)
            verdict.violations += [
                f"partition {each.partition} stood still for {each.seconds:.1f} s, from {each.begin - started:.1f} s on"
                for each in stood
                if each.seconds > FROZEN
            ]
            run.keep = bool(verdict.violations)
    finally:
        if proxy is not None:
            proxy.close()
        kafka.close()
    seconds = time.monotonic() - began
    counts = dict(faults.counted)
    whole = stands(run.ledger, producing_ended, [])
    longest_stands = max(each.seconds for each in stood), max(each.seconds for each in whole)
    text = cluster_record(verdict, chosen_settings, counts, longest_stands, seconds, events, seed, description)
    print(text)
    record.write("The large run", text)
    print(*verdict.violations[:50], sep="\n")
    return 1 if verdict.violations else 0


def cluster_record(
    verdict: Verdict,
    used: Settings,
    counts: dict[str, int],
    longest: tuple[float, float],
    seconds: float,
    wanted: int,
    seed: int,
    description: str,
) -> str:
    """``longest``: stands in seconds, judged and whole."""
    whole = verdict.events >= wanted >= 2_000_000
    kills = [fault for fault in verdict.faults if fault.what.startswith("kill")]
    closest = max(verdict.faults, key=lambda fault: fault.duplicates / max(1, fault.budget), default=None)
    nearest = f"{closest.what} of {closest.member}: {closest.duplicates} of {closest.budget}" if closest else "none"
    killed = max(kills, key=lambda fault: fault.duplicates, default=None)
    worst = f", at most {killed.duplicates:,} of one ({killed.budget:,} are allowed)" if killed else ""
    rows = [
        ("events", f"{verdict.events:,}" + ("" if whole else " (**not run in full yet**: 2,000,000 are)")),
        ("results, dead letters", f"{verdict.results:,}, {verdict.dead_letters:,} (with duplicates)"),
        ("minutes", f"{seconds / 60:.1f}"),
        ("commits audited, with a map", f"{verdict.commits:,}, {verdict.maps:,}"),
        ("faults", ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))),
        ("duplicates", f"{verdict.duplicates:,}, of which killed processes left {sum(fault.duplicates for fault in kills):,}{worst}"),
        ("closest to its budget", nearest),
        (
            "longest stand of a partition",
            f"{longest[0]:.1f} s while all brokers could be reached, {longest[1]:.1f} s with the time of faults",
        ),
        ("**violations**", f"**{len(verdict.violations)}**"),
    ]
    head = (
        f"{description}; three brokers with 256 MiB each, {PARTITIONS} partitions, {MEMBERS} members, {used.rate:g} events/s, "
        f"{used.in_flight} in flight, session {used.session:g} s, drain {used.drain:g} s, seed {seed}, order "
        f"{os.environ.get('ORDER', 'key')}; 1 % poison, 0.1 % of 60 s, 5 % with a task that fails."
    )
    lines = [head, "", "| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows), ""]
    lines += [f"- {violation}" for violation in verdict.violations[:20]]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    sys.exit(main())
