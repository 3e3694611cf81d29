"""Inspects a part for defects."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from glm4v_tui import BoxField, Label, Task, Words, hookimpl

Place = Literal[
    "top left", "top center", "top right", "middle left", "center", "middle right",
    "bottom left", "bottom center", "bottom right",
]  # fmt: skip


class Defect(msgspec.Struct, frozen=True):
    type: Annotated[str, msgspec.Meta(max_length=40)]
    place: Place
    box: BoxField
    severity: Literal["minor", "moderate", "severe"]
    cause: Annotated[str, msgspec.Meta(max_length=80)] | None = None


class Inspection(msgspec.Struct, frozen=True):
    product: Annotated[str, msgspec.Meta(max_length=60)]
    defects: Annotated[list[Defect], msgspec.Meta(max_length=8)]
    grade: Annotated[int, msgspec.Meta(ge=1, le=10)]


class DefectTask(Task[Inspection, msgspec.Struct]):
    name = "defect"
    title = "Part inspection"
    summary = "Finds defects of a part: type, place, severity, cause, and a grade."
    question = Words("Inspect this image for defects. Answer in JSON.", "请检查图中产品的缺陷。")
    result_type = Inspection
    labels = (Label("pass", "p"), Label("fail", "f"), Label("review", "r"))


@hookimpl
def glm4v_tui_tasks() -> list[DefectTask]:
    return [DefectTask()]
