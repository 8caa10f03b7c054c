"""What every store of checkpoints must do: one owner at a time, and nothing is moved by somebody who is not the owner any more."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from consumers.kinesis_dynamodb import DynamoStore
from consumers.kinesis_sqlite import SqliteStore
from consumers.kinesis_store import Checkpoint, Lease, Row, Store
from express.aws import Endpoint
from express.errors import ConnectionFailed
from express.options import AwsConnection
from tests.brokers.aws_server import KEYS, Server
from tests.consumers.kinesis_beds import create_table

pytestmark = pytest.mark.uvloop_only


@pytest.fixture(params=["sqlite", "dynamodb"])
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Store, Store]]:
    """Two connections to one place."""
    if request.param == "sqlite":
        two: list[Store] = [SqliteStore(str(tmp_path / "shards.db"), "g/orders") for _ in range(2)]
    else:
        server: Server = request.getfixturevalue("moto")
        table = f"shards-{uuid.uuid4().hex[:8]}"
        create_table(server, table)
        endpoint = Endpoint("kinesis://x", table, None, "eu-west-1", AwsConnection(endpoint=server.url, region="eu-west-1", **KEYS))
        two = [DynamoStore(endpoint, "g/orders") for _ in range(2)]
    for store in two:
        await store.open()
    yield two[0], two[1]
    for store in two:
        await store.close()


async def the_row(store: Store, shard: str = "s") -> Row:
    return next(row for row in await store.rows() if row.shard == shard)


async def test_of_two_who_take_a_shard_at_once_one_has_it(stores: tuple[Store, Store]) -> None:
    for _ in range(3):
        seen = next((row for row in await stores[0].rows()), Row(shard="s"))
        takes = [store.take(seen, f"owner-{number}") for number, store in enumerate(stores)]
        if isinstance(stores[0], DynamoStore):  # moto looks at a condition and writes afterwards: two requests at once may both hold it
            leases = [await take for take in takes]
        else:
            leases = await asyncio.gather(*takes)
        (lease,) = [lease for lease in leases if lease is not None]
        row = await the_row(stores[1])
        assert (row.owner, row.fence) == (lease.owner, lease.fence) == (lease.owner, seen.fence + 1)


async def test_what_was_seen_before_a_beat_is_not_taken(stores: tuple[Store, Store]) -> None:
    one, two = stores
    lease = await one.take(Row(shard="s"), "one")
    assert lease
    seen = await the_row(two)
    assert await one.renew([lease]) == []
    assert await two.take(seen, "two") is None
    assert await two.take(await the_row(two), "two") == Lease("s", "two", 2)


async def test_a_former_owner_saves_renews_and_releases_nothing(stores: tuple[Store, Store]) -> None:
    one, two = stores
    former = await one.take(Row(shard="s"), "one")
    assert former
    assert await one.save({former: Checkpoint("5", "")}) == [former]
    present = await two.take(await the_row(two), "two")
    assert present
    assert list(await one.save({former: Checkpoint("9", "", True)})) == []
    assert list(await one.renew([former])) == [former]
    await one.release([former])
    row = await the_row(one)
    assert (row.owner, row.after, row.done) == ("two", "5", False)
    again = await one.take(row, "one")  # the same name, another lease
    assert again
    assert list(await two.save({present: Checkpoint("7", "")})) == []
    assert list(await one.save({former: Checkpoint("8", "")})) == []


async def test_what_was_saved_is_there_for_the_next_owner(stores: tuple[Store, Store]) -> None:
    one, two = stores
    lease, other = await one.take(Row(shard="s"), "one"), await one.take(Row(shard="t"), "one")
    assert lease
    assert other
    assert set(await one.save({lease: Checkpoint("12", "beyond"), other: Checkpoint("3", "", True)})) == {lease, other}
    await one.release([lease])
    row = await the_row(two)
    assert (row.owner, row.fence, row.after, row.metadata, row.done) == ("", 1, "12", "beyond", False)
    assert (await the_row(two, "t")).done
    assert await two.take(row, "two") == Lease("s", "two", 2)
    assert (await the_row(two)).after == "12"


async def test_rows_that_are_there_are_not_made_again(stores: tuple[Store, Store]) -> None:
    one, two = stores
    await one.add([Row(shard="s", after="@1")])
    await two.add([Row(shard="s", after="@2"), Row(shard="t", after="@2", done=True)])
    assert {(row.shard, row.after, row.done) for row in await one.rows()} == {("s", "@1", False), ("t", "@2", True)}
    seen = await the_row(one)
    assert await two.take(seen, "two") == Lease("s", "two", 1)
    assert (await the_row(one)).after == "@1"


async def test_workers_are_seen_and_forgotten(stores: tuple[Store, Store]) -> None:
    one, two = stores
    await one.greet("worker/one")
    first = await the_row(two, "worker/one")
    await one.greet("worker/one")
    assert (await the_row(two, "worker/one")).beat == first.beat + 1
    await two.forget(["worker/one", "worker/nobody"])
    assert await one.rows() == []


async def test_groups_and_streams_do_not_see_each_other(tmp_path: Path) -> None:
    one, two = (SqliteStore(str(tmp_path / "shards.db"), stream) for stream in ("g/orders", "h/orders"))
    for store in (one, two):
        await store.open()
    assert await one.take(Row(shard="s"), "one")
    assert await two.rows() == []
    assert await two.take(Row(shard="s"), "two")
    for store in (one, two):
        await store.close()


async def test_a_file_of_something_else_is_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    path.write_bytes(b"not a database at all" * 100)
    store = SqliteStore(str(path), "g/orders")
    with pytest.raises(ConnectionFailed, match=r"^checkpoint=.*orders.db is not a file of checkpoints"):
        await store.open()
    await store.close()
    from express.queue import Queue

    with Queue(tmp_path / "queue.db"):
        pass
    store = SqliteStore(str(tmp_path / "queue.db"), "g/orders")
    with pytest.raises(ConnectionFailed, match="is an SQLite file of something else"):
        await store.open()
    await store.close()
