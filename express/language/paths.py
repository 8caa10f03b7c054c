"""JSONPath text in, a typed Path out: what AWS's paths accept. Also: is a path definite, is it a Reference Path.

A small recursive descent; only the parentheses of a filter recurse.
"""

from __future__ import annotations

import re
from functools import lru_cache

from express.language import filters
from express.language.model import Descendants, Filter, Index, Name, Path, Segment, Slice, Union, Wildcard
from express.language.scanner import Scanner, SyntaxProblem, unescape

KEPT_CHARACTERS = 256  # of a path that is kept
STEPS = 256  # no JSON value that Express accepts is as deep as this
LARGEST_INDEX = 2**31 - 1  # Java's int, as AWS has it

# A name after a dot. AWS's documentation demands brackets for what is not a letter, a digit or _; its service takes `$.delivery-partner`
_DOT_NAME = re.compile(r"(?:[^\s.\[\](),'\"{}*?\\]|\\(?:u[0-9A-Fa-f]{4}|[^u\s]|u(?![0-9A-Fa-f]{4})))+")
# The same inside a filter, where operators end it as well
_FILTER_NAME = re.compile(r"(?:[^\s.\[\](),'\"{}*?\\=!<>&|~@/]|\\(?:u[0-9A-Fa-f]{4}|[^u\s]|u(?![0-9A-Fa-f]{4})))+")
_INTEGER = re.compile(r"-?[0-9]{1,10}(?![0-9])")
_VARIABLE = re.compile(r"\$[^\W\d]\w*")
_FROM_END = re.compile(r"\(\s*@\s*\.\s*(?:length|size\(\))\s*-\s*([0-9]{1,9})\s*\)")


def parse(text: str) -> Path:
    """The whole of ``text`` as a path; raises SyntaxProblem."""
    scanner = Scanner(text.strip())
    path = read(scanner)
    if scanner.peek():
        raise scanner.problem("expected the path to go on with '.' or '['")
    return Path(path.root, path.segments, text)


_kept = lru_cache(maxsize=1024)(parse)


def parsed(text: str) -> Path:
    """``parse`` for the fields of a definition: it says the same paths over and over, and is read twice, to be checked and to be compiled.
    Longer ones are not kept: whoever may send definitions could fill the memory with them."""
    return _kept(text) if len(text) <= KEPT_CHARACTERS else parse(text)


def read(scanner: Scanner) -> Path:
    """A path from where the scanner stands to where no further step follows: an argument of an intrinsic function, for example.

    ``root`` is ``$``, ``$$``, or the name of a variable with its ``$``.
    """
    start = scanner.position
    variable = _VARIABLE.match(scanner.text, start)
    if variable:
        root = variable[0]
        scanner.position = variable.end()
    elif scanner.take("$$"):
        root = "$$"
    elif scanner.take("$"):
        root = "$"
    else:
        raise scanner.problem("a path begins with '$'")
    segments = _read_segments(scanner, _DOT_NAME)
    return Path(root, segments, scanner.text[start : scanner.position])


def _read_segments(scanner: Scanner, names: re.Pattern[str]) -> tuple[Segment, ...]:
    """The steps that follow a root."""
    segments: list[Segment] = []
    while True:
        if scanner.take(".."):
            segments.append(Descendants())
            if scanner.peek() == "[":
                segments.append(_bracket(scanner, names))
            else:
                segments.append(_dotted(scanner, names, "'..'"))
        elif scanner.take("."):
            # AWS takes `$.items.[0]` for `$.items[0]`
            segments.append(_bracket(scanner, names) if scanner.peek() == "[" else _dotted(scanner, names, "'.'"))
        elif scanner.peek() == "[":
            segments.append(_bracket(scanner, names))
        else:
            return tuple(segments)
        if len(segments) > STEPS:
            raise SyntaxProblem(f"the path has more than {STEPS} steps", scanner.position)


def _dotted(scanner: Scanner, names: re.Pattern[str], after: str) -> Name | Wildcard:
    if scanner.take("*"):
        return Wildcard()
    found = names.match(scanner.text, scanner.position)
    if not found:
        raise scanner.problem(f"expected a name, '*' or '[' after {after}")
    scanner.position = found.end()
    # Functions such as length(): AWS takes the text and never finds anything at run time. The name below is what is not found.
    call = "()" if scanner.take("()") else ""
    return Name(unescape(found[0]) + call)


def _bracket(scanner: Scanner, names: re.Pattern[str]) -> Segment:
    scanner.expect("[", "")
    scanner.space()
    here = scanner.peek()
    segment: Segment
    if here in ("'", '"'):
        segment = _names(scanner)
    elif scanner.take("*"):
        segment = Wildcard()
    elif scanner.take("?"):
        if names is _FILTER_NAME:
            raise SyntaxProblem(_SEVERAL.format(_WORDS[Filter]), scanner.position)
        segment = Filter(filters.read(scanner, _read_filter_segments))
    elif here and here in "-0123456789:":
        segment = _numbers(scanner)
    elif found := _FROM_END.match(scanner.text, scanner.position):
        segment = Index(-int(found[1]))
        if segment.index == 0:
            raise SyntaxProblem("(@.length-0) lies behind the last item: the last one is (@.length-1)", scanner.position)
        scanner.position = found.end()
    else:
        raise scanner.problem("expected a quoted name, an index, a slice, '*' or '?(...)' after '['")
    scanner.space()
    scanner.expect("]", "to close '['")
    return segment


def _read_filter_segments(scanner: Scanner) -> tuple[Segment, ...]:
    start = scanner.position
    segments = _read_segments(scanner, _FILTER_NAME)
    for number, segment in enumerate(segments):
        several = isinstance(segment, Union) and number == len(segments) - 1 and all(isinstance(name, Name) for name in segment.members)
        if not isinstance(segment, Name | Index) and not several:
            raise SyntaxProblem(_SEVERAL.format(_WORDS[type(segment)]), start - 1)
    return segments


def _names(scanner: Scanner) -> Name | Union:
    names = [Name(scanner.quoted())]
    while True:
        scanner.space()
        if not scanner.take(","):
            return names[0] if len(names) == 1 else Union(tuple(names))
        scanner.space()
        if scanner.peek() not in ("'", '"'):
            raise scanner.problem("expected another quoted name after ','")
        names.append(Name(scanner.quoted()))
        if len(names) > STEPS:
            raise SyntaxProblem(f"the path asks for more than {STEPS} names at once", scanner.position)


def _numbers(scanner: Scanner) -> Index | Slice | Union:
    members = [_number_or_slice(scanner)]
    while True:
        scanner.space()
        if not scanner.take(","):
            return members[0] if len(members) == 1 else Union(tuple(members))
        scanner.space()
        members.append(_number_or_slice(scanner))
        if len(members) > STEPS:
            raise SyntaxProblem(f"the path asks for more than {STEPS} indexes at once", scanner.position)


def _number_or_slice(scanner: Scanner) -> Index | Slice:
    start = _integer(scanner)
    scanner.space()
    if not scanner.take(":"):
        if start is None:
            raise scanner.problem("expected an index")
        return Index(start)
    scanner.space()
    stop = _integer(scanner)
    scanner.space()
    step = None
    if scanner.take(":"):
        scanner.space()
        here = scanner.position
        step = _integer(scanner)
        if step is not None and step <= 0:
            raise SyntaxProblem(f"the step of a slice must be greater than 0, found {step} at character {here + 1}", here)
    return Slice(start, stop, step)


def _integer(scanner: Scanner) -> int | None:
    found = _INTEGER.match(scanner.text, scanner.position)
    if not found:
        if scanner.peek() in ("", ":", "]", ",", " "):
            return None
        raise scanner.problem(f"expected an index, a whole number up to {LARGEST_INDEX}")
    number = int(found[0])
    if abs(number) > LARGEST_INDEX:
        raise SyntaxProblem(f"the index {number} is beyond {LARGEST_INDEX}", scanner.position)
    scanner.position = found.end()
    return number


def definite(path: Path) -> bool:
    """True if the path selects exactly one value or none: only names and indexes (negative ones too: they count from the end).

    Everything else selects a list: wildcards, slices, several names or indexes, deep scan, filters.
    """
    return all(isinstance(segment, Name | Index) for segment in path.segments)


def not_a_reference(path: Path) -> str | None:
    """Why the path is not a Reference Path (names and indexes from 0 only, below ``$``); None if it is one."""
    if path.root != "$":
        return f"a Reference Path begins with '$', not with {path.root!r}" if path.root == "$$" else f"{path.root!r} is a variable"
    for segment in path.segments:
        if isinstance(segment, Index) and segment.index < 0:
            return f"the index {segment.index} is negative"
        if not isinstance(segment, Name | Index):
            return f"{_WORDS[type(segment)]} may select several values"
    return None


_SINGLE = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
_BEYOND_NAMES = re.compile(r"[\[(\"]")
_SEVERAL = "a path inside a filter must select one value: {} may select several values"
_WORDS: dict[type, str] = {
    Slice: "a slice",
    Wildcard: "'*'",
    Union: "a list of names or indexes",
    Descendants: "'..'",
    Filter: "a filter",
}


def from_the_end(path: Path) -> int | None:
    """The first negative index that is written as such: AWS finds nothing there, though its library's later versions do."""
    if "[" not in path.text:
        return None
    negative = (segment.index for segment in path.segments if isinstance(segment, Index) and segment.index < 0)
    return None if _FROM_END.search(path.text) else next(negative, None)


def wider(path: Path) -> str | None:
    """What of the path only Express takes, or AWS answers differently (docs/language.md, "Wider than AWS"); None for a portable path."""
    if not _BEYOND_NAMES.search(path.text):
        return None
    if from_the_end(path) is not None:
        return "negative index"
    for place, segment in enumerate(path.segments):
        for each in segment.members if isinstance(segment, Union) else (segment,):
            if isinstance(each, Slice) and each.step is not None:
                return "slice with a step"
            if isinstance(each, Slice) and each.start is None and each.stop is None:
                return "slice without a start and an end"
            if isinstance(each, Slice) and each.start is not None and each.stop is not None and min(each.start, each.stop) < 0:
                return "slice with two ends of which one is negative"
            if isinstance(segment, Union) and isinstance(each, Index) and each.index < 0:
                return "negative index among others"
        if isinstance(segment, Union):
            if len({type(member) for member in segment.members}) > 1 or isinstance(segment.members[0], Slice):
                return "index beside a slice in one bracket"
            if isinstance(segment.members[0], Name) and place < len(path.segments) - 1:
                return "list of names before the end"
    bare = _QUOTED.sub("", path.text)
    if '"' in path.text and '"' in _SINGLE.sub("", path.text):
        return "name in double quotes"
    return "parentheses in a filter" if bare.count("(") - bare.count("()") - bare.count("[(") > bare.count("?(") else None


def function(path: Path) -> str | None:
    """The name of a JSONPath function such as ``length()`` in the path, if there is one: AWS never finds it."""
    for segment in path.segments:
        if isinstance(segment, Name) and segment.name.endswith("()"):
            return segment.name
    return None
