"""The program in docs/teststate.md, run as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs" / "teststate.md"


def test_the_program_of_the_documentation_runs() -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```", DOCS.read_text(), re.MULTILINE | re.DOTALL)
    exec(compile(program, str(DOCS), "exec"), {})
