"""The six functions that AWS adds to JSONata. They get plain JSON values and answer plain JSON values; ``Complaint`` is what they raise."""

from __future__ import annotations

import hashlib
import random as generators
import uuid as uuids
from typing import Any

from express.runtime.values import loads

HASHES = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
MOST_ITEMS = 100_000  # of $range


class Complaint(ValueError):  # noqa: N818 - it becomes a failure of the expression
    """What is wrong with the arguments of a function: JSONata's code and its sentence."""

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(f"{code}: {message}")


def mismatch(function: str, position: int) -> Complaint:
    return Complaint("T0410", f'Argument {position} of function "{function}" does not match function signature')


def partition(*arguments: Any) -> Any:
    """``$partition(array, size)``: the array in pieces of ``size`` items, the last one shorter."""
    items, size = _arguments("partition", arguments, 2, 2)
    if items.__class__ is not list:
        items = [items]
    size = _integer("partition", 2, size)
    if size <= 0:
        raise mismatch("partition", 2)
    return [items[start : start + size] for start in range(0, len(items), size)]


def range_(*arguments: Any) -> Any:
    """``$range(first, last, step)``: numbers from ``first`` to at most (or, going down, at least) ``last``. It is a sequence: one number
    alone is no array, as recorded on AWS."""
    first, last, step = _arguments("range", arguments, 3, 3)
    first, last, step = _integer("range", 1, first), _integer("range", 2, last), _integer("range", 3, step)
    if step == 0:
        raise mismatch("range", 3)
    items = max(0, (last - first) // step + 1)  # range() itself has no length beyond 64 bits
    if items > MOST_ITEMS:
        raise Complaint("D2014", f"The array would have more than {MOST_ITEMS} items")
    made = range(first, last + (1 if step > 0 else -1), step)
    return made[0] if len(made) == 1 else list(made)


def hash_(*arguments: Any) -> Any:
    """``$hash(text, algorithm)``: hexadecimal digits."""
    text, algorithm = _arguments("hash", arguments, 2, 2)
    if text.__class__ is not str:
        raise mismatch("hash", 1)
    name = HASHES.get(algorithm) if algorithm.__class__ is str else None
    if name is None:
        raise mismatch("hash", 2)
    return hashlib.new(name, text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def random(*arguments: Any) -> Any:
    """``$random(seed?)``: from 0 to below 1; the same for the same seed (not the number that AWS draws for it)."""
    arguments = _arguments("random", arguments, 0, 1)
    if not arguments or arguments[0] is None:
        return generators.random()
    if arguments[0].__class__ is not int and arguments[0].__class__ is not float:
        raise mismatch("random", 1)
    return generators.Random(arguments[0]).random()


def uuid(*arguments: Any) -> Any:
    """``$uuid()``: a random UUID, version 4."""
    _arguments("uuid", arguments, 0, 0)
    return str(uuids.uuid4())


def parse(*arguments: Any) -> Any:
    """``$parse(text)``: the JSON value that a text holds."""
    (text,) = _arguments("parse", arguments, 1, 1)
    if text.__class__ is not str:
        raise mismatch("parse", 1)
    try:
        return loads(text)
    except ValueError as error:
        raise Complaint("D3120", f"The argument of function parse cannot be read: {error}") from None


def _arguments(function: str, given: tuple[Any, ...], fewest: int, most: int) -> tuple[Any, ...]:
    if len(given) > most:
        raise mismatch(function, most + 1)
    if len(given) < fewest:
        raise mismatch(function, len(given) + 1)
    return given


def _integer(function: str, position: int, value: Any) -> int:
    if value.__class__ is float and value.is_integer():
        return int(value)
    if value.__class__ is not int:
        raise mismatch(function, position)
    return int(value)


FUNCTIONS = {"partition": partition, "range": range_, "hash": hash_, "random": random, "uuid": uuid, "parse": parse}
