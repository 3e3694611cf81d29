"""What an empty conversation says."""

from __future__ import annotations

from textual.content import Content

from glm4v_tui.ui.widgets.words import Words

_CHOOSE = """\
No model is chosen yet. Press F4 and name one: a folder on this host, or a hub id such as
zai-org/GLM-4.1V-9B-Thinking. It stays chosen when it is written in config.toml:

    [model]
    checkpoint = "/models/GLM-4.1V-9B-Thinking"

Questions that you ask meanwhile wait for it.
"""

_KEYS = (
    ("Ctrl+O", "choose images", "or paste, or drop, their paths here"),
    ("Enter", "ask", "Ctrl+J starts a new line, ↑ recalls earlier questions"),
    ("Esc", "stop the answer", "what was written stays"),
    ("F2", "view the images", "full screen: zoom, pan, ask about a part"),
    ("Tab", "go to the answers", "copy, edit, ask again, by single keys"),
    ("Ctrl+P", "all commands", "F1 shows every key"),
)


class Welcome(Words):
    """Leaves with the first question."""

    DEFAULT_CSS = "Welcome { width: 1fr; height: 1fr; padding: 1 2; color: $text-muted; }"

    def __init__(self, *, has_model: bool) -> None:
        lines = [
            Content.assemble((f"{key:>7}", "bold $text-accent"), f"  {does:<18}", (why, "dim"))
            for key, does, why in _KEYS
        ]
        head = [Content.styled("Look at images with a model of your own.", "bold $foreground")]
        middle = [Content("")] if has_model else [Content(f"\n{_CHOOSE}")]
        super().__init__(Content("\n").join(head + middle + lines))
