"""JSONata expressions to Python: what has a common shape becomes code, everything else is evaluated by the library."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from express.compiler import data
from express.compiler.jsonata_code import Code, NotCompiled, Places, compiled
from express.compiler.jsonata_growth import growth
from express.compiler.jsonata_regex import of_rust
from express.compiler.source import Display, Leaf, Piece, call, literal
from express.language import jsonata_nodes as nodes
from express.language.jsonata import STATES, names_bound, walk
from express.language.model import Jsonata, Name, Path
from express.runtime.jsonata import Query
from express.runtime.jsonata_library import ENDLESS, LibraryQuery
from express.runtime.jsonata_ours import CLOCKS, COUNTS, STEP_BEGINS, STEP_ENDS, TIME, with_ours

EXPECTED = {"boolean": "boolean_result", "array": "array_result", "string": "string_result", "number": "number_result"}

# Functions that are about the context when they are given nothing, which the library does not know
_OF_CONTEXT = ("keys", "spread")
_OPENS = re.compile(r"\$\w+(?:\s|/\*.*?\*/)*\(", re.DOTALL)

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
    scope.unit.nests = scope.unit.nests or _nests(node)
    try:
        found = compiled(node.node, _places(scope, query))
        scope.unit.objects[query] = Query(node.text, field)
    except NotCompiled:
        source, document = _bound(node, scope)
        bound = growth(node.node)
        power, copies = (ENDLESS, 1) if bound is None else (bound.power, bound.copies)
        scope.unit.objects[query] = LibraryQuery(node.text, field, source, power=power, copies=copies)
        found = Code(call(query, document), True)
    if expected is not None and not (expected == "boolean" and found.boolean):
        piece: Piece = call(EXPECTED[expected], found.piece, query)
    else:
        piece = found.piece if found.defined else call("defined", found.piece, query)
    return msgspec.structs.replace(piece, query=query)


def _nests(node: Jsonata) -> bool:
    """Whether an expression may wrap a value as often as it likes: by functions that call themselves, or $reduce."""
    return "reduce" in node.functions or any(
        isinstance(each, nodes.Bind) and isinstance(each.value, nodes.Lambda) for each in walk(node.node)
    )


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
    elif head == ("Task", "Token") and scope.token is not None and not scope.unit.stand_in:
        taken = 2
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
    functions = [name for name in node.functions if name not in scope.variables]
    if not CLOCKS.isdisjoint(functions):
        members.append((f"{literal(TIME)}: ", call("milliseconds", Leaf(f"{scope.unit.execution()}.clock.wall()"))))
    text = with_ours(_rewritten(node), functions, units=any(isinstance(each, nodes.Regex) for each in walk(node.node)))
    if names:
        text = f"({''.join(f'${name} := $$.`{name}`; ' for name in names)}\n{text}\n)"
    document = Display("{", tuple(members), "}")
    return text, call("those_set", document) if unsure else document


def _rewritten(node: Jsonata) -> str:
    """``$states`` is a member of the document. ``$$`` means nothing on AWS: it becomes a variable that nobody has set. Besides, what the
    library does not know is written out: the context for functions without arguments, parentheses where it forgets its budgets, and in
    ranges, where it ends a condition too early and takes null for nothing."""
    text, nothing = node.text, "nothing"
    while f"${nothing}" in text:
        nothing += "_"
    every = list(walk(node.node))
    own = any("states" in names_bound(found) for found in every)
    edits: dict[int, list[tuple[int, str]]] = {}  # at a place in the text: how much of it goes, what comes instead
    for found in every:
        if isinstance(found, nodes.Variable):
            if found.name == "$":
                edits.setdefault(found.position, []).append((2, f"${nothing}"))
            elif found.name == "states" and not own:
                edits.setdefault(found.position, []).append((len("$states"), "$$.states"))
        elif isinstance(found, nodes.Range):
            if not isinstance(found.start, nodes.Number):
                edits.setdefault(found.begins, []).append((0, "("))
                edits.setdefault(found.dots, []).append((0, ") + 0 "))
            if not isinstance(found.stop, nodes.Number):
                edits.setdefault(found.dots + 2, []).append((0, " 0 + ("))
                edits.setdefault(found.ends, []).append((0, ")"))
        elif isinstance(found, nodes.Regex):
            edits[found.position + 1] = [(len(f"{found.pattern}/{found.flags}"), "/".join(of_rust(found.pattern, found.flags)))]
    for position in _without_arguments(every):
        if opens := _OPENS.match(text, position):
            edits.setdefault(opens.end(), []).append((0, "$"))
    joined = list(_joined(every, text))
    for position, length in joined:
        edits.setdefault(position, []).insert(0, (0, STEP_BEGINS.format(step=text[position : position + length])))
        edits.setdefault(position + length, []).insert(0, (0, STEP_ENDS))
    for position in sorted(edits, reverse=True):
        length = max(length for length, _ in edits[position])
        text = f"{text[:position]}{''.join(instead for _, instead in edits[position])}{text[position + length :]}"
    if joined:
        text = f"({COUNTS}\n{text}\n)"
    return f"($states := $$.states; \n{text}\n)" if own else text


def _joined(every: list[nodes.Node], text: str) -> Iterator[tuple[int, int]]:
    """Steps, by place and length, of paths that join: each may give all its items for each item before, of which the library keeps count
    only where a step is an expression."""
    parents = any(isinstance(found, nodes.Parent) for found in every)
    for path in every:
        if not isinstance(path, nodes.Path):
            continue
        again = any(isinstance(step.node, nodes.Variable) for step in path.steps[1:])
        if not (again or parents or any(step.focus or step.index or _has_position(step) for step in path.steps)):
            continue
        for step in path.steps[1:]:
            found = step.node
            if isinstance(found, nodes.Variable) and found.name != "states":
                yield found.position, 1 + len(found.name)
            elif isinstance(found, (nodes.Wildcard, nodes.Descendants)):
                if not parents:  # the library loses sight of them in parentheses
                    yield found.position, 1 + isinstance(found, nodes.Descendants)
            elif isinstance(found, nodes.Field):
                quotes = text[found.position]
                if quotes not in "'\"":  # in parentheses it would be a text
                    yield found.position, len(found.name) + 2 * (quotes == "`")


def _has_position(step: nodes.Step) -> bool:
    return any(isinstance(stage, nodes.Position) for stage in step.stages)


def _without_arguments(every: list[nodes.Node]) -> set[int]:
    """Where functions about the context are called with nothing; not behind ~>, which gives them something."""
    given = {id(each.right) for each in every if isinstance(each, nodes.Chain)}
    bound = {name for each in every for name in names_bound(each)}
    return {
        each.procedure.position
        for each in every
        if isinstance(each, nodes.Call) and not each.arguments and id(each) not in given
        if isinstance(each.procedure, nodes.Variable) and each.procedure.name in _OF_CONTEXT and each.procedure.name not in bound
    }


def _states(node: Jsonata, scope: data.Scope) -> Piece:
    locals_ = {"input": scope.variable, "result": scope.result, "errorOutput": scope.error_output}
    if "context" in node.states:
        locals_["context"] = data.context(scope)
    parts = [(f"{literal(part)}: ", Leaf(local)) for part in STATES if part in node.states and (local := locals_.get(part)) is not None]
    return Display("{", tuple(parts), "}")
