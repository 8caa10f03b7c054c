"""The Structs of requests against AWS's own model, as botocore ships it: names, types, bounds, and what is required."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from msgspec import inspect

from express.api import shapes

MODEL = botocore.session.Session().get_service_model("stepfunctions")
NAMES = [name for name, shape in vars(shapes).items() if isinstance(shape, type) and issubclass(shape, shapes.Shape)]
OPERATIONS = sorted(set(NAMES) & set(MODEL.operation_names))


def plain(kind: inspect.Type) -> inspect.Type:
    """Without what is said about it, and without null."""
    if isinstance(kind, inspect.Metadata):
        kind = kind.type
    if isinstance(kind, inspect.UnionType):
        kind = plain(next(one for one in kind.types if not isinstance(one, inspect.NoneType)))
    return kind


def compare(kind: inspect.Type, shape: Any, place: str) -> None:
    kind = plain(kind)
    if isinstance(kind, inspect.StructType):
        assert shape.type_name == "structure", place
        fields = {field.encode_name: field for field in kind.fields}
        assert set(fields) == set(shape.members), place
        for name, member in shape.members.items():
            assert fields[name].required == (name in shape.required_members), f"{place}.{name}"
            compare(fields[name].type, member, f"{place}.{name}")
    elif isinstance(kind, inspect.LiteralType):
        assert sorted(kind.values) == sorted(shape.metadata["enum"]), place
    elif isinstance(kind, inspect.StrType):
        assert (shape.type_name, kind.min_length or 0) == ("string", shape.metadata.get("min", 0)), place
        assert kind.max_length == shape.metadata.get("max"), place
        assert (kind.pattern is None) == ("pattern" not in shape.metadata), place
    elif isinstance(kind, inspect.IntType):
        assert (shape.type_name, kind.ge, kind.le) == ("integer", shape.metadata.get("min"), shape.metadata.get("max")), place
    elif isinstance(kind, inspect.ListType):
        assert (shape.type_name, kind.min_length or 0) == ("list", shape.metadata.get("min", 0)), place
        assert kind.max_length == shape.metadata.get("max"), place
        compare(kind.item_type, shape.member, f"{place}[]")
    else:
        assert (type(kind), shape.type_name) == (inspect.BoolType, "boolean"), place


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_request_is_what_aws_s_model_says(operation: str) -> None:
    compare(inspect.type_info(getattr(shapes, operation)), MODEL.operation_model(operation).input_shape, operation)


def test_every_operation_that_concerns_express_workflows_is_there() -> None:
    elsewhere = {
        "CreateActivity", "DeleteActivity", "DescribeActivity", "DescribeMapRun", "GetActivityTask", "ListActivities", "ListMapRuns",
        "UpdateMapRun",
    }  # fmt: skip
    # Two have the request of another, or know their own parameters
    assert set(MODEL.operation_names) - elsewhere - set(OPERATIONS) == {"DescribeStateMachineForExecution", "TestState"}
