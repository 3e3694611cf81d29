"""Kernels compiled before they are needed, and several at a time.

Triton compiles a kernel when it is launched for the first time, one after the other: twenty seconds
on a machine that has not seen the model. What will be launched is found out by going through it
once without launching anything; threads then compile it, whose compilers let go of Python.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from glm4v_tui.inference.environment import usable_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch

    Launches = dict[tuple[str, str], tuple[Any, str]]
    """A kernel of Triton's and how it is to be compiled, by its name and key."""

_THREADS = 4
"""More of them wait for Python, and let who answers meanwhile wait for it."""


@contextlib.contextmanager
def rehearsing() -> Iterator[Launches]:
    """Within it a kernel that is not compiled yet is neither compiled nor launched, but noted.

    Other threads may compile meanwhile. Whatever is computed is no result: nothing may depend on
    its values, and it is to be thrown away, graphs that were captured of it included.
    """
    from triton import knobs

    noted: Launches = {}
    here = threading.get_ident()

    def note(*, key: str, fn: Any, compile: dict[str, Any], **_: Any) -> bool:  # noqa: A002
        if threading.get_ident() != here:
            return False
        noted[f"{fn.module}.{fn.name}", key] = fn.jit_function, compile["specialization_data"]
        return True

    before, knobs.runtime.jit_cache_hook = knobs.runtime.jit_cache_hook, note
    try:
        yield noted
    finally:
        knobs.runtime.jit_cache_hook = before


class Compiling:
    """Kernels that are compiled in threads, in the order in which they were noted.

    One that cannot be compiled is left to its first launch, which says why.
    """

    def __init__(self, launches: Launches, device: torch.device) -> None:
        if not launches:
            self._futures = []
            return
        pool = ThreadPoolExecutor(
            min(_THREADS, usable_cores()), "kernels", functools.partial(_use, device)
        )
        self._futures = [pool.submit(_make, *launch) for launch in launches.values()]
        pool.shutdown(wait=False)

    @property
    def is_done(self) -> bool:
        return all(future.done() for future in self._futures)

    def wait(self) -> None:
        for future in self._futures:
            future.exception()


def after_compiling(act: Callable[[], Any], device: torch.device) -> None:
    """Compile what ``act`` launches, see :func:`rehearsing`, and come back when that is done."""
    with rehearsing() as launches:
        act()
    Compiling(launches, device).wait()


def _use(device: torch.device) -> None:
    if device.type == "cuda":
        import torch

        torch.cuda.set_device(device)


def _make(kernel: Any, how: str) -> None:
    """Compile a kernel, or take it from the disk, and load it."""
    made = kernel.preload(how)
    made[(1,)]  # makes it ready to be launched, and launches nothing
