"""What an empty conversation says."""

from __future__ import annotations

from textual.content import Content

from glm4v_tui.ui.widgets.words import Words

_EMBEDDED = """\
No model is chosen, so the small embedded one answers: about drawn shapes, part defects, packages
and chest phantoms only. Ctrl+O shows its sample images. F4 chooses another model: a folder on this
host, or a hub id such as zai-org/GLM-4.1V-9B-Thinking.
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

    def __init__(self, *, is_embedded: bool) -> None:
        lines = [
            Content.assemble((f"{key:>7}", "bold $text-accent"), f"  {does:<18}", (why, "dim"))
            for key, does, why in _KEYS
        ]
        head = [Content.styled("Look at images with a model of your own.", "bold $foreground")]
        middle = [Content(f"\n{_EMBEDDED}" if is_embedded else "")]
        super().__init__(Content("\n").join(head + middle + lines))
