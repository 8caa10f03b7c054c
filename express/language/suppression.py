"""Which problems an author does not want to hear of: ``express: ignore CODE`` in a Comment, for the object that has it and all below it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from express.errors import Problem
from express.language.codes import CODES, UNKNOWN_CODE
from express.language.findings import WHOLE, below, shown
from express.language.suggestions import did_you_mean

_IGNORE = re.compile(r"\bexpress:\s*ignore\s+([A-Za-z_]+(?:\s*,\s*[A-Za-z_]+)*)")


def unknown(code: str) -> str | None:
    """Why a code cannot be ignored, for the end of a sentence; None if it can."""
    if code not in CODES:
        return f"there is no code {shown(code)}{did_you_mean(code, CODES)}"
    return f"{code} is an error: it cannot be ignored" if CODES[code].severity == "ERROR" else None


def suppress(problems: list[Problem], definition: Any, ignore: Collection[str] = ()) -> list[Problem]:
    """``problems`` without what ``ignore`` and the Comments of ``definition`` (its JSON value) name, and what is wrong in Comments."""
    ignored: dict[str, set[str]] = {code: {""} for code in ignore}
    added: list[Problem] = []
    for location, comment in _comments(definition):
        for found in _IGNORE.finditer(comment):
            for code in re.split(r"\s*,\s*", found[1]):
                reason = unknown(code)
                if reason is None:
                    ignored.setdefault(code, set()).add(location)
                else:
                    added.append(Problem("WARNING", UNKNOWN_CODE, f"{location}/Comment", reason))
    return [
        problem for problem in [*problems, *added] if problem.severity == "ERROR" or not _inside(problem, ignored.get(problem.code, ()))
    ]


def _inside(problem: Problem, locations: Collection[str]) -> bool:
    """Whether the problem is at one of these places or below it."""
    if not locations:
        return False
    place = "" if problem.location == WHOLE else problem.location
    while place and place not in locations:
        place = place.rpartition("/")[0]
    return place in locations


def _comments(definition: Any) -> Iterator[tuple[str, str]]:
    """The Comments of state machines, states, Retriers, Catchers and rules, each with its object's place; data is not looked into."""
    todo: list[tuple[str, Any]] = [("", definition)]
    while todo:
        location, value = todo.pop()
        if not isinstance(value, dict):
            continue
        if isinstance(value.get("Comment"), str):
            yield location, value["Comment"]
        states = value.get("States")
        if isinstance(states, dict):
            todo += [(below(location, "States", name), state) for name, state in states.items()]
        for field in ("ItemProcessor", "Iterator"):
            if field in value:
                todo.append((below(location, field), value[field]))
        for field in ("Branches", "Retry", "Catch", "Choices"):
            entries = value.get(field)
            if isinstance(entries, list):
                todo += [(below(location, field, number), entry) for number, entry in enumerate(entries)]
