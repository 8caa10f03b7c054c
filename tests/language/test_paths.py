from __future__ import annotations

import pytest

from express.language import paths
from express.language.model import (
    Descendants,
    Filter,
    FilterAll,
    FilterAny,
    FilterComparison,
    FilterCondition,
    FilterExists,
    FilterNot,
    FilterPath,
    FilterValue,
    Index,
    Name,
    Segment,
    Slice,
    Union,
    Wildcard,
)
from express.language.scanner import SyntaxProblem

A, B = Name("a"), Name("b")


@pytest.mark.parametrize(
    ("text", "root", "segments"),
    [
        ("$", "$", ()),
        ("$$", "$$", ()),
        ("$.a", "$", (A,)),
        ("$.a.b", "$", (A, B)),
        ("$$.Execution.Id", "$$", (Name("Execution"), Name("Id"))),
        ("$total", "$total", ()),
        ("$total.a[0]", "$total", (A, Index(0))),
        (" $.a ", "$", (A,)),
        # names after a dot
        ("$.delivery-partner", "$", (Name("delivery-partner"),)),
        ("$.a_1", "$", (Name("a_1"),)),
        ("$.größe", "$", (Name("größe"),)),
        ("$.a:b", "$", (Name("a:b"),)),
        (r"$.foo\@bar.baz\[\[.\?pretty", "$", (Name("foo@bar"), Name("baz[["), Name("?pretty"))),
        (r"$.store\.book", "$", (Name("store.book"),)),
        (r"$.&Ж中.\uD800\uDF46", "$", (Name("&Ж中"), Name("\U00010346"))),
        # brackets
        ("$['a']", "$", (A,)),
        ('$["a"]', "$", (A,)),
        ("$['a b'].b", "$", (Name("a b"), B)),
        (r"$['it\'s']", "$", (Name("it's"),)),
        (r"$['\n\\\u0041']", "$", (Name("\n\\A"),)),
        ("$['a','b']", "$", (Union((A, B)),)),
        ("$[ 'a' , 'b' ]", "$", (Union((A, B)),)),
        ("$[0]", "$", (Index(0),)),
        ("$[-1]", "$", (Index(-1),)),
        ("$[(@.length-1)].a", "$", (Index(-1), A)),
        ("$[( @.size() - 2 )]", "$", (Index(-2),)),
        ("$[0,2]", "$", (Union((Index(0), Index(2))),)),
        ("$[1:3]", "$", (Slice(1, 3, None),)),
        ("$[1:]", "$", (Slice(1, None, None),)),
        ("$[:3]", "$", (Slice(None, 3, None),)),
        ("$[-2:]", "$", (Slice(-2, None, None),)),
        ("$[::2]", "$", (Slice(None, None, 2),)),
        ("$[0,1:2]", "$", (Union((Index(0), Slice(1, 2, None))),)),
        ("$.*", "$", (Wildcard(),)),
        ("$[*].a", "$", (Wildcard(), A)),
        ("$.a.[0].b", "$", (A, Index(0), B)),
        ("$..a", "$", (Descendants(), A)),
        ("$..*", "$", (Descendants(), Wildcard())),
        ("$..[0]", "$", (Descendants(), Index(0))),
        ("$.[*].['a', 'b']", "$", (Wildcard(), Union((A, B)))),
        ("$.a.length()", "$", (A, Name("length()"))),
    ],
)
def test_a_path_is_read(text: str, root: str, segments: tuple[Segment, ...]) -> None:
    path = paths.parse(text)
    assert (path.root, path.segments, path.text) == (root, segments, text)


def member(*segments: Segment) -> FilterPath:
    return FilterPath("@", segments)


def compared(operator: str, value: str) -> FilterComparison:
    return FilterComparison(operator, member(A), FilterValue(value))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("@.a", FilterExists(member(A))),
        ("@", FilterExists(member())),
        ("@['a']", FilterExists(member(A))),
        ("!@.a", FilterNot(FilterExists(member(A)))),
        ("@.a == 1", compared("==", "1")),
        ("@.a==1", compared("==", "1")),
        ("@.a != -1.5e3", compared("!=", "-1.5e3")),
        ("@.a < 10", compared("<", "10")),
        ("@.a >= 10", compared(">=", "10")),
        ("@.a === 'x'", compared("==", "x")),
        ('@.a == "x y"', compared("==", "x y")),
        ("@.a == true", compared("==", "true")),
        ("@.a == null", compared("==", "null")),
        ("@.a == FooBar", compared("==", "FooBar")),
        ("1 < @.a", FilterComparison("<", FilterValue("1"), member(A))),
        ("@.a == $.b", FilterComparison("==", member(A), FilterPath("$", (B,)))),
        ("@.a && @.b || @", FilterAny((FilterAll((FilterExists(member(A)), FilterExists(member(B)))), FilterExists(member())))),
        ("@.a && (@.b || @)", FilterAll((FilterExists(member(A)), FilterAny((FilterExists(member(B)), FilterExists(member())))))),
        ("!(@.a == 1)", FilterNot(compared("==", "1"))),
        ("@['a','b']", FilterExists(member(Union((A, B))))),
        ("@[0].a[(@.length-1)]", FilterExists(member(Index(0), A, Index(-1)))),
        ("@.a == ')]'", compared("==", ")]")),
    ],
)
def test_a_filter_is_read(condition: str, expected: FilterCondition) -> None:
    assert paths.parse(f"$.x[?({condition})]").segments == (Name("x"), Filter(expected))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a path begins with '$', but the text ends"),
        (".guid", "a path begins with '$', found '.' at character 1"),
        ("order.total", "a path begins with '$', found 'o' at character 1"),
        ("$.", "expected a name, '*' or '[' after '.', but the text ends"),
        ("$..", "expected a name, '*' or '[' after '..', but the text ends"),
        ("$...", "expected a name, '*' or '[' after '..', found '.' at character 4"),
        ("$.a b", "expected the path to go on with '.' or '[', found ' ' at character 4"),
        ("$.a)", "expected the path to go on with '.' or '[', found ')' at character 4"),
        ("$$x", "expected the path to go on with '.' or '[', found 'x' at character 3"),
        ("$[", "expected a quoted name, an index, a slice, '*' or '?(...)' after '[', but the text ends"),
        ("$[]", "expected a quoted name, an index, a slice, '*' or '?(...)' after '[', found ']' at character 3"),
        ("$[a]", "expected a quoted name, an index, a slice, '*' or '?(...)' after '[', found 'a' at character 3"),
        ("$[0", "expected ']' to close '[', but the text ends"),
        ("$['a", "the quote at character 3 is never closed"),
        ("$['a',0]", "expected another quoted name after ',', found '0' at character 7"),
        ("$[1,]", "expected an index, found ']' at character 5"),
        ("$[1:2:0]", "the step of a slice must be greater than 0, found 0 at character 7"),
        ("$[1:2:-1]", "the step of a slice must be greater than 0, found -1 at character 7"),
        ("$[2147483648]", "the index 2147483648 is beyond 2147483647"),
        ("$[99999999999999]", "expected an index, a whole number up to 2147483647, found '9' at character 3"),
        ("$[?@.a]", "expected '(' after '[?', found '@' at character 4"),
        ("$[?(@.a]", "expected ')' to close '(', found ']' at character 8"),
        ("$[?(@.a == )]", "expected a path from '@' or '$', a quoted text, a number, true, false or null, found ')' at character 12"),
        ("$[?(1)]", "expected a comparison such as '==' or '<' after a value, found ')' at character 6"),
        ("$[?(@.a subsetof [1])]", "the operator 'subsetof' is not supported in filters: there are == != < <= > >="),
        ("$[?(@.a in ['x'])]", "the operator 'in' is not supported in filters: there are == != < <= > >="),
        ("$[?(@.a NIN [1])]", "the operator 'NIN' is not supported in filters: there are == != < <= > >="),
        ("$[?(@.a[*] == 1)]", "a path inside a filter must select one value: '*' may select several values"),
        ("$[?(@..a)]", "a path inside a filter must select one value: '..' may select several values"),
        ("$[?(@.a[?(@.b)])]", "a path inside a filter must select one value: a filter may select several values"),
        ("$[?(1 < $.a[1:])]", "a path inside a filter must select one value: a slice may select several values"),
        ("$[?(@['a','b'].c)]", "a path inside a filter must select one value: a list of names or indexes may select several values"),
        ("$[(@.length-0)]", "(@.length-0) lies behind the last item: the last one is (@.length-1)"),
        ("$[?(@.a is 1)]", "expected a comparison such as '==' or '<', found 'i' at character 9"),
        ("$[?(@.a =~ /x/)]", "filtering by regular expression (=~) is not supported"),
        ("$" + ".a" * 257, "the path has more than 256 steps"),
        ("$[?" + "(" * 33, "parentheses may be nested 32 deep, these are deeper"),
        ("$[?(" + "!" * 33, "parentheses may be nested 32 deep, these are deeper"),
        ("$[?(" + "@.a&&" * 256 + "@.a)]", "a filter may have 256 conditions, this one has more"),
    ],
)
def test_what_is_wrong_with_a_path_is_said_with_its_place(text: str, message: str) -> None:
    with pytest.raises(SyntaxProblem) as caught:
        paths.parse(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "definite", "reference"),
    [
        ("$", True, None),
        ("$.a['b'][0]", True, None),
        ("$[-1]", True, "the index -1 is negative"),
        ("$$.a", True, "a Reference Path begins with '$', not with '$$'"),
        ("$total.a", True, "'$total' is a variable"),
        ("$.a[*]", False, "'*' may select several values"),
        ("$..a", False, "'..' may select several values"),
        ("$[1:]", False, "a slice may select several values"),
        ("$['a','b']", False, "a list of names or indexes may select several values"),
        ("$[?(@.a)]", False, "a filter may select several values"),
    ],
)
def test_definite_paths_and_reference_paths(text: str, definite: bool, reference: str | None) -> None:
    path = paths.parse(text)
    assert paths.definite(path) is definite
    assert paths.not_a_reference(path) == reference
