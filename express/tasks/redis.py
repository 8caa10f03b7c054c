"""``arn:express:tasks:::redis:command``: one command of Redis, out of those that read and write data; its reply as JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from express.options import Connection, RedisConnection
from express.runtime.failures import StateError
from express.runtime.suspensions import Call
from express.tasks import ResourceMissing, own
from express.tasks.aws_models import blob
from express.tasks.constants import constant
from express.tasks.integration import Resource, pool

LABEL = "redis:command"
AT_ONCE = 64  # commands, each with a connection of the pool
ARGUMENTS = 10_000
# What a Task may do unless its connection says more: one key's data, or some keys', read and written. None of these configures the server,
# runs a script, sees all keys, concerns the connection or waits
_ALLOWED = """
    APPEND DECR DECRBY DEL EXISTS EXPIRE EXPIREAT EXPIRETIME GET GETBIT GETDEL GETEX GETRANGE GETSET INCR INCRBY INCRBYFLOAT MGET
    MSET MSETNX PERSIST PEXPIRE PEXPIREAT PEXPIRETIME PSETEX PTTL RENAME RENAMENX SET SETBIT SETEX SETNX SETRANGE STRLEN TOUCH TTL TYPE
    UNLINK BITCOUNT BITFIELD BITFIELD_RO BITOP BITPOS LCS
    HDEL HEXISTS HGET HGETALL HINCRBY HINCRBYFLOAT HKEYS HLEN HMGET HMSET HRANDFIELD HSCAN HSET HSETNX HSTRLEN HVALS
    LINDEX LINSERT LLEN LMOVE LMPOP LPOP LPOS LPUSH LPUSHX LRANGE LREM LSET LTRIM RPOP RPOPLPUSH RPUSH RPUSHX
    SADD SCARD SDIFF SDIFFSTORE SINTER SINTERCARD SINTERSTORE SISMEMBER SMEMBERS SMISMEMBER SMOVE SPOP SRANDMEMBER SREM SSCAN SUNION
    SUNIONSTORE
    ZADD ZCARD ZCOUNT ZDIFF ZDIFFSTORE ZINCRBY ZINTER ZINTERCARD ZINTERSTORE ZLEXCOUNT ZMPOP ZMSCORE ZPOPMAX ZPOPMIN ZRANDMEMBER ZRANGE
    ZRANGEBYLEX ZRANGEBYSCORE ZRANGESTORE ZRANK ZREM ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREVRANGE ZREVRANGEBYLEX
    ZREVRANGEBYSCORE ZREVRANK ZSCAN ZSCORE ZUNION ZUNIONSTORE
    GEOADD GEODIST GEOHASH GEOPOS GEOSEARCH GEOSEARCHSTORE PFADD PFCOUNT PFMERGE XACK XADD XDEL XLEN XRANGE XREVRANGE XTRIM PUBLISH
    SPUBLISH PING ECHO TIME
"""
COMMANDS = frozenset(_ALLOWED.split())


def bind(resource: Resource, parameters: Any, connections: Mapping[str, Connection]) -> Command:
    """ResourceMissing without a connection to Redis, without its client, or for a command that is not allowed."""
    connection = own.connection(resource, parameters, connections, RedisConnection, "redis")
    try:
        import redis.asyncio  # noqa: F401 - whether it is there
    except ImportError:
        raise ResourceMissing(f"{LABEL} needs the client of Redis: pip install 'express-workflows[redis]'") from None
    command = constant(parameters, "Command")
    if isinstance(command, str) and (reason := refused(command, connection)) is not None:
        raise ResourceMissing(reason)
    return Command(resource, connection)


def refused(command: str, connection: RedisConnection) -> str | None:
    """Why the connection does not allow it."""
    name = command.upper()
    if name in COMMANDS or name in connection.commands:
        return None
    return f"{LABEL}: {command[:40]!r} is no command that Tasks may use: the connection's commands can allow it"


class Clients:
    """One client, with its pool of connections, for each connection of the configuration."""

    stuck = 0

    def __init__(self, executor: Any) -> None:
        self._of: dict[RedisConnection, tuple[Any, asyncio.Semaphore]] = {}

    def of(self, connection: RedisConnection) -> tuple[Any, asyncio.Semaphore]:
        found = self._of.get(connection)
        if found is None:
            found = self._of[connection] = _client(connection), asyncio.Semaphore(AT_ONCE)
        return found

    async def open(self, connection: RedisConnection) -> Any:
        client, _ = self.of(connection)
        await client.execute_command("PING")
        return client

    async def close(self) -> None:
        from express import redis

        clients, self._of = list(self._of.values()), {}
        for client, _ in clients:
            await redis.close(client)


def _client(connection: RedisConnection) -> Any:
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    from express import redis

    # Never sent twice: a command that was carried out and not answered is the workflow's to judge. Protocol 3, whose maps are maps
    client: Any = redis.Endpoint("", connection.server, connection).client(protocol=3, retry=Retry(NoBackoff(), 0))
    client.response_callbacks.clear()
    return client


class Command(own.Own):
    """``{Command, Arguments?, Connection?}``; the result is ``{Reply}``."""

    connection: RedisConnection
    opened = Clients

    async def perform(self, payload: Any, call: Call) -> Any:
        from redis import exceptions

        given = own.fields(LABEL, payload)
        command, arguments = given["Command"], given.get("Arguments") or []
        if not isinstance(command, str) or not command.strip():
            raise own.runtime(f"{LABEL}: Command must be a text, such as SET.")
        if (reason := refused(command, self.connection)) is not None:
            raise StateError("States.Permissions", reason)
        if not isinstance(arguments, list) or len(arguments) > ARGUMENTS:
            raise own.runtime(f"{LABEL}: Arguments must be a list of at most {ARGUMENTS:,}.")
        words = [*command.upper().split(), *map(_argument, arguments)]
        client, room = pool(call, Clients).of(self.connection)
        try:
            async with room:
                reply = await client.execute_command(*words)
        except exceptions.RedisError as error:
            raise failure(error, self.connection) from None
        except OSError as error:
            raise StateError("Redis.ConnectionFailed", f"{self.connection.server} cannot be reached: {error.strerror or error}") from None
        return {"Reply": shown(reply)}


def _argument(value: Any) -> Any:
    """A text as it is, anything else as JSON."""
    return value if value.__class__ is str else own.content(value)


def shown(reply: Any) -> Any:
    """A reply as JSON. Bytes are texts, or base64 where they are none; sets are lists; names of a map are texts."""
    if isinstance(reply, (bytes, bytearray)):
        return blob(bytes(reply))
    if isinstance(reply, Mapping):
        return {_name(name): shown(value) for name, value in reply.items()}
    if isinstance(reply, (set, frozenset)):
        return sorted((shown(each) for each in reply), key=str)
    if isinstance(reply, (list, tuple)):
        return [shown(each) for each in reply]
    return reply if reply is None or isinstance(reply, (bool, int, float, str)) else str(reply)


def _name(name: Any) -> str:
    found = shown(name)
    return found if isinstance(found, str) else msgspec.json.encode(found).decode()


def failure(error: Exception, connection: RedisConnection) -> StateError:
    """``Redis.`` and the word that the server's error begins with (``WRONGTYPE``, ``OOM``, ``ERR``); ``Redis.ConnectionFailed`` and
    ``Redis.AuthenticationFailed`` where it never came to that."""
    from redis import exceptions

    text = " ".join(str(error).split())[:1_000]
    if isinstance(error, exceptions.AuthenticationError):
        return StateError("Redis.AuthenticationFailed", f"{connection.server} refused the connection's username and password")
    if isinstance(error, exceptions.NoPermissionError):
        return StateError("States.Permissions", f"{connection.server}: {text}")
    if isinstance(error, (exceptions.ConnectionError, exceptions.TimeoutError)) and not isinstance(error, exceptions.BusyLoadingError):
        return StateError("Redis.ConnectionFailed", f"{connection.server} cannot be reached: {text}")
    code = getattr(error, "status_code", None) or text.partition(" ")[0]
    return StateError(f"Redis.{code}" if str(code).isalpha() and str(code).isupper() else "Redis.ERR", text)
