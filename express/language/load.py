"""A definition in, as dict, text or file; a checked Workflow and every problem out. Never raises for a bad definition."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Any

import msgspec

from express.errors import Problem
from express.language import parse, text
from express.language import substitutions as values
from express.language.findings import TOO_LARGE, WHOLE, Findings
from express.language.model import Workflow


class Loaded(msgspec.Struct, frozen=True):
    """``workflow`` is None if one of ``problems`` is an ERROR; warnings alone leave it. ``raw`` is the definition's JSON value, None if it
    could not be read; ``wider`` are places and sentences about what Express takes and AWS does not."""

    workflow: Workflow | None
    problems: list[Problem]
    raw: Any = None
    wider: list[tuple[str, str]] = []


def load(definition: Any, substitutions: Mapping[str, Any] | None = None, extensions: Collection[str] = ()) -> Loaded:
    """``definition`` is a dict, JSON or YAML text (str or bytes), or a path (os.PathLike, never a str). ``substitutions`` are the values
    of ``${Name}`` in its texts; ``extensions`` what of Express' own it may use (resources.EXTENSIONS)."""
    findings = Findings()
    findings.extensions = frozenset(extensions)
    if substitutions:
        values.check(substitutions, findings)
        if findings.failed:
            return Loaded(None, findings.problems)
    value = text.read(definition, findings, substitutions or {})
    if value is text.ABSENT:
        return Loaded(None, findings.problems)
    if substitutions:
        value = values.apply(value, substitutions)
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    if len(canonical) > text.SIZE:
        findings.error(WHOLE, f"a definition may have {text.SIZE} bytes, this one has {len(canonical)}", TOO_LARGE)
        return Loaded(None, findings.problems, value)
    return Loaded(parse.workflow(value, sha256(canonical).hexdigest(), findings), findings.problems, value, findings.wider)
