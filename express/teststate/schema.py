"""A mocked result against the shape that the service's API gives its results, as botocore knows it.

The names are those that Step Functions gives the API's fields, which are Java's: words with a capital first letter. Unknown fields are
let through, like on AWS: so is ``MD5OfMessageBody``, which the API says and Step Functions calls Md5OfMessageBody.
"""

from __future__ import annotations

import logging
import re
from importlib import import_module
from typing import Any

from express.errors import ConfigurationError, RequestError
from express.tasks.aws_names import FOLDERS, named

# An integration, without how its end is waited for
_RESOURCE = re.compile(r"arn:[\w-]+:states:[^:]*:[^:]*:(?P<sdk>aws-sdk:)?(?P<service>[\w-]+):(?P<action>\w+)(?P<pattern>[.:].+)?$")

# Integrations whose result is not what one API operation returns
_OWN = frozenset({"apigateway:invoke", "http:invoke", "bedrock:invokeModel", "eks:call", "eks:runJob"})

log = logging.getLogger("express")
_said: list[bool] = []


def check(resource: str, result: Any, mode: str | None) -> None:
    """RequestError if ``result`` is not one that the ``resource`` of a Task gives. ``mode``: STRICT (the default), PRESENT: what is there
    must fit, or NONE.

    Without botocore nothing is checked by default; if ``mode`` asks for it, ConfigurationError.
    """
    found = _RESOURCE.match(resource)
    if mode == "NONE" or found is None or found["pattern"] or f"{found['service']}:{found['action']}" in _OWN:
        return
    try:
        session = import_module("botocore.session")
    except ImportError:
        if mode is not None:
            raise ConfigurationError(f"fieldValidationMode {mode} needs the shapes of AWS's services: pip install botocore") from None
        if not _said:
            _said.append(True)
            log.warning("mocked results of AWS's services are not validated: pip install botocore, or say fieldValidationMode NONE")
        return
    shape = _output(session, found["service"], found["action"])
    if shape is None:
        return
    if not isinstance(result, dict):
        raise RequestError("ValidationException", "Mocked result must be a JSON object.")
    _check(result, shape, "", strict=mode != "PRESENT")


_session: list[Any] = []


def _output(botocore: Any, service: str, action: str) -> Any:
    """The shape of what an operation returns, None if it is not known."""
    if not _session:
        _session.append(botocore.Session())
    session = _session[0]
    available = session.get_available_services()
    folders = {name.replace("-", ""): name for name in available}
    plain = service.replace("-", "").lower()
    folder = FOLDERS.get(service) or FOLDERS.get(plain) or folders.get(plain)
    if folder is None:
        return None
    model = session.get_service_model(folder)
    wanted = action.lower()
    name = next((name for name in model.operation_names if name.lower() == wanted), None)
    return None if name is None else model.operation_model(name).output_shape


def _check(value: Any, shape: Any, field: str, *, strict: bool) -> None:
    kind = shape.type_name
    if kind == "structure":
        if getattr(shape, "is_document_type", False):
            return
        if not isinstance(value, dict):
            raise _wrong(field, "must be an object")
        if strict:
            for name in shape.required_members:
                if named(name) not in value:
                    raise RequestError("ValidationException", f"{PREFIX}Required field '{named(name)}' is missing")
        members = {named(name): inner for name, inner in shape.members.items()}
        for name, inner in value.items():
            if name in members:
                _check(inner, members[name], name, strict=strict)
    elif kind == "list":
        if not isinstance(value, list):
            raise _wrong(field, "must be an array")
        for inner in value:
            _check(inner, shape.member, field, strict=strict)
    elif kind == "map":
        if not isinstance(value, dict):
            raise _wrong(field, "must be an object")
        for inner in value.values():
            _check(inner, shape.value, field, strict=strict)
    elif kind in ("string", "char", "blob", "timestamp"):
        if not isinstance(value, str):
            raise _wrong(field, "must be a string")
        _check_text(value, shape, field)
    elif kind == "boolean":
        if not isinstance(value, bool):
            raise _wrong(field, "must be a boolean")
    elif not isinstance(value, (int, float)) or isinstance(value, bool):
        raise _wrong(field, "must be a number")


def _check_text(value: str, shape: Any, field: str) -> None:
    shortest, longest, among = shape.metadata.get("min"), shape.metadata.get("max"), shape.metadata.get("enum")
    if shortest is not None and len(value) < shortest:
        raise _wrong(field, "is smaller than the minimum length")
    if longest is not None and len(value) > longest:
        raise _wrong(field, "is larger than the maximum length")
    if among and value not in among:
        raise _wrong(field, "is not an expected value")


PREFIX = "Mock result schema validation error: "


def _wrong(field: str, reason: str) -> RequestError:
    return RequestError("ValidationException", f"{PREFIX}Field '{field}' {reason}")
