"""Mermaid, SVG and HTML of whole definitions: complete, well formed, and nothing in a definition becomes markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest

from express.drawing import mermaid, page, svg
from express.drawing.arrange import Picture, arrange
from express.drawing.diagram import Diagram, draw
from express.drawing.marks import NONE, Mark, Marks
from tests.drawing.machines import HOSTILE, chain, hostile, load, nested, saga

SVG = "{http://www.w3.org/2000/svg}"
DEFINITIONS = {"saga": saga(), "nested": nested(), "chain": chain(60), "hostile": hostile()}


def drawn(definition: dict[str, Any]) -> Diagram:
    return draw(load(definition))


def marked(diagram: Diagram) -> Marks:
    """Every state and arrow with a hostile note."""
    return Marks(
        states={box.state.location: Mark("bad", HOSTILE[0]) for box in diagram.everything()},
        arrows={(box.state.location, arrow.target, arrow.kind == "catch"): Mark("good", HOSTILE[1]) for box in diagram.everything()
                for arrow in diagram.arrows if arrow.source == box.state.name},
        legend=(("bad", HOSTILE[2]),),
        title=HOSTILE[3],
    )  # fmt: skip


def overlapping(picture: Picture) -> list[tuple[str, str]]:
    """Boxes that share room without one being inside the other."""
    found = []
    for number, one in enumerate(picture.boxes):
        for other in picture.boxes[number + 1 :]:
            if (
                one.x + one.width <= other.x
                or other.x + other.width <= one.x
                or one.y + one.height <= other.y
                or other.y + other.height <= one.y
            ):
                continue
            inside = other.box.state.location.startswith(f"{one.box.state.location}/")
            within = one.x <= other.x and other.x + other.width <= one.x + one.width and one.y <= other.y
            if not (inside and within and other.y + other.height <= one.y + one.height):
                found.append((one.box.state.name, other.box.state.name))
    return found


@pytest.mark.parametrize("name", DEFINITIONS)
def test_every_state_has_its_place_and_inner_ones_are_inside(name: str) -> None:
    diagram = drawn(DEFINITIONS[name])
    for marks in (NONE, marked(diagram)):
        picture = arrange(diagram, marks)
        assert {box.box.state.location for box in picture.boxes} == {box.state.location for box in diagram.everything()}
        assert overlapping(picture) == []
        assert all(box.x >= -0.01 and box.x + box.width <= picture.width + 0.01 for box in picture.boxes)


def test_a_handler_that_many_states_lead_to_is_drawn_once_and_named_at_the_others() -> None:
    picture = arrange(drawn(chain(60)), NONE)
    assert len(picture.references) > 40
    assert {each.name for each in picture.references} == {"→ Handle"}
    assert picture.width < 1500


# --- SVG ------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DEFINITIONS)
def test_svg_is_well_formed_and_has_only_what_draws(name: str) -> None:
    diagram = drawn(DEFINITIONS[name])
    root = ElementTree.fromstring(svg.render(arrange(diagram, marked(diagram)), HOSTILE[1]))
    assert {node.tag.removeprefix(SVG) for node in root.iter()} <= {
        "svg", "title", "style", "g", "rect", "text", "path", "line", "circle", "a",
    }  # fmt: skip
    for node in root.iter():
        assert not any(attribute.lower().startswith("on") for attribute in node.attrib)
        assert set(node.attrib) <= {
            "class", "role", "width", "height", "viewBox", "id", "x", "y", "rx", "text-anchor", "d", "x1", "x2", "y1", "y2", "cx", "cy",
            "r", "href",
        }  # fmt: skip
        assert re.fullmatch(r"#state-\d+", node.get("href", "#state-0"))
    (style,) = root.iter(f"{SVG}style")
    assert style.text == svg.STYLE


def test_every_name_is_in_the_svg_as_text() -> None:
    root = ElementTree.fromstring(svg.render(arrange(drawn(nested()), NONE), "nested"))
    texts = {node.text for node in root.iter(f"{SVG}text")}
    assert {"Orders", "Both", "Items", "Reserve", "Reserved", "Pause", "Picked", "Mail", "Log", "Bill", "Sorry", "Done"} <= texts
    assert {"Bank.Declined, States.Timeout", '$.state = "pending"', "otherwise", "Wait 5 s", "Map, 10 at a time"} <= texts


# --- HTML -----------------------------------------------------------------------------------------------------------------------------


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs


@pytest.mark.parametrize("name", DEFINITIONS)
def test_html_needs_no_script_and_no_network(name: str) -> None:
    diagram = drawn(DEFINITIONS[name])
    text = page.render(diagram, marked(diagram), HOSTILE[0], HOSTILE[1], "0" * 64)
    elements = Elements()
    elements.feed(text)
    assert elements.tags.isdisjoint({"script", "link", "img", "iframe", "object", "embed", "form", "base"})
    assert not any(name.startswith("on") for name, _ in elements.attributes)
    assert all(re.fullmatch(r"#state-\d+", value or "") for name, value in elements.attributes if name in ("href", "src"))
    assert "default-src 'none'" in text
    assert "url(" not in text
    assert "@import" not in text


def test_the_page_has_the_states_as_a_table_too() -> None:
    text = page.render(drawn(nested()), NONE, "nested", "a comment", "0" * 64)
    assert "<td><b>Pause</b></td><td>Wait 5 s</td>" in text
    assert "<p>a comment</p>" in text


# --- Mermaid --------------------------------------------------------------------------------------------------------------------------

LABEL = r'"(?:[^"<>&`|\[\]{}()\\]|<b>|</b>|<br/>)*"'
LINES = [
    r"flowchart TD",
    r" +(?:start[\d_]*|stop)\(+ \)+",
    rf" +s\d+(?:\[|\(|\{{\{{|\(\[|\[\[){LABEL}(?:\]|\)|\}}\}}|\]\)|\]\])",
    rf" +subgraph s\d+(?:_\d+)?\[{LABEL}\]",
    r" +end",
    rf" +(?:s\d+|start[\d_]*) (?:-->|-\.->)(?:\|{LABEL}\|)? (?:s\d+|stop)",
    r" +classDef (?:good|fair|bad|absent) [\w:#,\- ]+",
    r" +class s\d+(?:,s\d+)* (?:good|fair|bad|absent)",
    r" +linkStyle \d+ stroke:#[0-9a-f]{6}",
]


@pytest.mark.parametrize("name", DEFINITIONS)
def test_every_line_of_mermaid_is_of_a_known_form(name: str) -> None:
    diagram = drawn(DEFINITIONS[name])
    lines = mermaid.render(diagram, marked(diagram)).splitlines()
    assert [line for line in lines if not any(re.fullmatch(form, line) for form in LINES)] == []


def test_mermaid_of_a_saga() -> None:
    assert mermaid.render(drawn(saga(2)), NONE).splitlines() == [
        "flowchart TD",
        "    start(( ))",
        '    s0["<b>Step1</b><br/>Task step1"]',
        '    s1["<b>Step2</b><br/>Task step2"]',
        '    s2["<b>Undo1</b><br/>Task undo1"]',
        '    s3(["<b>Done</b><br/>Succeed"])',
        '    s4[["<b>Failed</b><br/>Fail Undone"]]',
        "    start --> s0",
        "    s0 --> s1",
        '    s0 -.->|"any error"| s4',
        "    s1 --> s3",
        '    s1 -.->|"any error"| s2',
        "    s2 --> s4",
        "    stop((( )))",
        "    s3 --> stop",
    ]


def test_the_title_of_a_group_is_one_line() -> None:
    """Mermaid keeps room for no more."""
    lines = mermaid.render(drawn(nested()), NONE).splitlines()
    assert '    subgraph s0["<b>Orders</b>, Map, 10 at a time"]' in lines


def test_mermaid_numbers_its_links_as_it_writes_them() -> None:
    """``linkStyle 3`` colours the fourth link of the text."""
    diagram = drawn(nested())
    lines = mermaid.render(diagram, marked(diagram)).splitlines()
    links = [line.strip() for line in lines if "-->" in line or "-.->" in line]
    styled = {int(line.split()[1]) for line in lines if "linkStyle" in line}
    assert [links[number].split()[0] for number in sorted(styled)] == ["s0", "s0", "s10"]
