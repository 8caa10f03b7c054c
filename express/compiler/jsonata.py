"""JSONata expressions to Python: what has a common shape becomes code, everything else is evaluated by the library."""

from __future__ import annotations

from express.compiler import data
from express.compiler.jsonata_code import Code, NotCompiled, Places, compiled
from express.compiler.source import Display, Leaf, Piece, call, literal
from express.language import jsonata_nodes as nodes
from express.language.jsonata import STATES, names_bound, walk
from express.language.model import Jsonata, Name, Path
from express.runtime.jsonata import Query
from express.runtime.jsonata_library import LibraryQuery, with_ours

EXPECTED = {"boolean": "boolean_result", "array": "array_result", "string": "string_result", "number": "number_result"}

# What of the Context Object is there without all of it being made
_CHEAP = frozenset({
    ("Execution", "Input"), ("Execution", "Id"), ("Execution", "Name"), ("Execution", "StartTime"), ("Execution", "RoleArn"),
    ("StateMachine", "Id"), ("StateMachine", "Name"), ("State", "Name"), ("State", "EnteredTime"), ("State", "RetryCount"),
})  # fmt: skip


def expression(node: Jsonata, scope: data.Scope, field: str, expected: str | None = None) -> Piece:
    """Python that computes an expression, or fails as AWS does. ``field`` is its place in the state (``Output/total``); ``expected`` is the
    type that the field needs: boolean, array, string or number."""
    name = f"{scope.state} {field}"
    query = scope.unit.names.new(name, "_query")
    try:
        found = compiled(node.node, _places(scope, query))
        scope.unit.objects[query] = Query(node.text, field)
    except NotCompiled:
        source, document = _bound(node, scope)
        scope.unit.objects[query] = LibraryQuery(node.text, field, source)
        found = Code(call(query, document), True)
    if expected is not None and not (expected == "boolean" and found.boolean):
        return call(EXPECTED[expected], found.piece, query)
    return found.piece if found.defined else call("defined", found.piece, query)


def how(node: Jsonata) -> str | None:
    """None when an expression becomes Python; else what it uses that makes it go through the library."""
    places = Places(
        variable=lambda name: None,
        states=lambda part, names: (Code(Leaf("data")), 1),
        object=lambda value, name: "text",
        local=lambda name: "item",
        query="query",
    )
    try:
        compiled(node.node, places)
    except NotCompiled as reason:
        return str(reason)
    return None


def _places(scope: data.Scope, query: str) -> Places:
    def states(part: str, names: tuple[str, ...]) -> tuple[Code, int]:
        if part == "context":
            return _context(names, scope)
        local = {"input": scope.variable, "result": scope.result, "errorOutput": scope.error_output}.get(part)
        return Code(Leaf("UNDEFINED" if local is None else local), local is not None), 1

    def variable(name: str) -> Code | None:
        known = scope.variables.get(name)
        if known is None:
            return None
        return Code(Leaf(known.local), True) if name in scope.certain else Code(call("or_undefined", known.local))

    return Places(
        variable=variable,
        states=states,
        object=lambda value, name: scope.unit.object(value, f"{scope.state} {name}"),
        local=lambda name: scope.unit.names.new(name),
        query=query,
    )


def _context(names: tuple[str, ...], scope: data.Scope) -> tuple[Code, int]:
    """The Context Object, or what can be had of it without making it."""
    head = names[:2]
    if head in _CHEAP and not (head == ("State", "RetryCount") and scope.retries == "None"):
        taken = 2
    elif scope.item is not None and names[:3] in (("Map", "Item", "Index"), ("Map", "Item", "Value")):
        taken = 3
    elif head[:1] == ("Source",):
        taken = 1
    else:
        return Code(Leaf(data.context(scope)), True), 1
    path = Path("$$", tuple(Name(name) for name in names[:taken]), "")
    return Code(data.path(path, scope, ""), True), 1 + taken


def _bound(node: Jsonata, scope: data.Scope) -> tuple[str, Piece]:
    """The expression as text that reads members of a document, and this document: what it reads of ``$states``, and the variables."""
    names, unsure = [], False
    members: list[tuple[str, Piece]] = []
    if node.states:
        members.append(('"states": ', _states(node, scope)))
    for name in (*node.variables, *node.functions):  # a variable may have the name of a function
        if (variable := scope.variables.get(name)) is not None:
            names.append(name)
            members.append((f"{literal(name)}: ", Leaf(variable.local)))
            unsure = unsure or name not in scope.certain
    text = with_ours(_rewritten(node), [name for name in node.functions if name not in scope.variables])
    if names:
        text = f"({''.join(f'${name} := $$.`{name}`; ' for name in names)}\n{text}\n)"
    document = Display("{", tuple(members), "}")
    return text, call("those_set", document) if unsure else document


def _rewritten(node: Jsonata) -> str:
    """``$states`` is a member of the document. ``$$`` means nothing on AWS: it becomes a variable that nobody has set."""
    text, nothing = node.text, "nothing"
    while f"${nothing}" in text:
        nothing += "_"
    own = any("states" in names_bound(found) for found in walk(node.node))
    found = {each.position: each.name for each in walk(node.node) if isinstance(each, nodes.Variable)}
    for position in sorted(found, reverse=True):
        name = found[position]
        if name == "$":
            text = f"{text[:position]}${nothing}{text[position + 2 :]}"
        elif name == "states" and not own:
            text = f"{text[:position]}$$.states{text[position + len('$states') :]}"
    return f"($states := $$.states; \n{text}\n)" if own else text


def _states(node: Jsonata, scope: data.Scope) -> Piece:
    locals_ = {"input": scope.variable, "result": scope.result, "errorOutput": scope.error_output}
    if "context" in node.states:
        locals_["context"] = data.context(scope)
    parts = [(f"{literal(part)}: ", Leaf(local)) for part in STATES if part in node.states and (local := locals_.get(part)) is not None]
    return Display("{", tuple(parts), "}")
