"""Reads medical images, DICOM files among them. Not for diagnosis."""

from __future__ import annotations

from glm4v_tui import ImageReader, hookimpl
from glm4v_tui_medical.reader import DICOM
from glm4v_tui_medical.task import MedicalTask


@hookimpl
def glm4v_tui_tasks() -> list[MedicalTask]:
    return [MedicalTask()]


@hookimpl
def glm4v_tui_image_readers() -> list[ImageReader]:
    return [DICOM]
