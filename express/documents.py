"""A YAML or JSON file in, typed settings out, and every problem with its file, line and field, all at once."""

from __future__ import annotations

import contextlib
import difflib
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from express import units
from express.errors import ConfigurationError

Duration = Annotated[float, "duration"]  # seconds; written as 200ms, 20s, 5m
Size = Annotated[int, "size"]  # bytes; written as 256KiB, 64MiB
Moment = Annotated[float, "moment"]  # seconds since the epoch; written as 2026-01-31T12:00:00Z

Field = tuple[str | int, ...]  # ("pipelines", 0, "in_flight", "records")

_VARIABLE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{", re.ASCII)
SECRETS = frozenset({"password", "key_password", "token", "secret_access_key", "session_token", "client_secret", "value"})  # never shown
_WORDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def field_text(field: Field) -> str:
    """``pipelines[0].in_flight.records``"""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in field)
    return text.removeprefix(".")


class Document:
    """A file as plain data, and the line of each value. Duplicate keys and what is not YAML are ConfigurationErrors."""

    def __init__(self, path: Path) -> None:
        """Reads the file; raises OSError as ``open`` does."""
        self.path = path
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ConfigurationError(f"{path}: not a text in UTF-8: byte {error.start} cannot be read") from None
        self._lines: dict[Field, int] = {(): 1}
        if path.suffix == ".json":
            text = text.replace("\t", " ")  # JSON may be indented by tabs, YAML may not; inside a JSON string a raw tab is not legal
        try:
            loaded = YAML(typ="rt", pure=True).load(text)
        except DuplicateKeyError as error:
            raise ConfigurationError(self._marked(error, _duplicate(error))) from None
        except MarkedYAMLError as error:
            raise ConfigurationError(self._marked(error, _malformed(error))) from None
        except (YAMLError, ValueError, RecursionError) as error:
            raise ConfigurationError(f"{path}: not YAML: {str(error).splitlines()[0] if str(error) else type(error).__name__}") from None
        try:
            self.data = self._plain(loaded, (), 1)
        except RecursionError:
            raise ConfigurationError(f"{path}: an alias contains itself") from None

    def line(self, field: Field) -> int:
        """The line of a field, or of the nearest thing around it that is in the file."""
        while field not in self._lines:
            field = field[:-1]
        return self._lines[field]

    def where(self, field: Field) -> str:
        """``express.yaml:12: pipelines[0].in_flight.records``"""
        place = f"{self.path}:{self.line(field)}"
        return f"{place}: {field_text(field)}" if field else place

    def _marked(self, error: MarkedYAMLError, sentence: str) -> str:
        mark = error.problem_mark or error.context_mark
        return f"{self.path}:{mark.line + 1 if mark else 1}: {sentence}"

    def _plain(self, value: Any, field: Field, line: int) -> Any:
        """Plain data without ruamel's subclasses; writes down the lines on the way."""
        self._lines[field] = line
        if isinstance(value, CommentedMap):
            made = {}
            for key, inner in value.items():
                try:
                    below = value.lc.key(key)[0] + 1
                except KeyError:  # it came in by a merge key
                    below = line
                made[str(key)] = self._plain(inner, (*field, str(key)), below)
            return made
        if isinstance(value, CommentedSeq):
            return [self._plain(inner, (*field, number), value.lc.item(number)[0] + 1) for number, inner in enumerate(value)]
        for plain in (bool, int, float, str):
            if isinstance(value, plain):
                return plain(value)
        return value


def _duplicate(error: DuplicateKeyError) -> str:
    found = re.search(r'found duplicate key "(.*?)"', str(error.problem))
    return f"the key {found[1]!r} is there twice" if found else "a key is there twice"


def _malformed(error: MarkedYAMLError) -> str:
    what = ", ".join(part.strip().splitlines()[0] for part in (error.context, error.problem) if part)
    return f"not YAML: {what}"


class Reader:
    """Builds Structs from a document; ``problems`` collects one sentence for everything that does not fit.

    Without an ``environment`` every text is what it is: ``${NAME}`` and ``{file: NAME}`` mean nothing.
    """

    def __init__(self, document: Document, environment: Mapping[str, str] | None) -> None:
        self._document, self._environment = document, environment
        self.problems: list[str] = []

    def read(self, kind: Any) -> Any:
        """The whole document as ``kind``; None when a problem left nothing to build."""
        return self._value(kind, {} if self._document.data is None else self._document.data, ())

    def _problem(self, field: Field, sentence: str) -> None:
        self.problems.append(f"{self._document.where(field)}: {sentence}")

    def _value(self, kind: Any, raw: Any, field: Field) -> Any:
        """``raw`` as ``kind``, or None after a problem."""
        choices = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
        if raw is None and NoneType in choices:
            return None
        choices = tuple(choice for choice in choices if choice is not NoneType)
        kind = next((choice for choice in choices if (get_origin(choice) is tuple) == isinstance(raw, list)), choices[0])
        origin = get_origin(kind)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            return self._struct(kind, raw, field)
        if origin is dict:
            return self._mapping(get_args(kind)[1], raw, field)
        if origin is tuple:
            return self._sequence(get_args(kind)[0], raw, field)
        if kind is Any:
            return self._anything(raw, field)
        return self._scalar(kind, raw, field)

    def _struct(self, kind: type[msgspec.Struct], raw: Any, field: Field) -> Any:
        fields = {about.encode_name: about for about in msgspec.structs.fields(kind)}
        if not isinstance(raw, dict):
            return self._problem(field, f"expected fields such as {_listed(tuple(fields))}, found {_shown(raw)}")
        types = get_type_hints(kind, include_extras=True)
        values = {}
        failed = False
        for name, inner in raw.items():
            if name not in fields:
                self._problem((*field, name), f"there is no field of this name, {_suggestion(name, tuple(fields))}")
                failed = True
                continue
            before = len(self.problems)
            values[fields[name].name] = self._value(types[fields[name].name], inner, (*field, name))
            failed |= len(self.problems) > before
        for name, about in fields.items():
            if about.required and name not in raw:
                self._problem(field, f"the field {name!r} is missing")
                failed = True
        return None if failed else kind(**values)

    def _mapping(self, kind: Any, raw: Any, field: Field) -> Any:
        if not isinstance(raw, dict):
            return self._problem(field, f"expected names, each with its value, found {_shown(raw)}")
        return {name: self._value(kind, inner, (*field, name)) for name, inner in raw.items()}

    def _sequence(self, kind: Any, raw: Any, field: Field) -> Any:
        if not isinstance(raw, list):
            return self._problem(field, f"expected a list, found {_shown(raw)}")
        return tuple(self._value(kind, inner, (*field, number)) for number, inner in enumerate(raw))

    def _anything(self, raw: Any, field: Field) -> Any:
        if isinstance(raw, dict):
            return {name: self._anything(inner, (*field, name)) for name, inner in raw.items()}
        if isinstance(raw, list):
            return [self._anything(inner, (*field, number)) for number, inner in enumerate(raw)]
        if isinstance(raw, date):
            return self._problem(field, f"expected a JSON value, found the date {raw}: a text needs quotes here")
        if isinstance(raw, float) and not math.isfinite(raw):
            return self._problem(field, f"expected a JSON value, found {raw}")
        return self._interpolated(raw, field) if isinstance(raw, str) else raw

    def _scalar(self, kind: Any, raw: Any, field: Field) -> Any:
        shown = "something else" if field[-1] in SECRETS else _shown(raw)
        if isinstance(raw, dict) and set(raw) == {"file"} and isinstance(raw["file"], str) and self._environment is not None:
            raw, shown = self._from_file(raw["file"], field), "what the file holds"
        elif isinstance(raw, str):
            given, raw = raw, self._interpolated(raw, field)
            if raw != given:
                shown = "what the variable holds"  # it may be a secret
                raw = _looser(kind, raw)
        if raw is None and shown != "nothing":
            return None  # the problem is written down already
        try:
            return _CHECKS[_name_of(kind)](kind, raw)
        except ValueError as error:
            return self._problem(field, f"{error}, found {shown}")

    def _interpolated(self, text: str, field: Field) -> str | None:
        """``${NAME}`` and ``${NAME:-default}`` from the environment; ``$${`` is a plain ``${``."""
        environment = self._environment
        if environment is None:
            return text
        failed = False

        def value(found: re.Match[str]) -> str:
            nonlocal failed
            if found[0] == "$${":
                return "${"
            if found[1] is None:
                self._problem(field, "expected the name of an environment variable after ${, as in ${NAME} or ${NAME:-default}")
            elif found[1] in environment:
                return environment[found[1]]
            elif found[2] is not None:
                return found[2]
            else:
                self._problem(field, f"the environment variable {found[1]} is not set")
            failed = True
            return ""

        made = _VARIABLE.sub(value, text)
        return None if failed else made

    def _from_file(self, name: str, field: Field) -> str | None:
        path = self._document.path.parent / (self._interpolated(name, field) or name)
        try:
            return path.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a text in UTF-8"
            self._problem(field, f"the file {path} cannot be read: {reason}")
            return None


def _name_of(kind: Any) -> Any:
    if get_origin(kind) is Annotated:
        return get_args(kind)[1]
    return Literal if get_origin(kind) is Literal else kind


def _looser(kind: Any, text: str | None) -> Any:
    """What a variable holds is text: where a number or a truth value is expected, it is read as one."""
    if text is None:
        return None
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            return text
    return {"true": True, "false": False}.get(text.lower(), text) if kind is bool else text


def _plain_type(kind: Any, raw: Any) -> Any:
    if type(raw) is kind or (kind is float and type(raw) is int):
        return raw
    raise ValueError(f"expected {_WORDS[kind]}")


def _literal(kind: Any, raw: Any) -> Any:
    if raw in get_args(kind) and not isinstance(raw, bool):
        return raw
    raise ValueError(f"expected one of {_listed(get_args(kind))}")


def _quantity(parse: Callable[[str], float], what: str) -> Callable[[Any, Any], float]:
    def check(kind: Any, raw: Any) -> float:
        if isinstance(raw, str):
            try:
                return parse(raw)
            except ValueError:
                pass
        raise ValueError(f"expected {what}")

    return check


def _size(kind: Any, raw: Any) -> float:
    return raw if type(raw) is int and raw >= 0 else _quantity(units.size, "a size such as 256KiB or 64MiB")(kind, raw)


def _moment(_: Any, raw: Any) -> float:
    if isinstance(raw, str):
        with contextlib.suppress(ValueError):
            raw = datetime.fromisoformat(raw)
    if not isinstance(raw, datetime):
        raise ValueError("expected a time such as 2026-01-31T12:00:00Z")
    return raw.replace(tzinfo=raw.tzinfo or UTC).timestamp()


_CHECKS: dict[Any, Callable[[Any, Any], Any]] = {
    str: _plain_type,
    int: _plain_type,
    float: _plain_type,
    bool: _plain_type,
    Literal: _literal,
    "duration": _quantity(units.duration, "a duration such as 200ms, 20s or 5m"),
    "size": _size,
    "moment": _moment,
}


def _shown(raw: Any) -> str:
    if raw is None:
        return "nothing"
    if isinstance(raw, dict):
        return "fields"
    if isinstance(raw, list):
        return "a list"
    if isinstance(raw, bool):
        return str(raw).lower()
    text = repr(raw)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names)


def _suggestion(name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"expected one of {_listed(known)}"
