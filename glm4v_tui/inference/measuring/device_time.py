"""Time on a GPU: launches captured in a CUDA graph, so that Python's own time does not count."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

_COPIED = 4 << 30
_REPLAYS = 5


def graph_us(launch: Callable[[], object], launches: int) -> float:
    """Microseconds of one of ``launches`` launches that ``launch`` makes; the median of replays."""
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    with torch.cuda.stream(stream):
        launch()  # compiles and loads
        stream.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream):
            launch()
        graph.replay()
        times = [_between(graph.replay, stream) for _ in range(_REPLAYS)]
    return statistics.median(times) * 1e3 / launches


def _between(act: Callable[[], object], stream: torch.cuda.Stream) -> float:
    """Milliseconds."""
    start, end = _event(), _event()
    start.record(stream)
    act()
    end.record(stream)
    end.synchronize()
    return float(start.elapsed_time(end))


def _event() -> torch.cuda.Event:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]


def copy_bandwidth() -> float:
    """GB/s of a copy within the GPU, bytes read and written; the best of five."""
    source = torch.empty(_COPIED, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    target.copy_(source)
    stream = torch.cuda.current_stream()
    fastest = min(_between(lambda: target.copy_(source), stream) for _ in range(5))
    return 2 * _COPIED / fastest / 1e6
