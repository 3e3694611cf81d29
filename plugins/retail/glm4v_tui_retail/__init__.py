"""Reads packaged products: what is printed on them, and their barcodes."""

from __future__ import annotations

from glm4v_tui import hookimpl
from glm4v_tui_retail.task import RetailTask


@hookimpl
def glm4v_tui_tasks() -> list[RetailTask]:
    return [RetailTask()]
