"""Rules of Choice to Python conditions: types are checked before values, paths are read when and as often as ASL says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from express.compiler import data, jsonata
from express.compiler.names import Locals
from express.compiler.source import Display, Leaf, Piece, Use, literal
from express.language.model import And, Comparison, Condition, Index, Jsonata, Literal, Name, Not, Path, Rule, Segment
from express.language.paths import definite
from express.runtime.comparisons import TABLE, glob
from express.runtime.paths import compile_path

Key = tuple[str, tuple[Segment, ...]]  # a path on a local

_SIGNS = {"Equals": "==", "LessThan": "<", "GreaterThan": ">", "LessThanEquals": "<=", "GreaterThanEquals": ">="}
_VALUES = frozenset({"BooleanEquals", "StringEquals", "IsNull", "IsString", "IsBoolean", "IsNumeric"})  # look at their value once


class Queries:
    """Writes the Conditions of one Choice state in JSONata."""

    def __init__(self, rules: tuple[Rule, ...], scope: data.Scope) -> None:
        self._rules, self._scope = rules, scope

    def first(self, rule: Rule) -> tuple[str, Leaf] | None:
        return None

    def write(self, rule: Rule) -> Piece:
        if isinstance(rule.condition, Literal):
            return Leaf(literal(rule.condition.value))
        assert isinstance(rule.condition, Jsonata)
        number = next(number for number, one in enumerate(self._rules) if one is rule)
        return jsonata.expression(rule.condition, self._scope, f"Choices[{number}]/Condition", "boolean")


class Conditions:
    """Writes the conditions of one Choice state, in their order. A path that several of them look at is read once, into a local."""

    def __init__(self, rules: tuple[Rule, ...], scope: data.Scope, names: Locals) -> None:
        self._scope = scope
        looks: Counter[Key] = Counter()
        for rule in rules:
            for comparison in comparisons(rule.condition):
                if comparison.operator == "IsPresent":
                    continue
                looks[self._key(comparison.variable)] += 1 if self._once(comparison) else 2
                if isinstance(comparison.operand, Path):
                    looks[self._key(comparison.operand)] += 1
        # Paths worth a local, named after what they lead to
        self._locals = {key: names.new(_last(key), "") for key, count in looks.items() if self._worth_a_local(key, count)}

    def first(self, rule: Rule) -> tuple[str, Leaf] | None:
        """A statement's worth: the local and the path that the first comparison of ``rule`` reads for certain, if it deserves a local."""
        comparison = next(comparisons(rule.condition))
        if comparison.operator == "IsPresent" or comparison.variable.root != "$":
            return None
        key = self._key(comparison.variable)
        name = self._locals.get(key)
        if name is None or key in self._scope.known:
            return None
        leaf = data.path(comparison.variable, self._scope, "Variable", "variable")
        self._scope.known[key] = name
        return name, leaf

    def write(self, rule: Rule) -> Piece:
        """The condition of a rule; what it reads for certain is known to the rules after it."""
        assert not isinstance(rule.condition, (Jsonata, Literal))
        piece, certain = self._condition(rule.condition, dict(self._scope.known), set())
        self._scope.known.update(certain)
        return piece

    def _key(self, path: Path) -> Key:
        return (path.root if path.root == "$$" else data.root(path, self._scope)[0], path.segments)

    @staticmethod
    def _worth_a_local(key: Key, count: int) -> bool:
        root, segments = key
        if root == "$$" and segments and segments[0] == Name("State"):
            return True  # name and retries are written as literals, which have no class to ask for
        return count > 1 and (root == "$$" or bool(segments))

    @staticmethod
    def _once(comparison: Comparison) -> bool:
        return (
            isinstance(comparison.operand, Path)
            or comparison.operator in _VALUES
            or comparison.operator.startswith(("Timestamp", "IsTimestamp"))
        )

    def _condition(self, node: Condition, known: dict[Key, str], typed: set[str]) -> tuple[Piece, dict[Key, str]]:
        """The piece, and the locals that it has set whenever it was evaluated. ``known`` are set before it; ``typed`` are tests of classes
        that have held before it, to which it adds its own."""
        if isinstance(node, Comparison):
            return self._comparison(node, known, typed)
        if isinstance(node, Not):
            piece, certain = self._condition(node.condition, known, set(typed))
            return Display("not (", (("", piece),), ")", "and"), certain
        entries = []
        first: dict[Key, str] = {}
        reached = dict(known)
        for number, inner in enumerate(node.conditions):
            piece, certain = self._condition(inner, reached, typed if isinstance(node, And) else set(typed))
            if number == 0:
                first = certain
            reached.update(certain)
            entries.append(("", piece))
        return Display("(", tuple(entries), ")", "and" if isinstance(node, And) else "or"), first

    def _comparison(self, node: Comparison, known: dict[Key, str], typed: set[str]) -> tuple[Piece, dict[Key, str]]:
        if node.operator == "IsPresent":
            return self._presence(node), {}
        certain: dict[Key, str] = {}
        value, again, uses = self._read(node.variable, known, certain, needs_local=not self._once(node))
        if isinstance(node.operand, Path):
            operand, _, more = self._read(node.operand, {**known, **certain}, certain)
            return Leaf(f"{TABLE[node.operator].__name__}({value}, {operand})", uses + more), certain
        test = self._test(node.operator, value, again, node.operand)
        if isinstance(test, tuple):
            known_class = f"{again}.{test[0]}"
            text = test[1] if known_class in typed else f"{value}.{test[0]} and {test[1]}"
            typed.add(known_class)
            return Leaf(text, uses), certain
        return Leaf(test, uses), certain

    def _read(
        self, path: Path, known: dict[Key, str], certain: dict[Key, str], *, needs_local: bool = False
    ) -> tuple[str, str, tuple[Use, ...]]:
        """Texts that read a path for the first and for the second time, and the uses."""
        key = self._key(path)
        if path.root != "$$" and not path.segments:
            base, sure = data.root(path, self._scope)
            if sure:
                return base, base, ()
            first = data.path(path, self._scope, "Variable", "variable")
            return first.text, base, first.uses
        name = known.get(key)
        if name is not None:
            return name, name, ()
        self._scope.known, before = {}, self._scope.known
        leaf = data.path(path, self._scope, "Variable", "variable")
        self._scope.known = before
        local = self._locals.get(key)
        if local is None and not needs_local:
            return leaf.text, leaf.text, leaf.uses
        assert local is not None
        certain[key] = local
        return f"({local} := {leaf.text})", local, leaf.uses

    def _presence(self, node: Comparison) -> Leaf:
        path = node.variable
        assert isinstance(node.operand, Literal)
        sure = True
        if path.root == "$$":
            base = data.context(self._scope)
        else:
            base, sure = data.root(path, self._scope)
        if not definite(path):
            text = f"selects({self._scope.unit.object(compile_path(path.segments), self._scope.state, '_select')}, {base})"
            return Leaf(text if node.operand.value else f"not {text}")
        if not path.segments and not sure:
            return Leaf(f"{base} is {'not ' if node.operand.value else ''}UNSET")
        steps = [
            literal(step.name) if isinstance(step, Name) else str(step.index) for step in path.segments if isinstance(step, (Name, Index))
        ]
        text = f"present({', '.join([base, *steps])})"
        return Leaf(text if node.operand.value else f"not {text}")

    def _test(self, operator: str, value: str, again: str, operand: Literal) -> str | tuple[str, str]:
        """A comparison of ``value`` with a constant; or a test of its class and the comparison that comes after it, of ``again``."""
        wanted = operand.value
        unit = self._scope.unit
        constant = data.value(wanted, unit, f"{self._scope.state} {operator}").text
        if operator == "StringEquals":
            return f"{value} == {constant}"
        if operator == "BooleanEquals":
            return f"{value} is {wanted}"
        if operator.startswith("Numeric"):
            return "__class__ in NUMBERS", f"{again} {_SIGNS[operator.removeprefix('Numeric')]} {constant}"
        if operator == "StringMatches":
            return "__class__ is str", f"{unit.object(glob(wanted), self._scope.state, '_pattern')}({again})"
        if operator.startswith("String") and wanted.isascii():  # beyond ASCII, AWS's order of texts is not Python's
            return "__class__ is str", f"{again} {_SIGNS[operator.removeprefix('String')]} {constant}"
        if operator == "IsNull":
            return f"{value} is None" if wanted else f"{value} is not None"
        if operator == "IsNumeric":
            return f"{value}.__class__ {'in' if wanted else 'not in'} NUMBERS"
        if operator in ("IsString", "IsBoolean"):
            return f"{value}.__class__ {'is' if wanted else 'is not'} {'str' if operator == 'IsString' else 'bool'}"
        return f"{TABLE[operator].__name__}({value}, {constant})"


def comparisons(node: Condition | Jsonata | Literal) -> Iterator[Comparison]:
    """The comparisons of a condition in the order of evaluation; JSONata has none."""
    if isinstance(node, (Jsonata, Literal)):
        return
    if isinstance(node, Comparison):
        yield node
    elif isinstance(node, Not):
        yield from comparisons(node.condition)
    else:
        for inner in node.conditions:
            yield from comparisons(inner)


def _last(key: Key) -> str:
    names = [segment.name for segment in key[1] if isinstance(segment, Name)]
    return names[-1] if names else "value"
