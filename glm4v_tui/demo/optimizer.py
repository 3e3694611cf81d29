"""Muon for the weight matrices, AdamW for everything else.

Muon (Jordan et al., 2024, https://kellerjordan.github.io/posts/muon/) replaces a matrix's momentum
by the nearest orthogonal matrix, found by five Newton-Schulz steps. Matrices of one shape are
worked on together.
"""

import math
from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor, nn

_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
_MUON_LR = 2.5e-3
_ADAMW_LR = 1e-3


class Muon(torch.optim.Optimizer):
    """Orthogonalised Nesterov momentum.

    A fifth of `lr` is the root mean square of an update's entries, as it is with AdamW.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # noqa: ARG002
        """Update every matrix that has a gradient."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for p in group["params"]:
                if p.grad is not None:
                    by_shape[p.shape].append(p)
            for shape, same in by_shape.items():
                updates = orthogonal(self._momenta(same, group["momentum"]))
                scale = -0.2 * group["lr"] * math.sqrt(max(shape))
                torch._foreach_mul_(same, 1 - group["lr"] * group["weight_decay"])
                torch._foreach_add_(same, list(updates.to(same[0].dtype).unbind(0)), alpha=scale)

    def _momenta(self, params: list[Tensor], momentum: float) -> Tensor:
        """Nesterov momenta of the parameters, stacked: (count, rows, columns)."""
        grads = [p.grad for p in params if p.grad is not None]
        buffers = [self.state[p].setdefault("momentum", torch.zeros_like(p)) for p in params]
        torch._foreach_lerp_(buffers, grads, 1 - momentum)
        return torch.stack(torch._foreach_lerp(grads, buffers, momentum))


def orthogonal(matrices: Tensor) -> Tensor:
    """The stack (count, rows, columns) with all singular values near one, in bfloat16."""
    a, b, c = _NEWTON_SCHULZ
    x: Tensor = matrices.to(torch.bfloat16)
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


def optimizers(model: nn.Module) -> list[torch.optim.Optimizer]:
    """Muon for the blocks' matrices and AdamW for embeddings, convolutions, norms and biases."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, p in model.named_parameters():
        is_matrix = p.ndim == 2 and "embed" not in name and "lm_head" not in name
        (matrices if is_matrix else others).append(p)
    fused = others[0].is_cuda
    return [
        Muon(matrices, lr=_MUON_LR, weight_decay=0.1),
        torch.optim.AdamW(others, lr=_ADAMW_LR, betas=(0.9, 0.98), weight_decay=0.0, fused=fused),
    ]
