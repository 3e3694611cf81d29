from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText, AutoProcessor

from glm4v_tui.inference.glm4v_9b import register
from tests.checkpoints import GLM4V_9B

register()

_STRIDE = 5


class Reference:
    """A checkpoint, loaded, and the numbers that belong to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkpoint = folder / "checkpoint"
        self.manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text("utf-8"))
        self.pictures = {
            "small": Image.open(folder / "image.png"),
            "large": Image.open(folder / "image_large.png"),
        }
        self._expected = load_file(folder / "expected.safetensors")
        self.names = frozenset(self._expected)

    @cached_property
    def model(self) -> Any:
        model = AutoModelForImageTextToText.from_pretrained(self.checkpoint, dtype=torch.float32)
        return model.eval()

    @cached_property
    def processor(self) -> Any:
        return AutoProcessor.from_pretrained(self.checkpoint)

    def turns(self, case: str) -> list[dict[str, Any]]:
        return [
            turn | ({"image": self.pictures["small"]} if "image" in turn else {})
            for turn in self.manifest["cases"][case]["messages"]
        ]

    def inputs(self, case: str) -> Any:
        return self.written(self.turns(case))

    def written(self, turns: Any) -> Any:
        return self.processor.apply_chat_template(
            turns, add_generation_prompt=True, return_tensors="pt"
        )

    def difference(self, name: str, actual: torch.Tensor) -> float:
        """The largest absolute difference to the numbers of this name, which are an excerpt."""
        expected = self._expected[name]
        assert list(actual.shape) == self.manifest["tensors"][name][0], name
        if actual.numel() > 1000:
            actual = actual.flatten()[::_STRIDE]
        return float((actual.double() - expected.double()).abs().max())

    def generate(self, inputs: Any, **kwargs: Any) -> tuple[list[int], torch.Tensor]:
        """16 greedy tokens, whatever they are, and the logits that chose them."""
        output = self.model.generate(
            **inputs,
            do_sample=False,
            max_new_tokens=16,
            eos_token_id=None,
            disable_compile=True,
            output_logits=True,
            return_dict_in_generate=True,
            **kwargs,
        )
        return output.sequences[0, -16:].tolist(), torch.cat(output.logits)


@pytest.fixture(scope="session", params=["A", "C"])
def reference(request: pytest.FixtureRequest) -> Reference:
    return Reference(GLM4V_9B.parent / request.param)


@pytest.fixture(scope="session")
def one() -> Reference:
    """For what needs a model, but not each."""
    return Reference(GLM4V_9B)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An original folder that may be damaged."""
    return Path(shutil.copytree(GLM4V_9B / "checkpoint", tmp_path / "glm-4v-9b"))


def user(text: str, *pictures: Image.Image) -> dict[str, Any]:
    parts: Sequence[dict[str, Any]] = [{"type": "image", "image": one} for one in pictures]
    return {"role": "user", "content": [*parts, {"type": "text", "text": text}]}
