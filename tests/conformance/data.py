"""Where the recorded answers of AWS lie: beside the project, never in it."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

FOLDER = Path(__file__).parents[2].parent / "shared" / "conformance"
ABSENT = "the recorded answers of AWS are not beside the project (../shared/conformance)"


def present() -> bool:
    return FOLDER.is_dir()


def cases(name: str) -> list[dict[str, Any]]:
    with (FOLDER / f"{name}.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def tool(name: str) -> ModuleType:
    """``compare`` or ``handlers``: they come with the data."""
    spec = importlib.util.spec_from_file_location(f"conformance_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
