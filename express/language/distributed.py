"""What only a Distributed Map has: its mode, label, reader, batches and writer. Checked here; the compiler refuses to run it."""

from __future__ import annotations

import re

from express.language import templates
from express.language.fields import Fields
from express.language.findings import DUPLICATE_LABEL, LABEL, NOT_DISTRIBUTED, shown

FIELDS = ("ItemReader", "ItemBatcher", "ResultWriter")
# AWS's guide has them for Distributed Maps only; its service takes them in an inline Map as well
TOLERATED = ("ToleratedFailureCount", "ToleratedFailureCountPath", "ToleratedFailurePercentage", "ToleratedFailurePercentagePath")
INLINE, DISTRIBUTED = "INLINE", "DISTRIBUTED"

_LABEL = 40
_FORBIDDEN = re.compile(r"[\s?*<>{}\[\]\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]")
_LIMIT = 100_000_000

_READER = ("Resource", "Parameters", "ReaderConfig")
_READER_CONFIG = (
    *("InputType", "Transformation", "CSVHeaderLocation", "CSVHeaders", "CSVDelimiter", "MaxItems", "MaxItemsPath", "ManifestType"),
    *("ItemsPointer",),
)
_INPUT_TYPES = ("CSV", "JSON", "JSONL", "PARQUET", "MANIFEST")
_BATCHER = (
    "BatchInput",
    "MaxItemsPerBatch",
    "MaxItemsPerBatchPath",
    "MaxInputBytesPerBatch",
    "MaxInputBytesPerBatchPath",
)
_WRITER = ("Resource", "Parameters", "WriterConfig")
_WRITER_CONFIG = ("OutputType", "Transformation")


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
    arguments = "Arguments" if jsonata else "Parameters"
    reader = _object(map_, "ItemReader", (*_READER, "Arguments") if jsonata else _READER)
    if reader:
        reader.required("Resource")
        reader.text("Resource")
        config = _object(reader, "ReaderConfig", _READER_CONFIG)
        if config:
            config.one_of("InputType", _INPUT_TYPES)
            config.one_of("CSVHeaderLocation", ("FIRST_ROW", "GIVEN"))
            if not jsonata:
                config.literal_or_path("MaxItems", 0, _LIMIT)
    batcher = _object(map_, "ItemBatcher", _BATCHER)
    if batcher and not jsonata:
        batcher.template("BatchInput")
        batcher.literal_or_path("MaxItemsPerBatch", 1, _LIMIT)
        batcher.literal_or_path("MaxInputBytesPerBatch", 1, 262_144)
    writer = _object(map_, "ResultWriter", (*_WRITER, "Arguments") if jsonata else _WRITER)
    if writer:
        writer.text("Resource")
        _object(writer, "WriterConfig", _WRITER_CONFIG)
    for found in (reader, writer):
        if found and not jsonata and arguments in found:
            templates.parse(found.raw[arguments], found.at(arguments), map_.findings)


def _object(outer: Fields, name: str, known: tuple[str, ...]) -> Fields | None:
    if name not in outer:
        return None
    raw = outer.raw[name]
    if not isinstance(raw, dict):
        outer.error(name, f"expected an object, found {shown(raw)}")
        return None
    fields = Fields(raw, outer.at(name), outer.findings)
    fields.known(known, name)
    return fields
