"""JUnit's XML, as CI systems read it."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from express.testcases import collect, junit, suite


def test_every_case_is_a_testcase_and_its_problems_a_failure(folder: Path) -> None:
    path = folder / "order.test.yaml"
    path.write_text("cases:\n  good: {input: {items: []}, expect: {error: Empty}}\n  bad: {input: {items: []}}\n")
    root = ElementTree.fromstring(junit.xml(suite.run(collect(path)).results))
    assert (root.tag, root.get("tests"), root.get("failures")) == ("testsuites", "2", "1")
    (found,) = root
    assert (found.tag, found.get("name"), found.get("tests"), found.get("failures")) == ("testsuite", str(path), "2", "1")
    good, bad = found
    assert (good.get("name"), good.get("classname"), good.get("line"), len(good)) == ("good", "order.test", "2", 0)
    assert float(good.get("time", "")) >= 0
    (failure,) = bad
    assert (
        failure.get("message")
        == failure.text
        == "status: expected SUCCEEDED, found FAILED with Empty: an order without items, in /States/Empty"
    )


def test_names_and_problems_that_xml_cannot_hold_are_written_as_text(folder: Path) -> None:
    path = folder / "order.test.yaml"
    path.write_text('cases:\n  "<b>&\\x01\\e]0;": {input: {items: []}, expect: {cause: "]]>\\0"}}\n')
    text = junit.xml(suite.run(collect(path)).results)
    (case,) = ElementTree.fromstring(text).iter("testcase")
    assert case.get("name") == "<b>&\\x01\\x1b]0;"
    assert 'expected "]]>' in str(next(iter(case)).text)
