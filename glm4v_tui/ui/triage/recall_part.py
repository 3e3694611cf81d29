"""What the model said in earlier runs: taken in at the start, for order, filters and agreement."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from glm4v_tui.errors import GlmError
from glm4v_tui.triage.opinions import stored_opinions
from glm4v_tui.triage.queue import Order
from glm4v_tui.ui.aside import aside
from glm4v_tui.ui.triage.base import TriageBase

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from glm4v_tui.triage.review import Review

MOMENT_S = 0.3
"""How long the first image waits for the order that it is to come in."""
_AT_ONCE = 250
"""Opinions that are taken in between two looks at the keys: some milliseconds."""


class RecallPart(TriageBase):
    async def begin_in_order(self, review: Review, key: Awaitable[str]) -> None:
        """Take in what is stored, and put the images in the order that was asked for: before the
        first one is shown, where that takes no more than a moment.

        Args:
            key: ``triage.identity.model_key`` of the model.
        """
        there = asyncio.Event()

        async def recall() -> None:
            with suppress(GlmError):  # told where something is asked or kept
                await self._recall_opinions(review, await key)
            there.set()
            if self._review is not None:
                self._put_in_order_late(review)

        self._replace_work("opinions", recall)
        if self._plan.order is not Order.NAME:
            with suppress(TimeoutError):
                await asyncio.wait_for(there.wait(), MOMENT_S)
        if there.is_set():
            await aside(lambda: self._put_in_order(review))

    def recall_again(self, key: str) -> None:
        """Take in what another model has said."""

        async def recall() -> None:
            assert self._review is not None
            with suppress(GlmError):
                await self._recall_opinions(self._review, key)
            self._put_in_order_late(self._review)

        self._replace_work("opinions", recall)

    async def _recall_opinions(self, review: Review, key: str) -> None:
        plan = self._plan
        asked = plan.task, plan.options, plan.language, key, self._launch.sampling
        opinions = await aside(lambda: list(stored_opinions(plan.database, *asked)))
        for number, _ in enumerate(review.recall_one_by_one(opinions)):
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)

    def _put_in_order(self, review: Review) -> None:
        """Nothing is shown yet: begin with the first that is not decided."""
        review.show(order=self._plan.order)
        review.resume()

    def _put_in_order_late(self, review: Review) -> None:
        """The image that is shown stays; after it comes what is first in order."""
        with suppress(GlmError):
            if self._plan.order is not Order.NAME:
                review.show(order=self._plan.order, is_current_first=True)
            if review.automatic.threshold is not None:
                self.give_automatically(review.automatic.threshold)
        self.show_progress()

    def give_automatically(self, threshold: float) -> None:
        """Give the labels that are so probable."""
        raise NotImplementedError
