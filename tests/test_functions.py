"""``functions:`` of a configuration: one definition, and what it calls somewhere else in every environment."""

from __future__ import annotations

from pathlib import Path

import pytest

import express
from express.errors import ConfigurationError
from express.functions import provided
from express.options import AwsConnection, FunctionSettings
from express.tasks.remote import HttpFunction, LambdaFunction

FILE = """
import express

@express.function(run="inline", concurrency=3)
def price(event):
    return event["total"] * 2
"""
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:"
DEFINITION = {"StartAt": "Price", "States": {"Price": {"Type": "Task", "Resource": f"{ARN}price", "End": True}}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "priced_functions.py").write_text(FILE)
    return tmp_path


@pytest.mark.parametrize("name", ["price", f"{ARN}price"])
@pytest.mark.parametrize("python", ["priced_functions.py:price", "priced_functions.py"])
def test_a_name_or_an_arn_stands_for_a_function_of_a_file(folder: Path, name: str, python: str) -> None:
    settings = {name: FunctionSettings(python=python, name="price")}
    functions = provided([], settings, folder, {})
    assert express.compile(DEFINITION, functions=functions).run({"total": 4}).output == 8
    assert functions[name].concurrency == 3


def test_each_kind_of_place_gives_its_kind_of_function(folder: Path) -> None:
    settings = {
        "charge": FunctionSettings(url="http://127.0.0.1:9000/charge", timeout=3.0, concurrency=10),
        "ship": FunctionSettings(aws="account", name="ship-prod", concurrency=5, idempotent=False),
    }
    functions = provided([folder / "priced_functions.py"], settings, folder, {"account": AwsConnection(region="eu-west-1")})
    charge, ship = functions["charge"], functions["ship"]
    assert isinstance(charge, HttpFunction)
    assert (charge.url, charge.timeout, charge.concurrency) == ("http://127.0.0.1:9000/charge", 3.0, 10)
    assert isinstance(ship, LambdaFunction)
    assert (ship.target, ship.concurrency, ship.idempotent, ship.connection.region) == ("ship-prod", 5, False, "eu-west-1")
    assert sorted(functions) == ["charge", "price", "ship"]


def test_the_configuration_comes_before_a_file(folder: Path) -> None:
    settings = {"price": FunctionSettings(url="http://127.0.0.1:9000/price")}
    assert isinstance(provided([folder / "priced_functions.py"], settings, folder, {})["price"], HttpFunction)


def test_everything_that_cannot_be_used_is_said(folder: Path) -> None:
    settings = {"one": FunctionSettings(python="priced_functions.py:two"), "other": FunctionSettings(url="http://user:secret@h/")}
    with pytest.raises(ConfigurationError) as caught:
        provided([folder / "none.py"], settings, folder, {})
    assert [sentence.replace(f"{folder}/", "") for sentence in caught.value.problems] == [
        "none.py: no such file; expected a Python file with functions",
        "functions.one: priced_functions.py has no function 'two' (there are: price)",
        "function 'other': expected http://HOST:PORT/PATH or https://HOST/PATH without credentials",
    ]
