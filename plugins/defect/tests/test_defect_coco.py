"""The export against the description of the format, and against numbers worked out by hand."""

import io
import json

import jsonschema
from glm4v_tui_defect import glm4v_tui_exporters
from glm4v_tui_defect.coco import write_coco

from glm4v_tui import Box, Record

COCO = {
    "type": "object",
    "required": ["images", "annotations", "categories"],
    "properties": {
        "images": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "file_name", "width", "height"],
                "properties": {
                    "id": {"type": "integer", "minimum": 1, "maximum": 2**53},
                    "file_name": {"type": "string", "minLength": 1},
                    "width": {"type": "integer", "minimum": 1},
                    "height": {"type": "integer", "minimum": 1},
                },
            },
        },
        "annotations": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "image_id", "category_id", "bbox", "area", "iscrowd"],
                "properties": {
                    "id": {"type": "integer", "minimum": 1, "maximum": 2**53},
                    "bbox": {
                        "type": "array",
                        "items": {"type": "number", "minimum": 0},
                        "minItems": 4,
                        "maxItems": 4,
                    },
                    "area": {"type": "number", "exclusiveMinimum": 0},
                    "iscrowd": {"enum": [0, 1]},
                },
            },
        },
        "categories": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "name"],
                "properties": {"id": {"type": "integer", "minimum": 1}},
            },
        },
    },
}
"""cocodataset.org, "Data format", for object detection by boxes."""


def record(digest="aa" * 32, path="/parts/a.png", **changes):
    values = {"width": 640, "height": 480, "result": {}, "path": path}
    return Record("defect", "1", digest, **{**values, **changes})


def coco(*records):
    out = io.BytesIO()
    write_coco(records, out)
    dataset = json.loads(out.getvalue())
    jsonschema.validate(dataset, COCO)
    for rows in (dataset["images"], dataset["annotations"], dataset["categories"]):
        assert len({row["id"] for row in rows}) == len(rows)
    images = {image["id"]: image for image in dataset["images"]}
    for one in dataset["annotations"]:
        image, (x, y, width, height) = images[one["image_id"]], one["bbox"]
        assert x + width <= image["width"]
        assert y + height <= image["height"]
        assert one["area"] == width * height
    assert {row["id"] for row in dataset["categories"]} >= {
        one["category_id"] for one in dataset["annotations"]
    }
    return dataset


DENT = (Box(10, 20, 110, 70), "dent")
HOLE = (Box(0, 0, 5, 5), "hole")


def test_a_region_is_an_annotation_of_its_labels_category():
    dataset = coco(record(regions=(DENT, HOLE)))
    (image,) = dataset["images"]
    assert (image["file_name"], image["width"], image["height"]) == ("/parts/a.png", 640, 480)
    assert [one["bbox"] for one in dataset["annotations"]] == [[10, 20, 100, 50], [0, 0, 5, 5]]
    assert [one["area"] for one in dataset["annotations"]] == [5000, 25]
    names = {row["id"]: row["name"] for row in dataset["categories"]}
    assert [names[one["category_id"]] for one in dataset["annotations"]] == ["dent", "hole"]
    assert names == {1: "dent", 2: "hole"}


def test_regions_of_a_crop_are_moved_to_the_whole_image():
    cropped = record(crop=Box(400, 300, 600, 480), regions=(DENT,))
    assert coco(cropped)["annotations"][0]["bbox"] == [410, 320, 100, 50]


def test_ids_do_not_depend_on_the_other_records():
    first, second = record(regions=(DENT,)), record("bb" * 32, "/parts/b.png", regions=(HOLE, DENT))
    alone, together = coco(first), coco(second, first)
    assert alone["images"][0] in together["images"]
    ids = [one["id"] for one in together["annotations"]]
    assert alone["annotations"][0]["id"] in ids


def test_parts_of_one_image_are_one_image():
    upper = record(crop=Box(0, 0, 640, 240), regions=(DENT,))
    lower = record(crop=Box(0, 200, 640, 480), regions=(DENT, HOLE))
    dataset = coco(upper, lower, upper)
    assert len(dataset["images"]) == 1
    assert len(dataset["annotations"]) == 3


def test_an_image_without_regions_is_kept():
    """It is what a detector learns the good part from."""
    dataset = coco(record(label="pass"), record("bb" * 32, "/parts/b.png"))
    assert [image.get("label") for image in dataset["images"]] == ["pass", None]
    assert (dataset["annotations"], dataset["categories"]) == ([], [])


def test_a_private_record_has_its_digest_for_a_name_and_keeps_its_notice():
    (image,) = coco(record(path=None, notice="Not for diagnosis."))["images"]
    assert (image["file_name"], image["notice"]) == ("aa" * 32, "Not for diagnosis.")


def test_no_record_is_an_empty_file():
    assert coco()["images"] == []


def test_the_program_offers_it():
    (exporter,) = glm4v_tui_exporters()
    assert (exporter.name, exporter.suffix) == ("coco", ".coco.json")
