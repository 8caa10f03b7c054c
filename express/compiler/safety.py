"""Generated text in, nothing out: raises if the code could do anything that this compiler never writes.

The compiler writes no text of a definition as code. This looks at the result independently of how it was written: were there a hole, the
module would not be executed.
"""

from __future__ import annotations

import ast
import gc
from collections.abc import Collection

NODES: frozenset[type[ast.AST]] = frozenset({
    ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.arguments, ast.arg, ast.Return, ast.Raise, ast.Expr, ast.Pass,
    ast.Assign, ast.AugAssign, ast.NamedExpr, ast.If, ast.For, ast.While, ast.Break, ast.Continue, ast.Try, ast.ExceptHandler, ast.Await,
    ast.Name, ast.Load, ast.Store, ast.Constant, ast.Attribute, ast.Subscript, ast.Call, ast.Starred,
    ast.Dict, ast.List, ast.Tuple, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.BinOp, ast.Add, ast.Sub, ast.Mod,
    ast.IfExp,
    ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Is, ast.IsNot, ast.In, ast.NotIn,
})  # fmt: skip
ATTRIBUTES = frozenset({
    "__class__",  # compared, never called
    # an execution's
    "input", "id", "name", "start_time", "role", "workflow_id", "workflow_name", "now", "source", "context", "clock", "wall",
    "result", "raised", "failure", "error",  # a binding's, a failure's
    "counters", "delay",  # a Retry's
    "isascii", "decode",  # an event's text's
    "copy", "values",  # a payload's
})  # fmt: skip


MARKS: frozenset[type[ast.AST]] = frozenset(
    {node for node in NODES if issubclass(node, (ast.expr_context, ast.operator, ast.cmpop, ast.boolop, ast.unaryop))}
)


class Unsafe(Exception):  # noqa: N818 - named for what the code is
    """Code that the compiler must never write: a defect of Express, the module is not executed."""


def check(text: str, names: Collection[str], filename: str) -> None:
    """Raises Unsafe. ``names`` are those that the code may read without having set them."""
    # A tree of a million nodes and no cycles: the collector would walk it again and again while it grows, for most of the time
    collecting = gc.isenabled()
    gc.disable()
    try:
        _check(text, names, filename)
    finally:
        if collecting:
            gc.enable()


def _check(text: str, names: Collection[str], filename: str) -> None:
    read, assigned = set[str](), set[str]()
    pending: list[ast.AST] = [ast.parse(text, filename)]
    while pending:
        node = pending.pop()
        kind = type(node)
        if kind not in NODES:
            raise Unsafe(f"{filename}: {kind.__name__}")
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else assigned).add(node.id)
            continue
        if kind is ast.Constant or kind in MARKS:
            continue
        if isinstance(node, ast.Attribute):
            if node.attr not in ATTRIBUTES or not isinstance(node.ctx, ast.Load):
                raise Unsafe(f"{filename}: attribute {node.attr!r}")
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr == "__class__":
                raise Unsafe(f"{filename}: a call of a class")
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if node.decorator_list or node.returns is not None:
                raise Unsafe(f"{filename}: a decorator or an annotation")
            assigned.add(node.name)
        elif isinstance(node, ast.arg):
            if node.annotation is not None:
                raise Unsafe(f"{filename}: an annotation")
            assigned.add(node.arg)
        elif isinstance(node, ast.ExceptHandler) and node.name is not None:
            assigned.add(node.name)
        for value in vars(node).values():
            if isinstance(value, ast.AST):
                pending.append(value)
            elif value.__class__ is list:
                pending.extend(inner for inner in value if inner is not None)
    for name in sorted(read | assigned):
        if name.startswith("__") or (name in read and name not in assigned and name not in names):
            raise Unsafe(f"{filename}: name {name!r}")
    for name in sorted(assigned & set(names)):
        raise Unsafe(f"{filename}: {name!r} is set, and is the name of an object")
