"""Names from definitions as identifiers."""

from __future__ import annotations

import keyword

from hypothesis import given
from hypothesis import strategies as st

from express.compiler.names import Names, slug


def test_a_slug_reads_like_the_name_it_was_made_of() -> None:
    assert slug("CheckStock 2") == "check_stock_2"
    assert slug("HTTPCall") == "http_call"
    assert slug("charge-the_card") == "charge_the_card"


def test_a_slug_is_never_empty_and_never_begins_with_a_digit() -> None:
    assert slug("!?") == "state"
    assert slug("2nd try") == "state_2nd_try"


@given(st.text())
def test_a_slug_is_an_ascii_identifier_without_double_underscores(name: str) -> None:
    made = slug(name)
    assert made.isascii()
    assert made.isidentifier()
    assert "__" not in made


@given(st.lists(st.text(max_size=6), max_size=40))
def test_no_name_is_given_out_twice_nor_one_that_is_taken(texts: list[str]) -> None:
    names = Names({"data", "run"})
    module = [names.new(text) for text in texts]
    function = names.function()
    local = [function.new(text) for text in texts]
    assert len(set(module)) == len(texts) == len(set(local))
    assert not {*module, *local} & {"data", "run", *keyword.kwlist}
    assert not set(module) & set(local)


def test_two_functions_may_use_the_same_locals_but_no_object_gets_their_name_later() -> None:
    names = Names(())
    assert names.function().new("total") == names.function().new("total") == "total"
    assert names.new("total") == "total_2"
