"""A decoder's weights as the kernels take them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glm4v_tui.inference import kernels
from glm4v_tui.inference.language.products import Product

if TYPE_CHECKING:
    import torch

    from glm4v_tui.inference.language.stack import Layer, Stack


@dataclass(frozen=True)
class KernelLayer:
    """A layer's matrices and the weights of its norms, in the order in which they are used."""

    before_attention: torch.Tensor
    qkv: Product
    o: Product
    after_attention: torch.Tensor | None
    before_feed_forward: torch.Tensor
    gate_up: Product
    down: Product
    after_feed_forward: torch.Tensor | None
    following: torch.Tensor
    """The norm before the next layer's attention, or before the head."""


class KernelWeights:
    """Of a model in bfloat16 or float16. Keys and values become views of one matrix."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        norms = [layer.norm_before_attention for layer in stack.layers[1:]] + [stack.norm]
        self.layers = tuple(map(_layer, stack.layers, norms))
        self.head = Product(stack.head)
        self.eps: float = stack.norm.variance_epsilon

    def try_out(self) -> None:
        """Let kernels of which a trial decides whether they are used be tried now."""
        if any(isinstance(weight, kernels.Nf4) for weight in self.layers[0].gate_up.weights):
            from glm4v_tui.inference.kernels.few import takes_few

            takes_few(self.layers[0].before_attention)


def _layer(layer: Layer, following: Any) -> KernelLayer:
    return KernelLayer(
        layer.norm_before_attention.weight,
        Product(layer.q, layer.k, layer.v),
        Product(layer.o),
        _weight(layer.norm_after_attention),
        layer.norm_before_feed_forward.weight,
        Product(layer.gate_up),
        Product(layer.down),
        _weight(layer.norm_after_feed_forward),
        following.weight,
    )


def _weight(norm: Any | None) -> torch.Tensor | None:
    return None if norm is None else norm.weight
