"""Weights on their way from files to a GPU, without a copy of them in host memory."""

from __future__ import annotations

import torch

_PIECE = 64 << 20
"""Bytes that are on their way at once; two such buffers take turns."""
_SMALL = 1 << 20
"""Bytes up to which the driver's own way is taken."""


def gpu_device(index: int) -> torch.device:
    return torch.device("cuda", index)


class Conveyor:
    """Carries tensors of mapped files to GPUs through two pinned buffers.

    All cores fetch the pages of one piece while the GPU takes the piece before. Copying from mapped
    memory directly would use one core, and the driver's own small buffers.
    """

    def __init__(self) -> None:
        self._buffers: list[torch.Tensor] = []
        self._taken: list[torch.cuda.Event] = []
        self._turn = 0

    def send(self, tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
        """The tensor on ``device``; itself where it is there already."""
        if tensor.device == device:
            return tensor
        if device.type != "cuda" or tensor.device.type != "cpu" or tensor.nbytes < _SMALL:
            return tensor.to(device)
        arrived = torch.empty(tensor.shape, dtype=tensor.dtype, device=device)
        source = tensor.contiguous().view(-1).view(torch.uint8)
        target = arrived.view(-1).view(torch.uint8)
        with torch.cuda.device(device):
            for start in range(0, source.numel(), _PIECE):
                self._send_piece(source[start : start + _PIECE], target[start : start + _PIECE])
        return arrived

    def _send_piece(self, source: torch.Tensor, target: torch.Tensor) -> None:
        if not self._buffers:
            self._buffers = [
                torch.empty(_PIECE, dtype=torch.uint8, pin_memory=True) for _ in range(2)
            ]
            self._taken = [_event() for _ in range(2)]
        turn, self._turn = self._turn, 1 - self._turn
        self._taken[turn].synchronize()
        self._taken[turn] = _event()  # one is of the GPU that it was recorded on first
        piece = self._buffers[turn][: source.numel()]
        piece.copy_(source)
        target.copy_(piece, non_blocking=True)
        self._taken[turn].record()

    def close(self) -> None:
        """Wait for what is on its way and give the buffers back."""
        for event in self._taken:
            event.synchronize()
        self._buffers, self._taken = [], []


def _event() -> torch.cuda.Event:
    return torch.cuda.Event()  # type: ignore[no-untyped-call]
