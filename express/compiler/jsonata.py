"""JSONata expressions to Python: what has a common shape becomes code, everything else is evaluated by the library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from express.compiler.source import Display, Leaf, Piece, call, literal
from express.language import jsonata_nodes as nodes
from express.language.jsonata import walk
from express.language.model import Jsonata
from express.runtime.jsonata_library import LibraryQuery

if TYPE_CHECKING:
    from express.compiler.data import Scope

EXPECTED = {"boolean": "boolean_result", "array": "array_result", "string": "string_result", "number": "number_result"}


def expression(node: Jsonata, scope: Scope, field: str, expected: str | None = None) -> Piece:
    """Python that computes an expression, or fails as AWS does. ``field`` is its place in the state (``Output/total``); ``expected`` is the
    type that the field needs: boolean, array, string or number."""
    source, document = _bound(node, scope)
    query = scope.unit.object(LibraryQuery(node.text, field, source), f"{scope.state} {field}", "_query")
    piece: Piece = call(query, document)
    return piece if expected is None else call(EXPECTED[expected], piece, query)


def _bound(node: Jsonata, scope: Scope) -> tuple[str, Piece]:
    """The expression with everything it reads bound to members of the document, and the document."""
    text, names = node.text, []
    members: list[tuple[str, Piece]] = []
    if node.states:
        names.append("states")
        members.append(('"states": ', _states(node, scope)))
    unsure = False
    for name in (*node.variables, *node.functions):  # a variable may have the name of a function
        if (variable := scope.variables.get(name)) is not None:
            names.append(name)
            members.append((f"{literal(name)}: ", Leaf(variable.local)))
            unsure = unsure or name not in scope.certain
    # `$$` means nothing on AWS; in what the library gets it is the document, so it becomes a variable that nobody has set
    nothing = "nothing"
    while f"${nothing}" in text:
        nothing += "_"
    for position in sorted(
        (found.position for found in walk(node.node) if isinstance(found, nodes.Variable) and found.name == "$"), reverse=True
    ):
        text = f"{text[:position]}${nothing}{text[position + 2 :]}"
    bindings = "".join(f"${name} := $$.`{name}`; " for name in names)
    document = Display("{", tuple(members), "}")
    return f"({bindings}\n{text}\n)", call("those_set", document) if unsure else document


def _states(node: Jsonata, scope: Scope) -> Piece:
    from express.compiler.data import context

    locals_ = {"input": scope.variable, "result": scope.result, "errorOutput": scope.error_output}
    if "context" in node.states:
        locals_["context"] = context(scope)
    parts = [(f"{literal(part)}: ", Leaf(text)) for part in node.states if (text := locals_.get(part)) is not None]
    return Display("{", tuple(parts), "}")
