"""Choosing a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Select

from glm4v_tui.engine.protocol import LoadModel
from glm4v_tui.paths import expanded, is_folder
from glm4v_tui.plain import plain_line
from glm4v_tui.ui.widgets.words import Words

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from glm4v_tui.config import ModelSettings

_PRECISIONS = ("auto", "bf16", "fp32")
_DEVICES = ("auto", "cuda", "cpu")


class ModelScreen(ModalScreen[LoadModel | None]):
    """Ends in what is to be loaded, or None.

    Args:
        chosen: The model of now, if any.
        settings: What precision and device start from.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Cancel", id="model.cancel"),
        Binding("ctrl+l", "load", "Load", id="model.load"),
    ]

    DEFAULT_CSS = """
    ModelScreen {
        align: center middle;
        #box {
            width: 90%; max-width: 90; height: auto; max-height: 90%; padding: 1 2;
            background: $surface; border: round $primary;
        }
        .explanation { color: $text-muted; height: auto; padding: 0 0 1 0; }
        .how { height: auto; Words { width: auto; padding: 0 1 0 0; } Select { width: 20; } }
        OptionList { height: auto; max-height: 10; margin: 1 0; }
        .problem { color: $text-error; height: auto; }
    }
    """

    def __init__(self, chosen: LoadModel | None, settings: ModelSettings) -> None:
        super().__init__()
        self._name = chosen.model if chosen else settings.checkpoint
        self._precision = chosen.precision if chosen else settings.precision
        self._device = chosen.device if chosen else settings.device

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = "Model"
            yield Words(
                "A folder with a checkpoint (safetensors), or a hub id. Enter loads it.",
                classes="explanation",
            )
            yield Input(self._name, placeholder="/models/… or owner/name", id="name")
            yield OptionList(id="known")
            with Horizontal(classes="how"):
                yield Words("precision")
                yield _select("precision", _PRECISIONS, self._precision)
                yield Words("  device")
                yield _select("device", _DEVICES, self._device)
            yield Words(classes="problem")

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False
        self.query_one("#known").display = False
        self.run_worker(self._list_known, thread=True)

    def _list_known(self) -> None:
        """Fill the list with the models that the hub cache of this host holds."""
        names = cached_models()
        self.app.call_from_thread(self._show_known, names)

    def _show_known(self, names: list[str]) -> None:
        known = self.query_one("#known", OptionList)
        known.add_options([plain_line(name) for name in names])
        known.display = bool(names)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.query_one("#name", Input).value = str(event.option.prompt)
        self.action_load()

    def on_input_submitted(self) -> None:
        self.action_load()

    def action_load(self) -> None:
        name = self.query_one("#name", Input).value.strip()
        if not name:
            self.query_one(".problem", Words).show("Name a folder or a hub id.")
            return
        precision, device = (
            str(self.query_one(f"#{what}", Select).value) for what in ("precision", "device")
        )
        folder = expanded(name)
        is_path = name.startswith(("/", "~", "."))
        if is_path and not is_folder(folder):
            self.query_one(".problem", Words).show(f"There is no folder {plain_line(name)}.")
            return
        self.dismiss(LoadModel(str(folder) if is_path else name, precision, device))


def _select(name: str, choices: tuple[str, ...], value: str) -> Select[str]:
    options = [(choice, choice) for choice in choices]
    return Select(options, value=value, allow_blank=False, id=name, compact=True)


def cached_models() -> list[str]:
    """Hub ids of the models in this host's hub cache; reads folder names only."""
    import os

    home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    cache = Path(os.environ.get("HF_HUB_CACHE", home / "hub"))
    try:
        folders = sorted(entry.name for entry in cache.glob("models--*--*") if entry.is_dir())
    except OSError:
        return []
    return [name.removeprefix("models--").replace("--", "/", 1) for name in folders]
