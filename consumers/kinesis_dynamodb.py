"""Checkpoints and leases of Kinesis shards in a table of DynamoDB, for workers on any number of machines: conditional writes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from consumers.kinesis_store import Checkpoint, Lease, Row, Store
from express import aws
from express.errors import ConnectionFailed

MISSING = ("ResourceNotFoundException",)
REFUSED = "ConditionalCheckFailedException"
KEYS = {"stream": "HASH", "shard": "RANGE"}
NAMES = {f"#{name}": name for name in ("stream", "shard", "owner", "fence", "beat", "after", "metadata", "done")}  # some are reserved words


class DynamoStore(Store):
    """The rows of ``stream`` (a group's name and the stream's) in a table whose keys are ``stream`` and ``shard``, both strings."""

    transient = aws.FOR_NOW

    def __init__(self, endpoint: aws.Endpoint, stream: str) -> None:
        self.endpoint, self.table, self.stream = endpoint, endpoint.name, stream
        self._client: Any = None

    async def open(self) -> None:
        await aws.started(self._look_up(), self.endpoint, MISSING)

    async def _look_up(self) -> None:
        self._client = await self.endpoint.client("dynamodb")
        table = (await self._client.describe_table(TableName=self.table))["Table"]
        types = {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]}
        if {each["AttributeName"]: each["KeyType"] for each in table["KeySchema"]} != KEYS or {types.get(name) for name in KEYS} != {"S"}:
            raise ConnectionFailed(
                f"{self.endpoint}: expected a table whose partition key is stream and whose sort key is shard, both strings"
            )

    async def close(self) -> None:
        client, self._client = self._client, None
        await aws.close(client)

    def _do(self, answer: Awaitable[Any]) -> Awaitable[Any]:
        return aws.running(answer, self.endpoint, MISSING)

    async def rows(self) -> list[Row]:
        found: list[Row] = []
        more: dict[str, Any] = {}
        while True:
            answer = await self._do(
                self._client.query(
                    TableName=self.table,
                    KeyConditionExpression="#stream = :stream",
                    ExpressionAttributeNames={"#stream": "stream"},
                    ExpressionAttributeValues={":stream": {"S": self.stream}},
                    ConsistentRead=True,
                    **more,
                )
            )
            found += [_row(item) for item in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                return found
            more = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    async def add(self, rows: Sequence[Row]) -> None:
        await asyncio.gather(*map(self._insert, rows))

    async def _insert(self, row: Row) -> bool:
        item = {
            "owner": {"S": row.owner}, "fence": {"N": str(row.fence)}, "beat": {"N": str(row.beat)},
            "after": {"S": row.after}, "metadata": {"S": row.metadata}, "done": {"BOOL": row.done},
        }  # fmt: skip
        try:
            await self._do(
                self._client.put_item(
                    TableName=self.table,
                    Item={**self._key(row.shard), **item},
                    ConditionExpression="attribute_not_exists(#shard)",
                    ExpressionAttributeNames={"#shard": "shard"},
                )
            )
        except ClientError as error:
            if aws.code(error) != REFUSED:
                raise
            return False
        return True

    def _key(self, shard: str) -> dict[str, Any]:
        return {"stream": {"S": self.stream}, "shard": {"S": shard}}

    async def _update(self, shard: str, change: str, condition: str, values: Mapping[str, str | int | bool]) -> bool:
        """Whether the condition held."""
        expressions = f"{change} {condition}"
        try:
            await self._do(
                self._client.update_item(
                    TableName=self.table,
                    Key=self._key(shard),
                    UpdateExpression=change,
                    **({"ConditionExpression": condition} if condition else {}),
                    ExpressionAttributeNames={mark: name for mark, name in NAMES.items() if mark in expressions},
                    ExpressionAttributeValues={f":{name}": _value(value) for name, value in values.items()},
                )
            )
        except ClientError as error:
            if aws.code(error) != REFUSED:
                raise
            return False
        return True

    async def _ours(self, lease: Lease, change: str, values: Mapping[str, str | int | bool]) -> bool:
        held: dict[str, str | int | bool] = {"held": lease.owner, "since": lease.fence}
        return await self._update(lease.shard, change, "#owner = :held AND #fence = :since", {**values, **held})

    async def take(self, seen: Row, owner: str) -> Lease | None:
        lease = Lease(seen.shard, owner, seen.fence + 1)
        if seen.fence == 0 and await self._insert(Row(shard=seen.shard, owner=owner, fence=1)):
            return lease
        taken = await self._update(
            seen.shard,
            "SET #owner = :owner ADD #fence :one, #beat :one",
            "#fence = :fence AND #beat = :beat",
            {"owner": owner, "one": 1, "fence": seen.fence, "beat": seen.beat},
        )
        return lease if taken else None

    async def renew(self, leases: Sequence[Lease]) -> Collection[Lease]:
        kept = await asyncio.gather(*(self._ours(lease, "ADD #beat :one", {"one": 1}) for lease in leases))
        return [lease for lease, ours in zip(leases, kept, strict=True) if not ours]

    async def save(self, checkpoints: Mapping[Lease, Checkpoint]) -> Collection[Lease]:
        change = "SET #after = :after, #metadata = :metadata, #done = :done ADD #beat :one"
        saved = await asyncio.gather(
            *(
                self._ours(lease, change, {"after": each.after, "metadata": each.metadata, "done": each.done, "one": 1})
                for lease, each in checkpoints.items()
            ),
            return_exceptions=True,
        )
        failures = [outcome for outcome in saved if isinstance(outcome, BaseException)]
        if failures and len(failures) == len(saved):
            raise failures[0]
        return [lease for lease, outcome in zip(checkpoints, saved, strict=True) if outcome is True]

    async def release(self, leases: Sequence[Lease]) -> None:
        await asyncio.gather(*(self._ours(lease, "SET #owner = :nobody", {"nobody": ""}) for lease in leases))

    async def greet(self, worker: str) -> None:
        await self._insert(Row(shard=worker))
        await self._update(worker, "ADD #beat :one", "", {"one": 1})

    async def forget(self, shards: Sequence[str]) -> None:
        for shard in shards:
            with suppress(ClientError):
                await self._do(self._client.delete_item(TableName=self.table, Key=self._key(shard)))


def _value(value: str | int | bool) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"BOOL": value}
    return {"S": value} if isinstance(value, str) else {"N": str(value)}


def _row(item: Mapping[str, Any]) -> Row:
    def text(name: str) -> str:
        return str(item.get(name, {}).get("S", ""))

    fence, beat = (int(item.get(name, {}).get("N", 0)) for name in ("fence", "beat"))
    done = bool(item.get("done", {}).get("BOOL", False))
    return Row(shard=text("shard"), owner=text("owner"), fence=fence, beat=beat, after=text("after"), metadata=text("metadata"), done=done)
