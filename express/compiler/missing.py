"""Why a path selects nothing, in the words of the library that AWS evaluates paths with: segments and the data in, a sentence out.

And which call of an intrinsic function it was that failed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from express.compiler.source import Use
from express.language.model import Descendants, Filter, Index, Name, Segment, Slice, Union, Wildcard
from express.runtime.intrinsics import as_java_shows
from express.runtime.paths import compile_path

MISSING = (KeyError, IndexError, TypeError)  # what a path that selects nothing raises


def why(segments: Sequence[Segment], value: Any) -> str:
    """The first segment that finds nothing, and what it met instead."""
    walked = "$"
    for number, segment in enumerate(segments):
        try:
            found = compile_path(segments[: number + 1])(value)
        except MISSING:
            break
        walked += fragment(segment)
    else:
        return f"No results for path: {walked}"
    if not all(isinstance(before, (Name, Index)) for before in segments[:number]):
        return f"No results for path: {walked}{fragment(segment)}"
    found = compile_path(segments[:number])(value) if number else value
    return _at(segments, number, walked, found)


def _at(segments: Sequence[Segment], number: int, walked: str, found: Any) -> str:
    segment = segments[number]
    if isinstance(segment, Name) and found.__class__ is dict:
        return f"{'No results for path:' if number == len(segments) - 1 else 'Missing property in path'} {walked}{fragment(segment)}"
    if isinstance(segment, Name) or (isinstance(segment, Union) and isinstance(segment.members[0], Name)):
        return f"Property {fragment(segment)} not found in path {walked}"
    if isinstance(segment, Filter):
        return f"Filter: [?] can not be applied to primitives. Current context is: {as_java_shows(found)}"
    if found is None:
        return f"The path {walked} is null"
    if found.__class__ is not list:
        rest = "".join(map(fragment, segments[number:]))
        return f"Filter: {rest} can only be applied to arrays. Current context is: {as_java_shows(found)}"
    return f"Index out of bounds when evaluating path {walked}{fragment(segment)}"


_FUNCTION = re.compile(r"The function '(States\.\w+)'")


def called(uses: Iterable[Use], cause: str) -> str:
    """The cause of an intrinsic function with the whole call in it, if there is only one of the function on the line."""
    found = _FUNCTION.match(cause)
    calls = {use.text for use in uses if found and use.text.startswith(f"{found[1]}(")}
    return cause if found is None or len(calls) != 1 else f"The function '{calls.pop()}'{cause[found.end() :]}"


def fragment(segment: Segment) -> str:
    """A segment as the library writes it."""
    match segment:
        case Name(name):
            return f"['{name}']"
        case Index(index):
            return f"[{index}]"
        case Slice(start, stop, _):
            return f"[{'' if start is None else start}:{'' if stop is None else stop}]"
        case Union(members):
            return f"[{', '.join(fragment(member)[1:-1] for member in members)}]"
        case Descendants():
            return ".."
        case Wildcard():
            return "[*]"
    return "[?]"
