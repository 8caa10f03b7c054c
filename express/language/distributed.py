"""What only a Distributed Map has: its mode, label, reader, batches and writer. Checked here; the compiler refuses to run it."""

from __future__ import annotations

import re

from express.language.fields import Fields
from express.language.findings import DUPLICATE_LABEL, LABEL, NOT_DISTRIBUTED, shown

FIELDS = ("ItemReader", "ItemBatcher", "ResultWriter")
# AWS's guide has them for Distributed Maps only; its service takes them in an inline Map as well
TOLERATED = ("ToleratedFailureCount", "ToleratedFailureCountPath", "ToleratedFailurePercentage", "ToleratedFailurePercentagePath")
INLINE, DISTRIBUTED = "INLINE", "DISTRIBUTED"

_LABEL = 40
_FORBIDDEN = re.compile(r"[\s?*<>{}\[\]\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]")
_MOST = 100_000_000
_S3 = re.compile(r"arn:[\w-]+:states:[^:]*:[^:]*:(?:aws-sdk:)?s3:\w+", re.ASCII)

_ARGUMENTS: dict[str, str | None] = {"Parameters": "Arguments"}
_LIMITS = ("MaxItemsPerBatch", "MaxInputBytesPerBatch")
_READER_CONFIG = (
    *("InputType", "Transformation", "CSVHeaderLocation", "CSVHeaders", "CSVDelimiter", "MaxItems", "ManifestType"),
    *("ItemsPointer",),
)


def mode(map_: Fields) -> str:
    """INLINE or DISTRIBUTED. Fields that only a Distributed Map has make it one."""
    found = INLINE
    name = "ItemProcessor" if "ItemProcessor" in map_ else "Iterator"
    processor = map_.raw.get(name)
    if isinstance(processor, dict) and "ProcessorConfig" in processor:
        raw = processor["ProcessorConfig"]
        inner = Fields(processor, map_.at(name), map_.findings)
        if not isinstance(raw, dict):
            inner.error("ProcessorConfig", f"expected an object with Mode, found {shown(raw)}")
            return found
        config = Fields(raw, inner.at("ProcessorConfig"), map_.findings)
        config.known(("Mode", "ExecutionType"), "ProcessorConfig")
        found = config.one_of("Mode", (INLINE, DISTRIBUTED), INLINE) or INLINE
        if config.one_of("ExecutionType", ("STANDARD", "EXPRESS")) is None and found == DISTRIBUTED and "ExecutionType" not in config:
            config.required("ExecutionType")
    for name in FIELDS:
        if name in map_ and found == INLINE:
            message = f"'{name}' is for a Distributed Map only: set ItemProcessor's ProcessorConfig to Mode DISTRIBUTED"
            map_.findings.warning(map_.at(name), message, NOT_DISTRIBUTED)
    for name in TOLERATED:
        if name in map_ and found == INLINE and not any(field in map_ for field in FIELDS):
            message = f"'{name}' counts in a Distributed Map only: one failed iteration fails this Map"
            map_.findings.warning(map_.at(name), message, NOT_DISTRIBUTED)
    return DISTRIBUTED if any(name in map_ for name in FIELDS) else found


def label(map_: Fields, seen: dict[str, str]) -> str | None:
    """``seen`` are the labels so far, each with its place."""
    text = map_.text("Label")
    if text is None:
        return None
    location = map_.at("Label")
    forbidden = _FORBIDDEN.search(text)
    if not text or len(text) > _LABEL:
        map_.findings.error(location, f"a label has 1 to {_LABEL} characters, found {len(text)}", LABEL)
    elif forbidden:
        map_.findings.error(location, f"a label may not contain the character {forbidden[0]!r}", LABEL)
    elif text in seen:
        map_.findings.error(location, f"there are two labels {shown(text)}, the other at {seen[text]}", DUPLICATE_LABEL)
    else:
        seen[text] = location
    return text


def check(map_: Fields, jsonata: bool) -> None:
    """ItemReader, ItemBatcher and ResultWriter."""
    reader = _object(map_, "ItemReader", ("Resource", "ReaderConfig"), _ARGUMENTS, jsonata)
    if reader:
        reader.required("Resource")
        _resource(reader)
        _arguments(reader, jsonata)
        _reader_config(reader, jsonata)
    batcher = _object(map_, "ItemBatcher", ("BatchInput", *_LIMITS), {f"{name}Path": None for name in _LIMITS}, jsonata)
    if batcher:
        _ = batcher.value("BatchInput") if jsonata else batcher.template("BatchInput")
        _number(batcher, "MaxItemsPerBatch", 1, _MOST, jsonata)
        _number(batcher, "MaxInputBytesPerBatch", 1, 262_144, jsonata)
    writer = _object(map_, "ResultWriter", ("Resource", "WriterConfig"), _ARGUMENTS, jsonata)
    if writer:
        _resource(writer)
        _arguments(writer, jsonata)
        config = _object(writer, "WriterConfig", ("OutputType", "Transformation"), {}, jsonata)
        if config:
            config.one_of("OutputType", ("JSON", "JSONL"))
            config.one_of("Transformation", ("NONE", "COMPACT", "FLATTEN"))


def _reader_config(reader: Fields, jsonata: bool) -> None:
    config = _object(reader, "ReaderConfig", _READER_CONFIG, {"MaxItemsPath": None}, jsonata)
    if config is None:
        return
    config.one_of("InputType", ("CSV", "JSON", "JSONL", "PARQUET", "MANIFEST"))
    config.one_of("CSVDelimiter", ("COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"))
    config.one_of("ManifestType", ("ATHENA_DATA", "S3_INVENTORY"))
    config.one_of("Transformation", ("NONE", "LOAD_AND_FLATTEN"))
    config.text("ItemsPointer")
    _number(config, "MaxItems", 0, _MOST, jsonata)
    if config.one_of("CSVHeaderLocation", ("FIRST_ROW", "GIVEN")) == "GIVEN":
        config.required("CSVHeaders")
    headers = config.raw.get("CSVHeaders", ["a"])
    if jsonata and isinstance(headers, str):
        config.jsonata("CSVHeaders")
    elif not isinstance(headers, list) or not headers or not all(isinstance(header, str) for header in headers):
        config.error("CSVHeaders", f"expected an array of at least one name, found {shown(headers)}")


def _resource(fields: Fields) -> None:
    resource = fields.text("Resource")
    if resource is not None and "${" not in resource and not _S3.fullmatch(resource):
        fields.error("Resource", f"expected one such as arn:aws:states:::s3:getObject, found {shown(resource)}")


def _arguments(fields: Fields, jsonata: bool) -> None:
    """Which bucket and which keys: an object."""
    name = "Arguments" if jsonata else "Parameters"
    raw = fields.raw.get(name, {})
    if not isinstance(raw, dict) and not (jsonata and isinstance(raw, str)):
        fields.error(name, f"expected an object, found {shown(raw)}")
    elif jsonata:
        fields.value(name)
    else:
        fields.template(name)


def _number(fields: Fields, name: str, least: int, most: int, jsonata: bool) -> None:
    if jsonata:
        fields.literal_or_jsonata(name, least, most)
    else:
        fields.literal_or_path(name, least, most)


def _object(outer: Fields, name: str, both: tuple[str, ...], one: dict[str, str | None], jsonata: bool) -> Fields | None:
    """``both`` are the fields of both query languages, ``one`` those of JSONPath, each with its name in JSONata."""
    if name not in outer:
        return None
    raw = outer.raw[name]
    if not isinstance(raw, dict):
        outer.error(name, f"expected an object, found {shown(raw)}")
        return None
    fields = Fields(raw, outer.at(name), outer.findings)
    theirs = [other for other in one.values() if other is not None]
    ours, others, language = (theirs, list(one), "JSONPath") if jsonata else (list(one), theirs, "JSONata")
    fields.known((*both, *ours), name, {other: f"'{other}' needs the query language {language}" for other in others})
    return fields
