"""The documents say what the code does: names, links, codes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from express.observers.exposition import Exposition
from express.observers.metrics import WorkflowMetrics
from express.observers.pipeline import PipelineMetrics
from express.observers.stall import Heartbeat

PROJECT = Path(__file__).parent.parent
DOCUMENTS = sorted([PROJECT / "README.md", PROJECT / "CHANGELOG.md", *PROJECT.glob("docs/*.md"), *PROJECT.glob("examples/**/*.md")])


def test_the_metrics_document_lists_exactly_what_is_exposed() -> None:
    workflow = WorkflowMetrics("orders", "0" * 64, [("Charge", "Task")])
    body, _ = Exposition([workflow], [PipelineMetrics("orders")], Heartbeat()).render()
    exposed = set(re.findall(r"^# TYPE (express_\w+)", body.decode(), re.MULTILINE))
    table = (PROJECT / "docs" / "metrics.md").read_text().partition("## Where AWS")[0]
    assert set(re.findall(r"^\| `(express_\w+)` ", table, re.MULTILINE)) == exposed


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_a_link_between_documents_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []
