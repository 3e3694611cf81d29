"""Regions of results in the COCO format for object detection (cocodataset.org, "Data format").

Ids do not depend on what else is in the file: those of images come from their content, those of
annotations from image, category and box. Categories are numbered from 1 in the order of their
names, since many tools take these numbers for indices; a category's name is its identity.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from glm4v_tui import Box, Record

_HEX_DIGITS = 13
"""Of a digest, in an id: 52 bits, which a double holds, as many readers of JSON keep numbers."""


def write_coco(records: Sequence[Record], out: BinaryIO) -> None:
    """Write one COCO file of all records; each region is an annotation of its label's category."""
    labels = {label for record in records for _, label in record.regions}
    categories = {name: number for number, name in enumerate(sorted(labels), 1)}
    dataset = {
        "info": {"description": "Regions in the results of glm4v-tui"},
        "images": list(_unique(map(_image, records))),
        "annotations": list(
            _unique(one for record in records for one in _annotations(record, categories))
        ),
        "categories": [{"id": number, "name": name} for name, number in categories.items()],
    }
    out.write(msgspec.json.encode(dataset) + b"\n")


def _unique(rows: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """The first of each id: an image that was asked about twice is one image."""
    found: dict[int, dict[str, Any]] = {}
    for row in rows:
        found.setdefault(row["id"], row)
    return found.values()


def _image(record: Record) -> dict[str, Any]:
    told = {"label": record.label, "notice": record.notice}
    return {
        "id": _id(record.digest),
        "file_name": record.path or record.digest,
        "width": record.width,
        "height": record.height,
        **{key: value for key, value in told.items() if value},
    }


def _annotations(record: Record, categories: dict[str, int]) -> Iterable[dict[str, Any]]:
    for box, label in record.regions:
        x, y = _origin(record.crop)
        bbox = [box.left + x, box.top + y, box.width, box.height]
        yield {
            "id": _id(msgspec.json.encode([record.digest, label, bbox]).decode()),
            "image_id": _id(record.digest),
            "category_id": categories[label],
            "bbox": bbox,
            "area": box.width * box.height,
            "iscrowd": 0,
        }


def _origin(crop: Box | None) -> tuple[int, int]:
    """Where the part that was asked about begins in the whole image."""
    return (crop.left, crop.top) if crop else (0, 0)


def _id(identity: str) -> int:
    """A number from 1 that is always the same for this text."""
    digest = hashlib.sha256(identity.encode()).hexdigest()
    return int(digest[:_HEX_DIGITS], 16) or 1
