"""What an empty conversation says."""

from __future__ import annotations

from textual.content import Content

from glm4v_tui.ui.bound_keys import bound_key
from glm4v_tui.ui.widgets.words import Words

_EMBEDDED = (
    "No model is chosen, so the small embedded one answers: about drawn shapes, part defects, "
    "packages and chest phantoms only. {attach} shows its sample images. {model} chooses another "
    "model: a folder on this host, or a hub id such as zai-org/GLM-4.1V-9B-Thinking."
)

_KEYS = (
    ("chat.attach", "choose images", "or paste, or drop, their paths here"),
    ("composer.send", "ask", "Ctrl+J new line, ↑ earlier questions"),
    ("chat.stop", "stop the answer", "what was written stays"),
    ("chat.view", "view the images", "full screen: zoom, pan, ask about a part"),
    ("chat.answers", "go to the answers", "copy, edit, ask again, by single keys"),
    ("app.commands", "all commands", "{help} shows every key"),
)
_WIDE = 67
"""Columns that the lines with their explanations need."""


class Welcome(Words):
    """Leaves with the first question."""

    DEFAULT_CSS = "Welcome { width: 1fr; height: 1fr; padding: 1 2; color: $text-muted; }"

    def __init__(self, *, is_embedded: bool) -> None:
        super().__init__()
        self._is_embedded = is_embedded
        self._is_wide: bool | None = None

    def on_mount(self) -> None:
        self._show_for(self.app.size.width)

    def on_resize(self) -> None:
        self._show_for(self.size.width)

    def _show_for(self, width: int) -> None:
        is_wide = width >= _WIDE
        if is_wide is self._is_wide:
            return
        self._is_wide = is_wide
        parts = [Content.styled("Look at images with a model of your own.", "bold $foreground")]
        if self._is_embedded:
            parts += [Content(""), Content(self._named(_EMBEDDED)), Content("")]
        parts += [self._line(*row, is_wide=is_wide) for row in _KEYS]
        self.show(Content("\n").join(parts))

    def _line(self, binding: str, does: str, why: str, *, is_wide: bool) -> Content:
        key = bound_key(self, binding) or _OF_THE_COMPOSER.get(binding, "")
        more = (self._named(why), "dim") if is_wide else ""
        return Content.assemble((f"{key:>7}", "bold $text-accent"), f"  {does:<18}", more)

    def _named(self, text: str) -> str:
        keys = {"attach": "chat.attach", "model": "chat.model", "help": "app.help"}
        return text.format(**{word: bound_key(self, name) for word, name in keys.items()})


_OF_THE_COMPOSER = {"composer.send": "Enter"}
