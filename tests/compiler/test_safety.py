"""A definition's text never becomes code: two independent proofs, on hostile names, keys, paths and texts."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import express
from express.compiler.module import FILLED_IN, RUNTIME
from express.compiler.safety import Unsafe, check
from express.compiler.source import literal
from express.compiler.unit import PARAMETERS
from tests.compiler.machines import choice, machine, map_, output, pass_, task

Compiled = Callable[..., express.Program]

HOSTILE = [
    "'", '"', "'''", '"""', "\\", "\\'", "\n", "\r", "\x00", "\u2028", "\u202e", "{", "}", "{}", "{data}", "%s", "#", ";", ")", "(", "]",
    "\nimport os", "'); import os; ('", "__import__('os').system('id')", "data", "execution", "run", "self", "class", "None", "True",
    "import", "lambda", "async", "__class__", "__builtins__", "__dict__", "Exception", "StateError", "copy", "item", "clock", "é", "日本",
    "𝒳", "ℱ", "ﬁ", "a\nb: 1", "f'{1}'", "\\N{BULLET}", "\\x41", "\\u0041", "0", "-1", "1e999", "$", "$.a", "$$", "States.UUID()",
    "{% $x %}", " ", "x" * 300, "😀", "\t", "\x1b[31m", "a.b", "a-b", "${x}", "`", "~", "|", "..", "*", "[",
]  # fmt: skip
hostile = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=12).filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text)))


def quoted(name: str) -> str:
    """A name as a JSONPath writes it."""
    return "$['" + name.replace("\\", "\\\\").replace("'", "\\'") + "']"


def definition(words: list[str]) -> dict[str, Any]:
    """A machine with a place for every kind of text that a definition has. The words are all different."""
    a, b, c, d, e, key, field, text, error, pattern = words
    number = {"Variable": quoted(field), "NumericGreaterThan": 1, "Next": b}
    same = {"Variable": quoted(field), "StringEquals": text, "Next": b}
    like = {"Variable": quoted(key), "StringMatches": pattern.replace("\\", ""), "Next": b}
    catch = [{"ErrorEquals": [error], "Next": e, "ResultPath": quoted(key), "Assign": {"caught": {key: text, f"{field}.$": "$"}}}]
    assign = {"plain": text, "path.$": quoted(field), "made": {key: text, f"{field}.$": "$plain", "inner": [{f"{text}.$": quoted(key)}]}}
    query = "{% " + json.dumps(text) + " & $plain %}"
    return {
        "Comment": text,
        "StartAt": a,
        "States": {
            a: {"Comment": text, **choice(number, same, like, {"Variable": quoted(text), "IsPresent": True, "Next": b}, default=c)},
            b: pass_(Parameters={key: text, f"{field}.$": quoted(field), "inner": [{f"{text}.$": "$"}]}, ResultPath=quoted(key), Next=c),
            c: pass_(Result={key: text, "more": [text, error]}, ResultPath=quoted(field), Next="Variables"),
            "Variables": pass_(Assign=assign, Next="Jsonata"),
            "Jsonata": {
                **pass_(Output={key: query, field: [f"={text}", query]}, Assign={"made": {text: query}}, Next=d),
                "QueryLanguage": "JSONata",
            },
            d: task("f", Parameters={f"{key}.$": quoted(key)}, ResultSelector={text: error}, ResultPath=quoted(text), Catch=catch, Next=e),
            e: {"Type": "Fail", "Error": error, "Cause": text},
        },
    }


def distinct(words: list[str]) -> list[str]:
    return [f"{word}{'_' * number}" if words.index(word) < number else word for number, word in enumerate(words)]


def compile_(definition: dict[str, Any], name: str = "machine") -> express.Program:
    return express.compile(definition, name, {"f": express.function("f", run="inline")(lambda event: {})})


def shape(source: str) -> list[str]:
    """The tree of each function without what texts of the definition may decide: constants, and what identifiers are called."""
    return [_shape(function) for function in ast.parse(source).body]


def _shape(function: ast.stmt) -> str:
    names: dict[str, str] = {}

    def renamed(name: str) -> str:
        return name if name in RUNTIME else names.setdefault(name, f"n{len(names)}")

    for node in ast.walk(function):
        if isinstance(node, ast.Constant):
            node.value = type(node.value).__name__
        elif isinstance(node, ast.Name):
            node.id = renamed(node.id)
        elif isinstance(node, ast.arg):
            node.arg = renamed(node.arg)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.name = renamed(node.name)
    return ast.dump(function)


BENIGN = [f"word{number}" for number in range(10)]


@settings(max_examples=75, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(hostile, min_size=10, max_size=10))
@pytest.mark.large
def test_replacing_every_text_by_a_harmless_one_changes_nothing_but_constants(words: list[str]) -> None:
    words = distinct([word or "empty" for word in words])
    assume(not any(word.startswith("{%") and word.endswith("%}") for word in words))  # an expression, in a state in JSONata
    assume(all(len(word) <= 80 for word in _like(words)))  # so long may a state's name be; escaped, a hostile one takes more room than that
    try:
        program = compile_(definition(words))
    except express.DefinitionError:
        return  # a name that is too long, say
    assert shape(program.source) == shape(compile_(definition(_like(words))).source)


def _like(words: list[str]) -> list[str]:
    """Harmless words that take as much room in code as the others: whether a text is written there or gets a name depends on it."""
    return [letter * (len(literal(word)) - 2) for letter, word in zip("abcdefghij", words, strict=True)]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(hostile, min_size=10, max_size=10))
def test_hostile_words_mean_themselves(words: list[str]) -> None:
    words = distinct([word or "empty" for word in words])
    a, b, c, _d, _e, key, field, text, error, pattern = words
    row = machine(**{a: pass_(Parameters={f"{key}.$": quoted(field), text: error}), b: pass_(Result=text, ResultPath=quoted(c))})
    try:
        program = compile_(row)
    except express.DefinitionError:
        return
    if len({key, text, c}) == 3:
        assert output(program, {field: [pattern]}) == {key: [pattern], text: error, c: text}


def test_every_comment_is_one_line_of_ascii() -> None:
    program = compile_(machine(**{"a\nimport os\u2028\r": pass_(), "日本": pass_()}), name="bad\nname")
    assert [line for line in program.source.splitlines() if "import os" in line] == ["        # 'a\\nimport os\\u2028\\r': Pass"]
    assert all(line.isascii() for line in program.source.splitlines() if line.lstrip().startswith("#"))


def test_generated_code_runs_without_builtins_and_imports_nothing() -> None:
    program = compile_(definition(BENIGN))
    assert program.evaluate.__globals__["__builtins__"] == {}
    assert not any(isinstance(node, (ast.Import, ast.ImportFrom)) for node in ast.walk(ast.parse(program.source)))


def test_running_a_workflow_opens_imports_and_executes_nothing() -> None:
    formatted = pass_(Parameters={"t.$": "States.Format('{}', $.n)", "a.$": "$.a[*]"})
    program = compile_(machine(P=formatted, M=map_(machine(X=pass_()), ItemsPath="$.a")))
    output(program, {"a": [1], "n": 1})
    seen: list[str] = []
    watching = True

    def hook(event: str, arguments: Any) -> None:
        if watching and event in ("open", "import", "exec", "compile", "os.system", "subprocess.Popen", "socket.connect"):
            seen.append(event)

    sys.addaudithook(hook)
    output(program, {"a": [1], "n": 1})
    watching = False
    assert seen == []


@pytest.mark.parametrize(
    "code",
    [
        "import os",
        "from os import path",
        "def run(data, execution):\n    return data.__class__.__base__",
        "def run(data, execution):\n    return data.__class__()",
        "def run(data, execution):\n    return __builtins__",
        "def run(data, execution):\n    return eval",
        "def run(data, execution):\n    return data.keys()",
        "def run(data, execution):\n    data.input = 1",
        "def run(data, execution):\n    global x",
        "def run(data, execution):\n    del data",
        "def run(data, execution):\n    yield data",
        "def run(data, execution):\n    return f'{data}'",
        "def run(data, execution):\n    return [x for x in data]",
        "@copy\ndef run(data, execution):\n    return data",
        "def run(data: copy, execution):\n    return data",
        "def run(data, execution) -> copy:\n    return data",
        "def run(data, execution):\n    copy = 1",
        "class run:\n    pass",
        "def run(data, execution):\n    with data:\n        pass",
        "x: copy = 1",
    ],
)
def test_code_that_the_compiler_never_writes_is_not_executed(code: str) -> None:
    with pytest.raises(Unsafe):
        check(code, {"copy"}, "<test>")


def test_no_name_of_the_runtime_is_also_a_local() -> None:
    assert not {*RUNTIME, *FILLED_IN} & PARAMETERS


def test_numbers_and_texts_of_any_size_stay_what_they_are(compiled: Compiled) -> None:
    constants = [2**64, -(2**80), 10**100, 1e308, -0.0, 5e-324, "x" * 5_000, {"k" * 500: 1}, True, None]
    program = compiled(machine(P=pass_(Parameters={"list": constants, "x.$": "$.x"})))
    made = output(program, {"x": 1})["list"]
    assert json.dumps(made) == json.dumps(constants)
