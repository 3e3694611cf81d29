"""One step for the rows of a batch, of the size that they need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glm4v_tui.inference.language.replay import KernelStep

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from glm4v_tui.inference.language.kv_cache import CacheRows, KvCache
    from glm4v_tui.inference.language.writer import Writer


class BatchStep:
    """Makes steps over the first slots of a cache."""

    def __init__(self, writer: Writer, cache: KvCache) -> None:
        self._writer, self._cache = writer, cache
        self._views: dict[int, CacheRows] = {}
        self._captured: dict[int, KernelStep] = {}
        self._idle = [0] * cache.rows
        """Where slots without a row write. A captured step counts on by itself, so these do."""

    def run(self, places: Sequence[tuple[int, int] | None], tokens: torch.Tensor) -> torch.Tensor:
        """The logits after one more token in each slot, (slots, vocabulary).

        Args:
            places: Of each slot's row: tokens in the cache, and the position of the next one.
            tokens: (slots,), int64; those of slots without a row are of no matter.
        """
        size = len(places)
        filled = [place or self._nobody(slot) for slot, place in enumerate(places)]
        lengths, positions = [place[0] for place in filled], [place[1] for place in filled]
        if size not in self._views:
            self._views[size] = self._cache.rows_from(0, size)
        if (weights := self._writer.weights) is not None:
            if size not in self._captured:
                self._captured[size] = KernelStep(weights, size)
            return self._captured[size].run(self._views[size], tokens, lengths, positions)
        assert self._writer.plain is not None
        return self._writer.plain.run_rows(self._views[size], tokens, lengths, positions)

    def _nobody(self, slot: int) -> tuple[int, int]:
        at = self._idle[slot]
        self._idle[slot] = (at + 1) % self._cache.capacity
        return at, at
