"""A picture in, SVG text out: complete in itself, readable in light and dark, every text of the definition escaped."""

from __future__ import annotations

import itertools
from html import escape

from express.drawing.arrange import LINE, Dot, Picture, PlacedArrow, PlacedBox, Reference
from express.drawing.layered import Point
from express.drawing.lettering import plain

MARGIN = 16.0
STYLE = """
svg.express { font-family: Helvetica, Arial, "Liberation Sans", sans-serif; background: #ffffff; color: #1c2733; }
.express .box { fill: #f7f9fb; stroke: #64748b; stroke-width: 1.2; }
.express .group { fill: #64748b; fill-opacity: .06; stroke: #94a3b8; stroke-width: 1; }
.express .pane { stroke: #94a3b8; stroke-dasharray: 4 4; }
.express .kind-Task .box { stroke: #2563eb; } .express .kind-Choice .box { stroke: #b45309; }
.express .kind-Fail .box { stroke: #b91c1c; } .express .kind-Succeed .box { stroke: #15803d; } .express .kind-Wait .box { stroke: #7c3aed; }
.express .tone-good .box { fill: #dcfce7; } .express .tone-fair .box { fill: #fef3c7; } .express .tone-bad .box { fill: #fecaca; }
.express .tone-absent .box { fill: #f1f5f9; stroke-dasharray: 5 3; }
.express .tone-good .group { fill: #22c55e; } .express .tone-fair .group { fill: #f59e0b; } .express .tone-bad .group { fill: #ef4444; }
.express .tone-absent .group { stroke-dasharray: 5 3; }
.express .name { font-size: 13px; font-weight: bold; fill: #1c2733; } .express .small { font-size: 11px; fill: #475569; }
.express .note { font-size: 11px; fill: #1c2733; } .express .words { font-size: 11px; fill: #334155; }
.express .label { paint-order: stroke; stroke: #ffffff; stroke-width: 5px; stroke-linejoin: round; }
.express .arrow { fill: none; stroke: #64748b; stroke-width: 1.3; } .express .tip { fill: #64748b; }
.express .kind-catch .arrow { stroke: #b91c1c; stroke-dasharray: 5 3; } .express .kind-catch .tip { fill: #b91c1c; }
.express .kind-catch .words { fill: #991b1b; }
.express .tone-good .arrow { stroke: #15803d; stroke-width: 1.8; } .express .tone-good .tip { fill: #15803d; }
.express .tone-bad .arrow { stroke: #ef4444; stroke-dasharray: 2 3; } .express .tone-bad .tip { fill: #ef4444; }
.express .dot { fill: #334155; } .express .ring { fill: none; stroke: #334155; stroke-width: 1.5; }
.express .reference { fill: #ffffff; stroke: #b91c1c; stroke-width: 1; }
@media (prefers-color-scheme: dark) {
svg.express { background: #0f172a; color: #e2e8f0; }
.express .box { fill: #1e293b; stroke: #94a3b8; } .express .name, .express .note { fill: #f1f5f9; }
.express .small, .express .words { fill: #cbd5e1; } .express .arrow { stroke: #94a3b8; } .express .tip { fill: #94a3b8; }
.express .tone-good .box { fill: #14532d; } .express .tone-fair .box { fill: #78350f; } .express .tone-bad .box { fill: #7f1d1d; }
.express .tone-absent .box { fill: #0f172a; } .express .dot { fill: #e2e8f0; } .express .ring { stroke: #e2e8f0; }
.express .reference { fill: #0f172a; } .express .label { stroke: #0f172a; } .express .kind-catch .words { fill: #fca5a5; }
}
"""


def render(picture: Picture, title: str) -> str:
    """One ``svg`` element."""
    width, height = picture.width + 2 * MARGIN, picture.height + 2 * MARGIN
    parts = [
        (
            f'<svg class="express" xmlns="http://www.w3.org/2000/svg" role="img" width="{_n(width)}" height="{_n(height)}" '
            f'viewBox="{_n(-MARGIN)} {_n(-MARGIN)} {_n(width)} {_n(height)}">'
        ),
        f"<title>{text(title)}</title>",
        f"<style>{STYLE}</style>",
    ]
    numbers = {box.box.state.location: number for number, box in enumerate(picture.boxes)}
    parts += [_group(box, numbers) for box in picture.boxes if box.box.inside]
    parts += [_arrow(arrow) for arrow in picture.arrows]
    parts += [_dot(dot) for dot in picture.dots]
    parts += [_box(box, numbers) for box in picture.boxes if not box.box.inside]
    parts += [_reference(each, numbers) for each in picture.references]
    parts += [_words(arrow) for arrow in picture.arrows if arrow.label is not None]
    return "\n".join([*parts, "</svg>"]) + "\n"


def text(value: str) -> str:
    """A text of the definition as text of XML: nothing in it can be markup."""
    return escape(plain(value))


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _classes(box: PlacedBox) -> str:
    return f"kind-{type(box.box.state).__name__} tone-{box.mark.tone}"


def _tip(box: PlacedBox) -> str:
    state = box.box.state
    said = [state.name, box.box.detail, *([box.mark.note] if box.mark.note else []), *([state.comment] if state.comment else [])]
    return f"<title>{text(' - '.join(said))}</title>"


def _written(box: PlacedBox, top: float) -> str:
    """The lines in a box, from ``top``."""
    middle = _n(box.x + box.width / 2)
    lines = [
        f'<text class="name" text-anchor="middle" x="{middle}" y="{_n(top + 18)}">{text(box.name)}</text>',
        f'<text class="small" text-anchor="middle" x="{middle}" y="{_n(top + 33)}">{text(box.detail)}</text>',
    ]
    if box.mark.note:
        lines.append(f'<text class="note" text-anchor="middle" x="{middle}" y="{_n(top + 33 + LINE)}">{text(box.mark.note)}</text>')
    return "".join(lines)


def _rectangle(box: PlacedBox, kind: str, radius: float) -> str:
    return f'<rect class="{kind}" x="{_n(box.x)}" y="{_n(box.y)}" width="{_n(box.width)}" height="{_n(box.height)}" rx="{_n(radius)}"/>'


def _box(box: PlacedBox, numbers: dict[str, int]) -> str:
    radius = {"Choice": 20.0, "Succeed": 20.0, "Fail": 2.0}.get(type(box.box.state).__name__, 7.0)
    number = numbers[box.box.state.location]
    return f'<g id="state-{number}" class="{_classes(box)}">{_tip(box)}{_rectangle(box, "box", radius)}{_written(box, box.y)}</g>'


def _group(box: PlacedBox, numbers: dict[str, int]) -> str:
    bottom = _n(box.y + box.height - 6)
    panes = "".join(f'<line class="pane" x1="{_n(x)}" x2="{_n(x)}" y1="{_n(box.pane_top)}" y2="{bottom}"/>' for x in box.panes)
    number = numbers[box.box.state.location]
    return f'<g id="state-{number}" class="{_classes(box)}">{_tip(box)}{_rectangle(box, "group", 9)}{panes}{_written(box, box.y)}</g>'


def _arrow(arrow: PlacedArrow) -> str:
    loop = arrow.back and len(arrow.points) == 4 and arrow.points[0][0] == arrow.points[-1][0]
    path = _polyline(arrow.points) if loop else _curve(arrow.points)
    return (
        f'<g class="kind-{arrow.kind} tone-{arrow.mark.tone}">{_title(arrow)}<path class="arrow" d="{path}"/>'
        f"{_head(arrow.points, sideways=loop)}</g>"
    )


def _title(arrow: PlacedArrow) -> str:
    said = "; ".join(part for part in (arrow.words, arrow.mark.note) if part)
    return f"<title>{text(said)}</title>" if said else ""


def _polyline(points: list[Point]) -> str:
    return "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in points)


def _curve(points: list[Point]) -> str:
    """Vertical where it touches a layer, bent between two layers."""
    (x, y), *_ = points
    path = [f"M{_n(x)} {_n(y)}"]
    for number, (one, other) in enumerate(itertools.pairwise(points)):
        if number % 2 or one[0] == other[0]:  # through a layer
            path.append(f"L{_n(other[0])} {_n(other[1])}")
        else:
            middle = _n((one[1] + other[1]) / 2)
            path.append(f"C{_n(one[0])} {middle} {_n(other[0])} {middle} {_n(other[0])} {_n(other[1])}")
    return "".join(path)


def _head(points: list[Point], *, sideways: bool) -> str:
    x, y = points[-1]
    if sideways:
        return f'<path class="tip" d="M{_n(x)} {_n(y)}l7 -4v8z"/>'
    direction = -1 if points[-2][1] <= y else 1
    return f'<path class="tip" d="M{_n(x)} {_n(y)}l-4 {direction * 7}h8z"/>'


def _words(arrow: PlacedArrow) -> str:
    assert arrow.label is not None
    x, y = arrow.label
    top = y - LINE * (len(arrow.lines) - 1) / 2 + 4
    widest = max(len(line) for line in arrow.lines)
    lines = "".join(
        f'<text class="words label" text-anchor="middle" x="{_n(x)}" y="{_n(top + number * LINE)}">{text(line)}</text>'
        for number, line in enumerate(arrow.lines)
    )
    return f'<g class="kind-{arrow.kind}">{_title(arrow)}{lines}</g>' if widest else ""


def _dot(dot: Dot) -> str:
    if dot.ring:
        return (
            f'<circle class="ring" cx="{_n(dot.x)}" cy="{_n(dot.y)}" r="7"/><circle class="dot" cx="{_n(dot.x)}" cy="{_n(dot.y)}" r="4"/>'
        )
    return f'<circle class="dot" cx="{_n(dot.x)}" cy="{_n(dot.y)}" r="5"/>'


def _reference(each: Reference, numbers: dict[str, int]) -> str:
    return (
        f'<a href="#state-{numbers[each.location]}"><rect class="reference" x="{_n(each.x - each.width / 2)}" y="{_n(each.y - 10)}" '
        f'width="{_n(each.width)}" height="20" rx="10"/>'
        f'<text class="words" text-anchor="middle" x="{_n(each.x)}" y="{_n(each.y + 4)}">{text(each.name)}</text></a>'
    )
