"""Parameters of a definition in; what they say outright, before there are any data, out."""

from __future__ import annotations

from typing import Any

from express.language import model


def constant(node: Any, *names: str) -> Any:
    """The value under nested names, None for what only the data tell. ``node`` is an expression of the model, or None."""
    for name in names:
        if isinstance(node, model.ObjectTemplate):
            node = dict(node.fields).get(name)
        elif isinstance(node, model.Literal):
            node = node.value.get(name) if isinstance(node.value, dict) else None
        else:
            node = node.get(name) if isinstance(node, dict) else None
    return node.value if isinstance(node, model.Literal) else node


def fixed(node: Any, *names: str) -> dict[str, Any] | None:
    """The fields of these names that ``node`` has, if none of them depends on the data; None if one does, or may."""
    if isinstance(node, model.Literal) and isinstance(node.value, dict):
        return {name: node.value[name] for name in names if name in node.value}
    if not isinstance(node, model.ObjectTemplate):
        return None
    found = {name: field for name, field in node.fields if name in names}
    known = {name: field.value for name, field in found.items() if isinstance(field, model.Literal)}
    return known if len(known) == len(found) else None
