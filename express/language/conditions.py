"""The rules of a Choice state, as JSON, in; typed Rules out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from express.language import timestamps
from express.language.fields import Fields, looks_like_a_path
from express.language.findings import NO_PATH, Findings, below, shown
from express.language.model import And, Comparison, Condition, Jsonata, Literal, Not, Or, Rule

if TYPE_CHECKING:
    from express.language.states import Context

_ORDERED = ("Equals", "LessThan", "GreaterThan", "LessThanEquals", "GreaterThanEquals")
_TYPES = {"String": "a text", "Numeric": "a number", "Timestamp": "a timestamp such as 2016-03-14T01:59:00Z"}

# Each operator without the Path suffix, and what its operand is
OPERATORS: dict[str, str] = {f"{kind}{suffix}": what for kind, what in _TYPES.items() for suffix in _ORDERED}
OPERATORS |= {"BooleanEquals": "true or false", "StringMatches": "a text"}
OPERATORS |= {f"Is{kind}": "true or false" for kind in ("Null", "Present", "Numeric", "String", "Boolean", "Timestamp")}
# The ones that compare with another place in the data as well
WITH_PATH = frozenset(f"{name}Path" for name in OPERATORS if not name.startswith("Is") and name != "StringMatches")

_COMBINERS = ("And", "Or", "Not")
_TEST = frozenset({"Variable", *OPERATORS, *WITH_PATH})
_INNER = frozenset({*_TEST, *_COMBINERS, "Comment"})
_OUTER = frozenset({*_INNER, "Next", "Assign"})
_JSONATA = {name: f"'{name}' needs the query language JSONata" for name in ("Condition", "Output")}
_JSONPATH = {name: f"'{name}' needs the query language JSONPath" for name in (*_TEST, *_COMBINERS)}


def rule(raw: dict[str, Any], location: str, findings: Findings, context: Context) -> Rule | None:
    """One entry of Choices."""
    fields = Fields(raw, location, findings)
    if context.jsonata:
        fields.known(("Condition", "Next", "Assign", "Output", "Comment"), "a rule of a Choice state", _JSONPATH)
    else:
        fields.known(_OUTER, "a rule of a Choice state", _JSONATA)
    fields.text("Comment")
    assign = context.assign(fields)
    target = fields.text("Next") if fields.required("Next") else None
    found = _query(fields) if context.jsonata else _condition(fields)
    output = fields.value("Output") if context.jsonata else None
    if found is None or target is None:
        return None
    return Rule(condition=found, next=target, location=location, assign=assign, output=output)


def _query(fields: Fields) -> Jsonata | Literal | None:
    """Condition: JSONata, or a constant."""
    if not fields.required("Condition"):
        return None
    expression = fields.jsonata("Condition")
    if expression is None and isinstance(fields.raw["Condition"], bool):
        return Literal(fields.raw["Condition"])
    if expression is None:
        found = shown(fields.raw["Condition"])
        fields.error("Condition", f"expected a JSONata expression such as '{{% $states.input.total > 10 %}}', true or false, found {found}")
    return expression


def _inner(raw: Any, location: str, findings: Findings) -> Condition | None:
    if not isinstance(raw, dict):
        findings.error(location, f"expected an object with a comparison, found {shown(raw)}")
        return None
    fields = Fields(raw, location, findings)
    outside = {name: f"'{name}' belongs to the rule as a whole, not inside And, Or or Not" for name in ("Next", "Assign", "Output")}
    fields.known(_INNER, "a comparison", {**_JSONATA, **outside})
    fields.text("Comment")
    return _condition(fields)


def _condition(fields: Fields) -> Condition | None:
    combiners = [name for name in _COMBINERS if name in fields]
    if not combiners:
        return _comparison(fields)
    mixed = [name for name in fields.raw if name in _TEST]
    if len(combiners) > 1 or mixed:
        fields.findings.error(fields.location, f"Only one of these fields is allowed: [{', '.join([*combiners, *mixed])}]")
        return None
    name = combiners[0]
    raw = fields.raw[name]
    if name == "Not":
        inner = _inner(raw, fields.at(name), fields.findings)
        return Not(inner) if inner is not None else None
    if not isinstance(raw, list) or not raw:
        fields.error(name, f"expected an array of at least one comparison, found {shown(raw)}")
        return None
    inners = [_inner(entry, below(fields.at(name), number), fields.findings) for number, entry in enumerate(raw)]
    conditions = tuple(inner for inner in inners if inner is not None)
    return And(conditions) if name == "And" else Or(conditions)


def _comparison(fields: Fields) -> Comparison | None:
    operators = [name for name in fields.raw if name in OPERATORS or name in WITH_PATH]
    if not operators and "Variable" in fields:
        fields.findings.error(fields.location, "a comparison operator such as StringEquals is required but was missing")
    elif not operators:
        fields.findings.error(fields.location, "a comparison is required but was missing: Variable with an operator, or And, Or, Not")
        return None
    elif len(operators) > 1:
        fields.findings.error(fields.location, f"Only one comparison operator is allowed: [{', '.join(operators)}]")
    variable = fields.path("Variable", None) if fields.required("Variable") else None
    if variable is None and fields.raw.get("Variable", "") is None:
        fields.error("Variable", "expected a path such as $.order.total, found null")
    if len(operators) != 1:
        return None
    name = operators[0]
    operand = fields.own_path(name) if name in WITH_PATH else _operand(fields, name)
    if variable is None or operand is None:
        return None
    return Comparison(name.removesuffix("Path") if name in WITH_PATH else name, variable, operand)


def _operand(fields: Fields, name: str) -> Literal | None:
    value, wanted = fields.raw[name], OPERATORS[name]
    if wanted == "true or false":
        fits = isinstance(value, bool)
    elif wanted == "a number":
        fits = type(value) in (int, float)
    elif wanted == "a text":
        fits = isinstance(value, str)
    else:
        fits = isinstance(value, str) and timestamps.valid(value)
    if not fits:
        fields.error(name, f"expected {wanted}, found {shown(value)}")
    if looks_like_a_path(value) and f"{name}Path" in WITH_PATH:
        fields.findings.warning(fields.at(name), f"the value looks like a path: use the operator '{name}Path' for it", NO_PATH)
    return Literal(value) if fits else None
