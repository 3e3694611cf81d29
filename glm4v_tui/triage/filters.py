"""Which images of a queue are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from glm4v_tui.triage.standings import Standings

    Filter = Callable[[Standings, int], bool]
    """Whether an image is shown, by its number."""


def ALL(standings: Standings, index: int) -> bool:  # noqa: N802, ARG001 - a constant to its users
    return True


def undecided(standings: Standings, index: int) -> bool:
    return not standings.is_decided(index)


def flagged(standings: Standings, index: int) -> bool:
    return standings.is_flagged(index)


def skipped(standings: Standings, index: int) -> bool:
    return standings.is_skipped(index)


def automatic(standings: Standings, index: int) -> bool:
    """Labeled for being probable, to be looked through."""
    return standings.is_automatic(index)


def disagreements(standings: Standings, index: int) -> bool:
    """The reviewer gave another label than the model."""
    return standings.disagrees(index)


def disputed(standings: Standings, index: int) -> bool:
    """Two reviewers gave two labels."""
    return standings.is_disputed(index)


def labeled(label: str) -> Filter:
    """Images to which the reviewer gave this label, or a threshold did."""

    def is_labeled(standings: Standings, index: int) -> bool:
        return standings.label(index) == label

    return is_labeled


def said(label: str) -> Filter:
    """Images of which the model says this label, whatever the reviewer gave."""

    def is_said(standings: Standings, index: int) -> bool:
        return standings.model_label(index) == label

    return is_said
