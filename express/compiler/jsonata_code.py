"""JSONata of common shapes to Python. What has another shape is said with the reason, and goes to the library.

A value is a JSON value or UNDEFINED. Sequences are lists where several values are meant; a path unwraps them at its end, as JSONata does.
What makes JSONata's own arrays different from that (``[]`` that survives a step, arrays constructed as steps, ``%``, ``@``, ``#``) is left
to the library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from express.compiler.jsonata_growth import growth
from express.compiler.source import Display, Leaf, Piece, flat, literal
from express.language import jsonata_nodes as nodes
from express.language.jsonata import FUNCTIONS, walk
from express.runtime.jsonata_values import SAFE

DEEPEST = 40  # calls in calls: Python's parser takes 200 parentheses
LONGEST_TEXT = 200
LONGEST = 20_000  # characters of code for one expression


class NotCompiled(Exception):  # noqa: N818 - it leads to the library
    """The expression has no common shape; the text says what it uses."""


class Code(msgspec.Struct, frozen=True):
    """Python for a value. ``defined``: it is never UNDEFINED; ``boolean``: nor anything but True and False; ``single``: nor a list."""

    piece: Piece
    defined: bool = False
    boolean: bool = False
    single: bool = False


class Around(msgspec.Struct, frozen=True):
    """What surrounds an expression: the local of ``$`` (None at the top level) and the locals of variables bound inside the expression."""

    context: str | None
    bound: Mapping[str, Code]
    depth: int = 0

    def within(self, context: str) -> Around:
        return Around(context, self.bound, self.depth)


class Places(msgspec.Struct):
    """Where an expression's values come from: Python for a variable of the workflow, for a member of ``$states`` and what follows it in the
    path, for a named object, for a new local. ``query`` is the name of the expression's Query."""

    variable: Callable[[str], Code | None]
    states: Callable[[str, tuple[str, ...]], tuple[Code, int]]
    object: Callable[[Any, str], str]
    local: Callable[[str], str]
    query: str


Last: TypeAlias = Callable[[nodes.Node, Around], Code]  # compiles what comes last


def compiled(node: nodes.Node, places: Places) -> Code:
    """Python for an expression. Raises NotCompiled."""
    found = _Compiler(places, node).code(node, Around(None, {}))
    if growth(node, deep=True) is None:
        raise NotCompiled("values that grow without a bound that could be told")
    if len(flat(found.piece)) > LONGEST:
        raise NotCompiled("it is too long")
    return found


_ARITHMETIC = {"+": "plus", "-": "minus", "*": "times", "/": "divided", "%": "remainder"}
_ORDER = {"<": "less", "<=": "at_most_as", ">": "more", ">=": "at_least_as"}

_PLAIN = (nodes.Text, nodes.Number, nodes.Constant)

# JSONata's name to: our function, fewest and most arguments, whether the query comes last
_SIMPLE: dict[str, tuple[str, int, int, bool]] = {
    "sum": ("sum_of", 1, 1, True),
    "average": ("average_of", 1, 1, True),
    "max": ("largest", 1, 1, True),
    "min": ("smallest", 1, 1, True),
    "count": ("how_many", 1, 1, False),
    "number": ("number_of", 1, 1, True),
    "abs": ("absolute", 1, 1, True),
    "floor": ("floor_of", 1, 1, True),
    "ceil": ("ceiling_of", 1, 1, True),
    "round": ("rounded", 1, 1, True),
    "string": ("string_of", 1, 1, True),
    "length": ("length_of", 1, 1, True),
    "uppercase": ("upper", 1, 1, True),
    "lowercase": ("lower", 1, 1, True),
    "trim": ("trimmed", 1, 1, True),
    "substring": ("part", 2, 3, True),
    "substringBefore": ("before", 2, 2, True),
    "substringAfter": ("after", 2, 2, True),
    "contains": ("contains", 2, 2, True),
    "split": ("pieces", 2, 2, True),
    "join": ("texts_joined", 1, 2, True),
    "pad": ("padded", 2, 3, True),
    "encodeUrlComponent": ("url_component", 1, 1, True),
    "encodeUrl": ("url", 1, 1, True),
    "boolean": ("boolean_of", 1, 1, False),
    "not": ("negation", 1, 1, False),
    "exists": ("exists", 1, 1, False),
    "type": ("type_of", 1, 1, False),
    "append": ("appended", 2, 2, True),
    "keys": ("keys_of", 1, 1, False),
    "lookup": ("looked_up", 2, 2, True),
    "merge": ("merged", 1, 1, True),
    "reverse": ("turned", 1, 1, False),
}
_DEFINED = frozenset({"count", "exists"})
_AS_FIRST = frozenset({  # defined when their first argument is
    "sum", "number", "abs", "floor", "ceil", "round", "string", "length", "uppercase", "lowercase", "trim", "substring", "substringBefore",
    "substringAfter", "contains", "split", "join", "pad", "encodeUrlComponent", "encodeUrl", "boolean", "not", "type", "merge", "reverse",
})  # fmt: skip
_BOOLEAN = frozenset({"exists", "contains", "boolean", "not"})
_LISTS = frozenset({"append", "keys", "lookup", "split", "reverse"})  # what may answer a list
_OF_AWS = {name: f"aws_{name}" for name in ("partition", "range", "hash", "random", "uuid", "parse")}
_LOOPS = {"map": "mapped", "filter": "filtered", "reduce": "reduced"}
_SEQUENCES = frozenset({*_LOOPS, "keys", "lookup"})  # what may answer a sequence, to which predicates are applied before it is unwrapped


class _Compiler:
    def __init__(self, places: Places, whole: nodes.Node) -> None:
        self.places = places
        self.query = Leaf(places.query)
        self.outputs: set[int] = set()
        _mark_outputs(whole, self.outputs)
        self.keeps = any(isinstance(node, (nodes.Path, nodes.Filtered)) and node.keep for node in walk(whole))

    def code(self, node: nodes.Node, around: Around) -> Code:
        if around.depth > DEEPEST:
            raise NotCompiled("it is nested too deep")
        form = _FORMS.get(type(node))
        if form is None:
            raise NotCompiled(_REASONS.get(type(node), type(node).__name__))
        return form(self, node, Around(around.context, around.bound, around.depth + 1))

    def test(self, node: nodes.Node, around: Around) -> Piece:
        """Python that is true or false (or UNDEFINED, which is false) as the value of ``node`` is taken for true."""
        if isinstance(node, nodes.Binary) and node.operator in ("and", "or"):
            return _operands(self.test(node.left, around), node.operator, self.test(node.right, around))
        found = self.code(node, around)
        if found.boolean or (isinstance(node, nodes.Binary) and node.operator in _ORDER):
            return found.piece
        return _call("truth", found.piece)

    # --- Values -------------------------------------------------------------------------------------------------------------------

    def text(self, node: nodes.Text, around: Around) -> Code:
        if len(node.value) > LONGEST_TEXT:
            return Code(Leaf(self.places.object(node.value, "text")), True, False, True)
        return Code(Leaf(literal(node.value)), True, False, True)

    def number(self, node: nodes.Number, around: Around) -> Code:
        return Code(Leaf(literal(node.value)), True, False, True)

    def constant(self, node: nodes.Constant, around: Around) -> Code:
        return Code(Leaf(literal(node.value)), True, node.value is not None, True)

    def variable(self, node: nodes.Variable, around: Around) -> Code:
        if node.name == "":
            if around.context is None:
                raise NotCompiled("$ at the top level")
            return Code(Leaf(around.context), True)
        if node.name == "$":
            return Code(Leaf("UNDEFINED"))
        if node.name in around.bound:
            return around.bound[node.name]
        found = self.places.variable(node.name)
        if found is not None:
            return found
        if node.name == "states":
            raise NotCompiled("all of $states")
        if node.name in FUNCTIONS:
            raise NotCompiled(f"the function ${node.name} as a value")
        return Code(Leaf("UNDEFINED"))

    def array(self, node: nodes.Array, around: Around) -> Code:
        parts, plain = [], True
        for item in node.items:
            found = self.code(item, around)
            if isinstance(item, nodes.Array) or (isinstance(item, nodes.Filtered) and isinstance(item.node, nodes.Array)):
                if not found.defined:
                    raise NotCompiled("an array with predicates in an array")
                parts.append((found.piece, True))
            else:
                plain = plain and found.defined and found.single
                parts.append((found.piece, False))
        if plain:
            return Code(Display("[", tuple(("", piece) for piece, _ in parts), "]"), True)
        pieces = [Display("[", (("", piece),), "]") if nested else piece for piece, nested in parts]
        return Code(_call("listed", *pieces, self.query), True)

    def range(self, node: nodes.Range, around: Around) -> Code:
        return Code(_call("numbers", self.code(node.start, around).piece, self.code(node.stop, around).piece, self.query))

    def object(self, node: nodes.Object, around: Around) -> Code:
        if around.context is not None and _uses_context(node):
            context = self.places.local("item")
            made = self.members(node, around.within(context))
            return Code(_call("in_group", Leaf(around.context), _lambda(context, made)), True, False, True)
        return Code(self.members(node, around), True, False, True)

    def members(self, node: nodes.Object, around: Around) -> Piece:
        entries, certain, names = [], True, set()
        for key, value in node.pairs:
            if not isinstance(key, nodes.Text):
                raise NotCompiled("an object with a computed key")
            if key.value in names:
                raise NotCompiled("an object with the same key twice")
            names.add(key.value)
            found = self.code(value, around)
            certain = certain and found.defined
            name = literal(key.value) if len(key.value) <= LONGEST_TEXT else self.places.object(key.value, "key")
            entries.append((f"{name}: ", found.piece))
        made = Display("{", tuple(entries), "}")
        return made if certain else _call("members", made)

    # --- Operators ----------------------------------------------------------------------------------------------------------------

    def negation(self, node: nodes.Negation, around: Around) -> Code:
        return Code(_call("negated", self.code(node.operand, around).piece, self.query), False, False, True)

    def binary(self, node: nodes.Binary, around: Around) -> Code:
        operator = node.operator
        if operator in ("and", "or"):
            return Code(_operands(self.certain_bool(node.left, around), operator, self.certain_bool(node.right, around)), True, True, True)
        if operator == "&":
            return self.concatenation(node, around)
        left, right = self.code(node.left, around), self.code(node.right, around)
        if operator in _ARITHMETIC:
            return Code(_call(_ARITHMETIC[operator], left.piece, right.piece, self.query), False, False, True)
        if operator in _ORDER:
            return Code(_call(_ORDER[operator], left.piece, right.piece, self.query), False, False, True)
        if operator == "in":
            return Code(_call("contained", left.piece, right.piece), True, True, True)
        if operator == "=" and not (isinstance(node.left, _PLAIN) and isinstance(node.right, _PLAIN)):
            for one, other in ((node.right, left.piece), (node.left, right.piece)):
                if isinstance(one, nodes.Text):
                    return Code(_comparison(other, "==", self.code(one, around).piece), True, True, True)
                if isinstance(one, nodes.Number) and one.value not in (0, 1) and -SAFE < one.value < SAFE:
                    return Code(_comparison(other, "==", self.code(one, around).piece), True, True, True)
                if isinstance(one, nodes.Constant):
                    return Code(_comparison(other, "is", self.code(one, around).piece), True, True, True)
        return Code(_call("equals" if operator == "=" else "differs", left.piece, right.piece), True, True, True)

    def certain_bool(self, node: nodes.Node, around: Around) -> Piece:
        """Python that is True or False."""
        found = self.code(node, around)
        return found.piece if found.boolean else _call("truth", found.piece)

    def concatenation(self, node: nodes.Binary, around: Around) -> Code:
        parts: list[Piece] = []
        left: nodes.Node = node
        while isinstance(left, nodes.Binary) and left.operator == "&":
            parts.append(self.code(left.right, around).piece)
            left = left.left
        parts.append(self.code(left, around).piece)
        return Code(_call("joined", *reversed(parts), self.query), True, False, True)

    def condition(self, node: nodes.Condition, around: Around, last: Last | None = None) -> Code:
        last = last or self.code
        test = self.test(node.test, around)
        then = last(node.then, around)
        otherwise = Code(Leaf("UNDEFINED")) if node.otherwise is None else last(node.otherwise, around)
        entries = (("", then.piece), ("if ", test), ("else ", otherwise.piece))
        piece = Leaf("(" + " ".join(prefix + flat(entry) for prefix, entry in entries) + ")")
        return Code(piece, then.defined and otherwise.defined, then.boolean and otherwise.boolean, then.single and otherwise.single)

    # --- Blocks and calls ---------------------------------------------------------------------------------------------------------

    def block(self, node: nodes.Block, around: Around, finish: Last | None = None) -> Code:
        if not node.expressions:
            return Code(Leaf("UNDEFINED"))
        bound, parts = dict(around.bound), list[tuple[str, Piece]]()
        for expression in node.expressions[:-1]:
            inside = Around(around.context, bound, around.depth)
            if not isinstance(expression, nodes.Bind):
                parts.append(("", self.code(expression, inside).piece))
                continue
            found = self.code(expression.value, inside)
            local = self.places.local(expression.name)
            parts.append((f"{local} := ", found.piece))
            bound = {**bound, expression.name: msgspec.structs.replace(found, piece=Leaf(local))}
        last = node.expressions[-1]
        inside = Around(around.context, bound, around.depth)
        if isinstance(last, nodes.Bind):
            found = self.code(last.value, inside)
        else:
            found = (finish or self.code)(last, inside)
        if not parts:
            return found
        return msgspec.structs.replace(found, piece=Display("(", (*parts, ("", found.piece)), ")[-1]"))

    def bind(self, node: nodes.Bind, around: Around) -> Code:
        raise NotCompiled(f"${node.name} := in the middle of an expression")

    def call(self, node: nodes.Call, around: Around) -> Code:
        procedure = node.procedure
        if not isinstance(procedure, nodes.Variable) or procedure.name in around.bound or self.places.variable(procedure.name) is not None:
            raise NotCompiled("a function that the expression defines itself")
        return self.function(procedure.name, node.arguments, around)

    def function(self, name: str, arguments: tuple[nodes.Node, ...], around: Around) -> Code:
        if name not in FUNCTIONS:
            raise NotCompiled(f"${name} is no function")
        if any(isinstance(argument, nodes.Placeholder) for argument in arguments):
            raise NotCompiled("a partial application")
        if name in _LOOPS:
            return self.loop(name, arguments, around)
        if name in _OF_AWS:
            pieces = [self.code(argument, around).piece for argument in arguments]
            return Code(_call("called", self.query, Leaf(_OF_AWS[name]), *pieces), True)
        if name not in _SIMPLE:
            raise NotCompiled(f"the function ${name}")
        if name == "keys" and not arguments and around.context is not None:
            return Code(_call("keys_of", Leaf(around.context)))
        function, fewest, most, asks = _SIMPLE[name]
        if not fewest <= len(arguments) <= most:
            raise NotCompiled(f"${name} with {len(arguments)} arguments")
        given = [self.code(argument, around) for argument in arguments]
        if name == "not" and given[0].boolean:
            return Code(Leaf(f"(not {flat(given[0].piece)})"), True, True, True)
        if around.context is not None and len(arguments) == 2 and name == "substring":
            return Code(_call("part_here", Leaf(around.context), given[0].piece, given[1].piece, self.query), False, False, True)
        if around.context is not None and name == "split" and not isinstance(arguments[1], nodes.Text):
            raise NotCompiled("$split with a computed separator where there is a context")
        if around.context is not None and name == "pad" and len(arguments) == 2 and not isinstance(arguments[1], nodes.Number):
            raise NotCompiled("$pad with a computed width where there is a context")
        pieces = [each.piece for each in given] + [Leaf("UNDEFINED")] * (most - len(given))
        defined = name in _DEFINED or (name in _AS_FIRST and given[0].defined)
        return Code(_call(function, *pieces, *([self.query] if asks else [])), defined, defined and name in _BOOLEAN, name not in _LISTS)

    def loop(self, name: str, arguments: tuple[nodes.Node, ...], around: Around, unwrapped: bool = True) -> Code:
        reduces = name == "reduce"
        if not 2 <= len(arguments) <= 2 + reduces or not isinstance(arguments[1], nodes.Lambda):
            raise NotCompiled(f"${name} with a function that is not written out")
        function = arguments[1]
        names = set(function.parameters)
        if (
            function.signature is not None
            or len(function.parameters) > 3
            or len(names) < len(function.parameters)
            or names & {"", "$"}
            or (reduces and len(names) < 2)
        ):
            raise NotCompiled("a function with a signature or unusual parameters")
        items = self.code(arguments[0], around)
        locals_ = [self.places.local(parameter or "item") for parameter in function.parameters] or [self.places.local("item")]
        bound = dict(around.bound)
        for number, (parameter, local) in enumerate(zip(function.parameters, locals_, strict=False)):
            # what $reduce has so far may be undefined; the index, before the array itself, is a number
            bound[parameter] = Code(Leaf(local), not (reduces and number == 0), False, number == 1 + reduces)
        # What a sequence of sequences is worth later depends on who reads it: it is compiled where nobody does but the state
        ends = not reduces and (name == "filter" or id(function) in self.outputs)
        body = self.tail(function.body, Around(around.context, bound, around.depth), ends)
        given = (items.piece, _lambda(", ".join(locals_), body.piece), Leaf(str(len(locals_))))
        if not reduces:
            return Code(_call(_LOOPS[name] + ("" if unwrapped else "_items"), *given, self.query))
        start = self.code(arguments[2], around).piece if len(arguments) > 2 else Leaf("UNDEFINED")
        return Code(_call("reduced", *given, start, self.query))

    def tail(self, node: nodes.Node, around: Around, ends: bool) -> Code:
        """What a function answers. JSONata hands on the sequence of a call that comes last as it is: one item stays an array."""

        def last(inner: nodes.Node, inside: Around) -> Code:
            return self.tail(inner, inside, ends)

        if isinstance(node, nodes.Condition):
            return self.condition(node, around, last)
        if isinstance(node, nodes.Block):
            return self.block(node, around, last)
        if isinstance(node, nodes.Call) and isinstance(node.procedure, nodes.Variable):
            name = node.procedure.name
            if name in _SEQUENCES and name not in around.bound and self.places.variable(name) is None:
                if not ends or name not in ("map", "filter"):
                    raise NotCompiled(f"a function that ends with ${name}")
                return self.loop(name, node.arguments, around, unwrapped=False)
        return self.code(node, around)

    def chain(self, node: nodes.Chain, around: Around) -> Code:
        right = node.right
        if isinstance(right, nodes.Variable) and right.name not in around.bound and self.places.variable(right.name) is None:
            return self.function(right.name, (node.left,), around)
        if isinstance(right, nodes.Call) and isinstance(right.procedure, nodes.Variable):
            return self.call(nodes.Call(right.procedure, (node.left, *right.arguments)), around)
        raise NotCompiled("~> with a function that is computed")

    # --- Paths --------------------------------------------------------------------------------------------------------------------

    def filtered(self, node: nodes.Filtered, around: Around) -> Code:
        if node.group is not None:
            raise NotCompiled("a group {...} behind an expression")
        if node.keep and (_is_index(node.predicates[-1]) if node.predicates else not isinstance(node.node, nodes.Variable)):
            raise NotCompiled("[] behind an expression")
        if isinstance(node.node, nodes.Array):
            raise NotCompiled("an array with predicates")
        found = self.before_predicates(node.node, around) if node.predicates else self.code(node.node, around)
        if not node.predicates:
            return found
        piece, by_index = self.predicates(found.piece, node.predicates, around)
        if by_index:
            return Code(piece)
        return Code(Display("(", (("", piece), ("", Leaf("UNDEFINED"))), ")", "or") if node.keep else _call("unwrapped", piece))

    def before_predicates(self, node: nodes.Node, around: Around) -> Code:
        """A value to which predicates will be applied: a sequence that a function answers is not unwrapped before."""
        last = node.right if isinstance(node, nodes.Chain) else node
        procedure = last.procedure if isinstance(last, nodes.Call) else last if isinstance(node, nodes.Chain) else None
        if isinstance(procedure, nodes.Variable) and procedure.name in _SEQUENCES:
            known = procedure.name in around.bound or self.places.variable(procedure.name) is not None
            if not known and procedure.name in ("map", "filter") and isinstance(node, nodes.Call):
                return self.loop(procedure.name, node.arguments, around, unwrapped=False)
            if procedure.name != "reduce":
                raise NotCompiled(f"predicates behind ${procedure.name}")
        return self.code(node, around)

    def predicates(self, piece: Piece, predicates: tuple[nodes.Node, ...], around: Around) -> tuple[Piece, bool]:
        """A value with predicates, and whether the last one is an index: it answers an item, others answer a list."""
        by_index = False
        for predicate in predicates:
            function = "where_found" if by_index else "where"
            by_index = _is_index(predicate)
            if by_index:
                assert isinstance(predicate, nodes.Number)
                piece = _call("indexed", piece, Leaf(str(int(predicate.value // 1))))
                continue
            piece = _call(function, piece, self.predicate(predicate, around), self.query)
        return piece, by_index

    def one_predicate(self, piece: Piece, name: Leaf, predicate: nodes.Node, last: bool, around: Around) -> Piece:
        if isinstance(predicate, nodes.Number):
            return _call("field_at" if last else "through_at", piece, name, Leaf(str(int(predicate.value // 1))))
        function = "field_where" if last else "through_where"
        return _call(function, piece, name, self.predicate(predicate, around), self.query)

    def predicate(self, node: nodes.Node, around: Around) -> tuple[str, Piece]:
        """A predicate that is no index, as a function of an item."""
        if isinstance(node, nodes.Position):
            raise NotCompiled("#")
        item = self.places.local("item")
        inside = around.within(item)
        return _lambda(item, self.test(node, inside) if _is_test(node) else self.code(node, inside).piece)

    def path(self, node: nodes.Path, around: Around) -> Code:
        if node.group is not None:
            raise NotCompiled("a group {...} behind a path")
        for step in node.steps:
            if step.focus is not None or step.index is not None:
                raise NotCompiled("@ or #")
        steps = list(node.steps)
        if isinstance(steps[0].node, (nodes.Field, nodes.Wildcard)) and around.context is not None:
            piece: Piece = Leaf(around.context)
        else:
            piece, taken = self.beginning(node.steps, node.keep, around)
            steps = steps[taken:]
        for step in steps[:-1]:
            piece = self.step(piece, step, False, around)
        if not steps:
            return Code(_call("kept", piece) if node.keep else piece)
        if not node.keep:
            return Code(self.step(piece, steps[-1], True, around))
        last = steps[-1]
        if isinstance(last.node, nodes.Field) and not last.stages and len(last.node.name) <= LONGEST_TEXT:
            return Code(_call("field_kept", piece, Leaf(literal(last.node.name))))
        if last.stages and _is_index(last.stages[-1]):
            raise NotCompiled("[] behind an index")
        return Code(_call("kept", self.step(piece, last, False, around)))

    def beginning(self, steps: tuple[nodes.Step, ...], keep: bool, around: Around) -> tuple[Piece, int]:
        """The value that a path begins with, and the number of steps that it takes."""
        first = steps[0]
        if first.stages or isinstance(first.node, (nodes.Array, nodes.Sort)):
            raise NotCompiled("a path that begins with an array or a predicate")
        is_states = isinstance(first.node, nodes.Variable) and first.node.name == "states" and "states" not in around.bound
        if is_states and len(steps) > 1 and isinstance(steps[1].node, nodes.Field):
            names = []
            for step in steps[1:]:
                if not isinstance(step.node, nodes.Field):
                    break
                names.append(step.node.name)
                if step.stages:
                    break
            found, taken = self.places.states(names[0], tuple(names[1:]))
            if any(step.stages for step in steps[1 : 1 + taken]):
                if taken > 1 or len(names) > 1:
                    raise NotCompiled("a predicate behind $states")
                return self.staged(found.piece, steps[1], around, len(steps) == 2 and not keep), 2
            return found.piece, 1 + taken
        absolute = first.node.node if isinstance(first.node, nodes.Filtered) else first.node
        if around.context is None or isinstance(absolute, nodes.Variable):
            return self.code(first.node, around).piece, 1
        if self.keeps or _ends_with_array(first.node):
            raise NotCompiled("an array at the beginning of an inner path")
        item = self.places.local("item")
        body = self.code(first.node, around.within(item)).piece
        return _call("steps_through", Leaf(around.context), _lambda(item, body), self.query), 1

    def staged(self, piece: Piece, step: nodes.Step, around: Around, last: bool) -> Piece:
        """A value that is the result of a step already, with the step's predicates."""
        made, by_index = self.predicates(piece, step.stages, around)
        if by_index:
            return made
        return _call("unwrapped", made) if last else Display("(", (("", made), ("", Leaf("UNDEFINED"))), ")", "or")

    def step(self, piece: Piece, step: nodes.Step, last: bool, around: Around) -> Piece:
        node = step.node
        if isinstance(node, nodes.Field):
            if len(node.name) > LONGEST_TEXT:
                raise NotCompiled("a very long name")
            name = Leaf(literal(node.name))
            if not step.stages:
                return _call("field" if last else "through", piece, name)
            if len(step.stages) == 1:
                return self.one_predicate(piece, name, step.stages[0], last, around)
            item = self.places.local("item")
            made, by_index = self.predicates(_call("member", Leaf(item), name), step.stages, around.within(item))
            function = ("picked" if last else "steps_through") if by_index else ("selected" if last else "selected_through")
            return _call(function, piece, _lambda(item, made), self.query)
        if step.stages:
            raise NotCompiled("predicates behind a computed step")
        if not isinstance(node, (nodes.Block, nodes.Object, nodes.Call, nodes.Condition)):
            raise NotCompiled(_REASONS.get(type(node), f"a step {type(node).__name__}"))
        item = self.places.local("item")
        if isinstance(node, nodes.Object):
            if not last:
                raise NotCompiled("steps behind an object")
            return _call("objects", piece, _lambda(item, self.members(node, around.within(item))), self.query)
        if self.keeps:
            raise NotCompiled("[] in an expression with computed steps")
        body = self.code(node, around.within(item))
        return _call("steps" if last else "steps_through", piece, _lambda(item, body.piece), self.query)


def _call(function: str, *arguments: Piece | tuple[str, Piece]) -> Display:
    """A call; an argument may have something before it, such as ``lambda item:``."""
    return Display(f"{function}(", tuple(argument if isinstance(argument, tuple) else ("", argument) for argument in arguments), ")")


def _lambda(parameters: str, body: Piece) -> tuple[str, Piece]:
    return (f"lambda {parameters}: ", body)


def _operands(left: Piece, operator: str, right: Piece) -> Display:
    return Display("(", (("", left), ("", right)), ")", operator)


def _comparison(left: Piece, operator: str, right: Piece) -> Display:
    return Display("(", (("", left), ("", right)), ")", operator)


def _is_index(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Number)


def _is_test(node: nodes.Node) -> bool:
    """Whether a predicate answers true or false, never a number that would be a place."""
    return isinstance(node, nodes.Binary) and node.operator in ("and", "or", "=", "!=", "in", *_ORDER)


def _mark_outputs(node: nodes.Node, found: set[int]) -> None:
    """Collects the functions whose values become part of the expression's value as they are, by their ids."""
    if isinstance(node, nodes.Object):
        for _, value in node.pairs:
            _mark_outputs(value, found)
    elif isinstance(node, nodes.Array):
        for item in node.items:
            _mark_outputs(item, found)
    elif isinstance(node, nodes.Call) and isinstance(node.procedure, nodes.Variable) and node.procedure.name == "map":
        for argument in node.arguments[1:]:
            if isinstance(argument, nodes.Lambda):
                found.add(id(argument))
                _mark_last(argument.body, found)


def _mark_last(node: nodes.Node, found: set[int]) -> None:
    if isinstance(node, nodes.Condition):
        _mark_last(node.then, found)
        if node.otherwise is not None:
            _mark_last(node.otherwise, found)
    elif isinstance(node, nodes.Block) and node.expressions:
        _mark_last(node.expressions[-1], found)
    else:
        _mark_outputs(node, found)


def _ends_with_array(node: nodes.Node) -> bool:
    while isinstance(node, nodes.Block) and node.expressions:
        node = node.expressions[-1]
    return isinstance(node, nodes.Array)


def _uses_context(node: nodes.Node) -> bool:
    """Whether something in ``node`` may look at ``$``."""
    return any(
        isinstance(found, (nodes.Field, nodes.Wildcard))
        or (isinstance(found, nodes.Variable) and not found.name)
        or (isinstance(found, nodes.Call) and not found.arguments)  # $keys() is about the context
        for found in walk(node)
    )


_REASONS: dict[type, str] = {
    nodes.Wildcard: "the wildcard *",
    nodes.Descendants: "the descendants **",
    nodes.Parent: "the parent %",
    nodes.Regex: "a regular expression",
    nodes.Placeholder: "a partial application",
    nodes.Lambda: "a function of its own",
    nodes.Transform: "a transformation |...|",
    nodes.Sort: "an order ^(...)",
    nodes.Array: "an array as a step",
    nodes.Position: "#",
}
_FORMS: dict[type, Callable[[_Compiler, Any, Around], Code]] = {
    nodes.Text: _Compiler.text,
    nodes.Number: _Compiler.number,
    nodes.Constant: _Compiler.constant,
    nodes.Variable: _Compiler.variable,
    nodes.Array: _Compiler.array,
    nodes.Range: _Compiler.range,
    nodes.Object: _Compiler.object,
    nodes.Negation: _Compiler.negation,
    nodes.Binary: _Compiler.binary,
    nodes.Condition: _Compiler.condition,
    nodes.Block: _Compiler.block,
    nodes.Bind: _Compiler.bind,
    nodes.Call: _Compiler.call,
    nodes.Chain: _Compiler.chain,
    nodes.Filtered: _Compiler.filtered,
    nodes.Path: _Compiler.path,
}
