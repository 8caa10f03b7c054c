"""Results in, JUnit's XML out, as CI systems read it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from express.testcases.collecting import Case
from express.testcases.running import Result

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml(results: Sequence[tuple[Case, Result]]) -> bytes:
    """One ``testsuite`` a file, one ``testcase`` a case; a failed one has its problems as the failure's text."""
    root = Element("testsuites", _counts([result for _, result in results]), name="express test")
    suites: dict[Path, list[tuple[Case, Result]]] = {}
    for case, result in results:
        suites.setdefault(case.file.path, []).append((case, result))
    for path, own in suites.items():
        suite = SubElement(root, "testsuite", _counts([result for _, result in own]), name=_text(str(path)))
        for case, result in own:
            where = {"classname": _text(path.name.removesuffix(path.suffix)), "file": _text(str(path)), "line": str(case.line)}
            node = SubElement(suite, "testcase", where, name=_text(case.name), time=f"{result.seconds:.6f}")
            if result.problems:
                failure = SubElement(node, "failure", type="Difference", message=_text(result.problems[0]))
                failure.text = _text("\n".join(result.problems))
    ElementTree.indent(root)
    body: bytes = ElementTree.tostring(root, encoding="utf-8")
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + body + b"\n"


def _counts(results: Sequence[Result]) -> dict[str, str]:
    failed = sum(not result.passed for result in results)
    seconds = sum(result.seconds for result in results)
    return {"tests": str(len(results)), "failures": str(failed), "errors": "0", "skipped": "0", "time": f"{seconds:.6f}"}


def _text(text: str) -> str:
    """Text without what XML cannot hold: control characters, lone surrogates."""
    return _NOT_XML.sub(lambda found: ascii(found[0])[1:-1], text)
