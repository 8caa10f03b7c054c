"""Files and addresses in, the text of a picture out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from express import language
from express.drawing import covered, diagram, measured, mermaid, page, svg
from express.drawing.arrange import arrange
from express.drawing.marks import NONE, Marks
from express.errors import ConfigurationError, ConnectionFailed, DefinitionError
from express.language.model import Workflow
from express.language.resources import EXTENSIONS
from express.loading import located, name_of
from express.observers import scraped
from express.testcases import coverage as coverages

KINDS = {".mmd": "mermaid", ".mermaid": "mermaid", ".md": "mermaid", ".svg": "svg", ".html": "html", ".htm": "html"}
PATIENCE = 10  # seconds for /metrics


def kind_of(path: Path) -> str:
    """By the file's name; ConfigurationError for one that says nothing."""
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise ConfigurationError(f"{path}: expected a name that ends in {', '.join(KINDS)}, or --format")
    return kind


def draw(
    definition: Path,
    kind: str,
    *,
    name: str | None = None,
    coverage: Path | None = None,
    metrics: str | None = None,
    values: Mapping[str, Any] | None = None,
) -> str:
    """The text of a picture: ``mermaid``, ``svg`` or ``html``. OSError for a file that cannot be read, DefinitionError, ConfigurationError
    and ConnectionFailed for what cannot work. ``values`` are those of the definition's ``${Name}``."""
    with definition.open("rb"):
        pass
    loaded = language.load(definition, values, EXTENSIONS)  # a picture is no promise to run it
    workflow = loaded.workflow
    if workflow is None:
        raise DefinitionError([located(definition, problem) for problem in loaded.problems])
    name = name or name_of(definition)
    marks = _marks(workflow, name, coverage, metrics)
    drawn = diagram.draw(workflow)
    if kind == "mermaid":
        return mermaid.render(drawn, marks)
    if kind == "svg":
        return svg.render(arrange(drawn, marks), name)
    return page.render(drawn, marks, name, workflow.comment, workflow.sha256)


def _marks(workflow: Workflow, name: str, coverage: Path | None, metrics: str | None) -> Marks:
    if coverage is not None:
        return covered.marks(coverages.read(coverage, workflow.sha256))
    if metrics is not None:
        return measured.marks(workflow, scraped.figures(_read(metrics), name, metrics), metrics)
    return NONE


def _read(address: str) -> str:
    if not address.startswith(("http://", "https://")):
        return Path(address).read_text(encoding="utf-8")
    try:
        with urlopen(address, timeout=PATIENCE) as response:
            text: str = response.read().decode()
            return text
    except (URLError, OSError, ValueError) as error:
        raise ConnectionFailed(f"{address}: cannot be read: {getattr(error, 'reason', error)}") from None
