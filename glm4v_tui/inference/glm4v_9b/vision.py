"""EVA2-CLIP, the vision tower of GLM-4V-9B, and the adapter behind it.

Sizes for one image of 1120 x 1120 pixels: 80 x 80 patches and a class token through 63 layers of
width 1792; a convolution makes 40 x 40 tokens of the patches; the adapter widens them to the
language model's 4096, and a learned begin and end frame them: 1602 vectors. The source of every
detail (post-norm, epsilons, exact GELU) is the published model's arithmetic, see the tests.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel
from transformers.activations import ACT2FN
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.glm.modeling_glm import eager_attention_forward

from glm4v_tui.inference import kernels
from glm4v_tui.inference.glm4v_9b.configuration import Eva2ClipConfig

_ADAPTER_NORM_EPS = 1e-5
"""torch's default, which the original left as it is; the tower's own norms have 1e-6."""


class PatchEmbedding(nn.Module):
    """Pixels to one vector a patch, with a class token first and positions added."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.proj = nn.Conv2d(
            config.in_channels, config.hidden_size, config.patch_size, config.patch_size
        )
        self.cls_embedding = nn.Parameter(torch.zeros(1, config.hidden_size))
        self.position_embedding = nn.Embedding(config.num_positions, config.hidden_size)
        side = config.image_size // config.patch_size
        self._grid = (side, side)

    def forward(self, pixels: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """(images, 3, height, width) -> (images, 1 + rows * columns, width), (rows, columns)."""
        patches = self.proj(pixels.to(self.proj.weight.dtype))
        grid = (patches.shape[-2], patches.shape[-1])
        tokens = patches.flatten(2).transpose(1, 2)
        first = self.cls_embedding.expand(tokens.shape[0], -1, -1)
        positions = self._positions(grid, tokens.device)
        return torch.cat((first, tokens), dim=1) + positions, grid

    def _positions(self, grid: tuple[int, int], device: torch.device) -> Tensor:
        """The learned table as it is, or resampled to another grid (bicubic, in float32)."""
        # Looked up, not taken: its weights may lie elsewhere and come only when it is called.
        rows, columns = self._grid
        everywhere = torch.arange(1 + rows * columns, device=device)
        table: Tensor = self.position_embedding(everywhere)
        if grid == self._grid:
            return table
        image = table[1:].float().view(1, rows, columns, -1).permute(0, 3, 1, 2)
        image = functional.interpolate(
            image, size=grid, mode="bicubic", align_corners=False, antialias=True
        )
        resampled = image.permute(0, 2, 3, 1).reshape(grid[0] * grid[1], -1)
        return torch.cat((table[:1], resampled.to(table.dtype)))


class Eva2ClipAttention(nn.Module):
    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        self.is_causal = False
        self.num_key_value_groups = 1
        self._heads = config.num_heads
        self._scaling = (config.hidden_size // config.num_heads) ** -0.5
        self.query_key_value = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, hidden: Tensor) -> Tensor:
        """(images, tokens, width) -> the same shape."""
        images, tokens, width = hidden.shape
        fused = self.query_key_value(hidden).view(images, tokens, 3, self._heads, -1)
        query, key, value = fused.permute(2, 0, 3, 1, 4).unbind(0)
        attend = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, eager_attention_forward
        )
        attended, _ = attend(self, query, key, value, None, scaling=self._scaling, dropout=0.0)
        mixed: Tensor = self.dense(attended.reshape(images, tokens, width))
        return mixed


class Eva2ClipMlp(nn.Module):
    works_in_place = True

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.activation_fn = ACT2FN[config.hidden_act]
        self._is_gelu = config.hidden_act == "gelu"
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, hidden: Tensor) -> Tensor:
        widened = self.fc1(hidden)
        if self._is_gelu and not torch.is_grad_enabled():
            torch.ops.aten.gelu_(widened)
        else:
            widened = self.activation_fn(widened)
        narrowed: Tensor = self.fc2(widened)
        return narrowed


class Eva2ClipLayer(nn.Module):
    """A transformer layer whose norms follow its two halves instead of preceding them."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.attention = Eva2ClipAttention(config)
        self.input_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.mlp = Eva2ClipMlp(config)
        self.post_attention_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, hidden: Tensor) -> Tensor:
        hidden = _added(hidden, self.attention(hidden), self.input_layernorm)
        return _added(hidden, self.mlp(hidden), self.post_attention_layernorm)


def _added(residual: Tensor, made: Tensor, norm: Any) -> Tensor:
    """The residual and the norm of what a half has made, (images, tokens, width), in its place."""
    if torch.is_grad_enabled() or getattr(norm, "_hf_hook", None):  # which brings its weights
        changed: Tensor = norm(made)
        return residual + changed
    width = made.shape[-1]
    added = kernels.layer_norm_add_(
        residual.reshape(-1, width), made.reshape(-1, width), norm.weight, norm.bias, norm.eps
    )
    return added.view(made.shape)


class Eva2ClipTower(PreTrainedModel):  # type: ignore[misc]
    config: Eva2ClipConfig
    config_class = Eva2ClipConfig
    main_input_name = "pixels"
    input_modalities = ("image",)
    _no_split_modules: ClassVar[list[str]] = ["PatchEmbedding", "Eva2ClipLayer"]
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True
    _can_compile_fullgraph = True

    def __init__(self, config: Eva2ClipConfig) -> None:
        super().__init__(config)
        self.patch_embedding = PatchEmbedding(config)
        self.layers = nn.ModuleList(Eva2ClipLayer(config) for _ in range(config.num_hidden_layers))
        self.post_init()

    def forward(self, pixels: Tensor) -> Tensor:
        """(images, 3, height, width) -> (images, width, rows, columns), without the class token."""
        hidden, grid = self.patch_embedding(pixels)
        for layer in self.layers:
            hidden = layer(hidden)
        patches: Tensor = hidden[:, 1:].transpose(1, 2)
        return patches.reshape(*patches.shape[:2], *grid)


class GatedAdapter(nn.Module):
    """GLU: the tower's vectors into the language model's space."""

    def __init__(self, inputs: int, hidden: int, intermediate: int) -> None:
        super().__init__()
        self.linear_proj = nn.Linear(inputs, hidden, bias=False)
        self.norm1 = nn.LayerNorm(hidden, eps=_ADAPTER_NORM_EPS)
        self.gate_proj = nn.Linear(hidden, intermediate, bias=False)
        self.dense_h_to_4h = nn.Linear(hidden, intermediate, bias=False)
        self.dense_4h_to_h = nn.Linear(intermediate, hidden, bias=False)

    def forward(self, hidden: Tensor) -> Tensor:
        hidden = functional.gelu(self.norm1(self.linear_proj(hidden)))
        gate, up = self.gate_proj(hidden), self.dense_h_to_4h(hidden)
        if torch.is_grad_enabled():
            gate = functional.silu(gate) * up
        else:
            gate = kernels.gate_(gate.flatten(0, -2), up.flatten(0, -2)).view(gate.shape)
        del up
        narrowed: Tensor = self.dense_4h_to_h(gate)
        return narrowed


class Glm4v9bProjector(nn.Module):
    """Patches to what the language model reads in place of an image's token ids."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        vision, width = config.vision_config, config.hidden_size
        merge = vision.merge_size
        self.conv = nn.Conv2d(vision.hidden_size, width, merge, merge)
        self.linear_proj = GatedAdapter(width, width, config.ffn_hidden_size)
        self.boi = nn.Parameter(torch.zeros(1, 1, width))
        self.eoi = nn.Parameter(torch.zeros(1, 1, width))
        self._scaling_factor = vision.scaling_factor

    def forward(self, patches: Tensor) -> Tensor:
        """(images, width, rows, columns) -> (images, 1 + rows * columns / 4 + 1, hidden)."""
        tokens: Tensor = self.linear_proj(self.conv(patches).flatten(2).transpose(1, 2))
        begin, end = (one.expand(tokens.shape[0], -1, -1) for one in (self.boi, self.eoi))
        return torch.cat((begin, tokens, end), dim=1).div(self._scaling_factor)
