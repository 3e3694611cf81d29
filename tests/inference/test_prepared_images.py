"""Remembered images are what the processor would make of them again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from glm4v_tui.inference.loading import load_processor
from glm4v_tui.inference.prepared_images import name_image, remember_images
from tests.checkpoints import MAKERS
from tests.inference.conftest import PICTURES


def prompt(processor: Any, *keys: str) -> Any:
    parts: list[dict[str, Any]] = [
        {"type": "image", "image": name_image(PICTURES[key].copy(), key)} for key in keys
    ]
    turns = [{"role": "user", "content": [*parts, {"type": "text", "text": "What?"}]}]
    return processor.apply_chat_template(
        turns, tokenize=True, return_dict=True, return_tensors="pt", add_generation_prompt=True
    )


@pytest.mark.parametrize("name", ["glm4v", "glm46v", "glm_ocr", "glm4v_9b"])
def test_prompts_are_the_same_and_images_are_made_once(name: str, tmp_path: Path) -> None:
    folder = MAKERS[name](tmp_path / name)
    plain, remembering = load_processor(str(folder)), load_processor(str(folder))
    remember_images(remembering.image_processor)
    made: list[int] = []
    remembered = remembering.image_processor.preprocess
    inner = remembered._preprocess
    remembered._preprocess = lambda images, **rest: made.append(1) or inner(images, **rest)
    for keys in (("wide",), ("tall", "wide"), ("wide",), ("tall", "wide")):
        expected, found = prompt(plain, *keys), prompt(remembering, *keys)
        assert set(found) == set(expected)
        assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert len(made) == 2


def test_the_oldest_go_when_they_take_too_much(tmp_path: Path) -> None:
    processor = load_processor(str(MAKERS["glm4v"](tmp_path / "m")))
    remember_images(processor.image_processor, budget=1)
    prompt(processor, "tall", "wide")
    assert len(processor.image_processor.preprocess._made) == 1
