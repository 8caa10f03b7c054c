"""Indefinite paths, filters, and writing through a Reference Path: as AWS's library has them, with a budget."""

from __future__ import annotations

import time
from typing import Any

import pytest

from express.language.paths import parse
from express.runtime.failures import StateError
from express.runtime.paths import compile_path, compile_segments, item, put, select

STORE: dict[str, Any] = {
    "book": [
        {"category": "reference", "author": "Rees", "title": "Sayings", "price": 8.95},
        {"category": "fiction", "author": "Waugh", "title": "Sword", "price": 12.99, "isbn": None},
        {"category": "fiction", "author": "Melville", "title": "Moby Dick", "isbn": "0-553", "price": 8.99, "tags": ["sea", "whale"]},
        {"category": "fiction", "author": "Tolkien", "title": "Lord", "isbn": "0-395", "price": 22.99, "tags": []},
    ],
    "bicycle": {"color": "red", "price": 19.95},
    "limit": 10,
    "empty": [],
    "none": None,
    "text": "abc",
    "matrix": [[1, 2, 3], [4, 5, 6], "x", {"0": 7}],
}
AUTHORS = ["Rees", "Waugh", "Melville", "Tolkien"]


@pytest.mark.parametrize(
    ("path", "result"),
    [
        ("$", STORE),
        ("$.limit", 10),
        ("$['bicycle']['color']", "red"),
        ("$.book[0].author", "Rees"),
        ("$.book[-1].author", "Tolkien"),
        ("$.none", None),
        ("$.book[*].author", AUTHORS),
        ("$.book.*.author", AUTHORS),
        ("$..author", AUTHORS),
        ("$.book[*].isbn", [None, "0-553", "0-395"]),
        ("$.book[*].missing", []),
        ("$.book[*].missing.more[0]", []),
        ("$.empty[*]", []),
        ("$.limit[*]", []),
        ("$.bicycle.*", ["red", 19.95]),
        ("$.book[0:2].author", ["Rees", "Waugh"]),
        ("$.book[1:].author", ["Waugh", "Melville", "Tolkien"]),
        ("$.book[:-2].author", ["Rees", "Waugh"]),
        ("$.book[-2:].author", ["Melville", "Tolkien"]),
        ("$.book[-3:-1].author", ["Waugh", "Melville"]),
        ("$.book[::2].author", ["Rees", "Melville"]),
        ("$.book[7:9]", []),
        ("$.book[0,2].author", ["Rees", "Melville"]),
        ("$.book[2,0].author", ["Melville", "Rees"]),
        ("$.book[0,9].author", ["Rees"]),
        ("$.book[0,-1].author", ["Rees", "Tolkien"]),
        ("$.book[0:2,3].author", ["Rees", "Waugh", "Tolkien"]),
        ("$.bicycle['color','price']", {"color": "red", "price": 19.95}),
        ("$.bicycle['color','missing']", {"color": "red"}),
        ("$.book[0,1]['title','isbn']", [{"title": "Sayings"}, {"title": "Sword", "isbn": None}]),
        ("$.book[0]['tags','title'][0]", []),
        ("$.book[2]['tags','missing'][0]", ["sea"]),
        ("$..['color','price']", [{"color": "red", "price": 19.95}]),
        ("$.matrix[*][0]", [1, 4]),
        ("$.matrix[0][-1]", 3),
        ("$.matrix[0:2][1:]", [2, 3, 5, 6]),
        ("$.matrix[*]['0']", [7]),
        ("$..price", [8.95, 12.99, 8.99, 22.99, 19.95]),
        ("$..book[2].author", ["Melville"]),
        ("$..book[*].tags[0]", ["sea"]),
        ("$.book..tags[1]", ["whale"]),
        ("$..missing", []),
        ("$.matrix..*", [[1, 2, 3], [4, 5, 6], "x", {"0": 7}, 1, 2, 3, 4, 5, 6, 7]),
        ("$.book[?(@.isbn)].author", ["Waugh", "Melville", "Tolkien"]),
        ("$.book[?(!@.isbn)].author", ["Rees"]),
        ("$.book[?(@.price < 10)].author", ["Rees", "Melville"]),
        ("$.book[?(10 > @.price)].author", ["Rees", "Melville"]),
        ("$.book[?(@.price < $.limit)].author", ["Rees", "Melville"]),
        ("$.book[?(@.price >= 12.99 && @.price <= 22.99)].author", ["Waugh", "Tolkien"]),
        ("$.book[?(@.category == 'reference' || @.price == 22.99)].author", ["Rees", "Tolkien"]),
        ("$.book[?(!(@.category == 'reference' || @.price == 22.99))].author", ["Waugh", "Melville"]),
        ("$.book[?(@.isbn == null)].author", ["Waugh"]),
        ("$.book[?(@.isbn != null)].author", ["Rees", "Melville", "Tolkien"]),
        ("$.book[?(@.category != 'fiction')].author", ["Rees"]),
        ("$.book[?(@.author > 'N')].author", ["Rees", "Waugh", "Tolkien"]),
        ("$.book[?(@.price < 'x')]", []),
        ("$.book[?(@.author in ['Rees', 'Waugh'])].author", ["Rees", "Waugh"]),
        ("$.book[?('sea' in @.tags)].author", ["Melville"]),
        ("$.book[?(@.tags[0] == 'sea')].author", ["Melville"]),
        ("$.book[?(@.tags[*])].author", ["Melville"]),
        ("$.book[?(@..missing)]", []),
        ("$.bicycle[?(@.price > 10)].color", ["red"]),
        ("$.bicycle[?(@.price > 20)].color", []),
        ("$.matrix[0][?(@ > 1)]", [2, 3]),
        ("$.book[?(@.price < 10)][0]", []),
        ("$.empty[?(@.a == 1)]", []),
        ("$.book[?(@.author nin ['Rees', 'Waugh'])].author", ["Melville", "Tolkien"]),
    ],
)
def test_paths(path: str, result: Any) -> None:
    assert compile_path(parse(path).segments)(STORE) == result


@pytest.mark.parametrize(
    "path",
    [
        "$.missing",
        "$.limit.more",
        "$.none.more",
        "$.text[0]",
        "$.bicycle[0]",
        "$.book[4]",
        "$.book[-5]",
        "$.text['a','b']",
    ],
)
def test_a_definite_path_that_selects_nothing_is_an_error(path: str) -> None:
    for made in (compile_path, compile_segments):
        with pytest.raises((KeyError, IndexError, TypeError)):
            made(parse(path).segments)(STORE)


@pytest.mark.parametrize(
    "path",
    [
        "$.missing[*]",
        "$.missing.more[*]",
        "$.missing[1:]",
        "$.missing[:1].more",
        "$.book[9].tags[*]",
        "$.missing..author",
        "$.limit[0:1]",
        "$.text[0:1]",
        "$.text[0,1]",
        "$.limit[?(@.a)]",
        "$.none.more['a','b'][0]",
    ],
)
def test_an_indefinite_path_that_selects_nothing_is_an_empty_list(path: str) -> None:
    for made in (compile_path, compile_segments):
        assert made(parse(path).segments)(STORE) == []


def test_select_always_gives_a_list() -> None:
    assert select(STORE, parse("$.limit").segments) == [10]
    assert select(STORE, parse("$.book[*].price").segments) == [8.95, 12.99, 8.99, 22.99]


def test_items_are_of_arrays_only() -> None:
    assert item([1, 2], -1) == 2
    for value in ("abc", {"0": 1}, None, 5):
        with pytest.raises(TypeError):
            item(value, 0)
    with pytest.raises(IndexError):
        item([1], 1)


# --- Budget -----------------------------------------------------------------------------------------------------------------------


def tower(depth: int) -> Any:
    value: Any = {"a": 1}
    for _ in range(depth):
        value = {"a": [value]}
    return value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$..a..a..a..a", tower(1_000)),
        ("$..*..*..*", tower(30_000)),
        ("$.a[?(@ in $.a)]", {"a": list(range(30_000))}),
        ("$.a[?(@.x == $.b)]", {"a": [{"x": 1}] * 60_000, "b": 1}),
        ("$.a[?($..b)]", {"a": [1] * 1_000, "c": [1] * 1_000}),
        ("$[*][*][*][*]", [[[[1] * 20] * 20] * 20] * 20),
    ],
)
def test_a_path_that_selects_too_much_fails_in_time(path: str, value: Any) -> None:
    started = time.process_time()
    with pytest.raises(StateError) as raised:
        compile_path(parse(path).segments)(value)
    assert raised.value.error == "States.Runtime"
    assert time.process_time() - started < 0.5  # about 30 ms


def test_a_deep_scan_of_a_legal_event_is_within_the_budget() -> None:
    value = {"items": [{"sku": f"s{number}", "n": number} for number in range(12_000)]}
    assert len(compile_path(parse("$..sku").segments)(value)) == 12_000


# --- ResultPath -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "names", "result"),
    [
        ({"a": 1}, ("b",), {"a": 1, "b": "new"}),
        ({"a": 1}, ("a",), {"a": "new"}),
        ({}, ("a", "b", "c"), {"a": {"b": {"c": "new"}}}),
        ({"a": {"x": 1}}, ("a", "b"), {"a": {"x": 1, "b": "new"}}),
        ({"a": [1, {"x": 1}]}, ("a", 1, "b"), {"a": [1, {"x": 1, "b": "new"}]}),
        ({"a": [1, 2]}, ("a", 0), {"a": ["new", 2]}),
        ([1, 2], (1,), [1, "new"]),
        ({"a": 1}, (), "new"),
    ],
)
def test_put_writes_and_leaves_the_original_alone(value: Any, names: tuple[str | int, ...], result: Any) -> None:
    before = repr(value)
    assert put(value, names, "new") == result
    assert repr(value) == before


@pytest.mark.parametrize(
    ("value", "names", "written"),
    [
        (1, ("a",), "$.a"),
        (None, ("a",), "$.a"),
        ([1], ("a",), "$.a"),
        ({"a": 1}, ("a", "b"), "$.a.b"),
        ({"a": None}, ("a", "b"), "$.a.b"),
        ({"a": [1]}, ("a", 1), "$.a[1]"),
        ({"a": [1]}, ("a", "b"), "$.a.b"),
        ({}, ("a", 0), "$.a[0]"),
        ({"a": {"0": 1}}, ("a", 0), "$.a[0]"),
    ],
)
def test_put_fails_where_there_is_no_place(value: Any, names: tuple[str | int, ...], written: str) -> None:
    with pytest.raises(StateError) as raised:
        put(value, names, "new")
    assert raised.value.error == "States.ResultPathMatchFailure"
    assert raised.value.cause is not None
    assert raised.value.cause.startswith(f"Unable to apply ReferencePath {written} to input ")
