"""JSON of a JSONata state (Arguments, Output, Assign, ...) in, an Expression out: a text between ``{%`` and ``%}`` is JSONata, no key is.

What does not depend on the data is folded into Literals.
"""

from __future__ import annotations

from typing import Any

from express.language import context_fields, jsonata
from express.language.findings import JSONATA_IS_TEXT, JSONPATH_IS_TEXT, TOO_DEEP, UNKNOWN_FUNCTION, Findings, below, shown
from express.language.model import ArrayTemplate, Expression, Jsonata, Literal, ObjectTemplate
from express.language.scanner import SyntaxProblem
from express.language.templates import DEPTH

ALWAYS = ("input", "context")  # the members of $states that every field may read


def parse(value: Any, location: str, findings: Findings, members: tuple[str, ...] = ALWAYS, depth: int = DEPTH) -> Expression:
    """``members`` are those of ``$states`` that there are."""
    if depth < 0:
        findings.error(location, f"a value may be nested {DEPTH} deep, this one is deeper", TOO_DEEP)
        return Literal(None)
    if isinstance(value, str):
        return text(value, location, findings, members)
    if isinstance(value, dict):
        for key, inner in value.items():
            if key.endswith(".$") and isinstance(inner, str) and inner.startswith(("$", "States.")):
                message = f"in a JSONata state {shown(key)} stays a field of that name, and {shown(inner)} a text"
                findings.warning(below(location, key), message, JSONPATH_IS_TEXT)
        fields = tuple((key, parse(inner, below(location, key), findings, members, depth - 1)) for key, inner in value.items())
        return Literal(value) if all(isinstance(inner, Literal) for _, inner in fields) else ObjectTemplate(fields)
    if isinstance(value, list):
        items = tuple(parse(inner, below(location, number), findings, members, depth - 1) for number, inner in enumerate(value))
        return Literal(value) if all(isinstance(inner, Literal) for inner in items) else ArrayTemplate(items)
    return Literal(value)


def text(value: str, location: str, findings: Findings, members: tuple[str, ...] = ALWAYS) -> Jsonata | Literal:
    """One text: JSONata, or itself."""
    if not value.startswith("{%"):
        if value.endswith("%}"):  # developer guide, "Transforming data": what is not properly opened or closed is an error
            findings.error(location, f"a JSONata expression begins with '{{%', found {shown(value)}")
        elif jsonata.is_expression(value.strip()):  # recorded: AWS takes it for a text
            findings.warning(location, "this is a text, not JSONata, since there are blanks outside of '{%' and '%}'", JSONATA_IS_TEXT)
        return Literal(value)
    if not jsonata.is_expression(value):
        findings.error(location, f"a JSONata expression ends with '%}}', found {shown(value)}")
        return Literal(None)
    try:
        expression = jsonata.parse(value[2:-2])
    except SyntaxProblem as problem:
        findings.error(location, f"{shown(value)} is not a valid JSONata expression: {problem}")
        return Literal(None)
    if set(expression.states) != set(jsonata.STATES):  # all of them are read by $states itself, which has those that there are
        for member in expression.states:
            if member in jsonata.STATES and member not in (*ALWAYS, *members):
                findings.error(location, f"there is no $states.{member} here: {_WHERE[member]}")
    context_fields.check_jsonata(expression, location, findings)
    unknown = jsonata.unknown_functions(expression)
    for name in unknown:
        near = findings.suggestion(name, jsonata.FUNCTIONS)
        findings.warning(location, f"there is no function {shown('$' + name)}{near}: the state fails when it is reached", UNKNOWN_FUNCTION)
    findings.reads += [(name, location) for name in expression.variables if name not in unknown]
    return expression


_WHERE = {
    "result": "it is for Assign and Output of a Task, Parallel or Map that has succeeded",
    "errorOutput": "it is for Assign and Output of a Catcher",
}
