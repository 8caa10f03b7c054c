"""What a pipeline must survive: real ``express run`` processes over a real broker under load, judged by a ledger outside of them."""

from __future__ import annotations

import os
import signal
import time

import pytest

from express.commits import decode
from tests.brokers.kafka_bed import Kafka
from tests.chaos.ledger import Verdict
from tests.chaos.scenario import Load, Settings, kills, load

pytestmark = [pytest.mark.kafka, pytest.mark.kafka_group]


def assert_kept(verdict: Verdict) -> None:
    assert not verdict.violations, "\n".join([*verdict.violations[:20], str(verdict.faults)])
    assert verdict.results
    assert verdict.dead_letters
    assert verdict.commits


@pytest.mark.timeout(240)
def test_kill_9_of_a_member_under_load_loses_nothing_and_repeats_little(kafka: Kafka) -> None:
    verdict = kills(kafka, 3, Settings())
    assert_kept(verdict)
    assert all(fault.unfinished >= 50 for fault in verdict.faults)
    assert len(verdict.faults) == 3
    assert verdict.maps, "no commit carried finished work beyond its position: the runs were too smooth to tell anything"


def test_sigterm_under_load_ends_in_time_with_everything_finished_committed(kafka: Kafka) -> None:
    settings = Settings()
    with load(kafka, settings) as run:
        member = run.start("a")
        member.until_ready()
        run.produce()
        time.sleep(2.0)
        run.fault("SIGTERM", "a", at_least=50)
        member.signal(signal.SIGTERM)
        status, _ = member.ended(settings.drain + 5.0)
        assert status == 0, member.tail()
        assert_everything_finished_is_committed(run)
        run.start("a").until_ready()
        run.until_everything_has_ended()
        run.until_committed()
        verdict = run.verdict()
        assert_kept(verdict)
        assert verdict.duplicates == 0, "a clean stop repeats nothing that had finished"


def test_sigterm_while_a_thread_function_hangs_ends_in_time(kafka: Kafka) -> None:
    settings = Settings(rate=200.0, seconds=0.0, poison=50)
    with load(kafka, settings) as run:
        member = run.start("a", definition="stuck.asl.json")
        member.until_ready()
        kafka.produce(run.topic, [(None, b'{"n":-1,"hangs":true}')])
        run.produce()
        time.sleep(2.0)
        member.signal(signal.SIGTERM)
        status, seconds = member.ended(settings.drain + 5.0)
        assert status == 0, member.tail()
        assert seconds > settings.drain - 0.5, "it did not wait for what hung"
        assert_everything_finished_is_committed(run)


def test_a_second_sigint_leaves_at_once(kafka: Kafka) -> None:
    with load(kafka, Settings(rate=200.0, drain=20.0)) as run:
        member = run.start("a", definition="stuck.asl.json")
        member.until_ready()
        kafka.produce(run.topic, [(None, b'{"n":-1,"hangs":true}')])
        run.produce()
        time.sleep(1.0)
        member.signal(signal.SIGINT)
        time.sleep(0.5)
        assert member.process.poll() is None, "it had something to drain"
        member.signal(signal.SIGINT)
        status, seconds = member.ended(5.0)
        assert (status, seconds < 1.0) == (130, True)


@pytest.mark.timeout(240)
def test_a_broker_that_dies_and_a_sink_that_refuses_meanwhile_are_sat_out(two_brokers: Kafka) -> None:
    """Results need both replicas, so without the second broker they are refused; everything else goes on with one."""
    kafka = two_brokers
    with Load(kafka, Settings(rate=250.0, seconds=0.3), copies=2, needed=2) as run:
        for name in ("a", "b"):
            run.start(name)
        for member in run.members.values():
            member.until_ready()
        run.produce()
        time.sleep(2.0)
        fault = run.fault("broker killed", "a")
        fault.partitions = list(range(run.settings.partitions))
        kafka.stop(1, kill=True)
        time.sleep(6.0)
        before = len(run.ledger.results_read)
        time.sleep(1.5)
        assert len(run.ledger.results_read) == before, "results were to be refused"
        unfinished = [member.state()[0] for member in run.members.values()]
        assert all(50 < number <= 100 for number in unfinished), f"intake was to go on until its limit and stop there: {unfinished}"
        kafka.start()
        time.sleep(2.0)
        run.until_everything_has_ended()
        run.until_committed()
        assert all(member.process.poll() is None for member in run.members.values())
        assert_kept(run.verdict(2 * run.settings.in_flight))


def test_a_rebalance_every_second_loses_nothing_and_repeats_nothing(kafka: Kafka) -> None:
    with load(kafka, Settings(rate=400.0, seconds=0.05)) as run:
        run.start("a").until_ready()
        run.produce()
        for _ in range(4):
            guest = run.start("guest")
            guest.until_ready()
            time.sleep(0.3)
            guest.signal(signal.SIGTERM)
            status, _ = guest.ended(run.settings.drain + 5.0)
            assert status == 0, guest.tail()
        run.until_everything_has_ended()
        run.until_committed()
        verdict = run.verdict()
        assert_kept(verdict)
        assert verdict.duplicates == 0, "nobody was killed"


def assert_everything_finished_is_committed(run: Load) -> None:
    """What has a result or a dead letter is below the committed offset, or in the map that came with it."""
    time.sleep(1.0)  # the ledger catches up
    committed = run.kafka.committed(run.group, run.topic, range(run.settings.partitions))
    for partition, offset in run.ledger.terminals:
        base, metadata = committed[partition]
        told = decode(metadata, base)
        assert offset < base or (told and offset <= told.highest and offset not in told.unfinished), (partition, offset, base, told)


@pytest.mark.chaos
@pytest.mark.timeout(3600)
def test_twenty_kills(kafka: Kafka) -> None:
    assert_kept(kills(kafka, int(os.environ.get("EXPRESS_KILLS", "20")), Settings()))


@pytest.mark.chaos
@pytest.mark.timeout(3600)
def test_kills_with_the_values_of_production(kafka: Kafka) -> None:
    assert_kept(kills(kafka, 2, Settings(session=30.0, drain=20.0, in_flight=500, rate=1000.0)))
