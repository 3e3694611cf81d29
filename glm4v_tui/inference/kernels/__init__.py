"""The kernels of a decode step: one token, or one for each of up to sixteen rows.

Each is a Triton kernel where :func:`has_triton` says so, and else plain torch of the same meaning.
All of them can be captured in a CUDA graph once they have been called with the same shapes: they
read back nothing, and what changes from step to step (``length``) is read on the device. dtypes are
bfloat16 or float16 throughout; inside, sums are float32. Tensors are contiguous. Weights must not
be written by the kernel just before the product that reads them, see ``early``.

- ``has_triton(device) -> bool``
- ``linear(x, weight, bias=None, out=None) -> out``: (n, columns) to (n, rows). ``weight`` is a
  tensor (rows, columns), ``Int8(weight, scale)`` or ``Nf4(weight, scales, scales_scale,
  scales_mean)``.
- ``linear_swiglu(x, weight, out=None) -> out``: ``weight`` has the gate's rows, then as many of
  up; ``silu(gate) * up``, (n, rows / 2).
- ``rms_norm(x, weight, eps, out=None) -> out``: (n, hidden).
- ``add_rms_norm(residual, y, post_weight, weight, eps, added=None, out=None) -> (added, out)``:
  ``added = residual + y`` (``+ rms_norm(y, post_weight)`` unless that is None), ``out =
  rms_norm(added, weight)``.
- ``rotary_and_cache(qkv, cos, sin, k_cache, v_cache, length, out=None) -> q``: ``qkv`` is (n,
  (heads + 2 * kv_heads) * head_dim), q's heads first; ``cos`` and ``sin`` are (n, rotary_dim),
  every value twice, as transformers computes them; the caches are (n, kv_heads, capacity,
  head_dim); ``length`` is int32 (n,), the tokens in each row's cache before this one. Turns
  neighbouring pairs of the first rotary_dim dimensions, writes k and v at ``length`` (nothing
  where that is not within the capacity) and gives q, (n, heads, head_dim).
- ``decode_attention(q, k_cache, v_cache, length, scale, out=None) -> out``: the same ``length``:
  a row sees the tokens 0 to ``length``, itself included. (n, heads, head_dim). The time follows
  ``length``, not the capacity.

And for the many tokens of an image or a prompt:

- ``add_linear_(total, x, weight)``: adds ``linear(x, weight)``, unrounded, to ``total``.
- ``layer_norm_add_(residual, y, weight, bias, eps) -> y``: ``residual + layer_norm(y)`` in place.
- ``turn_(qkv, cos, sin)``: ``qkv`` is (n, 3, heads, head_dim), contiguous; ``cos`` and ``sin`` are
  (n, head_dim). Queries and keys become ``x * cos + rotated halves * sin``.
- ``gate_(gate, up) -> gate``: ``silu(gate) * up``, in place of the gate's; rows of (n, columns)
  may be apart.
"""

from __future__ import annotations

import torch

from glm4v_tui.inference.kernels import plain
from glm4v_tui.inference.kernels.availability import has_triton, is_usable
from glm4v_tui.inference.kernels.formats import Int8, Weight, rows_of
from glm4v_tui.inference.quantized.kernels import Nf4

__all__ = [
    "Int8",
    "Nf4",
    "Weight",
    "add_linear_",
    "add_rms_norm",
    "decode_attention",
    "gate_",
    "has_triton",
    "is_usable",
    "layer_norm_add_",
    "linear",
    "linear_swiglu",
    "rms_norm",
    "rotary_and_cache",
    "rows_of",
    "takes",
    "turn_",
]


def linear(
    x: torch.Tensor,
    weight: Weight,
    bias: torch.Tensor | None = None,
    out: torch.Tensor | None = None,
) -> torch.Tensor:
    """``x @ weight.T + bias``, (n, columns) to (n, rows); any n, but made for up to 16.

    The inputs stay in 16 bits; they are not rounded to 8 as LLM.int8 does.
    """
    if is_usable(x):
        from glm4v_tui.inference.kernels.products import fits, multiply

        if fits(x, weight):
            result = _room(out, x, rows_of(weight, x.shape[1]))
            multiply(x, weight, bias, result)
            return result
        if not isinstance(weight, torch.Tensor) and takes(x, weight):
            from glm4v_tui.inference.kernels.unpack import multiply_in_pieces

            return _into(out, multiply_in_pieces(x, weight, bias))
    return _into(out, plain.linear(x, weight, bias))


def add_linear_(total: torch.Tensor, x: torch.Tensor, weight: Weight) -> None:
    """``total += x @ weight.T``: (n, columns) onto (n, rows), rounded once for more than a few."""
    if is_usable(x) and takes(x, weight):
        from glm4v_tui.inference.kernels.products import fits
        from glm4v_tui.inference.kernels.unpack import multiply_in_pieces

        if not fits(x, weight):
            if isinstance(weight, torch.Tensor):
                torch.addmm(total, x, weight.t(), out=total)
            else:
                multiply_in_pieces(x, weight, None, total)
            return
    total.add_(linear(x, weight))


def takes(x: torch.Tensor, weight: Weight) -> bool:
    """Whether :func:`linear` has a kernel for this product, (n, columns) by (rows, columns)."""
    return is_usable(x) and (x.shape[1] % 64 == 0 or not isinstance(weight, Nf4))


def linear_swiglu(x: torch.Tensor, weight: Weight, out: torch.Tensor | None = None) -> torch.Tensor:
    """``silu(gate) * up`` with the gate's rows before those of up; (n, columns) to (n, rows / 2).

    Rounded to the dtype where the unfused model rounds.
    """
    if is_usable(x):
        from glm4v_tui.inference.kernels.products import fits, multiply

        if fits(x, weight):
            result = _room(out, x, rows_of(weight, x.shape[1]) // 2)
            multiply(x, weight, None, result, swiglu=True)
            return result
    # In place: of long prompts this is the most.
    return _into(out, gate_(*linear(x, weight).chunk(2, dim=-1)))


def layer_norm_add_(
    residual: torch.Tensor,
    y: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    eps: float,
) -> torch.Tensor:
    """The residual and y's norm, both (n, hidden), in place of y; rounded between the two."""
    if is_usable(y):
        from glm4v_tui.inference.kernels import norm

        norm.layer_norm_add(residual, y, weight, bias, eps)
        return y
    return plain.layer_norm_add_(residual, y, weight, bias, eps)


def gate_(gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    """``silu(gate) * up`` of two (n, columns) in place of the gate's, rounded as above."""
    if is_usable(gate):
        from glm4v_tui.inference.kernels import in_place

        in_place.gate(gate, up)
        return gate
    return plain.gate_(gate, up)


def turn_(qkv: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> None:
    """Turn an image's queries and keys, each with halves of heads as pairs, in float32.

    Args:
        qkv: (n, 3, heads, head_dim), contiguous; the values stay.
        cos, sin: (n, head_dim), contiguous.
    """
    if is_usable(qkv):
        from glm4v_tui.inference.kernels import in_place

        in_place.turn(qkv, cos, sin)
    else:
        plain.turn_(qkv, cos, sin)


def rms_norm(
    x: torch.Tensor, weight: torch.Tensor, eps: float, out: torch.Tensor | None = None
) -> torch.Tensor:
    """RMSNorm of (n, hidden), rounded as transformers' Glm4vRMSNorm."""
    if is_usable(x):
        from glm4v_tui.inference.kernels import norm

        result = _room(out, x, x.shape[1])
        norm.rms_norm(x, weight, eps, result)
        return result
    return _into(out, plain.rms_norm(x, weight, eps))


def add_rms_norm(
    residual: torch.Tensor,
    y: torch.Tensor,
    post_weight: torch.Tensor | None,
    weight: torch.Tensor,
    eps: float,
    added: torch.Tensor | None = None,
    out: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The residual with y (normed by ``post_weight``, unless None), and the next layer's norm.

    ``added`` may be ``residual`` or ``y`` itself.
    """
    if is_usable(y):
        from glm4v_tui.inference.kernels import norm

        results = _room(added, y, y.shape[1]), _room(out, y, y.shape[1])
        norm.add_rms_norm(residual, y, post_weight, weight, eps, *results)
        return results
    first, second = plain.add_rms_norm(residual, y, post_weight, weight, eps, added)
    return first, _into(out, second)


def rotary_and_cache(
    qkv: torch.Tensor,
    cos: torch.Tensor,
    sin: torch.Tensor,
    k_cache: torch.Tensor,
    v_cache: torch.Tensor,
    length: torch.Tensor,
    out: torch.Tensor | None = None,
) -> torch.Tensor:
    """Turn q and k by position, write k and v into the caches at ``length``; q."""
    if is_usable(qkv):
        from glm4v_tui.inference.kernels import attention

        batch, kv_heads, _, dim = k_cache.shape
        heads = qkv.shape[1] // dim - 2 * kv_heads
        result = qkv.new_empty(batch, heads, dim) if out is None else out
        attention.rotary_and_cache(qkv, cos, sin, k_cache, v_cache, length, result)
        return result
    return _into(out, plain.rotary_and_cache(qkv, cos, sin, k_cache, v_cache, length))


def decode_attention(
    q: torch.Tensor,
    k_cache: torch.Tensor,
    v_cache: torch.Tensor,
    length: torch.Tensor,
    scale: float,
    out: torch.Tensor | None = None,
) -> torch.Tensor:
    """Attention of one token a row over its own ``length + 1`` keys; (n, heads, head_dim)."""
    if is_usable(q):
        from glm4v_tui.inference.kernels import attention

        result = torch.empty_like(q) if out is None else out
        attention.decode_attention(q, k_cache, v_cache, length, scale, result)
        return result
    return _into(out, plain.decode_attention(q, k_cache, v_cache, length, scale))


def _room(out: torch.Tensor | None, like: torch.Tensor, columns: int) -> torch.Tensor:
    return like.new_empty(len(like), columns) if out is None else out


def _into(out: torch.Tensor | None, result: torch.Tensor) -> torch.Tensor:
    return result if out is None else out.copy_(result)
