"""How a family of models places images among words: vectors, positions, and what an image is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch

from glm4v_tui.inference.language.tower import use_lean_tower

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glm4v_tui.inference.prompt import Prompt


@dataclass(frozen=True)
class Span:
    """Where an image stands in a prompt."""

    start: int
    stop: int
    """One behind its last token."""
    key: str
    """Of its content, and of the size at which it is seen."""
    number: int
    """Its place among the prompt's images."""


class Sight(Protocol):
    """What differs from family to family."""

    def spans(self, prompt: Prompt) -> tuple[Span, ...]:
        """The prompt's images in their order.

        Raises:
            ValueError: the ids do not agree with the images.
        """
        ...

    def positions(self, prompt: Prompt) -> torch.Tensor:
        """(axes, tokens), int64, on the CPU."""
        ...

    def encode(self, prompt: Prompt, number: int) -> torch.Tensor:
        """What the language model reads of an image: (tokens of its span, hidden)."""
        ...


def sight_of(model: Any) -> Sight | None:
    """The family of a model; None for one that is not known."""
    inner = getattr(model, "model", None)
    if getattr(model.config, "model_type", "") == "chatglm":
        return _OnePosition(model)
    needed = ("get_rope_index", "get_image_features", "visual")
    if all(hasattr(inner, name) for name in needed):
        return _RowsAndColumns(model)
    return None


class _RowsAndColumns:
    """GLM-4.1V and later: patches of all images in one tensor, three axes of positions."""

    def __init__(self, model: Any) -> None:
        self._model = model.model
        self._token_id = model.config.image_token_id
        self._merged = model.model.visual.spatial_merge_size**2
        self._grid_in_host = use_lean_tower(model.model.visual)

    def spans(self, prompt: Prompt) -> tuple[Span, ...]:
        grids = self._grids(prompt)
        places = (prompt.inputs["input_ids"][0] == self._token_id).nonzero().flatten().tolist()
        counts = [_patches(grid) // self._merged for grid in grids]
        if sum(counts) != len(places):
            raise ValueError(
                f"Image features and image tokens do not match, tokens: {len(places)}, "
                f"features: {sum(counts)}"
            )
        spans: list[Span] = []
        at = 0
        for number, (grid, count) in enumerate(zip(grids, counts, strict=True)):
            key = f"{prompt.keys[number]} {'x'.join(map(str, grid))}"
            spans.append(Span(places[at], places[at + count - 1] + 1, key, number))
            at += count
        return tuple(spans)

    def positions(self, prompt: Prompt) -> torch.Tensor:
        ids = prompt.inputs["input_ids"]
        if not prompt.keys:
            return torch.arange(ids.shape[1]).expand(3, -1)
        found, _ = self._model.get_rope_index(
            ids,
            mm_token_type_ids=(ids == self._token_id).int(),
            image_grid_thw=prompt.inputs["image_grid_thw"],
        )
        positions: torch.Tensor = found[:, 0]
        return positions

    def encode(self, prompt: Prompt, number: int) -> torch.Tensor:
        grids = self._grids(prompt)
        start = sum(map(_patches, grids[:number]))
        patches = prompt.inputs["pixel_values"][start : start + _patches(grids[number])]
        visual = self._model.visual
        grid = prompt.inputs["image_grid_thw"][number : number + 1]
        seen = self._model.get_image_features(
            patches.to(visual.device, visual.dtype),
            grid if self._grid_in_host else grid.to(visual.device),
            return_dict=True,
        )
        features: torch.Tensor = seen.pooler_output[0]
        return features

    @staticmethod
    def _grids(prompt: Prompt) -> list[list[int]]:
        grids: list[list[int]] = []
        if "image_grid_thw" in prompt.inputs:
            grids = prompt.inputs["image_grid_thw"].tolist()
        return grids


class _OnePosition:
    """GLM-4V-9B: all tokens of an image stand at one position."""

    def __init__(self, model: Any) -> None:
        self._model = model.model
        self._ids = model.model.image_ids

    def spans(self, prompt: Prompt) -> tuple[Span, ...]:
        if self._ids is None or not prompt.keys:
            return ()
        ids = prompt.inputs["input_ids"][0]
        starts = (ids == self._ids.begin).nonzero().flatten().tolist()
        stops = (ids == self._ids.end).nonzero().flatten().tolist()
        if not len(starts) == len(stops) == len(prompt.keys):
            raise ValueError("Image features and image tokens do not match")
        size = "x".join(map(str, prompt.inputs["pixel_values"].shape[-2:]))
        return tuple(
            Span(start, stop + 1, f"{key} {size}", number)
            for number, (start, stop, key) in enumerate(
                zip(starts, stops, prompt.keys, strict=True)
            )
        )

    def positions(self, prompt: Prompt) -> torch.Tensor:
        from glm4v_tui.inference.glm4v_9b.positions import position_ids_of

        return position_ids_of(prompt.inputs["input_ids"], self._ids, None)

    def encode(self, prompt: Prompt, number: int) -> torch.Tensor:
        pixels = prompt.inputs["pixel_values"][number : number + 1]
        tower = self._model.vision_tower
        seen = self._model.get_image_features(pixels.to(tower.device, tower.dtype))
        features: torch.Tensor = seen.pooler_output[0]
        return features


def _patches(grid: Sequence[int]) -> int:
    time, height, width = grid
    return time * height * width
