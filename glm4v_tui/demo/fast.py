"""The model's forward pass for a batch of images of one size.

transformers' glm4v attends image by image and computes positions in a loop. When all images of a
batch have one size both can be done once for the batch, which makes training several times faster.
The numbers are the same (a test compares them).
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import Glm4vForConditionalGeneration
from transformers.models.glm4v.modeling_glm4v import apply_rotary_pos_emb_vision

from glm4v_tui.demo.tokenizer import MERGE_SIZE, PATCH_SIZE

_ROPE_THETA = 10000.0


def patches(pixels: Tensor) -> Tensor:
    """The image processor's patches of equal images, (count, patches, 3 * 14 * 14).

    `pixels` (count, height, width, 3) are in 0..1. The processor repeats a still image to fill two
    frames; one frame is enough here, see `_embedded`.
    """
    count, height, width, _ = pixels.shape
    rows, columns = height // PATCH_SIZE, width // PATCH_SIZE
    m, p = MERGE_SIZE, PATCH_SIZE
    x = (pixels - 0.5) / 0.5
    x = x.reshape(count, rows // m, m, p, columns // m, m, p, 3).permute(0, 1, 4, 2, 5, 7, 3, 6)
    return x.reshape(count, rows * columns, -1)


class FastModel(nn.Module):
    """Runs a glm4v model's own weights on batches of equal images.

    Only one block of each half is compiled: all blocks of a half share the compiled code.
    """

    def __init__(self, model: Glm4vForConditionalGeneration, compiled: bool) -> None:
        super().__init__()
        self.model: Any = model
        self.compiled = compiled
        self._block = torch.compile(_block, dynamic=False) if compiled else _block
        self._layer = torch.compile(_layer, dynamic=False) if compiled else _layer
        self._coordinates: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def forward(
        self,
        pixels: Tensor,
        ids: Tensor,
        positions: Tensor,
        image_index: Tensor,
        grid: tuple[int, int],
    ) -> Tensor:
        """Logits (rows, length, vocabulary).

        `pixels` (images, height, width, 3) in 0..1 holds a whole number of images a row; they pass
        the vision tower `rows` at a time, so that its compiled form sees one size. `image_index`
        says where each image token lies in the flattened rows.
        """
        embedded, rotary = self._grid(grid)
        pieces = torch.split(patches(pixels), ids.shape[0])
        features = torch.cat([self._vision(piece, embedded, *rotary) for piece in pieces])
        embeds: Tensor = self.model.model.language_model.embed_tokens(ids)
        images = features.flatten(0, 1).to(embeds.dtype)
        filled = embeds.flatten(0, 1).index_copy(0, image_index, images)
        return self._language(filled.view_as(embeds), positions)

    def _grid(self, grid: tuple[int, int]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """What depends on the image size only.

        The position embeddings (patches, width), and the rotary cosine and sine (patches, head).
        """
        visual = self.model.model.visual
        y, x = self._coordinates_of(grid)
        count = len(y)
        nothing = torch.zeros(count, visual.config.hidden_size, device=y.device)
        shape = torch.tensor([[1, grid[0] * MERGE_SIZE, grid[1] * MERGE_SIZE]], device=y.device)
        embedded = visual.embeddings(nothing, [count], shape, y, x)
        half = visual.config.hidden_size // visual.config.num_heads // 2
        frequency = 1.0 / _ROPE_THETA ** (torch.arange(0, half, 2, device=y.device) / half)
        angles = torch.cat([y[:, None] * frequency, x[:, None] * frequency], dim=-1).repeat(1, 2)
        return embedded, (angles.cos(), angles.sin())

    def _coordinates_of(self, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Row and column of every patch in the order of the patches, each (patches,)."""
        if grid not in self._coordinates:
            device = self.model.device
            rows, columns = (torch.arange(n * MERGE_SIZE, device=device) for n in grid)
            y, x = torch.meshgrid(rows, columns, indexing="ij")
            self._coordinates[grid] = _merged(y), _merged(x)
        return self._coordinates[grid]

    def _vision(self, patch: Tensor, embedded: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Features (images, cells, width) of patches (images, patches, values)."""
        visual = self.model.model.visual
        count, length, _ = patch.shape
        hidden = visual.post_conv_layernorm(_embedded(visual.patch_embed.proj, patch)) + embedded
        for block in visual.blocks:
            hidden = self._block(block, hidden, cos, sin)
        hidden = visual.post_layernorm(hidden)
        cells = hidden.view(count, length // MERGE_SIZE**2, MERGE_SIZE**2, -1).transpose(2, 3)
        conv = visual.downsample
        merged: Tensor = visual.merger(
            functional.linear(cells.flatten(2), conv.weight.flatten(1), conv.bias)
        )
        return merged

    def _language(self, embeds: Tensor, positions: Tensor) -> Tensor:
        """Logits of embeddings (rows, length, width) at positions (3, rows, length)."""
        language = self.model.model.language_model
        rotary = language.rotary_emb(embeds, positions)
        hidden = embeds
        for layer in language.layers:
            hidden = self._layer(layer, hidden, *rotary)
        logits: Tensor = self.model.lm_head(language.norm(hidden))
        return logits


def _merged(grid: Tensor) -> Tensor:
    """A (rows, columns) grid flattened as patches are: cell by cell, then inside the cell."""
    rows, columns = grid.shape
    m = MERGE_SIZE
    return grid.reshape(rows // m, m, columns // m, m).permute(0, 2, 1, 3).flatten()


def _embedded(conv: nn.Conv3d, patch: Tensor) -> Tensor:
    """The patch convolution of an image whose two frames are equal: their weights add up."""
    return functional.linear(patch, conv.weight.sum(2).flatten(1), conv.bias)


def _block(block: Any, hidden: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """`Glm4vVisionBlock` over (images, patches, width)."""
    hidden = hidden + _attend(block.attn, block.norm1(hidden), cos, sin)
    mixed: Tensor = hidden + block.mlp(block.norm2(hidden))
    return mixed


def _layer(layer: Any, hidden: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """`Glm4vTextDecoderLayer` over (rows, length, width), causal."""
    out = layer(hidden, position_embeddings=(cos, sin), attention_mask=None)
    mixed: Tensor = out[0] if isinstance(out, tuple) else out
    return mixed


def _attend(attention: Any, hidden: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """`Glm4vVisionAttention` over (images, patches, width), every image by itself."""
    count, length, width = hidden.shape
    qkv: Tensor = attention.qkv(hidden).view(count, length, 3, attention.num_heads, -1)
    query, key, value = qkv.unbind(2)
    query, key = apply_rotary_pos_emb_vision(query, key, cos, sin)
    mixed = functional.scaled_dot_product_attention(
        query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)
    )
    projected: Tensor = attention.proj(mixed.transpose(1, 2).reshape(count, length, width))
    return projected
