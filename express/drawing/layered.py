"""A directed graph with sizes in, places and routes out: layers from top to bottom, few crossings, straight long edges (after Sugiyama).

Libraries that do this for Python either need a foreign program or are not kept; what state machines need of it is little: graphs of one
start, nested ones laid out inside-out by the caller, labels that take their own room.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from math import inf
from typing import TypeAlias

import msgspec

Key: TypeAlias = Hashable
Point: TypeAlias = tuple[float, float]

APART, LANE = 30.0, 14.0  # pixels between two nodes, and beside an edge that passes by
GAP = 17.0  # between two layers; there is one for labels between any two of nodes
SWEEPS, SETTLING = 16, 60  # rounds of ordering and of straightening
PATIENCE = 100_000  # nodes straightened in all rounds together; at least 12 rounds


class Edge(msgspec.Struct, frozen=True):
    """``label`` is the size of what is written on it, (0, 0) for nothing. The heavier an edge, the straighter."""

    source: Key
    target: Key
    label: tuple[float, float] = (0.0, 0.0)
    weight: float = 1.0


class Route(msgspec.Struct):
    """``points`` from the source to the target, in pairs: (leaves a layer, reaches a layer). ``label`` is the centre of the label.
    ``back``: it goes up."""

    points: list[Point]
    label: Point | None
    back: bool


class Layout(msgspec.Struct):
    """``places`` are centres. ``routes`` are in the order of the edges given."""

    width: float
    height: float
    places: dict[Key, Point]
    routes: list[Route]


def lay_out(sizes: Mapping[Key, tuple[float, float]], edges: Sequence[Edge], start: Key) -> Layout:
    """Every node below those that lead to it, but for the edges that close a loop."""
    return _Work(sizes, edges, start).done()


def ranks(nodes: Iterable[Key], edges: Sequence[Edge], start: Key) -> dict[Key, int]:
    """The layer of every node: two below the lowest that leads to it. Edges that close a loop do not count."""
    following: dict[Key, list[Key]] = defaultdict(list)
    for edge in edges:
        following[edge.source].append(edge.target)
    back = _closing(nodes, following, start)
    return _ranks(nodes, [(source, target) for source in following for target in following[source] if (source, target) not in back])


def _closing(nodes: Iterable[Key], following: Mapping[Key, list[Key]], start: Key) -> set[tuple[Key, Key]]:
    """The edges that lead back to where a walk from the start came from."""
    found = set()
    done: set[Key] = set()
    for root in (start, *nodes):
        if root in done:
            continue
        on_the_way = {root}
        work = [(root, iter(following.get(root, ())))]
        while work:
            node, targets = work[-1]
            for target in targets:
                if target in on_the_way:
                    found.add((node, target))
                elif target not in done:
                    on_the_way.add(target)
                    work.append((target, iter(following.get(target, ()))))
                    break
            else:
                work.pop()
                on_the_way.discard(node)
                done.add(node)
    return found


def _ranks(nodes: Iterable[Key], pairs: Sequence[tuple[Key, Key]]) -> dict[Key, int]:
    rank = dict.fromkeys(nodes, 0)
    before = dict.fromkeys(rank, 0)
    following: dict[Key, list[Key]] = defaultdict(list)
    for source, target in pairs:
        following[source].append(target)
        before[target] += 1
    ready = [node for node, count in before.items() if not count]
    for node in ready:  # grows while it is walked
        for target in following[node]:
            rank[target] = max(rank[target], rank[node] + 2)
            before[target] -= 1
            if not before[target]:
                ready.append(target)
    return rank


class _Work:
    def __init__(self, sizes: Mapping[Key, tuple[float, float]], edges: Sequence[Edge], start: Key) -> None:
        self.sizes: dict[Key, tuple[float, float]] = dict(sizes)
        self.edges = edges
        following: dict[Key, list[Key]] = defaultdict(list)
        for edge in edges:
            if edge.source != edge.target:
                following[edge.source].append(edge.target)
        self.back = _closing(sizes, following, start)
        self.real = set(sizes)
        down = [
            (edge.target, edge.source) if (edge.source, edge.target) in self.back else (edge.source, edge.target)
            for edge in edges
            if edge.source != edge.target
        ]
        self.rank = _ranks(sizes, down)
        self.chains = [self._chain(number, edge) for number, edge in enumerate(edges)]
        self.up: dict[Key, list[Key]] = defaultdict(list)
        self.down: dict[Key, list[Key]] = defaultdict(list)
        self.weights: dict[tuple[Key, Key], float] = defaultdict(float)
        for edge, chain in zip(edges, self.chains, strict=True):
            for one, other in itertools.pairwise(chain):
                self.down[one].append(other)
                self.up[other].append(one)
                self.weights[one, other] += edge.weight
        self.layers = self._layers(start)
        self._order()
        self.x = self._straighten()

    # --- Layers and their order -------------------------------------------------------------------------------------------------------

    def _chain(self, number: int, edge: Edge) -> list[Key]:
        """An edge from top to bottom, with a node of no size in every layer that it passes; the label is the one next to its source."""
        if edge.source == edge.target:
            return []
        back = (edge.source, edge.target) in self.back
        top, bottom = (edge.target, edge.source) if back else (edge.source, edge.target)
        between: list[Key] = [("passes", number, rank) for rank in range(self.rank[top] + 1, self.rank[bottom])]
        for node in between:
            self.sizes[node] = (0.0, 0.0)
            self.rank[node] = node[2]  # type: ignore[index]
        self.sizes[between[-1 if back else 0]] = edge.label
        return [top, *between, bottom]

    def _layers(self, start: Key) -> list[list[Key]]:
        """A first order: as a walk from the start comes by, the first way out first."""
        layers: list[list[Key]] = [[] for _ in range(max(self.rank.values(), default=0) + 1)]
        seen: set[Key] = set()
        work: list[Key] = [*reversed([node for node in self.rank if not self.up[node] and node != start]), start]
        while work:
            node = work.pop()
            if node in seen:
                continue
            seen.add(node)
            layers[self.rank[node]].append(node)
            work.extend(reversed(self.down[node]))
        return layers

    def _order(self) -> None:
        """Each layer by the middle of its neighbours, down and up again, as long as that helps."""
        best, fewest = [list(layer) for layer in self.layers], self._crossings()
        for sweep in range(SWEEPS):
            if not fewest:
                break
            downward = sweep % 2 == 0
            numbers = range(1, len(self.layers)) if downward else range(len(self.layers) - 2, -1, -1)
            neighbours = self.up if downward else self.down
            for number in numbers:
                beside = self.layers[number - 1 if downward else number + 1]
                at = {node: place for place, node in enumerate(beside)}
                own = {node: place for place, node in enumerate(self.layers[number])}
                self.layers[number].sort(key=lambda node: (_middle([at[other] for other in neighbours[node]], own[node]), own[node]))
            crossings = self._crossings()
            if crossings < fewest:
                best, fewest = [list(layer) for layer in self.layers], crossings
        self.layers = best

    def _crossings(self) -> int:
        count = 0
        for above, below in zip(self.layers, self.layers[1:], strict=False):
            at = {node: place for place, node in enumerate(below)}
            seen: list[int] = []
            for node in above:
                ends = sorted(at[other] for other in self.down[node])
                count += sum(len(seen) - bisect_left(seen, end + 1) for end in ends)
                for end in ends:
                    insort(seen, end)
        return count

    # --- Coordinates ------------------------------------------------------------------------------------------------------------------

    def _straighten(self) -> dict[Key, float]:
        """Each layer as near to its neighbours as the order and the widths allow; edges that pass by pull hardest."""
        x: dict[Key, float] = {}
        for layer in self.layers:
            at = 0.0
            for node in layer:
                x[node] = at + self.sizes[node][0] / 2
                at += self.sizes[node][0] + APART
            for node in layer:
                x[node] -= at / 2
        for turn in range(max(12, min(SETTLING, PATIENCE // max(1, len(x))))):
            downward = turn % 2 == 0
            for layer in self.layers if downward else reversed(self.layers):
                wanted, weights = [], []
                for node in layer:
                    sides = (
                        [self.up[node]] if turn < 4 and downward else [self.down[node]] if turn < 4 else [self.up[node], self.down[node]]
                    )
                    pulls = [(x[other], self._weight(node, other)) for side in sides for other in side]
                    total = sum(weight for _, weight in pulls)
                    wanted.append(sum(place * weight for place, weight in pulls) / total if total else x[node])
                    weights.append(total or 0.1)
                x.update(zip(layer, self._apart(layer, wanted, weights), strict=True))
        self._pull_tight(x)
        return x

    def _pull_tight(self, x: dict[Key, float]) -> None:
        """Long edges become as few straight pieces as there is room for."""
        beside: dict[Key, tuple[Key | None, Key | None]] = {}
        for layer in self.layers:
            for before, node, after in zip([None, *layer], layer, [*layer[1:], None], strict=False):
                beside[node] = (before, after)
        for chain in self.chains:
            run: list[Key] = []
            low, high = -inf, inf
            for node in chain[1:-1]:
                before, after = beside[node]
                least = -inf if before is None else x[before] + self._between(before, node)
                most = inf if after is None else x[after] - self._between(node, after)
                if run and max(low, least) > min(high, most):
                    self._line_up(x, run, low, high)
                    run, low, high = [], -inf, inf
                run.append(node)
                low, high = max(low, least), min(high, most)
            self._line_up(x, run, low, high, chain)

    def _line_up(self, x: dict[Key, float], run: list[Key], low: float, high: float, chain: Sequence[Key] = ()) -> None:
        if run:
            places = sorted(x[node] for node in run)
            # the last piece goes straight into its target, if it can
            wanted = x[chain[-1]] if chain and low <= x[chain[-1]] <= high and len(run) > 3 else places[len(places) // 2]
            for node in run:
                x[node] = min(max(wanted, low), high)

    def _between(self, one: Key, other: Key) -> float:
        """How far the centres of neighbours are apart at least."""
        lane = one not in self.real or other not in self.real
        return (self.sizes[one][0] + self.sizes[other][0]) / 2 + (LANE if lane else APART)

    def _weight(self, one: Key, other: Key) -> float:
        passing = (one not in self.real) + (other not in self.real)
        return (1.0, 2.0, 8.0)[passing] * (self.weights.get((one, other)) or self.weights[other, one])

    def _apart(self, layer: Sequence[Key], wanted: Sequence[float], weights: Sequence[float]) -> list[float]:
        """The places nearest to the wanted ones with everything beside each other (isotonic regression by pooling neighbours)."""
        offsets, at = [], 0.0
        for before, node in zip([None, *layer], layer, strict=False):
            if before is not None:
                at += self._between(before, node)
            offsets.append(at)
        pools: list[tuple[float, float, int]] = []  # place, weight, how many
        for place, offset, weight in zip(wanted, offsets, weights, strict=True):
            pool = (place - offset, weight, 1)
            while pools and pools[-1][0] > pool[0]:
                left = pools.pop()
                heavy = left[1] + pool[1]
                pool = ((left[0] * left[1] + pool[0] * pool[1]) / heavy, heavy, left[2] + pool[2])
            pools.append(pool)
        places = [place for place, _, count in pools for _ in range(count)]
        return [place + offset for place, offset in zip(places, offsets, strict=True)]

    # --- The answer -------------------------------------------------------------------------------------------------------------------

    def done(self) -> Layout:
        left = min((self.x[node] - self.sizes[node][0] / 2 for node in self.x), default=0.0)
        right = max((self.x[node] + self.sizes[node][0] / 2 for node in self.x), default=0.0)
        loops = {edge.source for edge in self.edges if edge.source == edge.target}
        right = max([right, *(self.x[node] + self.sizes[node][0] / 2 + 40 + _widest(self.edges, node) for node in loops)])
        tops, at = [], 0.0
        for layer in self.layers:
            tops.append(at)
            at += max((self.sizes[node][1] for node in layer), default=0.0) + GAP
        self.tops, self.bottom = tops, at - GAP
        self.left = left
        places = {node: (self.x[node] - left, self._middle(node)) for node in self.x if node in self.real}
        return Layout(right - left, self.bottom, places, self._routes(places))

    def _middle(self, node: Key) -> float:
        rank = self.rank[node]
        return self.tops[rank] + (self._end(rank) - self.tops[rank]) / 2

    def _end(self, rank: int) -> float:
        return self.tops[rank + 1] - GAP if rank + 1 < len(self.tops) else self.bottom

    def _routes(self, places: Mapping[Key, Point]) -> list[Route]:
        ports = self._ports(places)
        routes = []
        for number, (edge, chain) in enumerate(zip(self.edges, self.chains, strict=True)):
            if not chain:
                routes.append(self._loop(edge, places))
                continue
            top, *between, bottom = chain
            back = (edge.source, edge.target) in self.back
            points = [(ports[number, top], places[top][1] + self.sizes[top][1] / 2)]
            label = None
            labelled = between[-1 if back else 0]
            if len(between) == 1 and not edge.label[0]:
                between = []  # one bend is enough
            for node in between:
                x, rank = self.x[node] - self.left, self.rank[node]
                points += [(x, self.tops[rank]), (x, self._end(rank))]
                if node == labelled and edge.label[0]:
                    label = (x, self._middle(node))
            points.append((ports[number, bottom], places[bottom][1] - self.sizes[bottom][1] / 2))
            routes.append(Route(points[::-1] if back else points, label, back))
        return routes

    def _ports(self, places: Mapping[Key, Point]) -> dict[tuple[int, Key], float]:
        """Where along the lower and the upper side of a node each edge touches it: one that is heavier than the others in the middle."""
        ports: dict[tuple[int, Key], float] = {}
        for lower in (True, False):
            touching: dict[Key, list[tuple[float, int]]] = defaultdict(list)
            for number, chain in enumerate(self.chains):
                if chain:
                    node, beside = (chain[0], chain[1]) if lower else (chain[-1], chain[-2])
                    touching[node].append((self.x[beside], number))
            for node, found in touching.items():
                found.sort()
                weights = [self.edges[number].weight for _, number in found]
                middle = weights.index(max(weights)) if weights.count(max(weights)) == 1 else (len(found) - 1) / 2
                step = min(22.0, self.sizes[node][0] * 0.35 / max(0.5, middle, len(found) - 1 - middle))
                for place, (_, number) in enumerate(found):
                    ports[number, node] = places[node][0] + (place - middle) * step
        return ports

    def _loop(self, edge: Edge, places: Mapping[Key, Point]) -> Route:
        """From a node to itself, on its right."""
        (x, y), (width, height) = places[edge.source], self.sizes[edge.source]
        right, far = x + width / 2, x + width / 2 + 26
        points = [(right, y + height / 4), (far, y + height / 4), (far, y - height / 4), (right, y - height / 4)]
        return Route(points, (far + edge.label[0] / 2 + 4, y) if edge.label[0] else None, True)


def _widest(edges: Sequence[Edge], node: Key) -> float:
    return max(edge.label[0] for edge in edges if edge.source == node == edge.target)


def _middle(places: list[int], otherwise: int) -> float:
    """The median."""
    if not places:
        return otherwise
    places.sort()
    half = len(places) // 2
    return places[half] if len(places) % 2 else (places[half - 1] + places[half]) / 2
