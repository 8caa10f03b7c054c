"""The objects of a Distributed Map, in both query languages."""

from __future__ import annotations

from typing import Any

import pytest

from tests.language.definitions import ending, errors

PROCESSOR = {
    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
    "StartAt": "B",
    "States": {"B": {"Type": "Succeed"}},
}
P, Q = "JSONPath", "JSONata"
GET, PUT = "arn:aws:states:::s3:getObject", "arn:aws:states:::s3:putObject"


def said_of(name: str, fields: Any, language: str = "JSONPath") -> list[str]:
    """What is wrong with ItemReader, ItemBatcher or ResultWriter, each at its place below it."""
    definition = ending("Map", ItemProcessor=PROCESSOR, **{name: fields})
    return [line.removeprefix(f"/States/A/{name}") for line in errors({"QueryLanguage": language, **definition})]


def config(**fields: Any) -> dict[str, Any]:
    return {"Resource": GET, "ReaderConfig": fields}


@pytest.mark.parametrize(
    ("name", "fields", "language"),
    [
        (
            "ItemReader",
            {"Resource": GET.replace("getObject", "listObjectsV2"), "Parameters": {"Bucket.$": "$.bucket", "Prefix": "x"}},
            P,
        ),
        ("ItemReader", {"Resource": "arn:${Partition}:states:::s3:getObject", "Parameters": {"Bucket": "b"}}, P),
        ("ItemReader", {"Resource": GET, "Arguments": {"Bucket": "{% $states.input.bucket %}"}}, Q),
        ("ItemReader", {"Resource": GET, "Arguments": "{% $states.input %}"}, Q),
        (
            "ItemReader",
            config(InputType="CSV", CSVHeaderLocation="GIVEN", CSVHeaders=["a", "b"], CSVDelimiter="PIPE", MaxItems=5),
            P,
        ),
        ("ItemReader", config(InputType="CSV", CSVHeaderLocation="FIRST_ROW", MaxItemsPath="$.n"), P),
        ("ItemReader", config(InputType="MANIFEST", ManifestType="S3_INVENTORY", MaxItems="{% $states.input.n %}"), Q),
        ("ItemReader", config(InputType="JSON", ItemsPointer="/a/b", Transformation="LOAD_AND_FLATTEN"), Q),
        ("ItemBatcher", {"MaxItemsPerBatch": 10, "BatchInput": {"a.$": "$.a"}}, P),
        ("ItemBatcher", {"MaxInputBytesPerBatchPath": "$.bytes", "MaxItemsPerBatchPath": "$.items"}, P),
        ("ItemBatcher", {"MaxInputBytesPerBatch": "{% 1024 %}", "BatchInput": {"a": "{% $states.input.a %}"}}, Q),
        ("ResultWriter", {"Resource": PUT, "Parameters": {"Bucket": "b", "Prefix.$": "$.p"}}, P),
        (
            "ResultWriter",
            {"Resource": PUT, "Arguments": {"Bucket": "b"}, "WriterConfig": {"OutputType": "JSONL", "Transformation": "FLATTEN"}},
            "JSONata",
        ),
        ("ResultWriter", {"WriterConfig": {"OutputType": "JSON", "Transformation": "COMPACT"}}, P),
    ],
)
def test_what_aws_documents_is_accepted(name: str, fields: dict[str, Any], language: str) -> None:
    assert said_of(name, fields, language) == []


@pytest.mark.parametrize(
    ("name", "fields", "language", "expected"),
    [
        ("ItemReader", {}, P, ": The field 'Resource' is required but was missing"),
        ("ItemReader", {"Resource": "s3"}, P, "/Resource: expected one such as arn:aws:states:::s3:getObject, found 's3'"),
        ("ItemReader", {"Resource": GET, "Parameters": ["b"]}, P, "/Parameters: expected an object, found an array"),
        ("ItemReader", {"Resource": GET, "Arguments": {}}, P, "/Arguments: 'Arguments' needs the query language JSONata"),
        ("ItemReader", {"Resource": GET, "Parameters": {}}, Q, "/Parameters: 'Parameters' needs the query language JSONPath"),
        ("ItemReader", {"Resource": GET, "Arguments": 5}, Q, "/Arguments: expected an object, found 5"),
        (
            "ItemReader",
            {"Resource": GET, "Parameter": {}},
            P,
            "/Parameter: Field is not supported: ItemReader has no field 'Parameter' (did you mean 'Parameters'?)",
        ),
        (
            "ItemReader",
            config(InputType="XML"),
            P,
            "/ReaderConfig/InputType: expected CSV, JSON, JSONL, PARQUET or MANIFEST, found 'XML'",
        ),
        ("ItemReader", config(CSVHeaderLocation="GIVEN"), P, "/ReaderConfig: The field 'CSVHeaders' is required but was missing"),
        (
            "ItemReader",
            config(CSVHeaders=[]),
            P,
            "/ReaderConfig/CSVHeaders: expected an array of at least one name, found an empty array",
        ),
        ("ItemReader", config(CSVHeaders="a"), P, "/ReaderConfig/CSVHeaders: expected an array of at least one name, found 'a'"),
        ("ItemReader", config(MaxItems=-1), P, "/ReaderConfig/MaxItems: expected a whole number from 0 to 100000000, found -1"),
        (
            "ItemReader",
            config(MaxItemsPath="$.n"),
            "JSONata",
            "/ReaderConfig/MaxItemsPath: 'MaxItemsPath' needs the query language JSONPath",
        ),
        ("ItemReader", config(ManifestType="X"), Q, "/ReaderConfig/ManifestType: expected ATHENA_DATA or S3_INVENTORY, found 'X'"),
        ("ItemBatcher", {"MaxItemsPerBatch": 0}, Q, "/MaxItemsPerBatch: expected a whole number from 1 to 100000000, found 0"),
        (
            "ItemBatcher",
            {"MaxItemsPerBatchPath": "$.n"},
            "JSONata",
            "/MaxItemsPerBatchPath: 'MaxItemsPerBatchPath' needs the query language JSONPath",
        ),
        ("ResultWriter", {"Resource": 5}, P, "/Resource: expected a text, found 5"),
        (
            "ResultWriter",
            {"WriterConfig": {"OutputType": "CSV"}},
            P,
            "/WriterConfig/OutputType: expected JSON or JSONL, found 'CSV'",
        ),
    ],
)
def test_what_is_wrong_is_said_at_its_place(name: str, fields: dict[str, Any], language: str, expected: str) -> None:
    assert said_of(name, fields, language) == [expected]


def test_expressions_in_them_are_checked_too() -> None:
    (found,) = said_of("ItemBatcher", {"MaxItemsPerBatch": 1, "BatchInput": {"a": "{% 1 + %}"}}, Q)
    assert found.startswith("/BatchInput/a: '{% 1 + %}' is not a valid JSONata expression: ")
    (found,) = said_of("ItemReader", {"Resource": GET, "Parameters": {"Bucket.$": "bucket"}})
    assert found.startswith("/Parameters: The value for the field 'Bucket.$' must be a valid JSONPath")


def test_a_role_is_a_text() -> None:
    resource = "arn:aws:lambda:us-east-1:123456789012:function:f"
    assert errors(ending("Task", Resource=resource, Credentials={"RoleArn": 5})) == [
        "/States/A/Credentials/RoleArn: expected a text, found 5"
    ]
