"""A model's layers exchanged for those that its precision asks for, before any weight is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from glm4v_tui.inference.quantized.kernels import require_kernels
from glm4v_tui.inference.quantized.layers import Int8Embedding, Int8Linear, Nf4Linear
from glm4v_tui.inference.quantized.parts import Parts
from glm4v_tui.precision import PLAIN, Format, Part, format_of, is_quantized

if TYPE_CHECKING:
    from glm4v_tui.inference.quantized.layers import QuantizedLayer
    from glm4v_tui.precision import Rule


def exchange_layers(model: Any, rules: tuple[Rule, ...], *, packed: bool) -> None:
    """Put quantized layers where the rules want them, in a model on the meta device.

    A head that shares its matrix with the embedding stays as it is, and so does that embedding:
    see :func:`split_tied_head`.

    Args:
        packed: The weights to come are quantized already.
    """
    if is_quantized(rules):
        require_kernels()
    parts = Parts(model)
    tied = is_tied(model)
    for name, module in list(model.named_modules()):
        if tied and parts.of(name) in (Part.HEAD, Part.EMBEDDING):
            continue
        layer = _quantized(module, format_of(rules, parts.of(name), name))
        if layer is not None:
            if packed:
                layer.expect_packed()
            model.set_submodule(name, layer)


def split_tied_head(model: Any, rules: tuple[Rule, ...], device: torch.device) -> None:
    """Quantize the head of a model whose head and embedding are one matrix, if a rule says so.

    After loading: the embedding keeps the matrix, the head becomes a copy in fewer bits.
    """
    parts = Parts(model)
    head = model.get_output_embeddings()
    if not is_tied(model) or parts.head is None:
        return
    layer = _quantized(head, format_of(rules, Part.HEAD, parts.head))
    if layer is not None:
        layer.take(layer.pack(head.weight.detach().to(device)))
        layer.train(mode=False)
        model.set_submodule(parts.head, layer)
        model.all_tied_weights_keys = {}


def is_tied(model: Any) -> bool:
    return bool(getattr(model, "all_tied_weights_keys", None))


def _quantized(module: nn.Module, rule: Rule | None) -> QuantizedLayer | None:
    if rule is None or rule.format in PLAIN:
        return None
    if type(module) is nn.Linear:
        kind = Int8Linear if rule.format is Format.INT8 else Nf4Linear
        return kind(module, rule.outliers)
    if type(module) is nn.Embedding and rule.part == Part.EMBEDDING:
        return Int8Embedding(module) if rule.format is Format.INT8 else None
    return None
