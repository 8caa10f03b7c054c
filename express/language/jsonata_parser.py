"""JSONata text in, ``jsonata_nodes`` out, with the syntax and the syntax errors of jsonata 2.0.6.

Two passes, as the language is defined: precedence first (``x.y[0].z`` is a tree of binary operators), then meaning (it is a path of steps,
predicates belong to steps, ``%`` must have a step to belong to). Nesting is bounded, so no input reaches Python's own recursion limit.
"""

from __future__ import annotations

from typing import Any, cast

from express.language import jsonata_nodes as nodes
from express.language import jsonata_signatures
from express.language.jsonata_tokens import WORDS, Token, Tokens
from express.language.scanner import SyntaxProblem

DEEPEST = 100  # expressions inside expressions
MOST_TOKENS = 10_000
MOST_PARENTS = 100  # every % may look at every step
POWERS = {
    ".": 75, "[": 80, "{": 70, "(": 80, "@": 80, "#": 80, "?": 20, "+": 50, "-": 50, "*": 60, "/": 60, "%": 60, "=": 40, "<": 40,
    ">": 40, "^": 40, ":=": 10, "!=": 40, "<=": 40, ">=": 40, "~>": 40, "and": 30, "or": 25, "in": 40, "&": 50,
}  # fmt: skip
SYMBOLS = frozenset({*POWERS, "]", "}", ")", ",", ";", ":", "|", "**", ".."})
PREFIX_POWER = 70
PLAIN = frozenset({".", "+", "-", "*", "/", "%", "=", "<", ">", "!=", "<=", ">=", "&", "and", "or", "in", "~>"})


def parse(text: str) -> nodes.Node:
    """Raises SyntaxProblem."""
    return _freeze(_meaning(_Parser(text).whole()))


class _Draft:
    """A node on its way: which attributes are set depends on ``type``. ``depth`` counts what is nested in it."""

    __slots__ = (
        "depth",
        "extra",
        "focus",
        "group",
        "index",
        "keep",
        "keep_singleton",
        "left",
        "position",
        "predicates",
        "right",
        "seeking",
        "stages",
        "steps",
        "type",
        "value",
    )

    def __init__(self, kind: str, value: Any, position: int, left: Any = None, right: Any = None, extra: Any = None) -> None:
        self.type, self.value, self.position, self.left, self.right, self.extra = kind, value, position, left, right, extra
        self.depth = 0
        self.keep = self.keep_singleton = False
        self.predicates: list[_Draft] | None = None
        self.stages: list[_Draft] | None = None
        self.group: list[tuple[_Draft, _Draft]] | None = None
        self.steps: list[_Draft] = []
        self.seeking: list[list[int]] | None = None  # the levels of the % inside that no step has answered yet
        self.focus: str | None = None
        self.index: str | None = None


# --- Precedence -------------------------------------------------------------------------------------------------------------------


class _Parser:
    """Top-down operator precedence. ``token`` is the one looked at."""

    def __init__(self, text: str) -> None:
        self._tokens = Tokens(text)
        self._depth = self._count = self._parents = 0
        self.token = self._next(False)

    def whole(self) -> _Draft:
        draft = self.expression(0)
        if self.token.kind != "end":
            raise SyntaxProblem(f"S0201: Syntax error: {_shown(self.token)}", self.token.position)
        return draft

    def _next(self, divides: bool) -> Token:
        token = self._tokens.next(divides)
        self._count += 1
        if self._count > MOST_TOKENS:
            raise SyntaxProblem(f"an expression may have at most {MOST_TOKENS:,} words and signs", token.position)
        if token.kind == "operator" and token.value not in SYMBOLS:
            raise SyntaxProblem(f"S0204: Unknown operator: {_shown(token)}", token.position)
        return token

    def _is(self, symbol: str) -> bool:
        return self.token.kind == "operator" and self.token.value == symbol

    def _advance(self, symbol: str, divides: bool = False) -> None:
        if not self._is(symbol):
            if self.token.kind == "end":
                raise SyntaxProblem(f'S0203: Expected "{symbol}" before end of expression', self.token.position)
            raise SyntaxProblem(f'S0202: Expected "{symbol}", got {_shown(self.token)}', self.token.position)
        self.token = self._next(divides)

    def expression(self, power: int) -> _Draft:
        self._depth += 1
        if self._depth > DEEPEST:
            raise _too_deep(self.token.position)
        token = self.token
        self.token = self._next(True)
        left = self._prefix(token)
        while self.token.kind == "operator" and power < POWERS.get(cast(str, self.token.value), 0):
            token = self.token
            self.token = self._next(False)
            left = self._infix(token, left)
            if left.depth > DEEPEST:
                raise _too_deep(token.position)
        self._depth -= 1
        return left

    def _prefix(self, token: Token) -> _Draft:
        if token.kind != "operator":
            return _Draft(token.kind, token.value, token.position)
        symbol = cast(str, token.value)
        if symbol in WORDS:
            return _Draft("operator", symbol, token.position)
        if symbol == "(":
            return self._block(token)
        if symbol == "[":
            return self._array(token)
        if symbol == "{":
            pairs = self._pairs()
            return _over(_Draft("object", symbol, token.position, extra=pairs), *(each for pair in pairs for each in pair))
        if symbol == "-":
            operand = self.expression(PREFIX_POWER)
            return _over(_Draft("negation", symbol, token.position, operand), operand)
        if symbol in ("*", "**", "%"):
            self._parents += symbol == "%"
            if self._parents > MOST_PARENTS:
                raise SyntaxProblem(f"an expression may have at most {MOST_PARENTS} parent operators (%)", token.position)
            return _Draft({"*": "wildcard", "**": "descendants", "%": "parent"}[symbol], symbol, token.position)
        if symbol == "|":
            return self._transform(token)
        raise SyntaxProblem(f"S0211: The symbol {_shown(token)} cannot be used as a unary operator", token.position)

    def _infix(self, token: Token, left: _Draft) -> _Draft:
        symbol = cast(str, token.value)
        if symbol in PLAIN:
            right = self.expression(POWERS[symbol])
            draft = _Draft("binary", symbol, token.position, left, right)
            # A path is a list, however long; what is nested in its steps counts
            draft.depth = max(left.depth, right.depth + 1) if symbol == "." else max(left.depth, right.depth) + 1
            return draft
        if symbol == "(":
            return self._call(token, left)
        if symbol == "[":
            if self._is("]"):
                step = left
                while step.type == "binary" and step.value == "[":
                    step = step.left
                step.keep = True
                self._advance("]")
                return left
            predicate = self.expression(0)
            self._advance("]", True)
            return _over(_Draft("binary", symbol, token.position, left, predicate), left, predicate)
        if symbol == "{":
            pairs = self._pairs()
            return _over(_Draft("binary", symbol, token.position, left, extra=pairs), left, *(each for pair in pairs for each in pair))
        if symbol == "^":
            return self._order(token, left)
        if symbol == ":=":
            if left.type != "variable":
                raise SyntaxProblem("S0212: The left side of := must be a variable name (start with $)", left.position)
            value = self.expression(POWERS[symbol] - 1)
            return _over(_Draft("binary", symbol, token.position, left, value), value)
        if symbol == "?":
            return self._condition(token, left)
        name = self.expression(POWERS[symbol])  # @ or #
        if name.type != "variable":
            raise SyntaxProblem(f'S0214: The right side of "{symbol}" must be a variable name (start with $)', name.position)
        return _over(_Draft("binary", symbol, token.position, left, name), left)

    def _block(self, token: Token) -> _Draft:
        expressions: list[_Draft] = []
        while not self._is(")"):
            expressions.append(self.expression(0))
            if not self._is(";"):
                break
            self._advance(";")
        self._advance(")", True)
        return _over(_Draft("block", "(", token.position, extra=expressions), *expressions)

    def _array(self, token: Token) -> _Draft:
        items: list[_Draft] = []
        if not self._is("]"):
            while True:
                begins = self.token.position
                item = self.expression(0)
                if self._is(".."):
                    dots = self.token.position
                    self._advance("..")
                    stop = self.expression(0)
                    item = _over(_Draft("range", (begins, dots, self.token.position), dots, item, stop), item, stop)
                items.append(item)
                if not self._is(","):
                    break
                self._advance(",")
        self._advance("]", True)
        return _over(_Draft("array", "[", token.position, extra=items), *items)

    def _pairs(self) -> list[tuple[_Draft, _Draft]]:
        pairs = []
        if not self._is("}"):
            while True:
                key = self.expression(0)
                self._advance(":")
                pairs.append((key, self.expression(0)))
                if not self._is(","):
                    break
                self._advance(",")
        self._advance("}", True)
        return pairs

    def _call(self, token: Token, procedure: _Draft) -> _Draft:
        arguments: list[_Draft] = []
        if not self._is(")"):
            while True:
                if self._is("?"):
                    arguments.append(_Draft("placeholder", "?", self.token.position))
                    self._advance("?")
                else:
                    arguments.append(self.expression(0))
                if not self._is(","):
                    break
                self._advance(",")
        self._advance(")", True)
        if procedure.type == "name" and procedure.value in ("function", "λ"):
            return self._lambda(token, arguments)
        return _over(_Draft("call", "(", token.position, procedure, extra=arguments), procedure, *arguments)

    def _lambda(self, token: Token, parameters: list[_Draft]) -> _Draft:
        for number, parameter in enumerate(parameters):
            if parameter.type != "variable":
                message = f"S0208: Parameter {number + 1} of function definition must be a variable name (start with $)"
                raise SyntaxProblem(message, parameter.position)
        signature = None
        if self._is("<"):
            position, depth, parts = self.token.position, 1, ["<"]
            while depth > 0 and not self._is("{") and self.token.kind != "end":
                self.token = self._next(False)
                depth += self._is("<") - self._is(">")
                parts.append(str(self.token.value))
            self._advance(">")
            signature = "".join(parts)
            jsonata_signatures.check(signature, position)
        self._advance("{")
        body = self.expression(0)
        self._advance("}")
        names = [parameter.value for parameter in parameters]
        return _over(_Draft("lambda", signature, token.position, body, extra=names), body)

    def _order(self, token: Token, left: _Draft) -> _Draft:
        self._advance("(")
        terms = []
        while True:
            descending = self._is(">")
            if descending or self._is("<"):
                self._advance(">" if descending else "<")
            terms.append((self.expression(0), descending))
            if not self._is(","):
                break
            self._advance(",")
        self._advance(")")
        return _over(_Draft("binary", "^", token.position, left, extra=terms), left, *(term for term, _ in terms))

    def _condition(self, token: Token, test: _Draft) -> _Draft:
        then, otherwise = self.expression(0), None
        if self._is(":"):
            self._advance(":")
            otherwise = self.expression(0)
        return _over(_Draft("condition", "?", token.position, test, then, otherwise), test, then, *([otherwise] if otherwise else []))

    def _transform(self, token: Token) -> _Draft:
        pattern = self.expression(0)
        self._advance("|")
        update, delete = self.expression(0), None
        if self._is(","):
            self._advance(",")
            delete = self.expression(0)
        self._advance("|")
        return _over(_Draft("transform", "|", token.position, pattern, update, delete), pattern, update, *([delete] if delete else []))


def _over(draft: _Draft, *parts: _Draft) -> _Draft:
    """With the depth that its parts give it."""
    draft.depth = 1 + max((part.depth for part in parts), default=0)
    return draft


def _too_deep(position: int) -> SyntaxProblem:
    return SyntaxProblem(f"an expression may be nested at most {DEEPEST} deep", position)


def _shown(token: Token) -> str:
    if token.kind == "regex":
        return "a regular expression"
    return "null" if token.value is None else f'"{token.value}"'


# --- Meaning ----------------------------------------------------------------------------------------------------------------------


def _meaning(draft: _Draft) -> _Draft:
    """Paths made of binary operators, predicates moved to their steps."""
    kind = draft.type
    result = draft
    if kind == "binary":
        result = _BINARY.get(draft.value, _operands)(draft)
    elif kind in ("name", "operator"):
        step = _Draft("name", draft.value, draft.position)
        step.keep = draft.keep
        result = _path([step], draft)
        result.keep_singleton = draft.keep
    elif kind == "parent":
        draft.seeking = [[1]]
    elif kind == "negation":
        operand = draft.left = _meaning(draft.left)
        if operand.type == "number":
            operand.value = -operand.value if operand.value else 0
            result = operand
        else:
            _hand_up(draft, operand)
    elif kind in ("array", "block"):
        for number, item in enumerate(draft.extra):
            draft.extra[number] = part = _meaning(item)
            _hand_up(draft, part)
    elif kind == "range":
        _operands(draft)
    elif kind == "object":
        _meaning_of_pairs(draft, draft)
    elif kind == "call":
        for number, argument in enumerate(draft.extra):
            draft.extra[number] = part = _meaning(argument)
            _hand_up(draft, part)
        draft.left = _meaning(draft.left)
    elif kind == "lambda":
        draft.left = _meaning(draft.left)
    elif kind in ("condition", "transform"):
        draft.left, draft.right = _meaning(draft.left), _meaning(draft.right)
        draft.extra = None if draft.extra is None else _meaning(draft.extra)
        if kind == "condition":
            for part in (draft.left, draft.right, draft.extra):
                if part is not None:
                    _hand_up(draft, part)
    elif kind == "end":
        raise SyntaxProblem("S0207: Unexpected end of expression", draft.position)
    if draft.keep:
        result.keep = True
    return result


def _path(steps: list[_Draft], origin: _Draft) -> _Draft:
    path = _Draft("path", "", origin.position)
    path.steps = steps
    return path


def _hand_up(result: _Draft, part: _Draft) -> None:
    """What ``part`` seeks above itself, ``result`` seeks."""
    if part.seeking:
        result.seeking = part.seeking if result.seeking is None else [*result.seeking, *part.seeking]


def _operands(draft: _Draft) -> _Draft:
    draft.left, draft.right = _meaning(draft.left), _meaning(draft.right)
    _hand_up(draft, draft.left)
    _hand_up(draft, draft.right)
    return draft


def _dot(draft: _Draft) -> _Draft:
    """A chain of dots, from left to right."""
    chain = [draft]
    while (left := chain[-1].left).type == "binary" and left.value == ".":
        chain.append(left)
    first = _meaning(left)
    path = first if first.type == "path" else _path([first], first)
    if first.type == "parent":
        path.seeking = first.seeking
    for dot in reversed(chain):
        _append(path, _meaning(dot.right))
        if dot.keep:
            path.keep = True
    if any(step.keep for step in path.steps):
        path.keep_singleton = True
    return path


def _append(path: _Draft, rest: _Draft) -> None:
    before = len(path.steps)
    if rest.type == "path":
        path.steps.extend(rest.steps)
    else:
        if rest.predicates is not None:
            rest.stages, rest.predicates = rest.predicates, None
        path.steps.append(rest)
    for step in path.steps[before - 1 if before == 1 else before :]:
        if step.type in ("number", "value"):
            raise SyntaxProblem("S0213: The literal value cannot be used as a step within a path expression", step.position)
        if step.type == "text":
            step.type = "name"
    _resolve(path)


def _resolve(path: _Draft) -> None:
    """Answers the ``%`` of the last step by the steps before it; what is left over, the path seeks."""
    for level in path.steps[-1].seeking or ():
        at = len(path.steps) - 2
        while level[0] > 0:
            if at < 0:
                path.seeking = [level] if path.seeking is None else [*path.seeking, level]
                break
            step = path.steps[at]
            at -= 1
            while at >= 0 and step.focus is not None and path.steps[at].focus is not None:
                step = path.steps[at]
                at -= 1
            _seek(step, level)


def _seek(step: _Draft, level: list[int]) -> None:
    if step.type in ("name", "wildcard"):
        level[0] -= 1
    elif step.type == "parent":
        level[0] += 1
    elif step.type == "block":
        if step.extra:
            _seek(step.extra[-1], level)
    elif step.type == "path":
        at = len(step.steps) - 1
        _seek(step.steps[at], level)
        while level[0] > 0 and at > 0:
            at -= 1
            _seek(step.steps[at], level)
    else:
        raise SyntaxProblem("S0217: The object representing the 'parent' cannot be derived from this expression", step.position)


def _predicate(draft: _Draft) -> _Draft:
    chain = [draft]
    while (left := chain[-1].left).type == "binary" and left.value == "[":
        chain.append(left)
    result = _meaning(left)
    for bracket in reversed(chain):
        inside = result.type == "path"
        step = result.steps[-1] if inside else result
        if step.group is not None:
            raise SyntaxProblem("S0209: A predicate cannot follow a grouping expression in a step", bracket.position)
        predicate = _meaning(bracket.right)
        for level in predicate.seeking or ():
            if level[0] == 1:
                _seek(step, level)
            else:
                level[0] -= 1
        _hand_up(step, predicate)
        if inside:
            step.stages = [*(step.stages or ()), predicate]
        else:
            step.predicates = [*(step.predicates or ()), predicate]
        if bracket.keep:
            result.keep = True
    return result


def _group(draft: _Draft) -> _Draft:
    result = _meaning(draft.left)
    if result.group is not None:
        raise SyntaxProblem("S0210: Each step can only have one grouping expression", draft.position)
    result.group = [(_meaning(key), _meaning(value)) for key, value in draft.extra]
    return result


def _meaning_of_pairs(result: _Draft, draft: _Draft) -> None:
    for number, (key, value) in enumerate(draft.extra):
        draft.extra[number] = pair = (_meaning(key), _meaning(value))
        _hand_up(result, pair[0])
        _hand_up(result, pair[1])


def _sort(draft: _Draft) -> _Draft:
    result = _meaning(draft.left)
    if result.type != "path":
        result = _path([result], result)
    sort = _Draft("sort", "^", draft.position)
    sort.extra = []
    for term, descending in draft.extra:
        expression = _meaning(term)
        _hand_up(sort, expression)
        sort.extra.append((expression, descending))
    result.steps.append(sort)
    _resolve(result)
    return result


def _assignment(draft: _Draft) -> _Draft:
    bind = _Draft("bind", draft.left.value, draft.position, _meaning(draft.right))
    _hand_up(bind, bind.left)
    return bind


def _focus(draft: _Draft) -> _Draft:
    result = _meaning(draft.left)
    step = result.steps[-1] if result.type == "path" else result
    if step.stages is not None or step.predicates is not None:
        raise SyntaxProblem("S0215: A context variable binding must precede any predicates on a step", draft.position)
    if step.type == "sort":
        raise SyntaxProblem("S0216: A context variable binding must precede the 'order-by' clause on a step", draft.position)
    if draft.keep:
        step.keep = True
    step.focus = draft.right.value
    return result


def _index(draft: _Draft) -> _Draft:
    result = _meaning(draft.left)
    if result.type == "path":
        step = result.steps[-1]
    else:
        step, result = result, _path([result], result)
        if step.predicates is not None:
            step.stages, step.predicates = step.predicates, None
    if step.stages is None:
        step.index = draft.right.value
    else:
        step.stages.append(_Draft("position", draft.right.value, draft.position))
    return result


def _apply(draft: _Draft) -> _Draft:
    chain = _Draft("chain", "~>", draft.position, _meaning(draft.left), _meaning(draft.right))
    chain.keep = chain.left.keep or chain.right.keep
    return chain


_BINARY = {".": _dot, "[": _predicate, "{": _group, "^": _sort, ":=": _assignment, "@": _focus, "#": _index, "~>": _apply}


# --- Frozen -----------------------------------------------------------------------------------------------------------------------


def _freeze(draft: _Draft) -> nodes.Node:
    if draft.seeking and any(level[0] > 0 for level in draft.seeking):
        raise SyntaxProblem("S0217: The object representing the 'parent' cannot be derived from this expression", draft.position)
    return _frozen(draft)


def _frozen(draft: _Draft) -> nodes.Node:
    if draft.type == "path":
        group = None if draft.group is None else _frozen_pairs(draft.group)
        return nodes.Path(tuple([_frozen_step(step) for step in draft.steps]), draft.keep_singleton or draft.keep, group)
    node: nodes.Node = _FROZEN[draft.type](draft)
    if draft.predicates is None and draft.group is None and not draft.keep:
        return node
    predicates = tuple([_frozen(predicate) for predicate in draft.predicates or ()])
    return nodes.Filtered(node, predicates, draft.keep, None if draft.group is None else _frozen_pairs(draft.group))


def _frozen_step(draft: _Draft) -> nodes.Step:
    stages = tuple([_frozen(stage) for stage in draft.stages or ()])
    keep, draft.keep = draft.keep, False
    return nodes.Step(_frozen(draft), stages, keep, draft.focus, draft.index)


def _frozen_pairs(pairs: list[tuple[_Draft, _Draft]]) -> tuple[tuple[nodes.Node, nodes.Node], ...]:
    return tuple([(_frozen(key), _frozen(value)) for key, value in pairs])


def _frozen_all(drafts: list[_Draft]) -> tuple[nodes.Node, ...]:
    return tuple([_frozen(draft) for draft in drafts])


def _or_none(draft: _Draft | None) -> nodes.Node | None:
    return None if draft is None else _frozen(draft)


def _frozen_sort(draft: _Draft) -> nodes.Node:
    return nodes.Sort(tuple([nodes.SortTerm(_frozen(expression), descending) for expression, descending in draft.extra]))


_FROZEN: dict[str, Any] = {
    "text": lambda draft: nodes.Text(draft.value),
    "number": lambda draft: nodes.Number(draft.value),
    "value": lambda draft: nodes.Constant(draft.value),
    "variable": lambda draft: nodes.Variable(draft.value, draft.position),
    "name": lambda draft: nodes.Field(draft.value, draft.position),
    "wildcard": lambda draft: nodes.Wildcard(draft.position),
    "descendants": lambda draft: nodes.Descendants(draft.position),
    "parent": lambda draft: nodes.Parent(),
    "regex": lambda draft: nodes.Regex(draft.value[0], draft.value[1], draft.position),
    "placeholder": lambda draft: nodes.Placeholder(),
    "position": lambda draft: nodes.Position(draft.value),
    "range": lambda draft: nodes.Range(_frozen(draft.left), _frozen(draft.right), *draft.value),
    "array": lambda draft: nodes.Array(_frozen_all(draft.extra)),
    "object": lambda draft: nodes.Object(_frozen_pairs(draft.extra)),
    "negation": lambda draft: nodes.Negation(_frozen(draft.left)),
    "binary": lambda draft: nodes.Binary(draft.value, _frozen(draft.left), _frozen(draft.right)),
    "condition": lambda draft: nodes.Condition(_frozen(draft.left), _frozen(draft.right), _or_none(draft.extra)),
    "bind": lambda draft: nodes.Bind(draft.value, _frozen(draft.left)),
    "block": lambda draft: nodes.Block(_frozen_all(draft.extra)),
    "call": lambda draft: nodes.Call(_frozen(draft.left), _frozen_all(draft.extra)),
    "lambda": lambda draft: nodes.Lambda(tuple(draft.extra), draft.value, _frozen(draft.left)),
    "chain": lambda draft: nodes.Chain(_frozen(draft.left), _frozen(draft.right)),
    "transform": lambda draft: nodes.Transform(_frozen(draft.left), _frozen(draft.right), _or_none(draft.extra)),
    "sort": _frozen_sort,
}
