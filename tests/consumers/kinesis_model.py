"""A Kinesis stream in memory, as aiobotocore's client shows one: closed shards, resharding, iterators that expire, throttling. moto's
server has none of these (a split there moves records, and an iterator of a closed shard never ends)."""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

FIRST = 49_590_338_271_490_256_608_559_692_538_361_571_095_921_575_989_136_588_898  # a sequence number as they are


def failure(code: str, message: str = "as the test wants it") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "GetRecords")


class Shard:
    def __init__(self, number: int, parents: Sequence[str] = ()) -> None:
        self.name, self.parents, self.closed = f"shardId-{number:012}", tuple(parents), False
        self.records: list[dict[str, Any]] = []
        self.trimmed = 0  # records that retention has removed


class Stream:
    """``fail`` holds errors that the next calls raise, by the method's name; ``calls`` counts them. ``largest``: records of one read."""

    def __init__(self, shards: int = 1) -> None:
        self.shards = {shard.name: shard for shard in map(Shard, range(shards))}
        self.fail: dict[str, list[Exception]] = {}
        self.calls: dict[str, int] = {}
        self.largest = 10_000
        self.expired: set[str] = set()
        self._sequence = FIRST

    def put(self, shard: int, *values: bytes, key: str = "k", at: float | None = None) -> None:
        target = self.shards[f"shardId-{shard:012}"]
        assert not target.closed
        for value in values:
            self._sequence += 1_000_003
            arrival = datetime.datetime.fromtimestamp(time.time() if at is None else at, datetime.UTC)
            target.records.append(
                {"SequenceNumber": str(self._sequence), "PartitionKey": key, "Data": value, "ApproximateArrivalTimestamp": arrival}
            )

    def split(self, shard: int) -> tuple[int, int]:
        parent = self.shards[f"shardId-{shard:012}"]
        parent.closed = True
        return self._child(parent.name), self._child(parent.name)

    def merge(self, one: int, other: int) -> int:
        parents = [f"shardId-{number:012}" for number in (one, other)]
        for name in parents:
            self.shards[name].closed = True
        return self._child(*parents)

    def _child(self, *parents: str) -> int:
        number = len(self.shards)
        child = Shard(number, parents)
        self.shards[child.name] = child
        return number

    # --- What a client does -------------------------------------------------------------------------------------------------------

    def _called(self, name: str) -> None:
        self.calls[name] = self.calls.get(name, 0) + 1
        if self.fail.get(name):
            raise self.fail[name].pop(0)

    async def list_shards(self, **request: Any) -> Mapping[str, Any]:
        self._called("list_shards")
        found = []
        for shard in self.shards.values():
            about: dict[str, Any] = {"ShardId": shard.name, "SequenceNumberRange": {"StartingSequenceNumber": str(FIRST)}}
            about |= dict(zip(("ParentShardId", "AdjacentParentShardId"), shard.parents, strict=False))
            if shard.closed:
                about["SequenceNumberRange"]["EndingSequenceNumber"] = str(self._sequence)
            found.append(about)
        return {"Shards": found}

    async def get_shard_iterator(self, **request: Any) -> Mapping[str, Any]:
        self._called("get_shard_iterator")
        shard, kind = self.shards[request["ShardId"]], request["ShardIteratorType"]
        place = shard.trimmed
        if kind == "AT_TIMESTAMP":
            at = request["Timestamp"]
            place = next(
                (n for n, each in enumerate(shard.records) if each["ApproximateArrivalTimestamp"].timestamp() >= at), len(shard.records)
            )
        elif kind == "AFTER_SEQUENCE_NUMBER":
            names = [each["SequenceNumber"] for each in shard.records[shard.trimmed :]]
            if request["StartingSequenceNumber"] not in names:
                raise failure("InvalidArgumentException", "StartingSequenceNumber is not of this shard")
            place = shard.trimmed + names.index(request["StartingSequenceNumber"]) + 1
        return {"ShardIterator": f"{shard.name}:{place}:{time.monotonic_ns()}"}

    async def get_records(self, ShardIterator: str, Limit: int) -> Mapping[str, Any]:  # noqa: N803 - botocore's names
        self._called("get_records")
        name, place, _ = ShardIterator.split(":")
        if ShardIterator in self.expired:
            raise failure("ExpiredIteratorException")
        shard, start = self.shards[name], int(place)
        found = shard.records[start : start + min(Limit, self.largest)]
        end = start + len(found)
        behind = 0
        if end < len(shard.records):
            last = shard.records[-1]["ApproximateArrivalTimestamp"] - found[-1]["ApproximateArrivalTimestamp"]
            behind = max(1, int(last.total_seconds() * 1000))
        answer: dict[str, Any] = {"Records": found, "MillisBehindLatest": behind}
        if not shard.closed or end < len(shard.records):
            answer["NextShardIterator"] = f"{name}:{end}:{time.monotonic_ns()}"
        return answer

    async def __aexit__(self, *_: object) -> None: ...
