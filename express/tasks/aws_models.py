"""AWS's services as botocore's models have them: operations found, parameters checked, requests and responses translated."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cache
from typing import Any, NamedTuple

import orjson

from express.aws_loader import loader
from express.language.model import ArrayTemplate, Literal, ObjectTemplate
from express.tasks import aws_names
from express.tasks.aws_names import capital, named

MISSING = "botocore is not installed: pip install 'express-workflows[aws]'"

Naming = Callable[[str], str]
"""An API's field to Step Functions' name: ``named`` or ``capital``."""


class Unknown(LookupError):  # noqa: N818 - named for what happened
    """AWS has no such service or operation, as far as the installed botocore knows; one sentence."""


class Unavailable(RuntimeError):  # noqa: N818
    """botocore is not installed."""


class Trouble(NamedTuple):
    """Something that is wrong with parameters. ``kind``: parameter (there is none of this name) or required."""

    kind: str
    message: str


@cache
def _session() -> Any:
    try:
        import botocore.session
    except ImportError:
        raise Unavailable(MISSING) from None
    session = botocore.session.Session()
    session.register_component("data_loader", loader())
    return session


@cache
def folders() -> dict[str, str]:
    """Services as resources name them, to botocore's names."""
    return {**{name.replace("-", ""): name for name in _session().get_available_services()}, **aws_names.FOLDERS}


@cache
def service(folder: str) -> Any:
    """botocore's ServiceModel."""
    return _session().get_service_model(folder)


@cache
def operation(folder: str, action: str) -> Any:
    """botocore's OperationModel of ``sendMessage``. Unknown with a sentence, and what was meant, if it can be told."""
    operations = {aws_names.action(name): name for name in service(folder).operation_names}
    if action not in operations:
        same = next((name for name in operations if name.lower() == action.lower()), None)
        near = [same] if same else get_close_matches(action, operations, 1)
        raise Unknown(f"{folder} has no operation {action!r}{f' (did you mean {near[0]!r}?)' if near else ''}")
    return service(folder).operation_model(operations[action])


def folder(name: str) -> str:
    """botocore's name of the service in ``aws-sdk:NAME``. Unknown with a sentence."""
    known = folders()
    plain = name.replace("-", "").lower()
    if plain not in known:
        near = get_close_matches(plain, known, 1)
        raise Unknown(f"AWS has no service {name!r}{f' (did you mean {near[0]!r}?)' if near else ''}")
    return known[plain]


# --- Parameters, at load ----------------------------------------------------------------------------------------------------------


def troubles(parameters: Any, shape: Any, naming: Naming, only: frozenset[str] | None = None) -> Iterator[Trouble]:
    """What is wrong with a template as far as the definition says it outright. ``only``: the parameters that an integration takes."""
    if shape is None:
        return
    members = _members(shape, naming)
    allowed = {name: member for name, member in members.items() if only is None or name in only}
    given = _fields(parameters)
    if given is None:
        return
    for name, node in given.items():
        member = _member(shape, name, naming) if only is None or name in only else None
        if member is None:
            near = get_close_matches(name, allowed, 1) or get_close_matches(name.lower(), [each.lower() for each in allowed], 1)
            meant = next((each for each in allowed if near and each.lower() == near[0].lower()), None)
            sentence = f'The field "{name}" is not supported by Step Functions'
            yield Trouble("parameter", sentence + (f" (did you mean '{meant}'?)" if meant else ""))
        else:
            yield from _inside(node, member[1], naming)
    for name in shape.required_members:
        made = shape.members[name].metadata.get("idempotencyToken")  # by whoever asks
        if naming(name) not in given and name not in given and not made:
            yield Trouble("required", f'The field "{naming(name)}" is required but was missing')


def _inside(node: Any, shape: Any, naming: Naming) -> Iterator[Trouble]:
    kind = shape.type_name
    if kind == "structure" and not getattr(shape, "is_document_type", False):
        yield from troubles(node, shape, naming)
    elif kind == "list":
        items = _items(node)
        for item in items or ():
            yield from _inside(item, shape.member, naming)
    elif kind == "map":
        for item in (_fields(node) or {}).values():
            yield from _inside(item, shape.value, naming)


def _fields(node: Any) -> dict[str, Any] | None:
    """The fields of an object that the definition spells out."""
    if isinstance(node, ObjectTemplate):
        return dict(node.fields)
    if isinstance(node, Literal) and isinstance(node.value, dict):
        return {name: Literal(value) for name, value in node.value.items()}
    return None


def _items(node: Any) -> list[Any] | None:
    if isinstance(node, ArrayTemplate):
        return list(node.items)
    if isinstance(node, Literal) and isinstance(node.value, list):
        return [Literal(value) for value in node.value]
    return None


_MEMBERS: dict[tuple[int, Naming], dict[str, tuple[str, Any]]] = {}
_KEPT: list[Any] = []  # shapes, so that their ids stay theirs


def _members(shape: Any, naming: Naming) -> dict[str, tuple[str, Any]]:
    """Step Functions' names of a structure's members, to the API's and their shapes."""
    key = id(shape.members), naming
    found = _MEMBERS.get(key)
    if found is None:
        _KEPT.append(shape.members)
        found = _MEMBERS[key] = {naming(name): (name, member) for name, member in shape.members.items()}
    return found


def _member(shape: Any, name: str, naming: Naming) -> tuple[str, Any] | None:
    """A member by Step Functions' name; the API's own name is understood too, but for what begins with a small letter."""
    found = _members(shape, naming).get(name)
    if found is None and name[:1].isupper() and name in shape.members:
        found = name, shape.members[name]
    return found


# --- Requests ---------------------------------------------------------------------------------------------------------------------


class Unusable(ValueError):  # noqa: N818
    """Parameters that cannot be sent; one sentence, as AWS words it."""


def request(value: Any, shape: Any, naming: Naming) -> dict[str, Any]:
    """Parameters as botocore wants them. What is null is left out, an object or a number where the API has a text becomes JSON text,
    and so does all that goes into a blob, also a text: as AWS does."""
    if shape is None:
        return {}
    made: dict[str, Any] = _request({} if value is None else value, shape, naming, "Parameters")
    return made


def _request(value: Any, shape: Any, naming: Naming, field: str) -> Any:
    kind = shape.type_name
    if kind == "structure":
        if getattr(shape, "is_document_type", False):
            return value
        if not isinstance(value, dict):
            raise Unusable(f"The value for the field '{field}' must be a STRUCT")
        made = {}
        for name, inner in value.items():
            member = _member(shape, name, naming)
            if member is None:
                raise Unusable(f"The field '{name}' is not supported by Step Functions")
            if inner is not None:
                made[member[0]] = _request(inner, member[1], naming, name)
        return made
    if kind == "list":
        if not isinstance(value, list):
            raise Unusable(f"The value for the field '{field}' must be an ARRAY")
        return [_request(inner, shape.member, naming, field) for inner in value if inner is not None]
    if kind == "map":
        if not isinstance(value, dict):
            raise Unusable(f"The value for the field '{field}' must be an OBJECT")
        return {name: _request(inner, shape.value, naming, field) for name, inner in value.items() if inner is not None}
    return _SCALARS[kind](value, field) if kind in _SCALARS else value


def text(value: Any, field: str = "") -> str:
    """A text as it is, anything else as JSON without blanks."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _whole(value: Any, field: str) -> int:
    try:
        if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
            raise ValueError
        return int(value)
    except (TypeError, ValueError):
        raise Unusable(f"The value for the field '{field}' must be an INTEGER") from None


def _number(value: Any, field: str) -> float:
    try:
        if isinstance(value, bool):
            raise ValueError
        return value if isinstance(value, (int, float)) else float(value)
    except (TypeError, ValueError):
        raise Unusable(f"The value for the field '{field}' must be a DOUBLE") from None


def _truth(value: Any, field: str) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise Unusable(f"The value for the field '{field}' must be a BOOLEAN")


def _time(value: Any, field: str) -> datetime:
    """ISO 8601, or seconds since the epoch."""
    try:
        if isinstance(value, bool):
            raise ValueError
        if isinstance(value, (int, float)):
            return datetime.fromtimestamp(value, UTC)
        found = datetime.fromisoformat(value)
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        raise Unusable(f"The value for the field '{field}' must be a TIMESTAMP") from None


_SCALARS: dict[str, Callable[[Any, str], Any]] = {
    "string": text,
    "char": text,
    "blob": lambda value, field: orjson.dumps(value),
    "integer": _whole,
    "long": _whole,
    "float": _number,
    "double": _number,
    "boolean": _truth,
    "timestamp": _time,
}


# --- Responses --------------------------------------------------------------------------------------------------------------------


def response(value: Any, shape: Any, naming: Naming) -> Any:
    """What botocore returned as a state's result: named as Step Functions does, times and bytes as text. ``ResponseMetadata`` is left
    out, and so is what is not in the model."""
    kind = None if shape is None else shape.type_name
    if kind is None:
        return {}
    if kind == "structure":
        if getattr(shape, "is_document_type", False):
            return value
        members = shape.members
        return {
            naming(name): response(inner, members[name], naming) for name, inner in value.items() if name in members and inner is not None
        }
    if kind == "list":
        return [response(inner, shape.member, naming) for inner in value]
    if kind == "map":
        return {name: response(inner, shape.value, naming) for name, inner in value.items()}
    if kind == "timestamp":
        return moment(value) if naming is named else milliseconds(value)
    if isinstance(value, (bytes, bytearray)):
        return blob(bytes(value))
    return value


def moment(value: Any) -> Any:
    """A time as ``aws-sdk`` integrations give it: ISO 8601 in UTC, as many digits after the second as it needs in threes."""
    if not isinstance(value, datetime):
        return value
    value = value.astimezone(UTC)
    digits = "seconds" if not value.microsecond else "milliseconds" if not value.microsecond % 1000 else "microseconds"
    return value.isoformat(timespec=digits).replace("+00:00", "Z")


def milliseconds(value: Any) -> Any:
    """A time as the older, optimised integrations give it: since the epoch."""
    return round(value.timestamp() * 1000) if isinstance(value, datetime) else value


def blob(value: bytes) -> str:
    """Bytes as text: what they say if they are text, otherwise base64."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


__all__ = [
    "Trouble", "Unavailable", "Unknown", "Unusable", "blob", "capital", "folder", "folders", "milliseconds", "moment", "named",
    "operation", "request", "response", "service", "text", "troubles",
]  # fmt: skip
