"""What the cache holds, and how much of it a new prompt begins with.

A token is known by its id; one of an image also by the image's content and its place in it, since
all of an image's tokens have the same id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glm4v_tui.inference.language.sight import Span

    Slot = int | tuple[str, int]
    """A token's id, or an image's key and the token's place in the image."""


def slots_of(ids: Sequence[int], spans: Sequence[Span]) -> list[Slot]:
    """What each place of a prompt holds."""
    slots: list[Slot] = list(ids)
    for span in spans:
        slots[span.start : span.stop] = [
            (span.key, place) for place in range(span.stop - span.start)
        ]
    return slots


def common(held: Sequence[Slot], wanted: Sequence[Slot], spans: Sequence[Span]) -> int:
    """How many of the first slots agree. An image counts whole or not at all."""
    least = min(len(held), len(wanted))
    agreed = next((place for place in range(least) if held[place] != wanted[place]), least)
    for span in spans:
        if span.start < agreed < span.stop:
            return span.start
    return agreed
