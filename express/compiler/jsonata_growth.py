"""A JSONata expression in, how large its values can become out: which expressions the library may evaluate in this process.

The library shares the parts of what an expression builds: a value of 2 to the 60 parts needs hardly any memory, until each is looked at,
and then the process dies. So growth is known before: as a power of what the expression is given, or as having no bound that its text tells.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from math import inf

import msgspec

from express.language import jsonata_nodes as nodes
from express.language.jsonata import FUNCTIONS, walk

MOST_COPIES = 10_000  # of one value in another: nobody writes so many out, but a line that doubles is soon written 14 times
MOST_READ = 50_000  # nodes, those of a function as often as it is called

# What answers one text, number or boolean, whatever it is given
_SCALARS = frozenset({
    "sum", "count", "max", "min", "average", "string", "substring", "substringBefore", "substringAfter", "lowercase", "uppercase", "length",
    "trim", "pad", "contains", "replace", "join", "formatNumber", "formatBase", "formatInteger", "parseInteger", "number", "floor", "ceil",
    "round", "abs", "sqrt", "power", "boolean", "not", "exists", "error", "assert", "type", "base64encode", "base64decode",
    "encodeUrlComponent", "encodeUrl", "decodeUrlComponent", "decodeUrl", "toMillis", "fromMillis", "now", "millis", "hash", "random",
    "uuid",
})  # fmt: skip


# Of these, what makes a text of a text: no shorter, and twice as long if it wants to
_TEXTS = frozenset({"string", "replace", "join", "base64encode", "encodeUrlComponent", "encodeUrl"})
# What makes a list of something that is none
_INVENTORS = frozenset({"range", "split", "match", "parse"})


class Growth(msgspec.Struct, frozen=True):
    """At most about ``copies * parts ** power`` parts, of a document of ``parts``: fields and items, at any depth."""

    power: int
    copies: int

    def times(self, iterations: int) -> Growth:
        """As often as there are parts, over and over."""
        return Growth(self.power + iterations, self.copies)


class _Endless(Exception):  # noqa: N818 - an answer
    """A value may be made of itself, again and again."""


ONE, DOCUMENT = Growth(0, 1), Growth(1, 1)


def growth(node: nodes.Node, *, deep: bool = False) -> Growth | None:
    """Of what an expression answers, and of every value on the way to it. None where its text tells no bound, nor the document's size; nor,
    unless values may be ``deep``, how many levels they nest."""
    reader = _Reader(DOCUMENT, deep, {each.name for each in walk(node) if isinstance(each, nodes.Bind)})
    try:
        reader.of(node, _Around(0, ONE, {}))
    except _Endless:
        return None
    return None if reader.invents and reader.most.power > 1 else reader.most


def doubles(body: nodes.Node, name: str, *, texts: bool) -> bool:
    """Whether a function may answer something that holds its parameter ``name`` more than once, also in ``texts``, of which the compiler
    takes care itself."""
    try:
        found = _Reader(ONE, True, texts=texts).of(body, _Around(0, ONE, {name: (0, DOCUMENT)}))
    except _Endless:
        return True
    return found.power > 1 or (found.power == 1 and found.copies > 1)


def _levels(node: nodes.Node, name: str) -> float:
    """How many levels deeper than itself a variable is in what an expression answers: below 0 for a part of it, infinity where nobody
    knows."""
    match node:
        case nodes.Variable():
            return 0 if node.name == name else -inf
        case nodes.Path((nodes.Step(nodes.Variable(found), (), _, None, None), *steps), _, None) if found == name and steps:
            return -len(steps) if all(isinstance(step.node, nodes.Field) and not step.stages for step in steps) else inf
        case nodes.Object(pairs):
            return 1 + max((_levels(value, name) for _, value in pairs), default=-inf)
        case nodes.Array(items):  # arrays are put in item by item, unless they are written out
            return max((_levels(item, name) + isinstance(item, nodes.Array) for item in items), default=-inf)
        case nodes.Condition(_, then, otherwise):
            return max(_levels(part, name) for part in (then, otherwise) if part is not None)
        case nodes.Block((*_, last)) if not any(isinstance(each, nodes.Bind) for each in node.expressions):
            return _levels(last, name)
        case nodes.Call(nodes.Variable(function), arguments) if function in _SCALARS:
            return -inf
        case nodes.Call(nodes.Variable("append" | "merge" | "lookup" | "reverse" | "distinct"), arguments):
            return max((_levels(argument, name) for argument in arguments), default=-inf)
        case nodes.Binary() | nodes.Negation() | nodes.Text() | nodes.Number() | nodes.Constant() | nodes.Range():
            return -inf
    return inf if any(isinstance(each, nodes.Variable) and each.name in (name, "") for each in walk(node)) else -inf


class _Around(msgspec.Struct, frozen=True):
    """``level``: an expression is evaluated ``parts ** level`` times. What the context is in all of these together; the variables by name,
    at which level they were bound and what they were there. Growth is always that of all evaluations together."""

    level: int
    context: Growth
    bound: Mapping[str, tuple[int, Growth] | _Function]

    def bind(self, name: str, value: tuple[int, Growth] | _Function) -> _Around:
        return _Around(self.level, self.context, {**self.bound, name: value})

    def inside(self, context: Growth, names: Iterable[str] = ()) -> _Around:
        """For each item of ``context``, which may be its parts or, in a loop, be there for others."""
        level = max(self.level, context.power)
        return _Around(level, context, {**self.bound, **dict.fromkeys(names, (level, context))})


class _Function(msgspec.Struct, frozen=True):
    """A function of the expression's own, and what is bound where it is written. It is not bound there itself: one that calls itself calls
    what nobody knows."""

    node: nodes.Lambda
    around: _Around


class _Reader:
    """Goes through an expression. ``most`` is the largest value of one evaluation so far, ``document`` what a variable from outside is."""

    def __init__(self, document: Growth, deep: bool, assigned: Container[str] = (), *, texts: bool = False) -> None:
        self.most, self.document, self.deep, self.assigned, self.texts = ONE, document, deep, assigned, texts
        self.left = MOST_READ
        self.invents = False  # there are lists whose length is not that of something in the document

    def of(self, node: nodes.Node, around: _Around) -> Growth:
        self.left -= 1
        if not self.left:
            raise _Endless
        found = self._of(node, around)
        if found.copies > MOST_COPIES:
            raise _Endless
        each = Growth(max(0, found.power - around.level), found.copies)
        if (each.power, each.copies) > (self.most.power, self.most.copies):
            self.most = each
        return found

    def _of(self, node: nodes.Node, around: _Around) -> Growth:
        match node:
            case nodes.Variable(name):
                return self._variable(name, around)
            case nodes.Field() | nodes.Wildcard() | nodes.Parent():
                return around.context
            case nodes.Descendants():
                return around.context.times(1)  # each part, and all of its own parts
            case nodes.Path(steps, _, group):
                return self._path(steps, group, around)
            case nodes.Filtered(inner, predicates, _, group):
                found = self.of(inner, around)
                for predicate in predicates:
                    self.of(predicate, around.inside(found))
                return self._group(group, found, around)
            case nodes.Array(items) | nodes.Block(items):
                if isinstance(node, nodes.Block):
                    return self._block(items, around)
                return self._together([self.of(item, around) for item in items], around)
            case nodes.Object(pairs):
                return self._together([self.of(part, around) for pair in pairs for part in pair], around)
            case nodes.Condition(test, then, otherwise):
                self.of(test, around)
                return max((self.of(part, around) for part in (then, otherwise) if part is not None), key=_size)
            case nodes.Range(start, stop):
                self.of(start, around)
                self.of(stop, around)
                self.invents = True
                return ONE.times(around.level + 1)
            case nodes.Binary(operator, left, right):
                sides = [self.of(left, around), self.of(right, around)]
                return self._together(sides, around) if self.texts and operator == "&" else ONE.times(around.level)
            case nodes.Negation(operand):
                self.of(operand, around)
                return ONE.times(around.level)
            case nodes.Bind(_, value):
                return self.of(value, around)
            case nodes.Call(procedure, arguments):
                return self._call(procedure, arguments, around)
            case nodes.Chain(left, nodes.Call(procedure, arguments)):
                return self._call(procedure, (left, *arguments), around)
            case nodes.Chain(left, (nodes.Variable() | nodes.Lambda()) as procedure):
                return self._call(procedure, (left,), around)
            case nodes.Chain(left, nodes.Transform() as transform):
                return self._transform(transform, self.of(left, around), around)
            case nodes.Sort(terms):
                for term in terms:
                    self.of(term.expression, around)
                return around.context
            case nodes.Text() | nodes.Number() | nodes.Constant() | nodes.Regex() | nodes.Placeholder() | nodes.Position():
                return ONE.times(around.level)
        raise _Endless  # a function as a value: who knows who calls it

    def _variable(self, name: str, around: _Around) -> Growth:
        if name == "":
            return around.context
        if name in around.bound:
            found = around.bound[name]
            if isinstance(found, _Function):
                raise _Endless
            return found[1].times(around.level - found[0])
        if name in self.assigned:  # where it is not seen yet: a function that is written out there may call it all the same
            raise _Endless
        if name in FUNCTIONS:
            return ONE.times(around.level)
        return self.document.times(around.level)

    def _path(self, steps: tuple[nodes.Step, ...], group: tuple[tuple[nodes.Node, nodes.Node], ...] | None, around: _Around) -> Growth:
        found, inside = around.context, around
        for step in steps:
            found = self.of(step.node, inside)
            inside = inside.inside(found, [name for name in (step.focus, step.index) if name is not None])
            for stage in step.stages:
                if isinstance(stage, nodes.Position):
                    inside = inside.inside(found, [stage.name])
                else:
                    self.of(stage, inside)
        return found if group is None else self._group(group, found, inside)

    def _group(self, group: tuple[tuple[nodes.Node, nodes.Node], ...] | None, found: Growth, around: _Around) -> Growth:
        if group is None:
            return found
        return self._together([self.of(part, around.inside(found)) for pair in group for part in pair], around)

    def _block(self, expressions: tuple[nodes.Node, ...], around: _Around) -> Growth:
        found = ONE.times(around.level)
        for expression in expressions:
            if isinstance(expression, nodes.Bind) and isinstance(expression.value, nodes.Lambda):
                around = around.bind(expression.name, _Function(expression.value, around))
                continue
            found = self.of(expression, around)
            if isinstance(expression, nodes.Bind):
                around = around.bind(expression.name, (around.level, found))
        return found

    def _together(self, parts: list[Growth], around: _Around) -> Growth:
        """What holds several things."""
        power = max((part.power for part in parts), default=around.level)
        return Growth(power, max(1, sum(part.copies for part in parts if part.power == power)))

    def _function(self, node: nodes.Node, around: _Around) -> _Function | None:
        """The function of the expression's own that a node is, if it is one."""
        if isinstance(node, nodes.Lambda):
            return _Function(node, around)
        found = around.bound.get(node.name) if isinstance(node, nodes.Variable) else None
        return found if isinstance(found, _Function) else None

    def _body(self, function: _Function, around: _Around, given: Sequence[tuple[int, Growth]]) -> Growth:
        """What a function answers at a level where it may have been written outside of."""
        bound = dict(function.around.bound)
        for number, parameter in enumerate(function.node.parameters):
            bound[parameter] = given[min(number, len(given) - 1)] if given else (around.level, ONE.times(around.level))
        return self.of(function.node.body, _Around(around.level, around.context, bound))

    def _call(self, procedure: nodes.Node, arguments: tuple[nodes.Node, ...], around: _Around) -> Growth:
        function = self._function(procedure, around)
        if function is not None:
            return self._body(function, around, [(around.level, self.of(argument, around)) for argument in arguments])
        if not isinstance(procedure, nodes.Variable) or procedure.name not in FUNCTIONS or procedure.name in around.bound:
            raise _Endless
        name = procedure.name
        if name == "reduce":
            return self._reduce(arguments, around)
        functions = [self._function(argument, around) for argument in arguments]
        given = [
            self.of(argument, around)
            for argument, function in zip(arguments, functions, strict=True)
            if function is None and not isinstance(argument, nodes.Transform)
        ]
        items = given[0] if given else around.context
        for argument, function in zip(arguments, functions, strict=True):
            inside = around.inside(items)
            if function is not None:
                given.append(self._body(function, _Around(inside.level, around.context, {}), [(inside.level, items)]))
            elif isinstance(argument, nodes.Transform):
                given.append(self._transform(argument, items, around))
        if name in _INVENTORS:
            self.invents = True
            given.append(ONE.times(around.level + 1))
        if self.texts and name in _TEXTS:
            return self._together([*given, *given], around)
        return ONE.times(around.level) if name in _SCALARS else self._together(given, around)

    def _reduce(self, arguments: tuple[nodes.Node, ...], around: _Around) -> Growth:
        """A value that grows by what each iteration adds to it, if it does not double."""
        function = self._function(arguments[1], around) if len(arguments) > 1 else None
        if function is None or not function.node.parameters:
            raise _Endless
        so_far = function.node.parameters[0]
        if doubles(function.node.body, so_far, texts=not self.deep) or not (self.deep or _levels(function.node.body, so_far) <= 0):
            raise _Endless
        items = self.of(arguments[0], around)
        inside = around.inside(items)
        body = self._body(
            function, _Around(inside.level, around.context, {}), [(inside.level, ONE.times(inside.level)), (inside.level, items)]
        )
        return self._together([items, body, *(self.of(start, around) for start in arguments[2:])], around)

    def _transform(self, node: nodes.Transform, given: Growth, around: _Around) -> Growth:
        inside = around.inside(given)
        return self._together(
            [given, *(self.of(part, inside) for part in (node.pattern, node.update, node.delete) if part is not None)], around
        )


def _size(found: Growth) -> tuple[int, int]:
    return found.power, found.copies
