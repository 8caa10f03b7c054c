"""Intrinsic functions, ``States.Format('{}', $.a)``: text in, a Call out. Names, number of arguments and nesting are checked."""

from __future__ import annotations

import re

from express.language import paths
from express.language.model import Call, Expression, Literal
from express.language.scanner import Scanner, SyntaxProblem
from express.language.suggestions import did_you_mean

NESTING = 10  # AWS: calls within calls
ARGUMENTS = 256

# How many arguments: at least, at most (None: as many as one likes)
FUNCTIONS: dict[str, tuple[int, int | None]] = {
    "Array": (0, None),
    "ArrayPartition": (2, 2),
    "ArrayContains": (2, 2),
    "ArrayRange": (3, 3),
    "ArrayGetItem": (2, 2),
    "ArrayLength": (1, 1),
    "ArrayUnique": (1, 1),
    "Base64Encode": (1, 1),
    "Base64Decode": (1, 1),
    "Hash": (2, 2),
    "JsonMerge": (3, 3),
    "StringToJson": (1, 1),
    "JsonToString": (1, 1),
    "MathRandom": (2, 3),
    "MathAdd": (2, 2),
    "StringSplit": (2, 2),
    "UUID": (0, 0),
    "Format": (1, None),
}

# Those that may return a text: what ErrorPath and CausePath take (developer guide, "Fail state")
TEXTS = frozenset({"ArrayGetItem", "Base64Decode", "Base64Encode", "Format", "Hash", "JsonToString", "UUID"})

_NAME = re.compile(r"States\.(\w+)")
_TEXT = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_MARK = re.compile(r"\{\}|\\.", re.DOTALL)
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?(?![\w.])", re.ASCII)
_CONSTANT = re.compile(r"(true|false|null)(?!\w)")
_CONSTANTS = {"true": True, "false": False, "null": None}


def parse(text: str) -> Call:
    """The whole of ``text`` as one call; raises SyntaxProblem."""
    scanner = Scanner(text.strip())
    call = _call(scanner, NESTING)
    if scanner.peek():
        raise scanner.problem(f"expected nothing after the ')' of States.{call.function}")
    return Call(call.function, call.arguments, text)


def looks_like_one(text: str) -> bool:
    return text.lstrip().startswith("States.")


def placeholders(call: Call) -> int | None:
    """How many ``{}`` the template of States.Format has; None where it is not known before it runs."""
    template = call.arguments[0] if call.function == "Format" else None
    if not isinstance(template, Literal) or not isinstance(template.value, str):
        return None
    return sum(found[0] == "{}" for found in _MARK.finditer(template.value))


def _call(scanner: Scanner, nesting: int) -> Call:
    start = scanner.position
    found = _NAME.match(scanner.text, start)
    if found is None:
        raise scanner.problem("expected an intrinsic function such as States.Format(...)")
    name = found[1]
    if name not in FUNCTIONS:
        raise SyntaxProblem(
            f"there is no intrinsic function 'States.{name}'{did_you_mean(name, FUNCTIONS, 'States.', thorough=False)}", start
        )
    if nesting == 0:
        raise SyntaxProblem(f"intrinsic functions may be nested {NESTING} deep, this is deeper", start)
    scanner.position = found.end()
    scanner.expect("(", f"after States.{name}")
    arguments = _arguments(scanner, name, nesting)
    _check_number(name, len(arguments), start)
    return Call(name, arguments, scanner.text[start : scanner.position])


def _arguments(scanner: Scanner, name: str, nesting: int) -> tuple[Expression, ...]:
    arguments: list[Expression] = []
    scanner.space()
    if scanner.take(")"):
        return ()
    while len(arguments) < ARGUMENTS:
        scanner.space()
        # Format reads its template itself: there `{}` and `\{\}` are different things
        arguments.append(_argument(scanner, nesting, raw=name == "Format" and not arguments))
        scanner.space()
        if scanner.take(")"):
            return tuple(arguments)
        scanner.expect(",", f"or ')' after an argument of States.{name}")
    raise SyntaxProblem(f"States.{name} has more than {ARGUMENTS} arguments", scanner.position)


def _argument(scanner: Scanner, nesting: int, raw: bool) -> Expression:
    here = scanner.peek()
    if here == "'":
        return Literal(_text(scanner, raw))
    if here == "$":
        return paths.read(scanner)
    if scanner.at("States."):
        return _call(scanner, nesting - 1)
    number = _NUMBER.match(scanner.text, scanner.position)
    if number:
        if len(number[0]) > 64:
            raise SyntaxProblem("a number has more than 64 characters", scanner.position)
        value = float(number[0]) if number[1] or number[2] else int(number[0])
        if value in (float("inf"), float("-inf")):
            raise SyntaxProblem(f"the number {number[0]} is too large", scanner.position)
        scanner.position = number.end()
        return Literal(value)
    constant = _CONSTANT.match(scanner.text, scanner.position)
    if constant:
        scanner.position = constant.end()
        return Literal(_CONSTANTS[constant[1]])
    raise scanner.problem("expected a path, a text in single quotes, a number, true, false, null or a call")


def _text(scanner: Scanner, raw: bool) -> str:
    found = _TEXT.match(scanner.text, scanner.position)
    if not found:
        raise SyntaxProblem(f"the quote at character {scanner.position + 1} is never closed", scanner.position)
    illegal = next((escape for escape in _ESCAPE.finditer(found[1]) if escape[1] not in "'{}\\"), None)
    if illegal:
        place = found.start(1) + illegal.start()
        raise SyntaxProblem(f"only \\' \\{{ \\}} and \\\\ are escapes, found {illegal[0]!r} at character {place + 1}", place)
    scanner.position = found.end()
    return found[1] if raw else _ESCAPE.sub(r"\1", found[1])


def _check_number(name: str, given: int, position: int) -> None:
    least, most = FUNCTIONS[name]
    if given < least or (most is not None and given > most):
        if most is None:
            wanted = f"at least {least}"
        else:
            wanted = str(least) if least == most else f"{least} or {most}"
        raise SyntaxProblem(
            f"States.{name} takes {wanted} argument{'s' * (wanted != '1' and wanted != 'at least 1')}, found {given}", position
        )
