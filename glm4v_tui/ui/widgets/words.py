"""Text that is painted only when it has changed."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static


class Words(Static):
    """A Static for plain words and :class:`Content`; strings are never read as markup."""

    def __init__(
        self,
        words: Content | str = "",
        *,
        id: str | None = None,  # noqa: A002 - Textual's name
        classes: str | None = None,
    ) -> None:
        self._words = Content(words) if isinstance(words, str) else words
        super().__init__(self._words, markup=False, id=id, classes=classes)

    @property
    def plain(self) -> str:
        """The words without their looks."""
        return self._words.plain

    def show(self, words: Content | str) -> None:
        """Show these words; equal ones cost nothing."""
        content = Content(words) if isinstance(words, str) else words
        if (content.plain, content.spans) != (self._words.plain, self._words.spans):
            self._words = content
            self.update(content)
