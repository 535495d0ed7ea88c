"""`--junit FILE`: what was tested as JUnit XML, which every CI shows: a suite an answer, a case a row."""

from __future__ import annotations

from xml.etree import ElementTree

from harness.report.document import Outcome, Report
from harness.report.names import printable


def junit(report: Report) -> str:
    """Return the report's cases as one XML document; an answer without cases has one, which its exit code decides."""
    suite = ElementTree.Element("testsuite", name=f"savedmodel-bench {report.command}")
    for case in report.cases:
        element = ElementTree.SubElement(
            suite, "testcase", classname=printable(case.group) or report.command, name=printable(case.name)
        )
        if case.outcome is not Outcome.PASSED:
            kind = "failure" if case.outcome is Outcome.FAILED else "skipped"
            told = printable(case.told)
            ElementTree.SubElement(element, kind, message=told).text = told if kind == "failure" else None
    if not report.cases:
        ElementTree.SubElement(suite, "testcase", classname=report.command, name="an answer")
    if report.shortfall is not None:
        short = ElementTree.SubElement(suite, "testcase", classname=report.command, name="enough was measured")
        ElementTree.SubElement(short, "error", message=printable(report.shortfall))
    cases = list(suite)
    suite.set("tests", str(len(cases)))
    for name, child in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(sum(case.find(child) is not None for case in cases)))
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"
