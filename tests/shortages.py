"""Memory that runs out where and when a test wants it to.

It is raised from a hook on a module of the loaded model, as torch raises it: the program's own code
knows nothing of this.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from glm4v_tui.inference.backend import Backend
from glm4v_tui.inference.language.expectation import MOST, Pace
from glm4v_tui.inference.quantized.parts import Parts

MESSAGE = "CUDA out of memory. Tried to allocate 2.00 GiB."


class Steps(Pace):
    """One token at a time: how long a pass takes does not decide how many calls there are."""

    pays = False


@dataclass
class Shortage:
    """Fails at the chosen calls of a part, so many times in a row.

    Args:
        part: ``vision``, ``prefill`` or ``decode``: a layer of the tower, or of the language model
            while it reads a prompt, or writes.
        times: How often; then it works.
        after: Calls of that kind that go well before the first failure.
    """

    part: str
    times: int
    after: int = 0
    error: Callable[[str], Exception] = torch.OutOfMemoryError

    def watch(self, backend: Backend) -> None:
        """From now on, in this model and in every one that the backend loads in its place."""
        place = backend._load

        def place_and_hook(*args: Any) -> None:
            place(*args)
            self._hook(backend)

        backend._load = place_and_hook  # type: ignore[method-assign]
        if backend._decoder is not None:
            self._hook(backend)

    def _hook(self, backend: Backend) -> None:
        assert backend._decoder is not None
        model = backend._decoder.model
        parts = Parts(model)
        owner = parts.towers[0] if self.part == "vision" else parts.language
        layer: Any = model.get_submodule(parts.layers(owner)[-1])
        # The program's own loop calls what is in a layer of the language model, not the layer.
        met = layer if self.part == "vision" else layer.self_attn.o_proj
        met.register_forward_pre_hook(self._meet, with_kwargs=True)
        if backend._decoder.own is not None:
            backend._decoder.own._pace = Steps()
        backend._decoder.release()  # so that the next question reads its prompt and sees its images

    def _meet(self, _: Any, args: Any, kwargs: Any) -> None:
        hidden = args[0] if args else kwargs["hidden_states"]
        is_decode = hidden.shape[-2] <= MOST + 1  # a pass of tokens that were expected, too
        if self.part != "vision" and is_decode != (self.part == "decode"):
            return
        self.after -= 1
        if self.after < 0 and self.times > 0:
            self.times -= 1
            raise self.error(MESSAGE)
