"""Functions of ours in place of the library's, written in JSONata, and how an expression finds them."""

from __future__ import annotations

from collections.abc import Iterable

from express.runtime.jsonata_values import LONGEST_TEXT

CLOCKS = frozenset({"millis", "now"})
TIME = "express time"  # the member of the document that they read, milliseconds since the epoch; no variable has a name with a blank

# A function that Python gives to the library cannot answer undefined; one written in JSONata can.
_BOUNDED = (
    f"$type($text) = 'string' and $type($by) = 'string' and $length($text) * $length($by) > {LONGEST_TEXT}"
    f" and ($count($split($text, $pattern)) - 1) * $length($by) > {LONGEST_TEXT} ? $express_too_long() : 0"
)
OURS = {
    "pad": "function($text, $width, $filler)<s-ns?:s>{ $exists($text) ? $express_pad($text, $width, $exists($filler) ? $filler : ' ') }",
    "encodeUrlComponent": "function($text)<s-:s>{ $exists($text) ? $express_encode_url_component($text) }",
    "encodeUrl": "function($text)<s-:s>{ $exists($text) ? $express_encode_url($text) }",
    # The library builds the whole text before it looks at the clock: 100,000 characters, each replaced by 100,000, are 10 GB
    "replace": f"function($text, $pattern, $by, $limit)<s-(sf)(sf)n?:s>{{({_BOUNDED}; "
    "$exists($limit) ? $express_replace($text, $pattern, $by, $limit) : $express_replace($text, $pattern, $by))}",
    # The library compares every item with every other
    "distinct": "function($items)<x:x>{ $type($items) = 'array' and $count($items) > 64 ? "
    "($found := $express_different($items); $count($found) = 1 ? $express_distinct($items) : $found) : $express_distinct($items) }",
    # One evaluation has one time, that of the execution's clock
    "millis": "function()<:n>{ $express_time }",
    "now": "function($picture, $zone)<s?s?:s>{ "
    "$exists($zone) ? $fromMillis($express_time, $picture, $zone) : $exists($picture) ? $fromMillis($express_time, $picture) "
    ": $fromMillis($express_time) }",
    "clone": "function($value)<(oa)-:o>{ $value }",
    # The library's takes null for nothing, and begins with an initial value that is undefined
    "reduce": "function($items, $function, $start){ $exists($items) ? ($items := $append([], $items); $count($items) = 0 ? $start : "
    "$exists($start) ? $express_reduce($items, $function, $start) : $express_reduce($items, $function)) }",
}


def _of_units(name: str, signature: str, parameters: tuple[str, ...], first: str = "0", back: str = "characters(") -> str:
    """The library's function ``name`` of a text, a pattern and others, of which the last may not be there."""

    def call(*arguments: str) -> str:
        return f"($exists(${parameters[-1]}) ? $express_{name}({', '.join(arguments)}) : $express_{name}({', '.join(arguments[:-1])}))"

    plain = [f"${each}" for each in parameters]
    units = ["$express_units($text)", *(f"($type({each}) = 'string' ? $express_units({each}) : {each})" for each in plain[1:])]
    return (
        f"function({', '.join(plain)})<{signature}>{{({first}; $not($exists($text)) or $express_wide($text) = false ? {call(*plain)} : "
        f"($found := {call(*units)}; $exists($found) ? $express_{back}$found)))}}"
    )


# Regular expressions see texts as units of 16 bits. Where no character is wider, the text is the same
OURS_OF_UNITS = {
    "contains": "function($text, $pattern)<s-(sf):b>{ $exists($text) ? "
    "$express_contains($express_units($text), $type($pattern) = 'string' ? $express_units($pattern) : $pattern) }",
    "match": _of_units("match", "s-fn?:a", ("text", "pattern", "limit"), back="matches($express_units($text), "),
    "split": _of_units("split", "s-(sf)n?:a", ("text", "pattern", "limit")),
    "replace": _of_units("replace", "s-(sf)(sf)n?:s", ("text", "pattern", "by", "limit"), _BOUNDED),
}
THEIRS = {name: f"$express_{name} := ${name}; " for name in ("reduce", "replace", "distinct", "contains", "match", "split")}
THEIRS |= dict.fromkeys(CLOCKS, f"$express_time := $$.`{TIME}`; ")


# What a step of a path that joins becomes, so that it is counted: the library keeps count when it has all of them
COUNTS = "$express_count := $count; $express_count_anew(); "
STEP_BEGINS, STEP_ENDS = "($express_found($express_count({step})); ", ")"


def with_ours(source: str, functions: Iterable[str], *, units: bool = False) -> str:
    """An expression that finds our functions under the names of ``functions``. ``units``: there are regular expressions."""
    ours = OURS | OURS_OF_UNITS if units else OURS
    bindings = "".join(f"{THEIRS.get(name, '')}${name} := {ours[name]}; " for name in functions if name in ours)
    return f"({bindings}\n{source}\n)" if bindings else source
