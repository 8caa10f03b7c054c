"""The test bed itself: whichever broker was chosen, records, groups and restarts work as the tests rely on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.brokers.kafka_bed import Kafka

pytestmark = pytest.mark.kafka


def test_records_come_out_as_they_went_in(kafka: Kafka) -> None:
    topic = kafka.topic(3)
    kafka.produce(topic, [(b"a", b"1", 0), (None, b"2", 1), (b"c", None, 2)])
    assert sorted((record.partition, record.key, record.value) for record in kafka.read(topic)) == [
        (0, b"a", b"1"),
        (1, None, b"2"),
        (2, b"c", None),
    ]


def test_commits_are_read_back_with_their_metadata(kafka: Kafka) -> None:
    topic, group = kafka.topic(2), kafka.group()
    kafka.produce(topic, [(None, b"1", 0)])
    kafka.commit(group, topic, {0: (1, "a map")})
    assert kafka.committed(group, topic, [0, 1]) == {0: (1, "a map")}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a process to its parent")
def test_a_process_of_the_bed_ends_with_its_parent_even_when_that_is_killed(project: Path) -> None:
    starter = (
        "import time; from tests.brokers.processes import start_tied; print(start_tied(['sleep', '300']).pid, flush=True); time.sleep(300)"
    )
    parent = subprocess.Popen([sys.executable, "-c", starter], cwd=project, stdout=subprocess.PIPE)
    assert parent.stdout
    child = int(parent.stdout.readline())
    assert Path(f"/proc/{child}").exists()
    parent.kill()
    parent.wait()
    parent.stdout.close()
    patience = time.monotonic() + 5
    while time.monotonic() < patience and _runs(child):
        time.sleep(0.05)
    assert not _runs(child)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
