"""A JSONata expression and what it may look at in, its value out. The language is jsonata-python's, which the engine does not use.

AWS adds functions to the language, and rules: what is undefined, a function or fails is an error.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import re
import uuid
from functools import lru_cache
from typing import Any

from jsonata import Jsonata
from jsonata.functions import Functions
from jsonata.parser import Parser
from jsonata.signature import Signature
from jsonata.utils import Utils

from tests.reference.expressions import equal

Symbol = Parser.Symbol


class _AsJavaScript(Functions.Encoder):  # type: ignore[misc]
    """What ``&`` makes of arrays and objects; the library writes ASCII."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{**settings, "ensure_ascii": False})


Functions.Encoder = _AsJavaScript


class QueryFailed(Exception):  # noqa: N818
    """The expression gives nothing, a function, or raises: States.QueryEvaluationError."""


_validate = Signature.validate
LOST: list[str] = []  # functions that were given null for an array, or in one: jsonata-python knows no better than to lose it


def _validated(self: Any, given: Any, context: Any) -> Any:
    """The arguments of a function. For jsonata-python null is nothing; for JSONata it is a value: no text, and an array of one."""
    wanted = self._params[0].type if self._params and given else None
    if wanted in ("s", "n", "b") and given[0] is Utils.NULL_VALUE:
        raise QueryFailed("T0410")
    if self.function_name == "substring" and context is None and len(given) == 2 and _all_numbers(given):
        raise QueryFailed("T0410")  # two numbers are about the context, and at the top level there is none
    if wanted == "a" and (given[0] is Utils.NULL_VALUE or (isinstance(given[0], list) and Utils.NULL_VALUE in given[0])):
        LOST.append(self.function_name)
    return _validate(self, given, context)


Signature.validate = _validated  # nobody else uses jsonata-python here


def _includes(self: Any, value: Any, items: Any) -> bool:
    """``in``, for which jsonata-python takes false and 0 as the same, and objects for those that look like them."""
    items = items if isinstance(items, list) else [items]
    if value is None or isinstance(value, dict | list):
        return any(each is value for each in items if value is not None)
    return any(equal(value, each) for each in items if each is not None and not isinstance(each, dict | list))


Jsonata.evaluate_includes_expression = _includes
_group = Jsonata.evaluate_group_expression


def _grouped(self: Any, expression: Any, items: Any, environment: Any) -> Any:
    """``{...}`` for each item: where there are none, JSONata puts one that is undefined into the array itself, which may be the input."""
    return _group(self, expression, None if items == [] else items, environment)


Jsonata.evaluate_group_expression = _grouped


def is_query(value: Any) -> bool:
    """``{% expression %}``."""
    return isinstance(value, str) and value.startswith("{%") and value.endswith("%}") and len(value) >= 4


def query(text: str, states: dict[str, Any], variables: dict[str, Any]) -> Any:
    """What the expression between ``{%`` and ``%}`` gives."""
    return _evaluated(text, _bindings(states, variables))


def template(value: Any, states: dict[str, Any], variables: dict[str, Any]) -> Any:
    """A JSON value in which each text of the form ``{% %}`` is computed."""
    return _filled(value, _bindings(states, variables))


def _filled(value: Any, bindings: dict[str, Any]) -> Any:
    if is_query(value):
        return _evaluated(value, bindings)
    if isinstance(value, dict):
        return {name: _filled(each, bindings) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, bindings) for each in value]
    return value


def _bindings(states: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
    return {name: _of_javascript(each) for name, each in {**variables, "states": states}.items()}


def _of_javascript(value: Any) -> Any:
    """JavaScript knows one type of number: 1.0 is 1. And null is a value: what the library takes None for depends on where it finds it."""
    if value is None:
        return Utils.NULL_VALUE
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _of_javascript(each) for name, each in value.items()}
    return [_of_javascript(each) for each in value] if isinstance(value, list) else value


def _evaluated(text: str, bindings: dict[str, Any]) -> Any:
    try:
        value = _parsed(text[2:-2]).evaluate(None, bindings)
    except RecursionError:
        raise
    except Exception as error:  # whatever it raises: the expression failed
        raise QueryFailed(str(error)) from None
    if value is None:
        raise QueryFailed("undefined")
    return plain(value)


def plain(value: Any) -> Any:
    """JSON values only; numbers as JavaScript would write them."""
    if value is Utils.NULL_VALUE or value is None:
        return None
    if isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise QueryFailed("not a number of JSON")
        return int(value) if value == int(value) and abs(value) < 2**53 else value
    if isinstance(value, dict):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | range):
        return [plain(each) for each in value]
    try:
        return [plain(each) for each in iter(value)]
    except TypeError:
        raise QueryFailed("a function") from None


@lru_cache(maxsize=512)
def _parsed(text: str) -> Jsonata:
    expression = Jsonata(text)
    expression.set_output_convert_nulls(False)
    for name, function in FUNCTIONS.items():
        expression.register_lambda(name, function)
    return expression


# --- What AWS adds ------------------------------------------------------------------------------------------------------------------


def _partition(items: Any, size: Any) -> Any:
    if items is None:
        return None
    items = items if isinstance(items, list) else [items]
    size = math.floor(size)
    if size < 1:
        raise ValueError("the size is not positive")
    return [items[start : start + size] for start in range(0, len(items), size)]


def _range(first: Any, last: Any, step: Any) -> Any:
    if step == 0:
        raise ValueError("the step is 0")
    out = []
    while (first <= last if step > 0 else first >= last) and len(out) <= 1_000:
        out.append(first)
        first += step
    if len(out) > 1_000:
        raise ValueError("too many")
    return _sequence(out)


def _sequence(values: list[Any]) -> Any:
    """What a path gives: nothing for no value, the value itself for one."""
    return None if not values else values[0] if len(values) == 1 else values


def _string(value: Any, pretty: Any = False) -> Any:
    """``$string``, which jsonata-python writes in ASCII."""
    if value is None or isinstance(value, str):
        return value
    if callable(value) or isinstance(value, Symbol):
        return ""
    return json.dumps(_rounded(plain(value)), separators=(",", ":"), ensure_ascii=False)


def _map(items: Any, function: Any) -> Any:
    """``$map``, for which jsonata-python takes null as nothing."""
    return None if items is None else Functions.map(_each(items), function)


def _filter(items: Any, function: Any) -> Any:
    """``$filter``, likewise."""
    return None if items is None else Functions.filter(_each(items), function)


def _sort(items: Any, comparator: Any = None) -> Any:
    """``$sort``, for which jsonata-python takes false as a number."""
    items = items if isinstance(items, list) or items is None else [items]
    if (
        items is not None
        and len(items) > 1
        and comparator is None
        and not _all_numbers(items)
        and not all(isinstance(i, str) for i in items)
    ):
        raise ValueError("neither numbers only nor texts only")
    return Functions.sort(items, comparator)


def _all_numbers(items: list[Any]) -> bool:
    return all(isinstance(each, int | float) and not isinstance(each, bool) for each in items)


def _each(items: Any) -> list[Any]:
    return [Utils.NULL_VALUE if each is None else each for each in items] if isinstance(items, list) else [items]


def _format_number(value: Any, picture: Any, options: Any = None) -> Any:
    """``$formatNumber``, which rounds halves to even; jsonata-python rounds them up."""
    if isinstance(value, bool) or not isinstance(value, int | float | None):
        raise ValueError("not a number")
    if isinstance(value, float) and options is None and "e" not in picture:
        value = round(value * (100 if "%" in picture else 1), len(re.findall("[0#]", picture.partition(".")[2])))
        value = value / 100 if "%" in picture else value
    return Functions.format_number(value, picture, options)


def _distinct(values: Any) -> Any:
    """``$distinct``, for which jsonata-python takes true and 1 as the same."""
    if not isinstance(values, list) or len(values) < 2:
        return values
    out: list[Any] = []
    for value in values:
        if not any(equal(value, each) for each in out):
            out.append(value)
    return _sequence(out) if getattr(values, "sequence", False) else out


def _rounded(value: Any) -> Any:
    """Numbers of at most 15 digits."""
    if isinstance(value, float):
        return plain(float(f"{value:.15g}"))
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list) else value


def _hash(text: Any, algorithm: Any) -> Any:
    return None if text is None else hashlib.new(algorithm.lower().replace("-", ""), text.encode()).hexdigest()


def _random(seed: Any = None) -> float:
    return random.Random(seed).random()


def _parse(text: Any) -> Any:
    if text is None:
        return None
    found = json.loads(text, parse_constant=_not_json)
    return Utils.NULL_VALUE if found is None else found


def _not_json(word: str) -> Any:
    raise ValueError(re.sub(r"\s", " ", word))


FUNCTIONS = {
    "partition": _partition,
    "range": _range,
    "hash": _hash,
    "random": _random,
    "uuid": lambda: str(uuid.uuid4()),
    "parse": _parse,
    "string": _string,
    "distinct": _distinct,
    "map": _map,
    "filter": _filter,
    "sort": _sort,
    "formatNumber": _format_number,
}
