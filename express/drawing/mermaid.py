"""A diagram in, Mermaid's text out: a flowchart, as Markdown on GitHub and GitLab draws it."""

from __future__ import annotations

from collections.abc import Iterator

from express.drawing.diagram import Arrow, Box, Diagram
from express.drawing.lettering import plain
from express.drawing.marks import Mark, Marks, Tone

# What stands around a label: (rounded), ([stadium]), [[subroutine]], ((circle)), {{hexagon}}
SHAPES = {
    "Task": ("[", "]"),
    "Choice": ("{{", "}}"),
    "Wait": ("([", "])"),
    "Succeed": ("([", "])"),
    "Fail": ("[[", "]]"),
    "Pass": ("(", ")"),
}
COLOURS: dict[Tone, str] = {
    "good": "fill:#dcfce7,stroke:#15803d,color:#1c2733",
    "fair": "fill:#fef3c7,stroke:#b45309,color:#1c2733",
    "bad": "fill:#fecaca,stroke:#b91c1c,color:#1c2733",
    "absent": "fill:#f1f5f9,stroke:#64748b,color:#1c2733,stroke-dasharray:5 3",
}
LONGEST = 120  # characters of a label


def render(diagram: Diagram, marks: Marks) -> str:
    """The names of nodes are numbers: no name of a state is ever one of Mermaid's words."""
    numbers = {box.state.location: number for number, box in enumerate(diagram.everything())}
    lines = ["flowchart TD"]
    tones: dict[Tone, list[str]] = {}
    styles: list[str] = []
    counter = [0]
    lines += _machine(diagram, marks, numbers, "", tones, styles, counter)
    for tone, nodes in tones.items():
        lines += [f"    classDef {tone} {COLOURS[tone]}", f"    class {','.join(nodes)} {tone}"]
    return "\n".join([*lines, *styles]) + "\n"


def _machine(
    diagram: Diagram,
    marks: Marks,
    numbers: dict[str, int],
    within: str,
    tones: dict[Tone, list[str]],
    styles: list[str],
    counter: list[int],
) -> Iterator[str]:
    indent = "    " * (within.count("/") + 1)
    start = f"start{within.replace('/', '_')}"
    yield f"{indent}{start}(( ))"
    for box in diagram.boxes.values():
        number = numbers[box.state.location]
        mark = marks.states.get(box.state.location, Mark())
        if mark.tone in COLOURS:
            tones.setdefault(mark.tone, []).append(f"s{number}")
        if not box.inside:
            left, right = SHAPES[type(box.state).__name__]
            yield f'{indent}s{number}{left}"{_label(box, mark)}"{right}'
            continue
        yield f'{indent}subgraph s{number}["{_label(box, mark)}"]'
        for branch, inner in enumerate(box.inside):
            deeper = f"{within}/{number}_{branch}"
            if len(box.inside) > 1:
                yield f'{indent}    subgraph s{number}_{branch}["{branch + 1}"]'
            yield from (
                f"{'    ' if len(box.inside) > 1 else ''}{line}" for line in _machine(inner, marks, numbers, deeper, tones, styles, counter)
            )
            if len(box.inside) > 1:
                yield f"{indent}    end"
        yield f"{indent}end"
    yield f"{indent}{start} --> s{_number(diagram, diagram.start_at, numbers)}"
    counter[0] += 1
    for arrow in diagram.arrows:
        mark = marks.arrows.get((diagram.boxes[arrow.source].state.location, arrow.target, arrow.kind == "catch"), Mark())
        line = "-.->" if arrow.kind == "catch" else "-->"
        yield f"{indent}s{_number(diagram, arrow.source, numbers)} {line}{_words(arrow, mark)} s{_number(diagram, arrow.target, numbers)}"
        if mark.tone in ("good", "bad"):
            styles.append(f"    linkStyle {counter[0]} stroke:{'#15803d' if mark.tone == 'good' else '#ef4444'}")
        counter[0] += 1
    ends = [box for box in diagram.boxes.values() if box.ends]
    if ends and not within:
        yield f"{indent}stop((( )))"
        for box in ends:
            yield f"{indent}s{numbers[box.state.location]} --> stop"
            counter[0] += 1


def _number(diagram: Diagram, name: str, numbers: dict[str, int]) -> int:
    return numbers[diagram.boxes[name].state.location]


def _label(box: Box, mark: Mark) -> str:
    lines = [f"<b>{text(box.state.name)}</b>", text(box.detail), *([text(mark.note)] if mark.note else [])]
    return (", " if box.inside else "<br/>").join(lines)  # what is inside begins right below the first line


def _words(arrow: Arrow, mark: Mark) -> str:
    lines = [text(label) for label in (*arrow.labels, *([mark.note] if mark.note else []))]
    return f'|"{"<br/>".join(lines)}"|' if lines else ""


def text(value: str) -> str:
    """A text of the definition inside a quoted label: whatever means something to Mermaid or HTML is an entity."""
    shown = plain(value)
    if len(shown) > LONGEST:
        shown = f"{shown[:LONGEST]}…"
    return "".join(character if character.isalnum() or character in " _.,-…" else f"#{ord(character)};" for character in shown)
