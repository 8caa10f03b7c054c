"""Steps of JSONata paths, predicates, loops.

Between steps a list stands for the values that the steps before have selected, anything else for one value; at the end of a path one value
stands for itself and none for UNDEFINED. That is JSONata's flattening: functions with ``last`` know that theirs is the last step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from time import perf_counter, thread_time
from typing import Any

from express.runtime.jsonata import UNDEFINED, Query, TooManyItems
from express.runtime.jsonata_values import truth

# For any one loop, with what runs inside it: first by the clock, then as much again of the processor's time, so that a machine which is
# busy, or stood still, fails nobody
SECONDS = 0.1
OFTEN = 16  # iterations of a long loop between two looks at the clock, of a short one 4
MOST_ITEMS = 500_000

Function = Callable[..., Any]


def unwrapped(items: list[Any]) -> Any:
    """A sequence as a value: the only item for itself."""
    if len(items) == 1:
        return items[0]
    return items or UNDEFINED


def _overtime(clock: Callable[[], float], query: Query) -> tuple[Callable[[], float], float]:
    """The clock that counts once the time is up, and when it is up by that."""
    if clock is perf_counter:
        return thread_time, thread_time() + SECONDS
    raise query.failed("D1012", f"Evaluation timeout after {int(SECONDS * 1000)} milliseconds")


def too_many(query: Query) -> Exception:
    return query.failed("D2015", f"The maximum sequence length of {MOST_ITEMS} was exceeded")


# --- Fields -----------------------------------------------------------------------------------------------------------------------


def field(value: Any, name: str) -> Any:
    """The last step ``.name``."""
    if value.__class__ is dict:
        return value.get(name, UNDEFINED)
    if value.__class__ is list:
        found = _fields(value, name)
        if len(found) == 1 and found[0].__class__ is list:
            return found[0]
        return unwrapped(_flat(found))
    return UNDEFINED


def through(value: Any, name: str) -> Any:
    """A step ``.name`` with others behind it."""
    if value.__class__ is dict:
        return value.get(name, UNDEFINED)
    if value.__class__ is list:
        return _flat(_fields(value, name)) or UNDEFINED
    return UNDEFINED


def member(value: Any, name: str) -> Any:
    """A name looked up in one value: before predicates that are applied to each value by itself."""
    if value.__class__ is dict:
        return value.get(name, UNDEFINED)
    return unwrapped(_deep(value, name)) if value.__class__ is list else UNDEFINED


def _fields(items: list[Any], name: str) -> list[Any]:
    found = []
    known: dict[int, Any] = {}  # by identity: one list may be among the items many thousand times
    for item in items:
        if item.__class__ is dict:
            if name in item:
                found.append(item[name])
        elif item.__class__ is list:
            if id(item) not in known:
                known[id(item)] = member(item, name)
            inner = known[id(item)]
            if inner is not UNDEFINED:
                found.append(inner)
    return found


def _deep(items: list[Any], name: str) -> list[Any]:
    """What arrays in arrays hold under a name: their levels disappear."""
    found: list[Any] = []
    known: dict[int, Any] = {}
    for item in items:
        if item.__class__ is dict:
            inner = item.get(name, UNDEFINED)
        elif item.__class__ is list:
            if id(item) not in known:
                known[id(item)] = _deep(item, name)
            inner = known[id(item)]
        else:
            continue
        if inner.__class__ is list:
            found.extend(inner)
            if len(found) > MOST_ITEMS:
                raise TooManyItems
        elif inner is not UNDEFINED:
            found.append(inner)
    return found


def _flat(found: list[Any]) -> list[Any]:
    flat: list[Any] = []
    for item in found:
        if item.__class__ is list:
            flat.extend(item)
            if len(flat) > MOST_ITEMS:
                raise TooManyItems
        else:
            flat.append(item)
    return flat


def _members(items: list[Any], name: str) -> Iterator[Any]:
    """``member`` of each item."""
    known: dict[int, Any] = {}
    for item in items:
        if item.__class__ is not list:
            yield member(item, name)
            continue
        if id(item) not in known:
            known[id(item)] = member(item, name)
        yield known[id(item)]


# --- Predicates -------------------------------------------------------------------------------------------------------------------


def indexed(value: Any, index: int) -> Any:
    """``[index]``; below 0 it counts from the end."""
    if value.__class__ is list:
        if -len(value) <= index < len(value):
            return value[index]
        return UNDEFINED
    return value if index in (0, -1) else UNDEFINED


def where(value: Any, predicate: Function, query: Query) -> list[Any]:
    """``[predicate]``: the items for which it holds, or whose places it names."""
    if value is UNDEFINED:
        predicate(UNDEFINED)  # it may fail
        return []
    items = value if value.__class__ is list else [value]
    found = []
    clock, stop = perf_counter, perf_counter() + SECONDS
    left = often = OFTEN if len(items) > 4 * OFTEN else 4
    for place, item in enumerate(items):
        left -= 1
        if not left:
            left = often
            if clock() > stop:
                clock, stop = _overtime(clock, query)
        answer = predicate(item)
        if answer is True:
            found.append(item)
        elif answer is False or answer is UNDEFINED or answer is None:
            pass
        elif answer.__class__ is int or answer.__class__ is float:
            if _place(answer, items) == place:
                found.append(item)
        elif answer.__class__ is list and all(each.__class__ is int or each.__class__ is float for each in answer):
            found.extend(item for each in answer if _place(each, items) == place)
        elif truth(answer):
            found.append(item)
    return found


def field_at(value: Any, name: str, index: int) -> Any:
    """The last step ``.name[index]``."""
    if value.__class__ is dict:
        return indexed(value.get(name, UNDEFINED), index)
    if value.__class__ is not list:
        return UNDEFINED
    found = [indexed(each, index) for each in _members(value, name)]
    if len(found) == 1:
        return found[0]
    return unwrapped(_flat([item for item in found if item is not UNDEFINED]))


def through_at(value: Any, name: str, index: int) -> Any:
    """A step ``.name[index]`` with others behind it."""
    if value.__class__ is dict:
        return indexed(value.get(name, UNDEFINED), index)
    if value.__class__ is not list:
        return UNDEFINED
    return _flat([found for each in _members(value, name) if (found := indexed(each, index)) is not UNDEFINED]) or UNDEFINED


def field_where(value: Any, name: str, predicate: Function, query: Query) -> Any:
    """The last step ``.name[predicate]``."""
    if value.__class__ is dict:
        return unwrapped(where(value.get(name, UNDEFINED), predicate, query))
    return selected(value, lambda item: where(member(item, name), predicate, query), query)


def through_where(value: Any, name: str, predicate: Function, query: Query) -> Any:
    """A step ``.name[predicate]`` with others behind it."""
    if value.__class__ is dict:
        return where(value.get(name, UNDEFINED), predicate, query) or UNDEFINED
    return selected_through(value, lambda item: where(member(item, name), predicate, query), query)


def where_found(value: Any, predicate: Function, query: Query) -> list[Any]:
    """The same behind an index: when that has found nothing, there is nothing to ask."""
    return [] if value is UNDEFINED else where(value, predicate, query)


def _place(index: int | float, items: list[Any]) -> int:
    place = math.floor(index)
    return place + len(items) if place < 0 else place


# --- Steps that compute -----------------------------------------------------------------------------------------------------------


def steps(value: Any, function: Function, query: Query) -> Any:
    """The last step ``.(expression)``."""
    if value.__class__ is not list:
        return UNDEFINED if value is UNDEFINED else function(value)
    found = _each(value, function, query)
    if len(found) == 1:
        return found[0]
    return unwrapped(_bounded(_flat(found), query))


def steps_through(value: Any, function: Function, query: Query) -> Any:
    """A step ``.(expression)`` with others behind it."""
    if value.__class__ is not list:
        return UNDEFINED if value is UNDEFINED else function(value)
    return _bounded(_flat(_each(value, function, query)), query) or UNDEFINED


def _each(items: list[Any], function: Function, query: Query) -> list[Any]:
    found = []
    clock, stop = perf_counter, perf_counter() + SECONDS
    left = often = OFTEN if len(items) > 4 * OFTEN else 4
    for item in items:
        left -= 1
        if not left:
            left = often
            if clock() > stop:
                clock, stop = _overtime(clock, query)
        answer = function(item)
        if answer is not UNDEFINED:
            found.append(answer)
    return found


def _bounded(items: list[Any], query: Query) -> list[Any]:
    if len(items) > MOST_ITEMS:
        raise too_many(query)
    return items


def selected(value: Any, function: Function, query: Query) -> Any:
    """The last step, with predicates of which the last is a condition: ``function`` answers the list that is left of one value."""
    if value.__class__ is not list:
        return UNDEFINED if value is UNDEFINED else unwrapped(function(value))
    return unwrapped(_flat(_each(value, function, query)))


def selected_through(value: Any, function: Function, query: Query) -> Any:
    """The same with steps behind it."""
    if value.__class__ is not list:
        return UNDEFINED if value is UNDEFINED else function(value) or UNDEFINED
    return _flat(_each(value, function, query)) or UNDEFINED


def picked(value: Any, function: Function, query: Query) -> Any:
    """The last step, with predicates of which the last is an index: ``function`` answers the item of one value."""
    if value.__class__ is not list:
        return UNDEFINED if value is UNDEFINED else function(value)
    found = _each(value, function, query)
    if len(value) == 1 and found and found[0].__class__ is list:
        return found[0]
    return unwrapped(_flat(found))


def grouped(item: Any) -> Any:
    """The context of the values of ``.{...}``, an array being gathered under the one constant key."""
    if item.__class__ is not list:
        return item
    if len(item) > 1:
        return _flat(item)
    return item[0] if item else UNDEFINED


def objects(value: Any, function: Function, query: Query) -> Any:
    """The last step ``.{...}``."""
    return steps(value, lambda item: function(grouped(item)), query) if value.__class__ is list else steps(value, function, query)


def in_group(item: Any, function: Function) -> Any:
    """``{...}`` inside a step."""
    return function(grouped(item))


def field_kept(value: Any, name: str) -> Any:
    """The last step ``.name[]``."""
    if value.__class__ is list:
        found = _fields(value, name)
        if len(found) == 1 and found[0].__class__ is list:
            return found[0]
        return _flat(found) or UNDEFINED
    return kept(value.get(name, UNDEFINED)) if value.__class__ is dict else UNDEFINED


def kept(value: Any) -> Any:
    """``[]``: one value as an array."""
    return value if value is UNDEFINED or value.__class__ is list else [value]


# --- Arrays and objects -----------------------------------------------------------------------------------------------------------


def listed(*values: Any) -> list[Any]:
    """``[a, b]``: arrays are put in item by item, undefined is left out. The last argument is the query."""
    *parts, query = values
    found: list[Any] = []
    for part in parts:
        if part.__class__ is list:
            found.extend(part)
        elif part is not UNDEFINED:
            found.append(part)
    return _bounded(found, query)


def members(made: dict[str, Any]) -> dict[str, Any]:
    """``{...}`` without the members that are undefined."""
    return {name: value for name, value in made.items() if value is not UNDEFINED}


def numbers(start: Any, stop: Any, query: Query) -> Any:
    """``start..stop``."""
    for value, side, code in ((start, "left", "T2003"), (stop, "right", "T2004")):
        whole = value.__class__ is int or (value.__class__ is float and value.is_integer())
        if not whole and value is not UNDEFINED:
            raise query.failed(code, f"The {side} side of the range operator (..) must evaluate to an integer")
    if start is UNDEFINED or stop is UNDEFINED or start > stop:
        return UNDEFINED
    if stop - start >= MOST_ITEMS:
        raise too_many(query)
    return list(range(int(start), int(stop) + 1))


# --- Functions over arrays --------------------------------------------------------------------------------------------------------


def mapped(value: Any, function: Function, arguments: int, query: Query) -> Any:
    """``$map``, with a function of so many arguments: item, index, the whole array."""
    return UNDEFINED if value is UNDEFINED else unwrapped(mapped_items(value, function, arguments, query))


def mapped_items(value: Any, function: Function, arguments: int, query: Query) -> Any:
    """``$map`` with predicates behind it: they see all items, also when it is one."""
    if value is UNDEFINED:
        return UNDEFINED
    items = value if value.__class__ is list else [value]
    if arguments > 1:
        function = _with_index(function, arguments, items)
    return _each(items, function, query)


def filtered(value: Any, function: Function, arguments: int, query: Query) -> Any:
    """``$filter``."""
    return UNDEFINED if value is UNDEFINED else unwrapped(filtered_items(value, function, arguments, query))


def filtered_items(value: Any, function: Function, arguments: int, query: Query) -> Any:
    """``$filter`` with predicates behind it."""
    if value is UNDEFINED:
        return UNDEFINED
    items = value if value.__class__ is list else [value]
    if arguments > 1:
        function = _with_index(function, arguments, items)
    return _each(items, lambda item: item if truth(function(item)) else UNDEFINED, query)


def reduced(value: Any, function: Function, arguments: int, start: Any, query: Query) -> Any:
    """``$reduce``, with a function of so many arguments: what there is, item, index; ``start`` is UNDEFINED where none is given."""
    if value is UNDEFINED:
        return UNDEFINED
    items = value if value.__class__ is list else [value]
    place = 0
    if start is UNDEFINED and items:
        start, place = items[0], 1

    def step(item: Any) -> Any:
        nonlocal start, place
        start = function(start, item) if arguments == 2 else function(start, item, place)
        place += 1
        return UNDEFINED

    _each(items[place:], step, query)
    return start


def _with_index(function: Function, arguments: int, items: list[Any]) -> Function:
    place = -1

    def call(item: Any) -> Any:
        nonlocal place
        place += 1
        return function(item, place) if arguments == 2 else function(item, place, items)

    return call
