"""Generated text in, nothing out: raises if the code could do anything that this compiler never writes.

The compiler writes no text of a definition as code. This looks at the result independently of how it was written: were there a hole, the
module would not be executed.
"""

from __future__ import annotations

import ast
from collections.abc import Collection

NODES: frozenset[type[ast.AST]] = frozenset({
    ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.arguments, ast.arg, ast.Return, ast.Raise, ast.Expr, ast.Pass,
    ast.Assign, ast.AugAssign, ast.NamedExpr, ast.If, ast.While, ast.Break, ast.Continue, ast.Try, ast.ExceptHandler, ast.Await,
    ast.Name, ast.Load, ast.Store, ast.Constant, ast.Attribute, ast.Subscript, ast.Call, ast.Starred,
    ast.Dict, ast.List, ast.Tuple, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.BinOp, ast.Add, ast.Sub, ast.Mod,
    ast.IfExp,
    ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Is, ast.IsNot, ast.In, ast.NotIn,
})  # fmt: skip
ATTRIBUTES = frozenset({
    "__class__",  # compared, never called
    # an execution's
    "input", "id", "name", "start_time", "role", "workflow_id", "workflow_name", "now", "source", "context", "clock", "wall",
    "result", "failure", "error",  # a binding's, a failure's
    "counters", "delay",  # a Retry's
    "isascii", "decode",  # an event's text's
})  # fmt: skip


class Unsafe(Exception):  # noqa: N818 - named for what the code is
    """Code that the compiler must never write: a defect of Express, the module is not executed."""


def check(text: str, names: Collection[str], filename: str) -> ast.Module:
    """The tree of ``text``. ``names`` are those that it may read without having set them."""
    tree = ast.parse(text, filename)
    assigned = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    assigned |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    assigned |= {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
    assigned |= {node.name for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler) and node.name is not None}
    for node in ast.walk(tree):
        if type(node) not in NODES:
            raise Unsafe(f"{filename}: {type(node).__name__}")
        if isinstance(node, ast.Attribute) and (node.attr not in ATTRIBUTES or not isinstance(node.ctx, ast.Load)):
            raise Unsafe(f"{filename}: attribute {node.attr!r}")
        if isinstance(node, ast.Name) and (node.id.startswith("__") or (node.id not in assigned and node.id not in names)):
            raise Unsafe(f"{filename}: name {node.id!r}")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "__class__":
            raise Unsafe(f"{filename}: a call of a class")
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.decorator_list:
            raise Unsafe(f"{filename}: a decorator")
    both = assigned & set(names)
    if both:
        raise Unsafe(f"{filename}: {sorted(both)[0]!r} is set, and is the name of an object")
    return tree
