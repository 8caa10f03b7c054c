"""Kinesis sources for tests: over a stream in memory with checkpoints in SQLite, over moto's server with checkpoints in DynamoDB."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from consumers.kinesis import KinesisSource, open_source
from express import addresses
from express.options import AwsConnection, SourceOptions
from tests.brokers.aws_server import KEYS, Server
from tests.consumers.contract import Bed
from tests.consumers.kinesis_model import Stream


class Modelled(KinesisSource):
    """Reads a ``Stream`` in memory."""

    model: Stream

    async def _connect(self) -> None:
        self.client = self.model
        await self._list()


def modelled(model: Stream, folder: Path, lease: float = 1.0, **options: str) -> Modelled:
    query = "&".join(f"{name}={value}" for name, value in {"group": "g", "checkpoint": str(folder / "shards.db"), **options}.items())
    source = open_source(addresses.parse(f"kinesis://eu-west-1/orders?{query}"), SourceOptions(name="test"))
    assert isinstance(source, KinesisSource)
    found = Modelled(source.endpoint, source.store, source.group, source._start, lease)
    found.model = model
    return found


class ModelBed(Bed):
    offsets = False  # a position is made by the tracker alone

    def __init__(self, folder: Path) -> None:
        self.model, self.folder = Stream(self.partitions), folder

    async def append(
        self, values: Sequence[bytes], partition: int = 0, key: bytes | None = None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        self.model.put(partition, *values)

    def open(self) -> KinesisSource:
        return modelled(self.model, self.folder)


class MotoBed(Bed):
    offsets, partitions = False, 2

    def __init__(self, server: Server, lease: int = 2) -> None:
        self.server, self.lease = server, lease
        self.stream, self.table = f"orders-{uuid.uuid4().hex[:8]}", f"shards-{uuid.uuid4().hex[:8]}"
        self.kinesis = server.client("kinesis")
        self.kinesis.create_stream(StreamName=self.stream, ShardCount=self.partitions)
        self.kinesis_shards = self.kinesis.list_shards(StreamName=self.stream)["Shards"]
        create_table(server, self.table)

    async def append(
        self, values: Sequence[bytes], partition: int = 0, key: bytes | None = None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        await asyncio.to_thread(self.put, values, partition)

    def put(self, values: Sequence[bytes], partition: int) -> None:
        where = self.kinesis_shards[partition]["HashKeyRange"]["StartingHashKey"]
        for start in range(0, len(values), 500):
            records = [{"Data": value, "PartitionKey": "k", "ExplicitHashKey": where} for value in values[start : start + 500]]
            assert not self.kinesis.put_records(StreamName=self.stream, Records=records)["FailedRecordCount"]

    def open(self, stream: str = "", table: str = "") -> KinesisSource:
        connection = AwsConnection(endpoint=self.server.url, region="eu-west-1", **KEYS)
        checkpoint = f"dynamodb:{table or self.table}"
        address = addresses.parse(f"kinesis://eu-west-1/{stream or self.stream}?group=g&lease={self.lease}s&checkpoint={checkpoint}")
        source = open_source(address, SourceOptions(name="test", connection=connection))
        assert isinstance(source, KinesisSource)
        return source

    def missing(self) -> KinesisSource:
        return self.open(stream="nowhere")


def create_table(server: Server, table: str, **keys: Any) -> None:
    keys = keys or {"stream": "HASH", "shard": "RANGE"}
    server.client("dynamodb").create_table(
        TableName=table,
        KeySchema=[{"AttributeName": each, "KeyType": kind} for each, kind in keys.items()],
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in keys],
        BillingMode="PAY_PER_REQUEST",
    )
