"""Inspects parts for defects, and exports what was found in the COCO format."""

from __future__ import annotations

from glm4v_tui import Exporter, hookimpl
from glm4v_tui_defect.coco import write_coco
from glm4v_tui_defect.task import DefectTask


@hookimpl
def glm4v_tui_tasks() -> list[DefectTask]:
    return [DefectTask()]


@hookimpl
def glm4v_tui_exporters() -> list[Exporter]:
    return [Exporter("coco", ".coco.json", "COCO object detection", write_coco)]
