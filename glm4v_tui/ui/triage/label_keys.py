"""Which keys give which label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glm4v_tui.ui.key_names import normalize_key

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from glm4v_tui.tasks.task import Label

DIGITS = 9


def own_keys(labels: Sequence[Label], taken: Collection[str]) -> dict[str, Label]:
    """The labels' own keys, as far as they do nothing else on the screen.

    Args:
        taken: Keys with another meaning there, by Textual's names.
    """
    found: dict[str, Label] = {}
    for label in labels:
        try:
            key = normalize_key(label.key) if label.key else ""
        except ValueError:
            continue  # no such key: its digit gives the label
        if key and key not in taken and key not in found and not key.isdecimal():
            found[key] = label
    return found


def keys_of(labels: Sequence[Label], own: dict[str, Label]) -> dict[str, str]:
    """By label, what is pressed for it: ``1 p``; empty where there is no key."""
    named = {label.name: key for key, label in own.items()}
    return {
        label.name: " ".join(
            filter(None, (str(number) if number <= DIGITS else "", named.get(label.name, "")))
        )
        for number, label in enumerate(labels, 1)
    }
