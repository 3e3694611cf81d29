"""The decoder layers of a model, whatever class transformers built them of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from glm4v_tui.inference.quantized.layers import Int8Linear, Nf4Linear

_LINEAR = (nn.Linear, Int8Linear, Nf4Linear)
_ATTENTION = {"q_proj", "k_proj", "v_proj", "o_proj"}
_FEED_FORWARD = {"gate_up_proj", "down_proj", "activation_fn"}
_NORMS = {"input_layernorm", "post_attention_layernorm"}
_NORMS_AFTER = {"post_self_attn_layernorm", "post_mlp_layernorm"}


@dataclass(frozen=True)
class Layer:
    """One decoder layer. Every member is transformers' module, or a quantized one in its place."""

    q: Any
    k: Any
    v: Any
    o: Any
    feed_forward: Any
    """The whole gated part; called for long prompts, which it may take in pieces."""
    gate_up: Any
    down: Any
    norm_before_attention: Any
    norm_after_attention: Any | None
    norm_before_feed_forward: Any
    norm_after_feed_forward: Any | None


@dataclass(frozen=True)
class Stack:
    """A decoder with its embedding and its head."""

    embedding: Any
    layers: tuple[Layer, ...]
    norm: Any
    head: Any
    rotary: Any
    """transformers' module: (hidden states, positions) to cosines and sines."""
    heads: int
    kv_heads: int
    head_dim: int
    scale: float
    """Of the products of queries and keys."""
    hidden: int
    vocabulary: int
    dtype: torch.dtype
    device: torch.device
    axes: int
    """Axes of a position: 3 where images have rows and columns (M-RoPE), 1 elsewhere."""
    repeats_pairs: bool
    """The rotary module gives each angle twice side by side; else once in each half."""

    def angles(self, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Cosines and sines, one for each rotated pair.

        Args:
            positions: (axes, tokens), int64.

        Returns:
            Two tensors of shape (tokens, pairs), in the model's dtype.
        """
        cos, sin = _angles(self.rotary, self.axes, positions, self.dtype)
        some = slice(0, None, 2) if self.repeats_pairs else slice(cos.shape[1] // 2)
        return cos[:, some].contiguous(), sin[:, some].contiguous()


def _angles(
    rotary: Any, axes: int, positions: torch.Tensor, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines as the module gives them, (tokens, rotated dimensions)."""
    like = torch.empty(0, dtype=dtype, device=positions.device)
    # M-RoPE's module takes (axes, batch, tokens), the plain one (batch, tokens).
    cos, sin = rotary(like, positions[:, None, :] if axes > 1 else positions)
    return cos[0], sin[0]


def stack_of(model: Any) -> Stack | None:
    """The model's decoder; None where it is not of the family, or not all on one device."""
    decoder = _decoder(model)
    if decoder is None:
        return None
    layers = tuple(map(_layer, decoder.layers))
    if not layers or None in layers:
        return None
    config, attention = decoder.config, decoder.layers[0].self_attn
    if config.hidden_act != "silu" or not _is_on_one_device(model, decoder):
        return None
    norm = decoder.norm.weight
    axes = 3 if hasattr(decoder.rotary_emb, "mrope_section") else 1
    return Stack(
        embedding=model.get_input_embeddings(),
        layers=layers,  # type: ignore[arg-type]
        norm=decoder.norm,
        head=model.get_output_embeddings(),
        rotary=decoder.rotary_emb,
        heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads,
        head_dim=attention.head_dim,
        scale=attention.scaling,
        hidden=config.hidden_size,
        vocabulary=model.get_output_embeddings().out_features,
        dtype=norm.dtype,
        device=norm.device,
        axes=axes,
        repeats_pairs=_repeats_pairs(decoder.rotary_emb, axes, norm.device),
    )


@torch.inference_mode()
def _repeats_pairs(rotary: Any, axes: int, device: torch.device) -> bool:
    one = torch.ones((axes, 1), dtype=torch.int64, device=device)
    cos, _ = _angles(rotary, axes, one, torch.float32)
    return torch.equal(cos[:, 0::2], cos[:, 1::2])


def _decoder(model: Any) -> Any | None:
    inner = getattr(model, "model", None)
    decoder = getattr(inner, "language_model", inner)
    needed = ("layers", "norm", "rotary_emb", "config")
    has_head = isinstance(model.get_output_embeddings(), _LINEAR)
    if not has_head or not all(hasattr(decoder, name) for name in needed):
        return None
    return decoder


def _layer(module: Any) -> Layer | None:
    """A layer that consists of exactly what is known; anything more would be left out."""
    names = set(dict(module.named_children()))
    has_after = names == {"self_attn", "mlp"} | _NORMS | _NORMS_AFTER
    if not has_after and names != {"self_attn", "mlp"} | _NORMS:
        return None
    attention, mlp = module.self_attn, module.mlp
    if set(dict(attention.named_children())) != _ATTENTION:
        return None
    if not set(dict(mlp.named_children())) <= _FEED_FORWARD:
        return None
    linears = [getattr(attention, name) for name in _ATTENTION] + [mlp.gate_up_proj, mlp.down_proj]
    if not all(isinstance(linear, _LINEAR) for linear in linears):
        return None
    return Layer(
        *(attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj),
        *(mlp, mlp.gate_up_proj, mlp.down_proj),
        module.input_layernorm,
        module.post_self_attn_layernorm if has_after else None,
        module.post_attention_layernorm,
        module.post_mlp_layernorm if has_after else None,
    )


def _is_on_one_device(model: Any, decoder: Any) -> bool:
    """Whether all that a step needs stays where it is: layers that are streamed have hooks."""
    devices = {tensor.device for tensor in (*decoder.parameters(), *decoder.buffers())}
    devices |= {tensor.device for tensor in model.get_output_embeddings().parameters()}
    hooks = any(
        module._forward_pre_hooks or getattr(module, "_hf_hook", None)
        for layer in decoder.layers
        for module in layer.modules()
    )
    return len(devices) == 1 and "meta" not in str(devices) and not hooks


def weight_bytes(stack: Stack) -> int:
    """Of the layers and the head, as they are kept."""
    owners = [stack.head, stack.norm]
    for layer in stack.layers:
        owners += [part for part in vars(layer).values() if part is not None]
    tensors = {
        tensor.data_ptr(): tensor.nbytes
        for owner in owners
        for tensor in (*owner.parameters(), *owner.buffers())
    }
    return sum(tensors.values())


def rotated(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Neighbors as pairs, turned by their angles; what has no angle is passed on.

    Args:
        x: (..., tokens, head_dim).
        cos, sin: (tokens, pairs), broadcast over what is before.
    """
    width = 2 * cos.shape[-1]
    turned, passed = x[..., :width], x[..., width:]
    even, odd = turned[..., 0::2], turned[..., 1::2]
    both = torch.stack((even * cos - odd * sin, odd * cos + even * sin), dim=-1)
    return torch.cat((both.flatten(-2), passed), dim=-1)
