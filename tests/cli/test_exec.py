"""``express exec`` as people call it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from tests.commandline import express

CALL = ("exec", "orders.asl.json", "--functions", "functions.py", "--input")


def test_the_output_is_json_on_standard_output_and_nothing_else_is(folder: Path) -> None:
    result = express(*CALL, '{"total": 4}', cwd=folder)
    assert (result.returncode, result.stdout, result.stderr) == (0, '{"total":4,"pricing":{"amount":8}}\n', "")


@pytest.mark.parametrize(("given", "text"), [("@event.json", None), ("-", '{"total": 4}')])
def test_the_input_may_come_from_a_file_or_from_standard_input(folder: Path, given: str, text: str | None) -> None:
    (folder / "event.json").write_text('{"total": 4}')
    result = express(*CALL, given, cwd=folder, text=text)
    assert json.loads(result.stdout) == {"total": 4, "pricing": {"amount": 8}}


def test_a_failed_execution_says_its_error_cause_and_state_with_exit_code_1(folder: Path) -> None:
    result = express(*CALL, '{"total": 0}', cwd=folder)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "Empty: no total\nin /States/Empty of orders.asl.json\n"


def test_an_execution_may_be_named(folder: Path) -> None:
    definition = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Parameters": {"name.$": "$$.Execution.Name"}, "End": True}}}
    (folder / "name.json").write_text(json.dumps(definition))
    assert json.loads(express("exec", "name.json", "--name", "first", cwd=folder).stdout) == {"name": "first"}


def test_a_function_that_hangs_does_not_keep_the_process_past_its_timeout(folder: Path) -> None:
    (folder / "functions.py").write_text('import express, time\n\n@express.function("price")\ndef price(event):\n    time.sleep(600)\n')
    definition = json.loads((folder / "orders.asl.json").read_text())
    definition["States"]["Price"]["TimeoutSeconds"] = 1
    (folder / "orders.asl.json").write_text(json.dumps(definition))
    result = express(*CALL, '{"total": 4}', cwd=folder)
    assert (result.returncode, result.stderr.splitlines()[0].partition(":")[0]) == (1, "States.Timeout")


def test_a_trace_shows_every_state_on_standard_error_and_leaves_standard_output_alone(folder: Path) -> None:
    result = express(*CALL, '{"total": 4}', "--trace", cwd=folder)
    assert (result.returncode, result.stdout) == (0, '{"total":4,"pricing":{"amount":8}}\n')
    lines = [re.sub(r"[\d.]+ [nu]?m?s", "TIME", line) for line in result.stderr.splitlines()]
    assert lines == [
        "HasTotal  Choice  TIME  -> Price",
        '    input       {"total":4}',
        "    output      = input",
        "Price  Task  TIME",
        '    input       {"total":4}',
        '    result      {"amount":8}',
        '    output      {"total":4,"pricing":{"amount":8}}',
    ]


def test_the_trace_of_a_failed_execution_ends_where_it_failed(folder: Path) -> None:
    result = express(*CALL, '{"total": 0}', "--trace", cwd=folder)
    assert (result.returncode, result.stdout) == (1, "")
    assert [line.split()[0] for line in result.stderr.splitlines()] == [
        "HasTotal",
        "input",
        "output",
        "Empty",
        "input",
        "failed",
        "Empty:",
        "in",
    ]
    assert "    failed      Empty: no total" in result.stderr


def test_a_trace_as_json_is_whole(folder: Path) -> None:
    result = express(*CALL, json.dumps({"total": 4, "long": "x" * 1000}), "--trace-json", cwd=folder)
    first, second = map(json.loads, result.stderr.splitlines())
    assert (first["trail"], first["location"], first["status"], first["next"]) == ("HasTotal", "/States/HasTotal", "SUCCEEDED", "Price")
    assert second["input"] == first["output"] == {"total": 4, "long": "x" * 1000}
    assert second["output"] == json.loads(result.stdout)


def test_a_trace_fits_a_terminal(folder: Path) -> None:
    import pty
    import subprocess

    from tests.commandline import COMMAND

    master, slave = pty.openpty()
    arguments = [*COMMAND, *CALL, json.dumps({"total": 4, "long": "x" * 1000}), "--trace"]
    environment = {**os.environ, "COLUMNS": "60", "TERM": "xterm"}
    done = subprocess.run(arguments, cwd=folder, stdout=subprocess.PIPE, stderr=slave, env=environment, check=True, timeout=60)
    os.close(slave)
    text = os.read(master, 100_000).decode()
    os.close(master)
    assert json.loads(done.stdout)["pricing"] == {"amount": 8}
    assert "\x1b[1mHasTotal\x1b[0m" in text
    assert max(len(re.sub(r"\x1b\[[\d;]*m", "", line)) for line in text.splitlines()) <= 60


# Arguments, exit code, and everything on standard error
WRONG = {
    "input that is not JSON": ((*CALL, "{"), 65, "express: --input: it is not JSON: input data was truncated"),
    "file of input that is not there": ((*CALL, "@gone.json"), 66, "express: there is no file gone.json"),
    "definition that is not there": (("exec", "gone.json"), 66, "express: there is no file gone.json"),
    "functions that nobody provides": (
        ("exec", "orders.asl.json"),
        65,
        "express: orders.asl.json: /States/Price/Resource: no function is named 'price'; no functions are given",
    ),
    "functions that are not there": (
        ("exec", "orders.asl.json", "--functions", "gone.py"),
        78,
        "express: gone.py: no such file; expected a Python file with functions",
    ),
    "functions that fail": (
        ("exec", "orders.asl.json", "--functions", "fails.py"),
        78,
        "express: fails.py, line 3: fails when it is imported: ZeroDivisionError: division by zero",
    ),
    "functions that are not Python": (
        ("exec", "orders.asl.json", "--functions", "broken.py"),
        78,
        "express: broken.py, line 1: not valid Python: invalid syntax",
    ),
    "no functions in a file": (
        ("exec", "orders.asl.json", "--functions", "empty.py"),
        78,
        "express: empty.py: has no function with @express.function, so it provides nothing",
    ),
    "one name in two files": (
        ("exec", "orders.asl.json", "--functions", "functions.py", "--functions", "again.py"),
        78,
        "express: again.py: there is a function 'price' in functions.py already",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_one_sentence_and_an_exit_code(folder: Path, name: str) -> None:
    (folder / "fails.py").write_text("import express\n\nx = 1 / 0\n")
    (folder / "broken.py").write_text("def (:\n")
    (folder / "empty.py").write_text("x = 1\n")
    (folder / "again.py").write_text((folder / "functions.py").read_text())
    arguments, code, sentence = WRONG[name]
    result = express(*arguments, cwd=folder)
    assert (result.returncode, result.stdout, result.stderr) == (code, "", f"{sentence}\n")


def test_the_traceback_of_a_mistake_is_there_for_who_asks(folder: Path) -> None:
    (folder / "fails.py").write_text("import express\n\nx = 1 / 0\n")
    result = express("exec", "orders.asl.json", "--functions", "fails.py", cwd=folder, environment={"EXPRESS_DEBUG": "1"})
    assert "Traceback" in result.stderr
    assert "x = 1 / 0" in result.stderr


def test_substitutions_have_their_values_from_flags(folder: Path) -> None:
    state = '{"Type": "Pass", "Result": {"table": "${Table}-1", "n": ${N}}, "End": true}'
    (folder / "sam.json").write_text(f'{{"StartAt": "A", "States": {{"A": {state}}}}}')
    result = express("exec", "sam.json", "--substitute", "Table=orders", "--substitute", "N=3", cwd=folder)
    assert (result.returncode, json.loads(result.stdout)) == (0, {"table": "orders-1", "n": 3})
