"""``express.check``: what the language says about a definition, and what the services say that its Tasks call."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from express import language
from express.errors import Problem
from express.tasks import checking


def check(
    definition: Any,
    substitutions: Mapping[str, Any] | None = None,
    *,
    advice: bool = True,
    portable: bool = False,
    ignore: Collection[str] = (),
    functions: Mapping[str, Any] | None = None,
    extensions: Collection[str] = (),
) -> list[Problem]:
    """Every problem of a definition (a dict, JSON or YAML text, or a path), by severity; empty if there is none. Never raises for a bad
    definition.

    ``advice`` adds ADVICE, once there is no ERROR. ``portable`` adds an ERROR for what Express runs and AWS would not. ``ignore`` holds
    codes of warnings and advice that are left out, as ``express: ignore CODE`` in a Comment does for the object that has it.
    ``functions`` are those that its Tasks call, by name: some advice depends on what they say about themselves.
    ``extensions`` are those that are switched on (``callbacks``, ``nested``): ``portable`` names them, too.
    """
    return language.check(
        definition,
        substitutions,
        advice=advice,
        portable=portable,
        ignore=ignore,
        functions=functions,
        extensions=extensions,
        integrations=checking.problems,
    )
