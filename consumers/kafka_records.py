"""Fetched record batches in, records out: aiokafka's own unpacking, without what it spends on each record that nobody reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from aiokafka.consumer.fetcher import FetchResult, PartitionRecords


class Record(msgspec.Struct, gc=False):
    """One record of a topic. gc=False: it holds only text, numbers and bytes, so the collector need not visit thousands of them."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Records(PartitionRecords):  # type: ignore[misc]
    """The records of one fetch. aiokafka builds a dataclass of eleven fields for each, in two calls more (1.5 us against 1.0)."""

    def __iter__(self) -> Iterator[Record]:
        found: Iterator[Record] = self._records_iterator
        return found

    @staticmethod
    def _consumer_record(partition: tuple[str, int], record: Any) -> Record:
        return Record(partition[0], partition[1], record.offset, record.timestamp, record.key, record.value, record.headers)


def lighten(result: Any) -> None:
    """Lets a fetch give out our records from now on. What is not as expected stays as it is: slower, never wrong."""
    if type(result) is FetchResult and type(result._partition_records) is PartitionRecords:
        result._partition_records.__class__ = Records
