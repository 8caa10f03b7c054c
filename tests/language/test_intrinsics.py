from __future__ import annotations

import pytest

from express.language import intrinsics, paths
from express.language.model import Call, Expression, Literal
from express.language.scanner import SyntaxProblem


def test_there_are_the_eighteen_functions() -> None:
    assert len(intrinsics.FUNCTIONS) == 18


@pytest.mark.parametrize(
    ("text", "function", "arguments"),
    [
        ("States.UUID()", "UUID", ()),
        ("States.UUID( )", "UUID", ()),
        ("States.Array()", "Array", ()),
        ("States.Array('Foo', 2020, $.a, null)", "Array", (Literal("Foo"), Literal(2020), paths.parse("$.a"), Literal(None))),
        ("States.Array(true,false)", "Array", (Literal(True), Literal(False))),
        ("States.Array(-1, 1.5, 2e3)", "Array", (Literal(-1), Literal(1.5), Literal(2000.0))),
        (
            "States.Array($.a['x, y'], $$.Execution.Id, $v)",
            "Array",
            (paths.parse("$.a['x, y']"), paths.parse("$$.Execution.Id"), paths.parse("$v")),
        ),
        ("States.Array($.a[?(@.b == ')')], 1)", "Array", (paths.parse("$.a[?(@.b == ')')]"), Literal(1))),
        (r"States.Array('it\'s', '\{\}', 'a\\b')", "Array", (Literal("it's"), Literal("{}"), Literal("a\\b"))),
        ("States.Array('a\nb', '')", "Array", (Literal("a\nb"), Literal(""))),
        # Format's template keeps its escapes: {} and \{\} are different things there
        (r"States.Format('{} \{\} \'', '\'')", "Format", (Literal(r"{} \{\} \'"), Literal("'"))),
        (
            "States.MathAdd(States.ArrayLength($.a), -1)",
            "MathAdd",
            (Call("ArrayLength", (paths.parse("$.a"),), "States.ArrayLength($.a)"), Literal(-1)),
        ),
        ("States.MathRandom(1, 9)", "MathRandom", (Literal(1), Literal(9))),
        ("States.MathRandom(1, 9, 7)", "MathRandom", (Literal(1), Literal(9), Literal(7))),
    ],
)
def test_a_call_is_read(text: str, function: str, arguments: tuple[Expression, ...]) -> None:
    assert intrinsics.parse(text) == Call(function, arguments, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("States.Foramt('x')", "there is no intrinsic function 'States.Foramt' (did you mean 'States.Format'?)"),
        ("States.Now()", "there is no intrinsic function 'States.Now'"),
        ("States.", "expected an intrinsic function such as States.Format(...), found 'S' at character 1"),
        ("States.UUID", "expected '(' after States.UUID, but the text ends"),
        ("States.UUID(1)", "States.UUID takes 0 arguments, found 1"),
        ("States.Hash('x')", "States.Hash takes 2 arguments, found 1"),
        ("States.ArrayLength()", "States.ArrayLength takes 1 argument, found 0"),
        ("States.MathRandom(1)", "States.MathRandom takes 2 or 3 arguments, found 1"),
        ("States.Format()", "States.Format takes at least 1 argument, found 0"),
        ("States.UUID() x", "expected nothing after the ')' of States.UUID, found ' ' at character 14"),
        ("States.Array(1", "expected ',' or ')' after an argument of States.Array, but the text ends"),
        ("States.Array(1 2)", "expected ',' or ')' after an argument of States.Array, found '2' at character 16"),
        (
            "States.Array(1,)",
            "expected a path, a text in single quotes, a number, true, false, null or a call, found ')' at character 16",
        ),
        (
            'States.Array("x")',
            "expected a path, a text in single quotes, a number, true, false, null or a call, found '\"' at character 14",
        ),
        ("States.Array('x)", "the quote at character 14 is never closed"),
        (r"States.Array('a\nb')", r"only \' \{ \} and \\ are escapes, found '\\n' at character 16"),
        (r"States.Format('say \"{}\"', $.a)", r"""only \' \{ \} and \\ are escapes, found '\\"' at character 20"""),
        ("States.Array($.)", "expected a name, '*' or '[' after '.', found ')' at character 16"),
        ("States.Array(1e999)", "the number 1e999 is too large"),
        ("States.Array(" * 11 + ")" * 11, "intrinsic functions may be nested 10 deep, this is deeper"),
        ("States.Array(" + "1," * 256 + "1)", "States.Array has more than 256 arguments"),
    ],
)
def test_what_is_wrong_with_a_call_is_said_with_its_place(text: str, message: str) -> None:
    with pytest.raises(SyntaxProblem) as caught:
        intrinsics.parse(text)
    assert str(caught.value) == message


def test_ten_calls_within_each_other_are_fine() -> None:
    intrinsics.parse("States.Array(" * 10 + ")" * 10)
