"""The parameters of TestState: their types and bounds, and what the SDK or the service says when one is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from express.errors import RequestError

TEXT = 262_144  # characters of JSON text: AWS


class Text(msgspec.Struct, frozen=True):
    """A text of ``shortest`` to ``longest`` characters, or one of ``among``. ``shown``: the service repeats a wrong one in its sentence."""

    shortest: int = 0
    longest: int = TEXT
    among: tuple[str, ...] = ()
    shown: bool = False


class Number(msgspec.Struct, frozen=True):
    """A whole number that is not negative."""


class Flag(msgspec.Struct, frozen=True):
    """true or false."""


class Structure(msgspec.Struct, frozen=True):
    members: Mapping[str, Text | Number | Flag | Structure]
    required: tuple[str, ...] = ()


REQUEST = Structure(
    {
        "definition": Text(1, 1_048_576),
        "roleArn": Text(1, 256, shown=True),
        "input": Text(),
        "inspectionLevel": Text(among=("INFO", "TRACE", "DEBUG"), shown=True),
        "revealSecrets": Flag(),
        "variables": Text(),
        "stateName": Text(1, 80),
        "mock": Structure(
            {
                "result": Text(),
                "errorOutput": Structure({"error": Text(0, 256), "cause": Text(0, 32_768)}),
                "fieldValidationMode": Text(among=("STRICT", "PRESENT", "NONE"), shown=True),
            }
        ),
        "context": Text(),
        "stateConfiguration": Structure(
            {
                "retrierRetryCount": Number(),
                "errorCausedByState": Text(1, 80),
                "mapIterationFailureCount": Number(),
                "mapItemReaderData": Text(),
            }
        ),
    },
    required=("definition",),
)

Kind = Text | Number | Flag | Structure
_TYPES: dict[type[Kind], type[Any]] = {Text: str, Number: int, Flag: bool, Structure: Mapping}


def check_call(request: Any) -> None:
    """What botocore finds before it sends anything: RequestError ``ParamValidationError`` with all of it."""
    found = list(_call(request, REQUEST, ""))
    if found:
        raise RequestError("ParamValidationError", "\n".join(["Parameter validation failed:", *found]))


def check_request(request: Any) -> None:
    """What the service finds: RequestError ``ValidationException`` with all of it."""
    found = list(_service(request, REQUEST, ""))
    if found:
        detected = f"{len(found)} validation error{'' if len(found) == 1 else 's'} detected"
        raise RequestError("ValidationException", f"{detected}: {'; '.join(found)}")


def _call(value: Any, kind: Kind, name: str) -> Iterator[str]:
    if _mistyped(value, kind):
        shown = dict if isinstance(kind, Structure) else _TYPES[type(kind)]
        yield f"Invalid type for parameter {name}, value: {value}, type: {type(value)}, valid types: {shown}"
    elif isinstance(kind, Structure):
        for field in kind.required:
            if field not in value:
                yield f'Missing required parameter in {name or "input"}: "{field}"'
        for field, inner in value.items():
            if field not in kind.members:
                yield f'Unknown parameter in {name or "input"}: "{field}", must be one of: {", ".join(kind.members)}'
            else:
                yield from _call(inner, kind.members[field], f"{name}.{field}" if name else field)
    elif isinstance(kind, Text) and len(value) < kind.shortest:
        yield f"Invalid length for parameter {name}, value: {len(value)}, valid min length: {kind.shortest}"
    elif isinstance(kind, Number) and value < 0:
        yield f"Invalid range for parameter {name}, value: {value}, valid min value: 0"


def _service(value: Any, kind: Kind, name: str) -> Iterator[str]:
    if _mistyped(value, kind):
        raise RequestError("SerializationException", f"'{name or 'the request'}' has the wrong type")
    if isinstance(kind, Structure):
        for field in kind.required:
            if value.get(field) is None:
                yield f"Value at '{field}' failed to satisfy constraint: Member must not be null"
        for field, inner in value.items():
            if inner is not None and field in kind.members:  # the service passes over what it does not know
                yield from _service(inner, kind.members[field], f"{name}.{field}" if name else field)
        return
    failed = None
    if isinstance(kind, Number) and value < 0:
        failed = "Member must have value greater than or equal to 0"
    elif isinstance(kind, Text) and kind.among and value not in kind.among:
        failed = f"Member must satisfy enum value set: [{', '.join(kind.among)}]"
    elif isinstance(kind, Text) and len(value) < kind.shortest:
        failed = f"Member must have length greater than or equal to {kind.shortest}"
    elif isinstance(kind, Text) and len(value) > kind.longest:
        failed = f"Member must have length less than or equal to {kind.longest}"
    if failed:
        shown = f" '{value}'" if isinstance(kind, Text) and kind.shown else ""
        yield f"Value{shown} at '{name}' failed to satisfy constraint: {failed}"


def _mistyped(value: Any, kind: Kind) -> bool:
    return not isinstance(value, _TYPES[type(kind)]) or (isinstance(kind, Number) and isinstance(value, bool))
