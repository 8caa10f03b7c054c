"""Aggregated records of a producer library, taken apart: each user record by itself; what is broken stays whole, and nothing is lost."""

from __future__ import annotations

import asyncio
import random
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest

from consumers.kinesis_aggregated import MAGIC, deaggregated
from tests.consumers.contract import Reader
from tests.consumers.kinesis_beds import modelled
from tests.consumers.kinesis_model import Stream

# Put together by hand, after Amazon's description of the format: keys "a" and "b", records {"n":0} and {"n":1}
BY_HAND = bytes.fromhex(
    "f3899ac2"  # magic
    "0a0161 0a0162"  # partition_key_table
    "1a0b 0800 1a077b226e223a307d"  # records: partition_key_index, data
    "1a0b 0801 1a077b226e223a317d"
)  # fmt: skip
BY_HAND += md5(BY_HAND[4:], usedforsecurity=False).digest()


def varint(number: int) -> bytes:
    content = bytearray()
    while number > 0x7F:
        content.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*content, number])


def field(number: int, content: bytes | int) -> bytes:
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def sealed(message: bytes) -> bytes:
    return MAGIC + message + md5(message, usedforsecurity=False).digest()


def aggregated(records: list[tuple[bytes, bytes]]) -> bytes:
    """As the producer library does: with explicit hash keys and tags, which say nothing to us."""
    keys = list(dict.fromkeys(key for key, _ in records))
    message = b"".join(field(1, key) for key in keys) + field(2, b"170141183460469231731687303715884105728")
    for key, data in records:
        tag = field(4, field(1, b"team") + field(2, b"orders"))
        message += field(3, field(1, keys.index(key)) + field(2, 0) + field(3, data) + tag)
    return sealed(message)


def test_user_records_come_out_with_their_keys_in_their_order() -> None:
    assert deaggregated(BY_HAND) == [(b"a", b'{"n":0}'), (b"b", b'{"n":1}')]
    chosen = random.Random(1)
    records = [(b"key-%d" % chosen.randrange(300), chosen.randbytes(chosen.randrange(400))) for _ in range(500)]
    assert deaggregated(aggregated(records)) == records


def test_unknown_fields_of_every_wire_type_are_passed_over() -> None:
    unknown = field(9, 1 << 60) + varint(10 << 3 | 1) + bytes(8) + varint(11 << 3 | 5) + bytes(4) + field(12, b"later")
    message = field(1, b"a") + unknown + field(3, field(1, 0) + unknown + field(3, b"{}"))
    assert deaggregated(sealed(message)) == [(b"a", b"{}")]


@pytest.mark.parametrize(
    "data",
    [
        b'{"n": 1}',
        b"",
        MAGIC,
        MAGIC + bytes(16),
        BY_HAND[:-1],
        BY_HAND[:-1] + b"x",
        BY_HAND[:20] + b"x" + BY_HAND[21:],
        sealed(field(1, b"a") + field(3, field(1, 1) + field(3, b"{}"))),  # a key that is not there
        sealed(field(1, b"a") + field(3, field(1, 0))),  # no data
        sealed(field(1, b"a") + field(3, field(3, b"{}"))),  # no key
        sealed(field(1, b"a") + field(3, b"\x0b")),  # a group, which nobody uses any more
        aggregated([]),  # nothing in it: what it was for, nobody knows
        sealed(b"\x0a\x05a"),
        sealed(b"\x08" + b"\xff" * 11),
        sealed(b"\x08"),
    ],
)
def test_what_is_none_or_is_broken_stays_one_record(data: bytes) -> None:
    assert deaggregated(data) is None


def test_whatever_bytes_come_nothing_but_an_answer_comes_out() -> None:
    chosen = random.Random(2)
    whole = aggregated([(b"a", b"{}"), (b"b", b"[1]")])[4:-16]
    for _ in range(3_000):
        message = bytearray(whole)
        for _ in range(chosen.randrange(1, 4)):
            message[chosen.randrange(len(message))] = chosen.randrange(256)
        found = deaggregated(sealed(bytes(message[: chosen.randrange(len(message) + 1)])))
        assert found is None or all(isinstance(part, bytes) for pair in found for part in pair)


@pytest.mark.uvloop_only
async def test_a_record_is_checkpointed_when_all_of_it_is_finished_and_a_broken_one_is_given_out_as_it_is(tmp_path: Path) -> None:
    stream = Stream()
    broken = BY_HAND[:-1] + b"x"
    stream.put(0, b'{"n":9}', aggregated([(b"a", b'{"n":%d}' % number) for number in range(3)]), broken, b'{"n":8}')

    async def reading() -> Reader:
        reader = Reader(modelled(stream, tmp_path))
        await reader.source.start(reader)
        return reader

    reader = await reading()
    first = await reader.read(6)
    assert [message.value for message in first] == [b'{"n":9}', b'{"n":0}', b'{"n":1}', b'{"n":2}', broken, b'{"n":8}']
    assert [message.key for message in first] == [b"k", b"a", b"a", b"a", b"k", b"k"]
    names: list[Any] = [message.id for message in first]  # type: ignore[attr-defined]
    assert len(set(names)) == 6
    assert [name.rpartition("-")[2] for name in names[1:4]] == ["0", "1", "2"]
    reader.finish([first[0], first[1], first[3], first[5]])
    assert await reader.commit()
    await reader.source.stop()

    again = await reading()
    assert [message.id for message in await again.read(4)] == names[1:5], "all of the one that was not finished, and the broken one"  # type: ignore[attr-defined]
    again.finish(again.taken)
    assert await again.commit()
    await again.source.stop()
    last = await reading()
    stream.put(0, b'{"n":7}')
    assert [message.value for message in await last.read(1)] == [b'{"n":7}']
    await last.source.stop()
    await asyncio.sleep(0)
