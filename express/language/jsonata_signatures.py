"""The signature of a JSONata function, ``<s-nn?:s>``: checked when it is read."""

from __future__ import annotations

from express.language.scanner import SyntaxProblem


def check(signature: str, position: int) -> None:
    """Raises SyntaxProblem for what jsonata refuses. ``position`` is where the signature stands in the expression."""
    place, kind = 1, ""
    while place < len(signature):
        symbol = signature[place]
        if symbol == ":":
            return  # the type of the result says nothing
        if symbol in "snblojx" or symbol in "af":
            kind = symbol
        elif symbol == "(":
            end = _closing(signature, place, "(", ")")
            choice = signature[place + 1 : end]
            if "<" in choice:
                raise SyntaxProblem("S0402: Choice groups containing parameterized types are not supported", position + place)
            kind, place = f"({choice})", end
        elif symbol == "<":
            if kind not in ("a", "f"):
                raise SyntaxProblem("S0401: Type parameters can only be applied to functions and arrays", position + place)
            place = _closing(signature, place, "<", ">")
        place += 1


def _closing(text: str, start: int, opening: str, closing: str) -> int:
    depth, place = 1, start
    while place < len(text):
        place += 1
        symbol = text[place : place + 1]
        if symbol == closing:
            depth -= 1
            if depth == 0:
                break
        elif symbol == opening:
            depth += 1
    return place
