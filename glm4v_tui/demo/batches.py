"""Examples to arrays: token sequences with labels and positions, made in worker processes."""

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from glm4v_tui.demo.examples import Example, make_example, make_pair
from glm4v_tui.demo.scenes.canvas import looks
from glm4v_tui.demo.tokenizer import ASSISTANT, CELL, IMAGE, PAD, USER, opening, turn_text

GRIDS = (
    (10, 10), (9, 12), (12, 9), (6, 18), (18, 6), (8, 14), (14, 8), (7, 16), (16, 7), (5, 20),
    (20, 5),
)  # fmt: skip
"""Heights and widths of training images in cells: what the processor makes of squares, 5:4, 4:3,
16:9, 2:1, 3:1 and 4:1. They have only three areas, so that a compiled step has few shapes.
"""

_GRID_SHARES = (22, 23, 13, 3, 3, 15, 10, 6, 5, 3, 2)
PAIR_SHARE = 0.07
LENGTH = 400
"""Tokens of every training sequence, image tokens included."""

IGNORED = -100
"""Label of the positions that are not trained."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Packed:
    """One sequence: ids, labels and positions (3, length), and how many turns fit."""

    ids: Ints
    labels: Ints
    positions: Ints
    turns: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Sequences of equal length about images of equal size.

    `pixels` (images, height, width, 3) uint8; `ids` and `labels` (rows, length); `positions` (3,
    rows, length); `turns` holds the number of turns in each row.
    """

    pixels: Tensor
    ids: Tensor
    labels: Tensor
    positions: Tensor
    image_index: Tensor
    """Where each image token lies in the flattened rows, (images * cells,)."""
    grid: tuple[int, int]
    turns: tuple[int, ...]

    def pin_memory(self) -> "Batch":
        """The batch in page-locked memory; `DataLoader` calls this."""
        return replace(
            self,
            pixels=self.pixels.pin_memory(),
            ids=self.ids.pin_memory(),
            labels=self.labels.pin_memory(),
            positions=self.positions.pin_memory(),
            image_index=self.image_index.pin_memory(),
        )


class Packer:
    """Writes examples as the chat template does, in tokens."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        vocabulary = tokenizer.get_vocab()
        self.image_token = vocabulary[IMAGE]
        self.user_token = vocabulary[USER]
        self._assistant = vocabulary[ASSISTANT]
        self._pad = vocabulary[PAD]

    def pack(self, example: Example, grid: tuple[int, int]) -> Packed:
        """As many of the example's turns as fit into `LENGTH` tokens, in order.

        The image of a conversation without one stands at the end, where no token looks at it: so
        all rows have as many image tokens.
        """
        texts = [opening(example.system, 0 if example.is_blind else len(example.images))]
        texts += [
            turn_text(t.question, t.answer, first=i == 0) for i, t in enumerate(example.turns)
        ]
        head, *turns = (
            e.ids for e in self._tokenizer.encode_batch(texts, add_special_tokens=False)
        )
        ids: list[int] = []
        for token in head:
            ids += [token] * (grid[0] * grid[1]) if token == self.image_token else [token]
        labels = [IGNORED] * len(ids)
        behind = [self.image_token] * (grid[0] * grid[1] if example.is_blind else 0)
        room = LENGTH - len(behind)
        fitting = 0
        for tokens in turns:
            if len(ids) + len(tokens) > room:
                break
            answer = tokens.index(self._assistant) + 2
            ids += tokens
            labels += [IGNORED] * answer + tokens[answer:]
            fitting += 1
        spare = LENGTH - len(ids)
        padding = [self._pad] * (room - len(ids)) + behind
        row = np.array(ids + padding, np.int64)
        return Packed(
            row,
            np.array(labels + [IGNORED] * spare, np.int64),
            rope_positions(row == self.image_token, grid),
            fitting,
        )


def rope_positions(is_image: npt.NDArray[np.bool_], grid: tuple[int, int]) -> Ints:
    """Time, height and width position of every token, (3, length).

    They are counted as `Glm4vModel.get_rope_index` counts them.
    """
    rows, columns = grid
    cells = rows * columns
    starts = np.flatnonzero(is_image)[::cells]
    step = np.where(is_image, 0, 1)
    step[starts + cells - 1] = max(rows, columns)
    base = np.cumsum(step) - step
    base[is_image] = np.repeat(base[starts], cells)
    positions = np.stack([base, base, base])
    positions[1, is_image] += np.tile(np.repeat(np.arange(rows), columns), len(starts))
    positions[2, is_image] += np.tile(np.arange(columns), rows * len(starts))
    return positions


class Batches(IterableDataset[Batch]):
    """An endless stream of batches of `size` rows.

    Seeds never repeat between workers, processes and resumed runs.
    """

    def __init__(
        self, tokenizer_file: Path, fonts: Path, size: int, first_seed: int, held_out: bool = False
    ) -> None:
        self._tokenizer_file = tokenizer_file
        self._fonts = fonts
        self._size = size
        self._first_seed = first_seed
        self._held_out = held_out

    def __iter__(self) -> Iterator[Batch]:
        torch.set_num_threads(1)
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        worker = get_worker_info()
        index, count = (worker.id, worker.num_workers) if worker else (0, 1)
        packer = Packer(Tokenizer.from_file(str(self._tokenizer_file)))
        look = looks(self._fonts)[int(self._held_out)]
        while True:
            seed = self._first_seed + index * self._size
            rng = random.Random(seed)
            grid = rng.choices(GRIDS, _GRID_SHARES)[0]
            pairs = rng.random() < PAIR_SHARE
            width, height = grid[1] * CELL, grid[0] * CELL
            examples = [
                make_pair(seed + i, look, width, height)
                if pairs
                else make_example(seed + i, look, width, height, self._held_out)
                for i in range(self._size)
            ]
            yield collate(packer, examples, grid)
            index += count


def collate(packer: Packer, examples: list[Example], grid: tuple[int, int]) -> Batch:
    """Examples whose images all have that grid, as one batch."""
    packed = [packer.pack(e, grid) for e in examples]
    pixels = np.stack([np.asarray(image) for e in examples for image in e.images])
    ids = np.stack([p.ids for p in packed])
    return Batch(
        torch.from_numpy(pixels),
        torch.from_numpy(ids),
        torch.from_numpy(np.stack([p.labels for p in packed])),
        torch.from_numpy(np.stack([p.positions for p in packed], axis=1)),
        torch.from_numpy(np.flatnonzero(ids == packer.image_token)),
        grid,
        tuple(p.turns for p in packed),
    )
