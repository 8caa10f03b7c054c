"""Layout: nothing lies upon anything else, and what can go down goes down."""

from __future__ import annotations

import time
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from express.drawing.layered import Edge, Layout, lay_out


def sizes(count: int) -> dict[int, tuple[float, float]]:
    return {number: (60.0 + 20 * (number % 4), 40.0) for number in range(count)}


graphs = st.integers(1, 14).flatmap(
    lambda count: st.tuples(
        st.just(count),
        st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1), st.booleans()), max_size=30),
    )
)


def made(count: int, pairs: list[tuple[int, int, bool]]) -> tuple[list[Edge], Layout]:
    edges = [Edge(one, other, (50.0, 14.0) if label else (0.0, 0.0)) for one, other, label in pairs]
    return edges, lay_out(sizes(count), edges, 0)


def overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return abs(one[0] - other[0]) < (one[2] + other[2]) / 2 - 0.01 and abs(one[1] - other[1]) < (one[3] + other[3]) / 2 - 0.01


@settings(max_examples=80, deadline=None)
@given(graphs)
def test_no_box_and_no_label_lies_upon_another_and_all_are_inside(graph: tuple[int, list[tuple[int, int, bool]]]) -> None:
    count, pairs = graph
    edges, layout = made(count, pairs)
    boxes = [(*layout.places[node], *sizes(count)[node]) for node in range(count)]
    boxes += [
        (*route.label, *edge.label) for edge, route in zip(edges, layout.routes, strict=True) if route.label and edge.source != edge.target
    ]
    for one, other in combinations(boxes, 2):
        assert not overlap(one, other)
    for x, y, width, height in boxes:
        assert x - width / 2 >= -0.01
        assert x + width / 2 <= layout.width + 0.01
        assert y - height / 2 >= -0.01
        assert y + height / 2 <= layout.height + 0.01


@settings(max_examples=80, deadline=None)
@given(graphs)
def test_an_edge_goes_down_unless_it_closes_a_loop(graph: tuple[int, list[tuple[int, int, bool]]]) -> None:
    count, pairs = graph
    edges, layout = made(count, pairs)
    for edge, route in zip(edges, layout.routes, strict=True):
        if edge.source == edge.target:
            continue
        downward = layout.places[edge.source][1] < layout.places[edge.target][1]
        assert downward != route.back
        (x, y), (end, bottom) = route.points[0], route.points[-1]
        assert abs(x - layout.places[edge.source][0]) <= sizes(count)[edge.source][0] / 2
        assert abs(end - layout.places[edge.target][0]) <= sizes(count)[edge.target][0] / 2
        assert (y < bottom) == downward


def test_a_graph_without_loops_has_no_edge_that_goes_up() -> None:
    pairs = [(0, 1, True), (0, 2, False), (1, 3, False), (2, 3, True), (0, 3, False), (3, 4, False), (0, 4, False)]
    assert not any(route.back for route in made(5, pairs)[1].routes)


def test_only_the_edge_that_closes_a_loop_goes_up() -> None:
    _, layout = made(3, [(0, 1, False), (1, 2, False), (2, 1, True)])
    assert [route.back for route in layout.routes] == [False, False, True]


def test_a_chain_is_a_straight_line() -> None:
    _, layout = made(6, [(number, number + 1, False) for number in range(5)])
    assert max(x for x, _ in layout.places.values()) - min(x for x, _ in layout.places.values()) < 1


def test_a_tree_has_no_crossings() -> None:
    _edges, layout = made(7, [(0, 2, False), (0, 1, False), (2, 5, False), (1, 4, False), (2, 6, False), (1, 3, False)])
    order = sorted(range(3, 7), key=lambda node: layout.places[node][0])
    assert {frozenset(order[:2]), frozenset(order[2:])} == {frozenset({3, 4}), frozenset({5, 6})}


def test_the_same_graph_is_drawn_the_same() -> None:
    pairs = [(0, number, number % 2 == 0) for number in range(1, 9)] + [(number, 9, False) for number in range(1, 9)]
    assert made(10, pairs)[1] == made(10, pairs)[1]


def test_a_thousand_states_are_laid_out_in_seconds() -> None:
    pairs = [(number, number + 1, False) for number in range(999)] + [(number, number + 7, True) for number in range(0, 990, 3)]
    began = time.process_time()
    made(1000, pairs)
    assert time.process_time() - began < 20  # 2 s where nothing else runs
