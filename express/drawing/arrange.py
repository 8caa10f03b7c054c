"""A diagram in, every box, arrow and label with its coordinates out: inner machines first, then as boxes of the one around them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from express.drawing import lettering
from express.drawing.diagram import Arrow, Box, Diagram
from express.drawing.layered import Edge, Key, Point, lay_out, ranks
from express.drawing.marks import Mark, Marks

NAME, SMALL = 13.0, 11.0  # sizes of letters
LINE = 14.0  # between two lines of small ones
BOX_HEIGHT, PADDING, NARROWEST, WIDEST = 42.0, 14.0, 96.0, 250.0
LABEL = 190.0  # widest
LINES = 3  # of a label
DOT = 12.0
FAR = 8  # layers, two to a row: a Catch that reaches farther is drawn as a reference beside its state
FARTHEST = 40  # any other


class PlacedBox(msgspec.Struct):
    """``x`` and ``y`` are the upper left corner. ``panes`` are the right edges of a Parallel's branches but the last."""

    box: Box
    x: float
    y: float
    width: float
    height: float
    name: str
    detail: str
    mark: Mark
    panes: tuple[float, ...]
    pane_top: float


class PlacedArrow(msgspec.Struct):
    """``points`` as in a Route; ``lines`` are what is written around ``label``, ``words`` the same in full."""

    points: list[Point]
    kind: str
    back: bool
    label: Point | None
    lines: list[str]
    words: str
    mark: Mark


class Dot(msgspec.Struct):
    """A start, or an end (``ring``)."""

    x: float
    y: float
    ring: bool


class Reference(msgspec.Struct):
    """Stands for a state that is drawn elsewhere. ``x`` and ``y`` are its centre."""

    x: float
    y: float
    width: float
    name: str
    location: str


class Picture(msgspec.Struct):
    """Boxes with others inside come before those. Everything is in one system of coordinates."""

    width: float = 0.0
    height: float = 0.0
    boxes: list[PlacedBox] = msgspec.field(default_factory=list)
    arrows: list[PlacedArrow] = msgspec.field(default_factory=list)
    dots: list[Dot] = msgspec.field(default_factory=list)
    references: list[Reference] = msgspec.field(default_factory=list)


START, END = ("start",), ("end",)
WEIGHTS = {"next": 8.0, "choice": 2.0, "default": 2.0, "catch": 0.5}  # what usually happens goes straight down


def arrange(diagram: Diagram, marks: Marks) -> Picture:
    return _machine(diagram, marks, whole=True)


def _machine(diagram: Diagram, marks: Marks, *, whole: bool) -> Picture:
    """One machine on its own."""
    inside = {name: [_machine(each, marks, whole=False) for each in box.inside] for name, box in diagram.boxes.items()}
    sizes: dict[Key, tuple[float, float]] = {START: (DOT, DOT)}
    sizes |= {name: _size(box, inside[name], marks) for name, box in diagram.boxes.items()}
    edges = [Edge(START, diagram.start_at, weight=8.0)]
    about: list[Arrow | None] = [None]  # what each edge is drawn for
    far = _far(diagram)
    for number, arrow in enumerate(diagram.arrows):
        target: Key = arrow.target
        weight = WEIGHTS[arrow.kind]
        if arrow in far:
            target, weight = ("reference", number), 0.2
            sizes[target] = (lettering.width(_referred(arrow.target), SMALL) + 20, 20.0)
        edges.append(Edge(arrow.source, target, _label_size(arrow), weight))
        about.append(arrow)
    if whole:
        sizes[END] = (DOT + 4, DOT + 4)
        for name, box in diagram.boxes.items():
            if box.ends:
                edges.append(Edge(name, END, weight=0.5))
                about.append(None)
        if not any(edge.target == END for edge in edges):
            del sizes[END]
    layout = lay_out(sizes, edges, START)
    picture = Picture(layout.width, layout.height)
    for name, box in diagram.boxes.items():
        _box(picture, box, layout.places[name], sizes[name], inside[name], marks)
    for edge, route, drawn in zip(edges, layout.routes, about, strict=True):
        if drawn is None:
            picture.arrows.append(PlacedArrow(route.points, "next", route.back, None, [], "", Mark()))
            continue
        mark = marks.arrows.get((diagram.boxes[drawn.source].state.location, drawn.target, drawn.kind == "catch"), Mark())
        words = "; ".join(drawn.labels)
        picture.arrows.append(PlacedArrow(route.points, drawn.kind, route.back, route.label, _lines(drawn), words, mark))
        if edge.target != drawn.target:
            location = diagram.boxes[drawn.target].state.location
            picture.references.append(Reference(*layout.places[edge.target], sizes[edge.target][0], _referred(drawn.target), location))
    picture.dots += [Dot(*layout.places[key], ring=key == END) for key in (START, END) if key in layout.places]
    return picture


def _far(diagram: Diagram) -> set[Arrow]:
    """The arrows that would cross half the picture: a handler that every state leads to is drawn near one of them, named at the others."""
    edges = [Edge(START, diagram.start_at), *(Edge(arrow.source, arrow.target) for arrow in diagram.arrows)]
    rank = ranks([START, *diagram.boxes], edges, START)
    reach = {arrow: abs(rank[arrow.target] - rank[arrow.source]) for arrow in diagram.arrows}
    nearest: dict[str, Arrow] = {}
    for arrow in diagram.arrows:
        kept = nearest.get(arrow.target)
        if kept is None or reach[arrow] < reach[kept]:
            nearest[arrow.target] = arrow
    many = {name for name in nearest if sum(arrow.target == name and arrow.kind == "catch" for arrow in diagram.arrows) > 3}
    return {
        arrow
        for arrow in diagram.arrows
        if nearest[arrow.target] is not arrow
        and (reach[arrow] > FARTHEST or (arrow.kind == "catch" and (reach[arrow] > FAR or arrow.target in many)))
    }


def _referred(name: str) -> str:
    return lettering.cut(f"→ {lettering.plain(name)}", SMALL, LABEL)


def _size(box: Box, inside: Sequence[Picture], marks: Marks) -> tuple[float, float]:
    mark = marks.states.get(box.state.location, Mark())
    texts = [
        lettering.width(lettering.plain(box.state.name), NAME, bold=True),
        lettering.width(lettering.plain(box.detail), SMALL),
        lettering.width(mark.note, SMALL),
    ]
    width = min(max(NARROWEST, max(texts) + 2 * PADDING), WIDEST)
    height = BOX_HEIGHT + (LINE if mark.note else 0.0)
    if not inside:
        return width, height
    within = sum(each.width + 2 * PADDING for each in inside)
    return max(width, within), height + max(each.height for each in inside) + 2 * PADDING


def _box(picture: Picture, box: Box, place: Point, size: tuple[float, float], inside: Sequence[Picture], marks: Marks) -> None:
    """Adds a box, and what is in it."""
    (width, height), mark = size, marks.states.get(box.state.location, Mark())
    x, y = place[0] - width / 2, place[1] - height / 2
    header = BOX_HEIGHT + (LINE if mark.note else 0.0)
    panes, at = [], x + (width - sum(each.width + 2 * PADDING for each in inside)) / 2
    starts = []
    for each in inside:
        starts.append(at + PADDING)
        at += each.width + 2 * PADDING
        panes.append(at)
    name = lettering.cut(lettering.plain(box.state.name), NAME, width - 2 * PADDING + 4, bold=True)
    detail = lettering.cut(lettering.plain(box.detail), SMALL, width - 2 * PADDING + 4)
    picture.boxes.append(PlacedBox(box, x, y, width, height, name, detail, mark, tuple(panes[:-1]), y + header))
    for each, left in zip(inside, starts, strict=True):
        _add(picture, each, left, y + header + PADDING)


def _add(picture: Picture, inner: Picture, x: float, y: float) -> None:
    """Puts a picture into another."""
    for box in inner.boxes:
        picture.boxes.append(
            msgspec.structs.replace(box, x=box.x + x, y=box.y + y, panes=tuple(pane + x for pane in box.panes), pane_top=box.pane_top + y)
        )
    for arrow in inner.arrows:
        points = [(at + x, down + y) for at, down in arrow.points]
        label = None if arrow.label is None else (arrow.label[0] + x, arrow.label[1] + y)
        picture.arrows.append(msgspec.structs.replace(arrow, points=points, label=label))
    picture.dots += [Dot(dot.x + x, dot.y + y, dot.ring) for dot in inner.dots]
    picture.references += [msgspec.structs.replace(each, x=each.x + x, y=each.y + y) for each in inner.references]


def _label_size(arrow: Arrow) -> tuple[float, float]:
    lines = _lines(arrow)
    return (max(lettering.width(line, SMALL) for line in lines) + 8, LINE * len(lines) + 2) if lines else (0.0, 0.0)


def _lines(arrow: Arrow) -> list[str]:
    """A label in a few short lines."""
    lines = [line for label in arrow.labels for line in _wrapped(lettering.plain(label))]
    if len(lines) <= LINES:
        return lines
    return [*lines[: LINES - 1], lettering.cut(f"{lines[LINES - 1]} …", SMALL, LABEL)]


def _wrapped(text: str) -> Iterator[str]:
    line = ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if line and lettering.width(longer, SMALL) > LABEL:
            yield line
            longer = word
        line = lettering.cut(longer, SMALL, LABEL)
    yield line
