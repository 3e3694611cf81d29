"""What contradicts itself in a report, or says more than the images can show."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from glm4v_tui import Facts
    from glm4v_tui_medical.report import Finding, Report

_LATERAL = frozenset({"LL", "RL", "LATERAL"})
"""View positions of DICOM that show the chest from its side."""
_NORMAL = re.compile(
    r"\b(normal|no (abnormal|acute|relevant) \w+|unremarkable)\b|正常|未见(明显)?异常",
    re.IGNORECASE,
)
_NOT_NORMAL = re.compile(r"\b(not|ab-?|other\w+|else) ?normal\b|不正常|otherwise", re.IGNORECASE)
_ABSENT = re.compile(r"^\s*(no|none|without|absent)\b|^\s*(无|未见|没有)", re.IGNORECASE)
_MEASURE = re.compile(r"\d\s*(mm|cm|毫米|厘米)", re.IGNORECASE)


def doubts(report: Report, facts: Sequence[Facts]) -> Iterator[str]:
    """Each in words."""
    if report.findings and _says_normal(report.impression):
        yield "The impression says normal, but findings are listed."
    if report.urgency == "urgent" and not report.findings:
        yield "It is called urgent, but no finding is listed."
    if len(set(report.findings)) < len(report.findings):
        yield "The same finding is listed twice."
    for finding in report.findings:
        yield from _of(finding, facts)


def _of(finding: Finding, facts: Sequence[Facts]) -> Iterator[str]:
    if _ABSENT.search(finding.what):
        yield f"“{finding.what}” is listed as a finding."
    if (named := _side_in(finding.where)) and finding.side not in (named, "both"):
        yield f"“{finding.what}”: the place says {named}, the side {finding.side}."
    if finding.side != "none" and facts and all(map(_is_lateral, facts)):
        yield f"“{finding.what}”: left and right are not the patient's in a view from the side."
    if finding.size and _MEASURE.search(finding.size) and not any(map(_has_scale, facts)):
        yield f"“{finding.what}”: {finding.size} was not measured; the image has no scale."


def _says_normal(text: str) -> bool:
    return bool(_NORMAL.search(text)) and not _NOT_NORMAL.search(text)


def _side_in(text: str) -> str:
    """The one side that a text names."""
    found = {side for side in ("left", "right") if re.search(rf"\b{side}\b", text, re.IGNORECASE)}
    return found.pop() if len(found) == 1 else ""


def _is_lateral(facts: Facts) -> bool:
    return facts.values.get("view") in _LATERAL


def _has_scale(facts: Facts) -> bool:
    return facts.values.get("pixel_spacing_mm") is not None
