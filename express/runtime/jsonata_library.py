"""Expressions that are not compiled are evaluated here, by jsonatapy, within budgets of time, depth and size.

What the library needs, and does not say aloud: a compiled expression belongs to the thread that made it and panics in another; undefined
and null are both None, only its JSON interface tells them apart; bindings are converted slowly, so everything comes in as the document.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable
from time import thread_time
from typing import Any

import jsonatapy
import orjson

from express.runtime import jsonata_apart, jsonata_of_aws, jsonata_texts, jsonata_units
from express.runtime.failures import StateError
from express.runtime.jsonata import ERROR, Query
from express.runtime.jsonata_values import DEEPEST, LONGEST_TEXT, restored, whole_numbers
from express.runtime.values import WIDE, copy, deeper_than, dumps, identity

# The library looks at the wall clock, which on a busy machine passes without any work. A budget of the processor's time is made of it: what
# was not ready by a first look is done again, and measured; as long as it had less than its budget, with as much more time as it lacked.
MILLISECONDS = 100  # of the processor, for one evaluation
FIRST_LOOK = MILLISECONDS // 2
ENOUGH = 0.9 * MILLISECONDS  # who had this, in all its tries after the first, had its time
TRIES = 5
LONGEST = 20 * MILLISECONDS  # of the wall clock, for one try
DEPTH = 1_000
MOST_ITEMS = 500_000
OUT_OF_TIME = "D1012"
TOO_BIG = "int too big to convert"
ENDLESS = 1 << 16  # the power of what has no bound
FEW = 8  # copies of a document of 256 KiB are not too many
MOST_PARTS = 2_000_000  # of a value that this process may come to hold
KEPT = 4_096  # compiled expressions a thread keeps

_compiled = threading.local()
_CODE = re.compile(r"(?:(?:Parse|Argument|Type) error: )*(?:host function raised \w+: )?(?:([STD]\d{4}): )?(.*)", re.DOTALL)

_LONG = re.compile(rb"[0-9]{16}")  # what a whole number beyond 2 to the 53 has, as JSON

# JSONata's own sentences, where the library words them in another way
_SENTENCES = {
    "T1005": "Attempted to invoke a non-function",
    "T1006": "Attempted to invoke a non-function",
    "T1008": "Attempted to partially apply a non-function",
}


def nested_deeper(document: Any, depth: int) -> bool:
    """``deeper_than`` for what is hardly ever deep: orjson, which takes 254 levels, is asked first."""
    try:
        orjson.dumps(document)
    except TypeError:
        return deeper_than(document, depth)
    return False


def parts(document: Any) -> int:
    """About how many fields and items there are in a document, at any depth; never too few."""
    return dumps(document).count(b",") + 1


class LibraryQuery(Query):
    """An expression that jsonatapy evaluates. ``source`` is its text with everything that it reads bound to members of the document.
    ``wary``: the workflow may have wrapped its data so often that the library would run out of stack, which ends the process. Its values
    have at most about ``copies * parts ** power`` parts, of a document of ``parts``; with ENDLESS there is no bound.
    """

    __slots__ = ("copies", "grows", "power", "wary")

    def __init__(self, text: str, field: str, source: str = "", *, power: int = 1, copies: int = 1) -> None:
        super().__init__(text, field, source)
        self.wary, self.power, self.copies = False, power, copies
        self.grows = power > 1 or copies > FEW  # else no document is so large

    def __call__(self, document: dict[str, Any]) -> Any:
        """The result, plain JSON. Raises StateError, also for undefined."""
        if self.wary and nested_deeper(document, DEEPEST):
            raise self.failed("D1000", f"The values are nested deeper than {DEEPEST} levels")
        if self.grows and (self.power == ENDLESS or self.copies * parts(document) ** self.power > MOST_PARTS):
            return self._apart(document)
        return self.here(document)

    def _apart(self, document: dict[str, Any]) -> Any:
        """In a process that may die of it."""
        try:
            defined, found = jsonata_apart.evaluate(self.text, self.field, self.source, document)
        except jsonata_apart.Gone as gone:
            raise self._out_of_time() if gone.late else self.failed("D1000", "The evaluation needs more memory than it may have") from None
        except OSError as error:
            raise self.failed("D1000", f"There is no process for an evaluation that may need any memory: {error}") from None
        if defined:
            return found
        raise StateError(ERROR, found)

    def here(self, document: dict[str, Any]) -> Any:
        """The same, in this process in any case."""
        try:
            value = self._expression().evaluate(document, timeout=FIRST_LOOK, max_stack_depth=DEPTH, max_sequence_length=MOST_ITEMS)
        except Exception as error:
            if TOO_BIG in str(error) and (doubles := self._with_doubles(document)) is not None:
                return restored(self.here(doubles), whole_numbers(document))
            if OUT_OF_TIME not in str(error):
                raise self._explained(error) from None
            value = self._again(document)
        except BaseException as error:
            if type(error).__name__ != "PanicException":
                raise
            self._forget()
            raise self.failed("D1000", "The evaluation failed within the library") from None
        if value is None:
            return self._nothing(document)
        if value.__class__ is float and not math.isfinite(value):
            raise self.failed("D1001", f"Number out of range: {value}")
        if value.__class__ is str or value.__class__ is bool or not _LONG.search(dumps(value)):
            return value
        return restored(value, whole_numbers(document))

    def _again(self, document: dict[str, Any]) -> Any:
        """The first look came too early: whether this thread had the time, or the machine stood still, is found out by doing it again."""
        window, spent = float(MILLISECONDS), 0.0
        for _ in range(TRIES):
            before = thread_time()
            try:
                return self._expression().evaluate(document, timeout=int(window), max_stack_depth=DEPTH, max_sequence_length=MOST_ITEMS)
            except Exception as error:
                if OUT_OF_TIME not in str(error):
                    raise self._explained(error) from None
            had = 1_000 * (thread_time() - before)
            spent += had
            if spent > ENOUGH:
                break
            window = min(LONGEST, window * min(4.0, MILLISECONDS / max(had, 1.0)))
        raise self._out_of_time()

    def _out_of_time(self) -> Exception:
        return self.failed(OUT_OF_TIME, f"Evaluation timeout after {MILLISECONDS} milliseconds. Check for infinite loop")

    def _with_doubles(self, document: dict[str, Any]) -> dict[str, Any] | None:
        """All numbers of JSONata are doubles: what the library does not take becomes one. None when nothing had to."""
        try:
            made, changed = with_doubles(document)
        except OverflowError:
            raise self.failed("D1001", "Number out of range: null") from None
        return made if changed else None

    def _nothing(self, document: dict[str, Any]) -> None:
        """None is null, undefined, or a function: said by the text of the result."""
        try:
            text = self._expression().evaluate_json_or_none(
                dumps(document).decode(), timeout=LONGEST, max_stack_depth=DEPTH, max_sequence_length=MOST_ITEMS
            )
        except Exception as error:
            raise self._explained(error) from None
        if text is None:
            raise self.undefined()
        if text != "null":
            raise self.unsupported()

    def _expression(self) -> Any:
        try:
            expressions = _compiled.expressions
        except AttributeError:
            expressions = _compiled.expressions = {}
        found = expressions.get(self.source)
        if found is None:
            if len(expressions) >= KEPT:
                expressions.clear()
            found = expressions[self.source] = _compile(self.source)
        return found

    def _forget(self) -> None:
        _compiled.expressions.pop(self.source, None)

    def _explained(self, error: Exception) -> Exception:
        found = _CODE.fullmatch(str(error))
        code, message = (found[1], found[2]) if found else (None, str(error))
        if code is None:
            return self.failed("D1000", message)
        return self.failed(code, _SENTENCES.get(code, message))


def with_doubles(value: Any) -> tuple[Any, bool]:
    """A copy in which whole numbers beyond 64 bits are doubles, and whether there were any. OverflowError for those that are no doubles."""
    holder = [copy(value)]
    pending: list[Any] = [holder]
    changed = False
    for container in pending:  # grows while it is walked
        for place, item in container.items() if container.__class__ is dict else enumerate(container):
            if item.__class__ is dict or item.__class__ is list:
                pending.append(item)
            elif item.__class__ is int and not -WIDE <= item < WIDE:
                container[place] = float(item)
                changed = True
    return holder[0], changed


def _in_doubles(function: Callable[..., Any]) -> Callable[..., Any]:
    def answer(*arguments: Any) -> Any:
        found = function(*arguments)
        if found.__class__ is str or found.__class__ is float:
            return found
        try:
            return with_doubles(found)[0]
        except OverflowError:
            raise jsonata_of_aws.Complaint("D1001", "Number out of range: null") from None

    return answer


def _compile(source: str) -> Any:
    expression = jsonatapy.compile(source)
    for name, function in jsonata_of_aws.FUNCTIONS.items():
        expression.register_override(name, _in_doubles(function))
    expression.register("express_pad", _pad)
    expression.register("express_different", _different)
    expression.register("express_too_long", _too_long)
    expression.register("express_count_anew", _count_anew)
    expression.register("express_found", _found)
    expression.register("express_wide", _wide)
    expression.register("express_units", jsonata_units.units)
    expression.register("express_characters", jsonata_units.characters)
    expression.register("express_matches", jsonata_units.matches)
    expression.register("express_encode_url_component", jsonata_texts.encode_url_component)
    expression.register("express_encode_url", jsonata_texts.encode_url)
    return expression


def _too_long() -> None:
    raise jsonata_of_aws.Complaint("D1000", f"The evaluation needs a text of more than {LONGEST_TEXT} characters")


def _count_anew() -> None:
    _compiled.found = 0


def _found(items: float) -> None:
    _compiled.found += items
    if _compiled.found > MOST_ITEMS:
        raise jsonata_of_aws.Complaint("D2015", f"The maximum sequence length of {MOST_ITEMS} was exceeded")


def _wide(text: str | None) -> bool:
    return text is None or (not text.isascii() and max(text) > "\uffff")


def _different(items: list[Any]) -> list[Any]:
    found: dict[Any, Any] = {}
    for item in items:
        found.setdefault(identity(item), item)
    return list(found.values())


def _pad(text: str, width: float, filler: str) -> str:
    if abs(width) > LONGEST_TEXT:
        _too_long()
    return jsonata_texts.pad(text, width, filler)
