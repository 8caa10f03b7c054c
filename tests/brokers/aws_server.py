"""Servers that speak SQS, on 127.0.0.1: moto's for what AWS answers, ElasticMQ for load and crashes. Real HTTP, no account."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any

from tests.brokers import maven
from tests.brokers.processes import free_port, start_tied

POM = Path(__file__).parent / "elasticmq" / "pom.xml"
START_SECONDS = 60.0
KEYS = {"access_key_id": "test", "secret_access_key": "test"}


def missing(kind: str) -> str | None:
    """What this machine lacks to run one, or None."""
    if kind == "elasticmq":
        lacking = [program for program in ("java", "mvn") if not shutil.which(program)]
        return f"needs ElasticMQ: {' and '.join(lacking)} not found" if lacking else None
    try:
        import moto.server  # noqa: F401
    except ImportError as error:
        return f"needs moto's server: {error}"
    return None


class Server:
    """``kind``: moto or elasticmq."""

    def __init__(self, kind: str, home: Path) -> None:
        self.kind, self.home, self.port = kind, home, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self._clients: dict[str, Any] = {}  # making one costs more than most tests

    def start(self) -> None:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        if self.kind == "elasticmq":
            settings = {
                "rest-sqs.bind-port": self.port, "rest-sqs.bind-hostname": "127.0.0.1", "rest-stats.enabled": "false",
                "node-address.port": self.port, "node-address.host": "127.0.0.1",
            }  # fmt: skip
            options = [f"-D{name}={value}" for name, value in settings.items()]
            jars = maven.jars(POM, "elasticmq")
            java = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
            command = [*java, *options, "-cp", f"{jars}/*", "org.elasticmq.server.Main"]
        with (self.home / f"{self.kind}.log").open("ab") as log:
            self.process = start_tied(command, log)
        patience = time.monotonic() + START_SECONDS
        while time.monotonic() < patience and self.process.poll() is None:
            with contextlib.suppress(urllib.error.URLError, OSError):
                try:
                    urllib.request.urlopen(self.url, timeout=2).close()
                except urllib.error.HTTPError as answer:
                    answer.close()
                return
            time.sleep(0.1)
        raise RuntimeError(f"{self.kind} did not start:\n{(self.home / f'{self.kind}.log').read_text()[-3000:]}")

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def client(self, service: str = "sqs") -> Any:
        """boto3's, not the client under test."""
        if service not in self._clients:
            import boto3

            keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
            self._clients[service] = boto3.client(service, endpoint_url=self.url, region_name="eu-west-1", **keys)
        return self._clients[service]

    def queue(self, name: str = "", **attributes: Any) -> Queue:
        """A new queue; ``fifo`` in its attributes' names makes it one."""
        name = name or f"orders-{uuid.uuid4().hex[:8]}"
        if attributes.get("FifoQueue"):
            name += ".fifo"
        client = self.client()
        url = client.create_queue(
            QueueName=name, Attributes={key: str(value).lower() if value is True else str(value) for key, value in attributes.items()}
        )
        return Queue(client, name, url["QueueUrl"])


class Queue:
    """A queue as whoever is not Express sees it."""

    def __init__(self, client: Any, name: str, url: str) -> None:
        self.client, self.name, self.url = client, name, url

    def send(self, *messages: dict[str, Any]) -> None:
        for start in range(0, len(messages), 10):
            entries = [{"Id": str(number), **message} for number, message in enumerate(messages[start : start + 10])]
            answer = self.client.send_message_batch(QueueUrl=self.url, Entries=entries)
            assert not answer.get("Failed"), answer

    def attribute(self, name: str) -> str:
        value: str = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=[name])["Attributes"][name]
        return value

    @property
    def waiting(self) -> int:
        return int(self.attribute("ApproximateNumberOfMessages"))

    @property
    def hidden(self) -> int:
        return int(self.attribute("ApproximateNumberOfMessagesNotVisible"))

    def take(self) -> list[dict[str, Any]]:
        """Everything that is there, deleted."""
        taken: list[dict[str, Any]] = []
        while True:
            answer = self.client.receive_message(
                QueueUrl=self.url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"], VisibilityTimeout=60
            )
            if not (messages := answer.get("Messages", [])):
                return taken
            taken += messages
            entries = [{"Id": str(number), "ReceiptHandle": each["ReceiptHandle"]} for number, each in enumerate(messages)]
            self.client.delete_message_batch(QueueUrl=self.url, Entries=entries)
