"""Generated text in, everything in it that the compiler must never write out: looked at without the compiler's own check."""

from __future__ import annotations

import ast

NODES = {
    "Module", "FunctionDef", "AsyncFunctionDef", "Lambda", "arguments", "arg", "Return", "Raise", "Expr", "Pass", "Assign",
    "AugAssign", "NamedExpr",
    "If", "While", "Break", "Continue", "Try", "ExceptHandler", "Await", "Name", "Load", "Store", "Constant", "Attribute",
    "Subscript", "Call",
    "Starred", "Dict", "List", "Tuple", "BoolOp", "And", "Or", "UnaryOp", "Not", "USub", "BinOp", "Add", "Sub", "Mult", "Div",
    "Mod", "IfExp", "Compare",
    "Eq", "NotEq", "Lt", "LtE", "Gt", "GtE", "Is", "IsNot", "In", "NotIn",
}  # fmt: skip
DANGEROUS = {
    "eval", "exec", "compile", "open", "input", "breakpoint", "globals", "locals", "vars", "getattr", "setattr", "delattr", "type",
    "object", "super",
    "memoryview", "help", "exit", "quit", "os", "sys", "builtins", "importlib", "subprocess", "ctypes",
}  # fmt: skip


def violations(source: str, known: set[str]) -> list[str]:
    """``known`` are the names that the module is given; every other name must be one that it sets itself."""
    found: list[str] = []
    read: set[str] = set()
    own: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        kind = type(node).__name__
        if kind not in NODES:
            found.append(f"line {getattr(node, 'lineno', 0)}: {kind}")
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else own).add(node.id)
        elif isinstance(node, ast.arg):
            own.add(node.arg)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            own.add(node.name)
            if node.decorator_list or node.returns:
                found.append(f"line {node.lineno}: a decorator or annotation")
        elif isinstance(node, ast.ExceptHandler) and node.name:
            own.add(node.name)
        elif isinstance(node, ast.Attribute) and node.attr.startswith("_") and node.attr != "__class__":
            found.append(f"line {node.lineno}: .{node.attr}")
        elif isinstance(node, ast.Constant) and not isinstance(node.value, str | int | float | bool | bytes | None):
            found.append(f"line {node.lineno}: a constant {type(node.value).__name__}")
    found += [f"name {name}" for name in sorted(read - own - known)]
    found += [f"name {name}" for name in sorted(own) if name.startswith("__") or not name.isascii()]
    found += [f"set: {name}" for name in sorted(own & known)]
    found += [f"read: {name}" for name in sorted(read & DANGEROUS - own - known)]
    return found
