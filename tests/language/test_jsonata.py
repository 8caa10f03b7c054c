"""JSONata's syntax as AWS takes it, and what is known of an expression before it runs."""

from __future__ import annotations

import random
import time
from contextlib import suppress

import pytest

from express.language import jsonata_nodes as nodes
from express.language.jsonata import is_expression, parse, reads, unknown_functions
from express.language.jsonata_parser import parse as parse_nodes
from express.language.scanner import SyntaxProblem

REFUSED = [
    ("'a", "S0101", 2),
    ("1e999", "S0102", 0),
    (r"'\q'", "S0103", 2),
    (r"'\u12g4'", "S0104", 2),
    ("$x.`a", "S0105", 3),
    ("1 /* to be", "S0106", 2),
    ("1 2", "S0201", 2),
    ("[1:2]", "S0202", 2),
    ("(1", "S0203", 2),
    ("1 ! 2", "S0204", 2),
    ("", "S0207", 0),
    ("function($a, 1){1}", "S0208", 13),
    ("$x{'a': b}[0]", "S0209", None),
    ("$x.y{'a': b}{'a': b}", "S0210", None),
    ("1 +", "S0207", 3),
    ("1 + )", "S0211", 4),
    ("$a ?: 1", "S0211", 4),
    ("$a ?? 1", "S0211", 4),
    ("a := 1", "S0212", 0),
    ("$x.7", "S0213", 3),
    ("$x@y", "S0214", 3),
    ("$x.y[0]@$i", "S0215", None),
    ("$x^(a)@$i", "S0216", None),
    ("$x.%.%", "S0217", None),
    ("%", "S0217", None),
    ("function($a)<s<s>>{$a}", "S0401", None),
    ("function($a)<(a<s>)>{$a}", "S0402", None),
    ("//", "S0301", 1),
    ("/abc", "S0302", 4),
]


@pytest.mark.parametrize(("text", "code", "position"), REFUSED)
def test_what_jsonata_refuses_is_refused_with_its_code_and_the_place(text: str, code: str, position: int | None) -> None:
    with pytest.raises(SyntaxProblem, match=code) as caught:
        parse(text)
    if position is not None:
        assert caught.value.position == position


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("states.input", "nothing to select 'states' from"),
        ("$sum(price)", "nothing to select 'price' from"),
        ("$", "'\\$' has no meaning"),
        ("$$.a", "'\\$\\$' has no meaning"),
        ("{'a': b}", "nothing to select 'b'"),
        ("$x[0] > 1 ? a", "nothing to select 'a'"),
        ("**.a", "nothing to select from"),
        ("$eval('1')", r"no \$eval"),
        ("($states := 1)", "cannot be assigned"),
    ],
)
def test_what_aws_refuses_at_the_top_level_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(SyntaxProblem, match=sentence):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "$x.(a + $)",
        "$x[price > 1]",
        "$x^(>price)",
        "$x{name: $sum(price)}",
        "$map($x, function($v){$v.a})",
        "$x ~> |a|{'b': c}|",
        "$x.($$.a)",
    ],
)
def test_fields_and_the_context_have_a_meaning_below_a_value(text: str) -> None:
    assert parse(text).variables == ("x",)


def test_an_expression_says_which_variables_functions_and_states_it_reads() -> None:
    found = parse("($a := $sum($states.input.b); $c($a, $map([1..2], function($i){ $i + $d })) & $states.context.State.Name)")
    assert found.variables == ("c", "d")
    assert found.functions == ("map", "sum")
    assert found.states == ("input", "context")
    assert unknown_functions(found) == ("c",)


def test_a_variable_is_free_until_it_is_bound() -> None:
    assert parse("($a := $a + 1; $a)").variables == ("a",)
    assert parse("($a := 1; $a)").variables == ()
    assert parse("(($a := 1); $a)").variables == ("a",)
    assert parse("$x@$y.z[$y.a = 1]#$i.($i)").variables == ("x",)


def test_all_of_states_may_be_read_by_its_name_alone() -> None:
    assert parse("$states").states == ("input", "result", "errorOutput", "context")
    assert parse("$lookup($states, 'input')").states == ("input", "result", "errorOutput", "context")


def test_what_is_read_of_the_input_is_known_by_name() -> None:
    expression = parse("$states.input.a.b[0].c & $states.input.d & $states.context.State.Name")
    assert sorted(reads(expression, "input")) == [("a", "b"), ("d",)]
    assert list(reads(expression, "context")) == [("State", "Name")]
    assert () in list(reads(parse("$states"), "input"))
    assert list(reads(parse("$states.input"), "input")) == [()]


def test_braces_and_percent_signs_make_an_expression_only_without_a_blank_outside() -> None:
    assert is_expression("{% 1 %}")
    assert not is_expression(" {% 1 %}")
    assert not is_expression("{% 1 %} ")
    assert not is_expression("{%}")


def test_precedence_and_paths() -> None:
    assert parse_nodes("1 + 2 * 3") == nodes.Binary("+", nodes.Number(1), nodes.Binary("*", nodes.Number(2), nodes.Number(3)))
    assert parse_nodes("a.b[0]") == nodes.Path((nodes.Step(nodes.Field("a", 0)), nodes.Step(nodes.Field("b", 2), (nodes.Number(0),))))
    assert parse_nodes("-5") == nodes.Number(-5)
    assert parse_nodes("9007199254740993") == nodes.Number(9007199254740992)
    assert parse_nodes('"\\ud83d\\ude00"') == nodes.Text("😀")
    assert parse_nodes("and.or") == nodes.Path((nodes.Step(nodes.Field("and", 0)), nodes.Step(nodes.Field("or", 4))))


HOSTILE = [
    "(" * 32_000, "[" * 32_000, "-" * 65_000, "{'a':" * 10_000, "f(" * 30_000, "a?" * 32_000, "$x:=" * 16_000, "%." * 32_000 + "a",
    "1+" * 32_000 + "1", "a." * 32_000 + "a", "[" + "1," * 32_000 + "1]", "'" + "\\n" * 32_000 + "'", "/" + "(a|b)" * 13_000 + "/",
    "a[" * 20_000, "function($x){" * 5_000, "|a|b|" * 12_000, "/*" * 32_000, "a[0]" * 16_000, "$" * 65_000, "\\" * 65_000, "`" * 65_000,
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:6])
def test_64_kib_of_anything_are_read_or_refused_in_a_tenth_of_a_second(text: str) -> None:
    times = []
    for _ in range(3):  # the collector may come by in one of them
        before = time.process_time()
        with suppress(SyntaxProblem):  # and nothing else
            parse(text[:65_536])
        times.append(time.process_time() - before)
    assert min(times) < 0.1


PLAIN = "a $x $ $$ 1 2.5 's' true null and or in ( ) [ ] { } , ; : ? . .. + - * ** / % = != < > <= >= & := ~> @ # ^ | ! ~ ^( @$i #$i .%"
ODD = (
    "function",
    "function($a){$a}",
    "<n:n>",
    "/re/i",
    "`q`",
    "%.",
    "[]",
    "(?",
    "\\",
    "\u2028",
    "\ud83d",
    "😀",
    "/*",
    "*/",
    "//",
    "\n",
    '"t"',
)
WORDS = (*PLAIN.split(" "), *ODD)


@pytest.mark.parametrize("seed", range(20))
def test_words_in_any_order_are_read_or_refused(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(200):
        text = "".join(chance.choice(WORDS) + chance.choice(("", " ")) for _ in range(chance.randrange(1, 30)))
        with suppress(SyntaxProblem):  # and nothing else
            parse(text)
