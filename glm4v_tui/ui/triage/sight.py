"""What the reviewer has before his eyes, and since when: a verdict counts for nothing else."""

from __future__ import annotations

_NEVER = float("inf")


class Sight:
    """Of the image that is shown. Times are seconds of ``time.monotonic()``."""

    def __init__(self) -> None:
        self._index: int | None = None
        self._picture_at = self._label_at = _NEVER

    def turn_to(self, index: int | None) -> None:
        """Another image is to be shown; nothing of it is on the screen yet."""
        self._index = index
        self._picture_at = self._label_at = _NEVER

    def picture_came(self, index: int, at: float) -> None:
        """The image, or why it cannot be shown, has reached the terminal."""
        if index == self._index:
            self._picture_at = min(at, self._picture_at)

    def label_came(self, index: int, at: float) -> None:
        """What the model says of it has; another label of it begins anew."""
        if index == self._index:
            self._label_at = at

    def has_seen_picture(self, at: float) -> bool:
        """Whether the image was there at a time."""
        return self._picture_at <= at

    def has_seen_label(self, at: float) -> bool:
        """Whether the image and the model's label were."""
        return max(self._picture_at, self._label_at) <= at

    def seconds(self, at: float) -> float:
        """For how long the image had been there at a time; 0 where it was not."""
        return max(0.0, at - self._picture_at)
