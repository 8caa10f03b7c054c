"""What can be known of the value of a JSONata expression: whether it is a part of the input, and how large it is as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from express.language import jsonata_nodes as nodes
from express.language.model import Index, Jsonata, Name, Path, Segment
from express.runtime.limits import PAYLOAD
from express.runtime.values import size

if TYPE_CHECKING:
    from express.compiler.facts import Variables

ENDLESS = 1 << 60
NUMBER = 24
_NUMBERS = (
    "count",
    "sum",
    "max",
    "min",
    "average",
    "length",
    "number",
    "floor",
    "ceil",
    "round",
    "abs",
    "sqrt",
    "power",
    "random",
    "millis",
)
_BOOLEANS = ("exists", "not", "boolean", "contains")
_SMALL = {**dict.fromkeys(_NUMBERS, NUMBER), **dict.fromkeys(_BOOLEANS, 8), "type": 16, "uuid": 48, "now": 64, "hash": 256}
# No larger than their arguments together, but for a few bytes
_NO_LARGER = frozenset({"append", "merge", "keys", "distinct", "reverse", "sort", "filter", "sift", "lookup", "substring", "trim"})
_MEMBERS = {"input": 0, "result": 1}  # of $states: as parts of one array they are no larger than that together
INPUT = Path("$", (Index(_MEMBERS["input"]),), "$states.input")
ITEM = Index(1 << 40)  # whichever item of an array that is
SHORT = 512  # bytes that these fields of the Context Object never reach
SHORT_CONTEXT = frozenset({
    ("Execution", "Id"), ("Execution", "Name"), ("Execution", "StartTime"), ("Execution", "RoleArn"),
    ("State", "Name"), ("State", "EnteredTime"), ("State", "RetryCount"), ("Map", "Item", "Index"),
    ("StateMachine", "Id"), ("StateMachine", "Name"),
})  # fmt: skip


def picked(expression: Jsonata) -> Path | None:
    """The path that ``$states.input.a.b`` is: its value is a part of the input, or a list of parts, each of them once."""
    node = expression.node
    if not isinstance(node, nodes.Path) or node.group is not None or any(step.focus or step.index or step.stages for step in node.steps):
        return None
    first, *rest = node.steps
    names = [step.node.name for step in rest if isinstance(step.node, nodes.Field)]
    if not isinstance(first.node, nodes.Variable) or first.node.name != "states" or len(names) < len(rest) or names[:1] != ["input"]:
        return None
    return Path("$", tuple(Name(name) for name in names[1:]), expression.text)


def members(expression: Jsonata) -> Path | None:
    """The path that ``$states.input.a.b`` or ``$states.input.a[c > 1]`` is, with ``$states`` as an array: its value is some of what is
    there, each once."""
    paths: list[Path] = []
    if not isinstance(expression.node, (nodes.Path, nodes.Filtered)) or fixed(expression, {}, paths) >= ENDLESS or len(paths) != 1:
        return None
    return paths[0] if paths[0].segments[:1] == INPUT.segments else None


def fixed(expression: Jsonata, variables: Variables, paths: list[Path], item: Path | None = None) -> int:
    """As ``facts._fixed``: the bytes around what is picked from ``$states``; paths to that are added to ``paths``."""
    return _Sizes(variables, item).fixed(expression.node, paths)


def of_item(names: tuple[str | None, ...], segments: tuple[Segment, ...], item: Path | None) -> Path | None:
    """The path on the data that ``Map.Item.Value`` and what is behind it is, where ``item`` is the path of the array.

    ``names`` and ``segments`` are of the Context Object."""
    if item is None or names[:3] != ("Map", "Item", "Value"):
        return None
    return Path("$", (*item.segments, ITEM, *segments[3:]), "")


class _Sizes:
    def __init__(self, variables: Variables, item: Path | None) -> None:
        self._variables, self._item = variables, item

    def fixed(self, node: nodes.Node, paths: list[Path]) -> int:
        found = _FORMS.get(type(node))
        return ENDLESS if found is None else found(self, node, paths)

    def constant(self, node: nodes.Text | nodes.Number | nodes.Constant, paths: list[Path]) -> int:
        return size(node.value)

    def variable(self, node: nodes.Variable, paths: list[Path]) -> int:
        known = self._variables.get(node.name)
        return ENDLESS if known is None else known.bound

    def path(self, node: nodes.Path, paths: list[Path]) -> int:
        """Members, and members of members, of what ``$states`` or a variable holds: predicates only leave some of them out."""
        first, *rest = node.steps
        brackets = 2 if node.keep or any(step.keep for step in node.steps) else 0  # an array of one
        names = [step.node.name for step in rest if isinstance(step.node, nodes.Field)]
        if len(names) < len(rest) or node.group is not None or any(step.focus or step.index for step in node.steps):
            return ENDLESS
        if not isinstance(first.node, nodes.Variable):
            return ENDLESS
        if first.node.name != "states":
            return self.variable(first.node, paths) + brackets
        if names[:1] == ["context"]:
            inside = tuple(names[1:])
            of = of_item(inside, tuple(Name(name) for name in inside), self._item)
            if of is None:
                return SHORT if inside in SHORT_CONTEXT else 2 * PAYLOAD
            paths.append(of)
            return brackets
        if names[:1] == ["errorOutput"]:
            return 2 * PAYLOAD
        if not names or names[0] not in _MEMBERS:
            return ENDLESS
        paths.append(Path("$", (Index(_MEMBERS[names[0]]), *(Name(name) for name in names[1:])), ""))
        return brackets

    def filtered(self, node: nodes.Filtered, paths: list[Path]) -> int:
        return ENDLESS if node.group is not None else 2 + self.fixed(node.node, paths)

    def array(self, node: nodes.Array, paths: list[Path]) -> int:
        return 2 + sum(1 + self.fixed(item, paths) for item in node.items)

    def object(self, node: nodes.Object, paths: list[Path]) -> int:
        if not all(isinstance(key, nodes.Text) for key, _ in node.pairs):
            return ENDLESS
        return 2 + sum(size(key.value) + 2 + self.fixed(value, paths) for key, value in node.pairs if isinstance(key, nodes.Text))

    def binary(self, node: nodes.Binary, paths: list[Path]) -> int:
        if node.operator != "&":
            return NUMBER
        inside: list[Path] = []
        length = self.fixed(node.left, inside) + self.fixed(node.right, inside)
        paths += inside * 2  # in an object that becomes text, quotes are escaped
        return 2 + 2 * length

    def condition(self, node: nodes.Condition, paths: list[Path]) -> int:
        return self.fixed(node.then, paths) + (0 if node.otherwise is None else self.fixed(node.otherwise, paths))

    def call(self, node: nodes.Call, paths: list[Path]) -> int:
        if not isinstance(node.procedure, nodes.Variable):
            return ENDLESS
        name = node.procedure.name
        if name in _NO_LARGER:
            return 8 + sum(self.fixed(argument, paths) for argument in node.arguments if not isinstance(argument, nodes.Lambda))
        return _SMALL.get(name, ENDLESS)


_FORMS: dict[type, Callable[[_Sizes, Any, list[Path]], int]] = {
    nodes.Text: _Sizes.constant,
    nodes.Number: _Sizes.constant,
    nodes.Constant: _Sizes.constant,
    nodes.Variable: _Sizes.variable,
    nodes.Path: _Sizes.path,
    nodes.Filtered: _Sizes.filtered,
    nodes.Array: _Sizes.array,
    nodes.Object: _Sizes.object,
    nodes.Binary: _Sizes.binary,
    nodes.Negation: lambda self, node, paths: NUMBER,
    nodes.Condition: _Sizes.condition,
    nodes.Call: _Sizes.call,
}
