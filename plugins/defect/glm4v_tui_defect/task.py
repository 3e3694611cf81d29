"""The inspection as a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glm4v_tui import Badge, Label, Panel, Region, Row, Table, Task, Tone, Words, pixel_box
from glm4v_tui_defect.checks import contradictions
from glm4v_tui_defect.inspection import DefectOptions, Inspection, bound_form

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glm4v_tui import Facts
    from glm4v_tui_defect.inspection import Defect

_TONES = {"minor": Tone.PLAIN, "moderate": Tone.WARN, "severe": Tone.BAD}


class DefectTask(Task[Inspection, DefectOptions]):
    name = "defect"
    title = "Part inspection"
    summary = "Finds defects of a part: type, place, severity, cause, and a grade."
    # The embedded model was trained on these English words.
    question = Words(
        "Inspect this image for defects. Answer in JSON.", "请检查图中产品的缺陷，用 JSON 回答。"
    )
    system_prompt = Words(
        "You inspect parts on a production line. List every defect that you can see and no other,"
        " each with a tight box and, where it can be told, its likely cause. Grade the part from"
        " 10 (no defects) to 1 (unusable).",
        "你是生产线上的质检员。列出所有看得见的缺陷，不要臆测；每个缺陷给出紧贴的边框，"
        "能判断时写出可能的原因。评分从 10（无缺陷）到 1（不可用）。",
    )
    result_type = Inspection
    is_single = True
    options_type = DefectOptions
    labels = (
        Label("pass", "p", answer="No"),
        Label("fail", "f", answer="Yes"),
        Label("review", "r"),
    )
    label_question = Words("Is there a defect? Answer yes or no.")

    def form(self, options: DefectOptions) -> Any:
        return bound_form(options.classes)

    def check(
        self, result: Inspection, facts: Sequence[Facts], options: DefectOptions
    ) -> Sequence[str]:
        del facts
        return list(contradictions(result, options))

    def render(self, result: Inspection, facts: Sequence[Facts], options: DefectOptions) -> Panel:
        del facts
        parts: list[Row | Table] = [Row("Product", result.product)]
        if result.defects:
            parts.append(_table(result.defects))
        return Panel(_badges(result, options), tuple(parts))

    def label_of(self, result: Inspection, options: DefectOptions) -> str:
        return "pass" if _passes(result, options) else "fail"

    def regions(self, result: Inspection, facts: Facts) -> Sequence[Region]:
        return [
            Region(
                pixel_box(defect.box, facts.width, facts.height),
                defect.type,
                _TONES[defect.severity],
            )
            for defect in result.defects
        ]


def _passes(result: Inspection, options: DefectOptions) -> bool:
    return result.grade >= options.passing_grade


def _badges(result: Inspection, options: DefectOptions) -> tuple[Badge, ...]:
    passes = _passes(result, options)
    verdict = Badge("pass", Tone.GOOD) if passes else Badge("fail", Tone.BAD)
    return verdict, Badge(f"grade {result.grade}"), _count(len(result.defects))


def _count(defects: int) -> Badge:
    if not defects:
        return Badge("no defects", Tone.GOOD)
    return Badge("1 defect" if defects == 1 else f"{defects} defects", Tone.WARN)


def _table(defects: Sequence[Defect]) -> Table:
    """Numbered as the boxes in the picture are."""
    has_cause = any(defect.cause for defect in defects)
    columns = ("#", "Type", "Place", "Severity", *(("Cause",) if has_cause else ()))
    rows = []
    for number, defect in enumerate(defects, 1):
        cause = (defect.cause or "–",) if has_cause else ()
        rows.append((str(number), defect.type, defect.place, defect.severity, *cause))
    return Table("Defects", columns, tuple(rows))
