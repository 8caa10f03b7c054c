"""A real Apache Kafka cluster in KRaft mode on 127.0.0.1: jars by Maven into a cache outside the tree, one JVM a broker."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

from tests.brokers import maven
from tests.brokers.processes import folder, free_port, start_tied

HERE = Path(__file__).parent / "kafka"
POM = HERE / "pom.xml"
START_SECONDS = 90.0


def missing() -> str | None:
    """What this machine lacks to run a real broker, or None."""
    lacking = [program for program in ("java", "mvn") if not shutil.which(program)]
    return f"{' and '.join(lacking)} not found" if lacking else None


def version() -> str:
    found = ElementTree.parse(POM).getroot().find("{*}properties/{*}kafka.version")
    assert found is not None
    assert found.text
    return found.text


def jars() -> Path:
    """The folder of Kafka's jars."""
    return maven.jars(POM, f"kafka-{version()}")


def _identity() -> str:
    """As Kafka writes a random UUID."""
    while (found := urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass  # one in 64: the tool would take it for a flag
    return found


class Node:
    """One broker, maybe also a controller."""

    def __init__(self, number: int, port: int, controller: int, home: Path) -> None:
        self.number, self.port, self.controller, self.home = number, port, controller, home
        self.log = home / "broker.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.inner = self.outer = 0  # of a listener that is reached through a proxy: where it listens, and what it says where it does


class Cluster:
    """Brokers that can be stopped, killed and started again, each by its number from 0. The first ``controllers`` of them (all) vote.

    ``settings`` are added to server.properties, ``prefix`` stands before the command (taskset); ``quick`` starts sooner and runs slower.
    ``listeners``: names and ports of more, whose security ``settings`` say (one broker only). ``proxied``: another one, PROXIED, for
    clients that go through a proxy from each node's ``outer`` port to its ``inner`` one; ``outer_servers`` names them.
    """

    def __init__(
        self,
        brokers: int = 1,
        controllers: int | None = None,
        heap: int = 384,
        settings: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        quick: bool = True,
        listeners: Mapping[str, int] | None = None,
        proxied: bool = False,
    ) -> None:
        self.heap, self.prefix, self.quick, self.jars, self.home = heap, prefix, quick, jars(), folder()
        self.listeners = listeners or {}
        self.controllers = brokers if controllers is None else controllers
        self.nodes = [Node(number, free_port(), free_port(), self.home / f"broker-{number}") for number in range(brokers)]
        self.servers = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        if proxied:
            protocols = "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT"
            settings = {"listener.security.protocol.map": protocols, "inter.broker.listener.name": "PLAINTEXT", **(settings or {})}
            for node in self.nodes:
                node.inner, node.outer = free_port(), free_port()
        self.outer_servers = ",".join(f"127.0.0.1:{node.outer}" for node in self.nodes)
        for node in self.nodes:
            node.home.mkdir()
            (node.home / "server.properties").write_text(self._properties(node, settings or {}))
        self._format()

    def _properties(self, node: Node, settings: Mapping[str, str]) -> str:
        voters = ",".join(f"{other.number}@127.0.0.1:{other.controller}" for other in self.nodes[: self.controllers])
        controls = node.number < self.controllers
        copies = str(min(3, len(self.nodes)))
        more = "".join(f",{name}://127.0.0.1:{port}" for name, port in self.listeners.items())
        inner, outer = (f",PROXIED://127.0.0.1:{port}" if port else "" for port in (node.inner, node.outer))
        values = {
            "process.roles": "broker,controller" if controls else "broker",
            "node.id": str(node.number),
            "controller.quorum.voters": voters,
            "listeners": f"PLAINTEXT://127.0.0.1:{node.port}{more}{inner}"
            + (f",CONTROLLER://127.0.0.1:{node.controller}" if controls else ""),
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{node.port}{more}{outer}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(node.home / "data"),
            "auto.create.topics.enable": "false",
            "offsets.topic.num.partitions": "4",
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.num.partitions": "2",
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.num.partitions": "1",
            "share.coordinator.state.topic.replication.factor": copies,
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            "num.network.threads": "2",
            "num.io.threads": "4",
            "log.cleaner.dedupe.buffer.size": "4194304",
            "broker.heartbeat.interval.ms": "500",
            "broker.session.timeout.ms": "3000",
            "controller.quorum.election.timeout.ms": "500",
            "controlled.shutdown.enable": "true",
            **settings,
        }
        return "".join(f"{name}={value}\n" for name, value in values.items())

    def _format(self) -> None:
        """The first node's storage by Kafka's own tool; the others' is the same but for its name: a JVM each is saved."""
        cluster, (first, *others) = _identity(), self.nodes
        tool = self._java(first, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(first.home / "server.properties"))
        if tool.wait(60):
            raise RuntimeError(f"Kafka's storage could not be formatted:\n{first.log.read_text()}")
        for node in others:
            shutil.copytree(first.home / "data", node.home / "data")
            own = f"node.id={node.number}\ndirectory.id={_identity()}\nversion=1\ncluster.id={cluster}\n"
            (node.home / "data" / "meta.properties").write_text(own)

    def _java(self, node: Node, main: str, *arguments: str) -> subprocess.Popen[bytes]:
        options = ["-Xms64m", f"-Xmx{self.heap}m", *(("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1") if self.quick else ())]
        logs = f"-Dlog4j.configuration=file:{HERE / 'log4j.properties'}"
        with node.log.open("ab") as log:
            return start_tied([*self.prefix, "java", *options, logs, "-cp", f"{self.jars}/*", main, *arguments], log)

    def start(self, *numbers: int) -> None:
        """Starts those that do not run (all of them when none is named) and waits until they answer."""
        wanted = [node for node in self.nodes if node.number in (numbers or range(len(self.nodes)))]
        for node in wanted:
            if node.process is None:
                node.process = self._java(node, "kafka.Kafka", str(node.home / "server.properties"))
        for node in wanted:
            self._await_answer(node)

    def _await_answer(self, node: Node) -> None:
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        assert node.process is not None
        patience = time.monotonic() + START_SECONDS
        while time.monotonic() < patience:
            if node.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", node.port), timeout=1).close()
                admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{node.port}", "log_level": 0})
                if node.number in admin.list_topics(timeout=2).brokers:
                    return
            except (OSError, KafkaException):
                time.sleep(0.1)
        ended = node.process.poll()
        what = f"did not answer within {START_SECONDS:.0f} s" if ended is None else f"ended with {ended}"
        raise RuntimeError(f"Kafka broker {node.number} {what}:\n{node.log.read_text()[-4000:]}")

    def stop(self, *numbers: int, kill: bool = False) -> None:
        """Ends those named (all when none is): in order, or as kill -9 does."""
        wanted = [node for node in self.nodes if node.number in (numbers or range(len(self.nodes))) and node.process]
        for node in wanted:
            assert node.process is not None
            node.process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        for node in wanted:
            assert node.process is not None
            try:
                node.process.wait(20)
            except subprocess.TimeoutExpired:  # the controllers it wants to tell are gone themselves
                node.process.kill()
                node.process.wait(10)
            node.process = None

    def close(self) -> None:
        self.stop(kill=True)
        shutil.rmtree(self.home, ignore_errors=True)
