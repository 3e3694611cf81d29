"""An image through GLM's vision tower with a sixth of the launches, on transformers' modules.

The modules stay, with their hooks and their weights wherever those are; what each of them does with
its parts is done here: norms, rotary embedding and gate in a kernel each, queries, keys and values
where the product has written them, and nothing that waits for the GPU.
"""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.functional import linear
from transformers.modeling_outputs import BaseModelOutputWithPooling

from glm4v_tui.inference import kernels
from glm4v_tui.inference.language.tower_block import Lengths, may, normed, through_block
from glm4v_tui.inference.language.tower_positions import add_positions
from glm4v_tui.inference.language.tower_rotary import use_lean_rotary

if TYPE_CHECKING:
    from collections.abc import Callable

    Forward = Callable[..., Any]

_TOWERS = ("Glm4vVisionModel", "Glm4vMoeVisionModel")
_PARTS = {
    "": {"embeddings", "patch_embed", "rotary_pos_emb", "blocks", "merger", "post_conv_layernorm",
         "downsample", "post_layernorm"},
    "blocks.0": {"norm1", "norm2", "attn", "mlp"},
    "blocks.0.attn": {"qkv", "proj"},
    "blocks.0.mlp": {"gate_proj", "up_proj", "down_proj", "act_fn"},
    "merger": {"proj", "post_projection_norm", "gate_proj", "up_proj", "down_proj", "act1",
               "act_fn"},
    "embeddings": {"position_embedding"},
    "patch_embed": {"proj"},
    "rotary_pos_emb": set(),
}  # fmt: skip
"""What the modules consist of whose arithmetic is known here."""


def use_lean_tower(visual: Any) -> bool:
    """Let this tower compute as described above, where it is one that is known.

    Others of GLM's kind turn queries and keys in place.

    Returns:
        Whether it does; then it takes the images' grids from the CPU as well.
    """
    if getattr(visual.forward, "func", None) is _see:
        return True
    if not is_known(visual):
        use_lean_rotary(visual)
        return False
    visual.forward = partial(_see, visual, visual.forward)
    lengths = Lengths()
    for block in visual.blocks:
        block.forward = partial(through_block, block, block.forward, lengths)
    return True


def is_known(visual: Any) -> bool:
    """Whether it is GLM-4.1V's tower, of parts that compute as they are known here to do."""
    if type(visual).__name__ not in _TOWERS:
        return False
    for name, parts in _PARTS.items():
        if set(dict(visual.get_submodule(name).named_children())) != parts:
            return False
    inputs = list(inspect.signature(type(visual.rotary_pos_emb).forward).parameters)
    return (
        inputs == ["self", "x", "position_ids"]
        and all(_is_silu(part.act_fn) for part in (visual.blocks[0].mlp, visual.merger))
        and visual.embeddings.interpolated_method == "bicubic"
        and _tiles(visual.patch_embed.proj)
        and _tiles(visual.downsample)
        and not any(map(_has_hook, set(visual.modules()) - {visual, *visual.blocks}))
    )


def _is_silu(function: Any) -> bool:
    return type(function).__name__ in ("SiLU", "SiLUActivation")


def _tiles(convolution: Any) -> bool:
    """Whether its windows lie side by side: then it is a product."""
    plain = type(convolution) in (nn.Conv2d, nn.Conv3d) and convolution.groups == 1
    return plain and convolution.kernel_size == convolution.stride and not any(convolution.padding)


def _has_hook(module: Any) -> bool:
    """Whether something is done where it is called; here its weights are taken."""
    return bool(
        module._forward_pre_hooks or module._forward_hooks or getattr(module, "_hf_hook", None)
    )


# The tower --------------------------------------------------------------------------------------


def _see(
    visual: Any, forward: Forward, hidden_states: torch.Tensor, grid_thw: torch.Tensor, **more: Any
) -> Any:
    """As the tower's own: (patches, pixels of a patch) and the images' frames, rows and columns.

    Args:
        grid_thw: (images, 3), on any device; on the CPU nothing waits for the GPU.
    """
    grids: list[list[int]] = grid_thw.tolist()
    is_usual = not set(more) - {"return_dict"} and more.get("return_dict", True)
    if not (is_usual and all(frames == 1 for frames, _, _ in grids) and may(visual)):
        return forward(hidden_states, grid_thw.to(hidden_states.device), **more)
    with torch.cuda.device_of(hidden_states):  # type: ignore[no-untyped-call] # where kernels start
        return _through_tower(
            visual, hidden_states, [(rows, columns) for _, rows, columns in grids]
        )


def _through_tower(
    visual: Any, patches: torch.Tensor, sizes: list[tuple[int, int]]
) -> BaseModelOutputWithPooling:
    merge = visual.spatial_merge_size
    places = torch.cat([_places(size, merge) for size in sizes]).to(patches.device)
    hidden = _product(visual.patch_embed.proj, patches)
    hidden = normed(visual.post_conv_layernorm, hidden)
    angles = visual.rotary_pos_emb(hidden, places)
    ends = _add_all_positions(hidden, visual.embeddings.position_embedding.weight, sizes, merge)
    for block in visual.blocks:
        hidden = block(hidden, cu_seqlens=ends, position_embeddings=angles)
    hidden = normed(visual.post_layernorm, hidden)
    hidden = _product(visual.downsample, _windows(hidden, merge))
    return BaseModelOutputWithPooling(
        last_hidden_state=hidden, pooler_output=_merged(visual.merger, hidden)
    )


def _places(size: tuple[int, int], merge: int) -> torch.Tensor:
    """Row and column of each patch, those that are merged one after the other; int64."""
    rows, columns = size
    index = torch.arange(rows * columns)
    index = index.view(rows // merge, merge, columns // merge, merge).transpose(1, 2).flatten()
    return torch.stack((index // columns, index % columns), dim=-1)


def _add_all_positions(
    hidden: torch.Tensor, table: torch.Tensor, sizes: list[tuple[int, int]], merge: int
) -> torch.Tensor:
    """To the patches of all images, in place; where the images end, after a zero."""
    ends = [0]
    for size in sizes:
        start, (rows, columns) = ends[-1], size
        ends.append(start + rows * columns)
        own = hidden[start : ends[-1]]
        add_positions(own.view(rows // merge, columns // merge, merge, merge, -1), table, size)
    return torch.tensor(ends, dtype=torch.int32)


def _windows(hidden: torch.Tensor, side: int) -> torch.Tensor:
    """Patches that are merged, as a convolution takes them: (windows, width, side, side)."""
    return hidden.view(-1, side, side, hidden.shape[-1]).permute(0, 3, 1, 2)


def _product(convolution: Any, windows: torch.Tensor) -> torch.Tensor:
    """A convolution whose windows lie side by side: (windows, all numbers of one) to (windows,
    channels)."""
    weight: torch.Tensor = convolution.weight.flatten(1)
    return linear(windows.reshape(len(windows), -1).to(weight.dtype), weight, convolution.bias)


def _merged(merger: Any, hidden: torch.Tensor) -> torch.Tensor:
    hidden = merger.act1(merger.post_projection_norm(merger.proj(hidden)))
    gated = kernels.gate_(merger.gate_proj(hidden), merger.up_proj(hidden))
    merged: torch.Tensor = merger.down_proj(gated)
    return merged
