"""Adapters are found by scheme; one whose library is not installed says what to install."""

from __future__ import annotations

import sys

import pytest

from express import addresses, registry
from express.errors import ConfigurationError
from express.options import SinkOptions, SourceOptions

ADDRESSES = {"redis": "redis://localhost:6379/orders?group=g", "sqs": "sqs://eu-west-1/orders", "kinesis": "kinesis://eu-west-1/orders"}


def test_every_library_that_is_optional_is_known() -> None:
    assert set(registry.EXTRAS) == set(ADDRESSES)
    assert set(registry.EXTRAS) <= {*registry.SOURCES, *registry.SINKS}


@pytest.mark.parametrize(("scheme", "library"), [("redis", "redis"), ("sqs", "aiobotocore"), ("kinesis", "aiobotocore")])
def test_without_its_library_an_adapter_says_which_extra_to_install(scheme: str, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == library or name in _parts(scheme)]:
        monkeypatch.delitem(sys.modules, name)
    for package, _, name in (part.rpartition(".") for part in _parts(scheme)):
        if package in sys.modules:
            monkeypatch.delattr(sys.modules[package], name, raising=False)  # `from package import name` would find it there
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setattr(registry, "_resolved", {})
    address = addresses.parse(ADDRESSES[scheme])
    extra = registry.EXTRAS[scheme]
    expected = f"{address}: {scheme}: needs {library}, which is not installed: pip install 'express-workflows[{extra}]'"
    with pytest.raises(ConfigurationError) as source:
        registry.open_source(address, SourceOptions(name="orders"))
    assert source.value.problems == (expected,)
    if scheme in registry.SINKS:
        with pytest.raises(ConfigurationError) as sink:
            registry.open_sink(address, SinkOptions(name="orders"))
        assert sink.value.problems == (expected,)


def _parts(scheme: str) -> set[str]:
    return {f"consumers.{scheme}", f"express.sinks.{scheme}", f"express.{scheme}", "express.aws"}
