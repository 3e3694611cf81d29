"""Modules whose weights live in host memory or on disk and visit the GPU while they are used."""

from __future__ import annotations

import contextlib
import tempfile
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import nn

_ALIGNED = 256
"""Bytes; what CUDA kernels may assume of the address of a tensor."""


class Slab:
    """All tensors of a module in one piece of host memory.

    While they are not on the GPU the module holds tensors of their shapes without memory, on the
    GPU: libraries ask a model's first weight where the model is.
    """

    def __init__(self, module: nn.Module, device: torch.device, spool: Path | None = None) -> None:
        """Take the module's tensors over.

        Args:
            device: Where they are used.
            spool: A folder of the disk to keep them in; None for host memory.
        """
        self._entries: list[tuple[nn.Module, str, int, torch.Tensor]] = []
        end = 0
        for owner in module.modules():
            for name, tensor in (*owner._parameters.items(), *owner._buffers.items()):
                if tensor is not None:
                    self._entries.append((owner, name, end, tensor))
                    end += -(-tensor.nbytes // _ALIGNED) * _ALIGNED
        self.nbytes = end
        # Made before anything is taken: there may be no memory even for this.
        self._nothing = {
            tensor.dtype: torch.empty((), dtype=tensor.dtype, device=device)
            for _, _, _, tensor in self._entries
        }
        self._memory = _memory(end, spool)
        for _, _, start, tensor in self._entries:
            self._memory[start : start + tensor.nbytes] = (
                tensor.detach().contiguous().view(-1).view(torch.uint8).cpu()
            )
        self._entries = [
            (owner, name, start, torch.empty_like(tensor, device="meta"))
            for owner, name, start, tensor in self._entries
        ]
        self.pinned = spool is None and _pin(self._memory)
        self.leave()

    def copy_to(self, buffer: torch.Tensor) -> None:
        """Fill a uint8 buffer of at least ``nbytes``, behind what the current stream does."""
        buffer[: self.nbytes].copy_(self._memory[: self.nbytes], non_blocking=self.pinned)

    def enter(self, buffer: torch.Tensor) -> None:
        """Let the module use what :meth:`copy_to` filled."""
        for owner, name, start, like in self._entries:
            piece = buffer[start : start + like.nbytes]
            _set(owner, name, piece.view(like.dtype).view(like.shape))

    def leave(self) -> None:
        for owner, name, _, like in self._entries:
            _set(owner, name, self._nothing[like.dtype].expand(like.shape))

    def close(self) -> None:
        """Give the pinning back; the memory goes with the slab."""
        if self.pinned:
            _runtime().cudaHostUnregister(self._memory.data_ptr())
            self.pinned = False

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # the interpreter may be going down
            self.close()


class Parked:
    """A module that is on the GPU only while it runs."""

    def __init__(self, module: nn.Module, device: torch.device) -> None:
        self._slab = Slab(module, device)
        self._device = device
        module.register_forward_pre_hook(self._enter)
        module.register_forward_hook(self._leave, always_call=True)

    @property
    def host_bytes(self) -> int:
        return self._slab.nbytes

    def _enter(self, *_: Any) -> None:
        buffer = _buffer(self._slab.nbytes, self._device)
        self._slab.copy_to(buffer)
        self._slab.enter(buffer)

    def _leave(self, *_: Any) -> None:
        self._slab.leave()


class Streamed:
    """Layers that visit the GPU one after the other, each fetched while the one before computes.

    Args:
        layers: In the order in which they run.
        is_endless: They run again and again, as in decoding: the first is fetched while the last
            computes, and the buffers stay.
        spools: For each layer a folder of the disk to keep it in, or None for host memory.
    """

    def __init__(
        self,
        layers: list[nn.Module],
        device: torch.device,
        *,
        is_endless: bool,
        spools: list[Path | None] | None = None,
    ) -> None:
        self._slabs = [
            Slab(layer, device, spool)
            for layer, spool in zip(layers, spools or [None] * len(layers), strict=True)
        ]
        self._device, self._is_endless = device, is_endless
        self._fetching: Any = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        self._buffers: list[torch.Tensor] = []
        self._holds: list[int | None] = [None, None]
        """Which layer each buffer holds, or is being filled with."""
        self._events: dict[str, Any] = {}
        for index, layer in enumerate(layers):
            layer.register_forward_pre_hook(_bound(self._enter, index))
            layer.register_forward_hook(_bound(self._leave, index), always_call=True)

    @property
    def host_bytes(self) -> int:
        return sum(slab.nbytes for slab in self._slabs)

    def _enter(self, index: int) -> None:
        if not self._buffers:
            size = max(slab.nbytes for slab in self._slabs)
            self._buffers = [_buffer(size, self._device) for _ in range(2)]
        if index not in self._holds:
            self._fetch(index, 0)
        turn = self._holds.index(index)
        self._wait(f"filled {turn}", for_compute=True)
        self._slabs[index].enter(self._buffers[turn])
        following = index + 1
        if following == len(self._slabs) and self._is_endless:
            following = 0
        if following < len(self._slabs) and following not in self._holds:
            self._fetch(following, 1 - turn)

    def _leave(self, index: int) -> None:
        self._slabs[index].leave()
        if index in self._holds:
            self._mark(f"free {self._holds.index(index)}")
        if index == len(self._slabs) - 1 and not self._is_endless:
            self._drop()

    def _fetch(self, index: int, turn: int) -> None:
        self._holds[turn] = index
        with self._on_fetching_stream():
            self._wait(f"free {turn}", for_compute=False)
            self._slabs[index].copy_to(self._buffers[turn])
            self._mark(f"filled {turn}")

    def _drop(self) -> None:
        """Give the buffers back; the allocator must know that both streams used them."""
        if self._fetching is not None:
            for buffer in self._buffers:
                buffer.record_stream(self._fetching)
        self._buffers, self._holds = [], [None, None]
        self._events = {}

    @contextlib.contextmanager
    def _on_fetching_stream(self) -> Iterator[None]:
        if self._fetching is None:
            yield
            return
        if not self._events:  # new buffers may be memory that the other stream still works with
            self._fetching.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._fetching):
            yield

    def _mark(self, what: str) -> None:
        if self._fetching is not None:
            event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            event.record(torch.cuda.current_stream(self._device))
            self._events[what] = event

    def _wait(self, what: str, *, for_compute: bool) -> None:
        event = self._events.get(what)
        if event is not None:
            stream = torch.cuda.current_stream(self._device) if for_compute else self._fetching
            stream.wait_event(event)


def _buffer(size: int, device: torch.device) -> torch.Tensor:
    with torch.inference_mode(mode=False):  # it may be filled again outside of that mode
        return torch.empty(size, dtype=torch.uint8, device=device)


def _bound(method: Any, index: int) -> Any:
    def hook(*_: Any) -> None:
        method(index)

    return hook


def _set(owner: nn.Module, name: str, value: torch.Tensor) -> None:
    if name in owner._parameters:
        parameter = owner._parameters[name]
        assert parameter is not None
        parameter.data = value
    else:
        owner._buffers[name] = value


def _memory(size: int, spool: Path | None) -> torch.Tensor:
    """So many bytes of host memory, or of a file that vanishes with this process."""
    if spool is None or not size:
        return torch.empty(size, dtype=torch.uint8)
    with tempfile.NamedTemporaryFile(dir=spool, delete=True) as file:
        file.truncate(size)
        return torch.from_file(file.name, shared=True, size=size, dtype=torch.uint8)


def _pin(memory: torch.Tensor) -> bool:
    """Fix it for fast and concurrent copies; pinning what is there wastes nothing to rounding."""
    if not torch.cuda.is_available() or not memory.numel():
        return False
    runtime = _runtime()
    result = runtime.cudaHostRegister(memory.data_ptr(), memory.numel(), 0)
    return bool(result == runtime.cudaError.success)


def _runtime() -> Any:
    return torch.cuda.cudart()  # type: ignore[no-untyped-call]
