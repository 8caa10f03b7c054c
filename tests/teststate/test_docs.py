"""The programs in docs/teststate.md, run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs" / "teststate.md"


def test_the_programs_of_the_documentation_run() -> None:
    programs = re.findall(r"^```python\n(.*?)^```", DOCS.read_text(), re.MULTILINE | re.DOTALL)
    assert len(programs) == 2
    for program in programs:
        exec(compile(program, str(DOCS), "exec"), {})
