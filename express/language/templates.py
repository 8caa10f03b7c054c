"""Payload templates (Parameters, ResultSelector, ItemSelector, ...): JSON with ``key.$`` fields in, an Expression out.

What does not depend on the data is folded into Literals.
"""

from __future__ import annotations

import re
from typing import Any

from express.language import context_fields, intrinsics, jsonata, paths, substitutions
from express.language.findings import (
    JSONATA_IS_TEXT,
    NEGATIVE_INDEX,
    NO_DOLLAR,
    NO_FUNCTION,
    PLACEHOLDERS,
    TOO_DEEP,
    UNRESOLVED,
    Findings,
    below,
    shown,
)
from express.language.model import ArrayTemplate, Call, Expression, Literal, ObjectTemplate, Path
from express.language.scanner import SyntaxProblem

DEPTH = 64  # of objects and arrays: what an event may have

_DYNAMIC = re.compile(r"\$\$?[.\[]|States\.\w+\(")


def parse(value: Any, location: str, findings: Findings, depth: int = DEPTH) -> Expression:
    if depth < 0:
        findings.error(location, f"a payload template may be nested {DEPTH} deep, this one is deeper", TOO_DEEP)
        return Literal(None)
    if isinstance(value, dict):
        return _object(value, location, findings, depth)
    if isinstance(value, list):
        items = tuple(parse(item, below(location, number), findings, depth - 1) for number, item in enumerate(value))
        return Literal(value) if all(isinstance(item, Literal) for item in items) else ArrayTemplate(items)
    if isinstance(value, str) and jsonata.is_expression(value):
        findings.warning(location, "this is a text, not JSONata: the state's query language is JSONPath", JSONATA_IS_TEXT)
    return Literal(value)


def _object(value: dict[str, Any], location: str, findings: Findings, depth: int) -> Expression:
    fields: list[tuple[str, Expression]] = []
    constant = True
    for key, inner in value.items():
        if not key.endswith(".$"):
            if isinstance(inner, str) and _DYNAMIC.match(inner):
                message = f"{shown(key)} holds the text itself: to look the value up, name the field {shown(key + '.$')}"
                findings.warning(below(location, key), message, NO_DOLLAR)
            expression = parse(inner, below(location, key), findings, depth - 1)
            constant = constant and isinstance(expression, Literal)
            fields.append((key, expression))
            continue
        constant = False
        name = key[:-2]
        if name in value:
            findings.error(location, f"The field {shown(name)} is given twice: as {shown(name)} and as {shown(key)}")
        elif (expression_or_none := dynamic(key, inner, location, findings)) is not None:
            fields.append((name, expression_or_none))
    return Literal(value) if constant else ObjectTemplate(tuple(fields))


def dynamic(key: str, text: Any, location: str, findings: Findings) -> Path | Call | None:
    """The value of a field ``key.$``; ``location`` is that of the object around it, as AWS reports it."""
    wanted = f"The value for the field {shown(key)} must be a valid JSONPath or a valid intrinsic function call"
    if not isinstance(text, str):
        findings.error(location, f"{wanted}, found {shown(text)}")
        return None
    try:
        expression = intrinsics.parse(text) if intrinsics.looks_like_one(text) else paths.parsed(text)
    except SyntaxProblem as problem:
        if (placeholder := substitutions.placeholder(text)) is not None:
            findings.error(below(location, key), f"the substitution {placeholder} has no value", UNRESOLVED)
            return None
        findings.error(location, f"{wanted}: {problem}")
        return None
    inspect(expression, below(location, key), findings)
    return expression


def inspect(expression: Expression, location: str, findings: Findings) -> None:
    """Reports what parses and yet will not do: JSONPath functions, a template with more or fewer {} than values."""
    if isinstance(expression, Call):
        if (places := intrinsics.placeholders(expression)) not in (None, len(expression.arguments) - 1):
            message = f"States.Format has {places} {{}} in its template and {len(expression.arguments) - 1} values for them: it will fail"
            findings.warning(location, message, PLACEHOLDERS)
        for argument in expression.arguments:
            inspect(argument, location, findings)
    elif isinstance(expression, Path):
        if expression.root not in ("$", "$$"):
            findings.reads.append((expression.root[1:], location))
        if expression.root == "$$":
            context_fields.check_path(expression, location, findings)
        if (extension := paths.wider(expression)) is not None:
            findings.wider.append((location, f"AWS takes no {extension} in a path, as in {shown(expression.text)}"))
        function = paths.function(expression)
        if function is not None:
            findings.warning(location, f"Step Functions has no JSONPath functions: '{function}' will not be found", NO_FUNCTION)
        index = paths.from_the_end(expression)
        if index is not None:
            message = f"Step Functions finds nothing at the index [{index}], Express does: [(@.length{index})] works in both"
            findings.warning(location, message, NEGATIVE_INDEX)
