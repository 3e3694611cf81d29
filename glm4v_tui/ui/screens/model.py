"""Choosing a model."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Select

from glm4v_tui.checkpoint import inspect_checkpoint
from glm4v_tui.demo import CHECKPOINT
from glm4v_tui.engine.protocol import LoadModel
from glm4v_tui.errors import GlmError
from glm4v_tui.paths import expanded, is_folder
from glm4v_tui.plain import plain_line, plain_text
from glm4v_tui.precision import all_precisions
from glm4v_tui.ui.widgets.words import Words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from glm4v_tui.config import ModelSettings

_DEVICES = ("auto", "cuda", "cpu")


class ModelScreen(ModalScreen[LoadModel | None]):
    """Ends in what is to be loaded, or None.

    Args:
        chosen: The model of now, if any.
        settings: What precision and device start from.
        known: Models to offer besides those of the hub cache, the likeliest first.
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

    def __init__(
        self, chosen: LoadModel | None, settings: ModelSettings, known: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self._known = list(dict.fromkeys(known))
        """What the list offers, in its order."""
        self._name = chosen.model if chosen else settings.checkpoint
        self._precision = chosen.precision if chosen else settings.precision
        self._keep_quantized = settings.keep_quantized
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
                yield _select("precision", ("auto", *all_precisions()), self._precision)
                yield Words("  device")
                yield _select("device", _DEVICES, self._device)
            yield Words(classes="problem")

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False
        self.query_one("#known").display = False
        self.run_worker(self._list_known, thread=True)

    def _list_known(self) -> None:
        """Fill the list with the models that the hub cache of this host holds."""
        names = [*self._known, *(name for name in cached_models() if name not in self._known)]
        self.app.call_from_thread(self._show_known, names)

    def _show_known(self, names: list[str]) -> None:
        self._known = names
        known = self.query_one("#known", OptionList)
        known.add_options([Content(_shown(name)) for name in names])
        known.display = bool(names)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.query_one("#name", Input).value = self._known[event.option_index]
        self.action_load()

    def on_input_submitted(self) -> None:
        self.action_load()

    def action_load(self) -> None:
        name = self.query_one("#name", Input).value.strip()
        if not name:
            self._tell("Name a folder or a hub id.")
            return
        precision, device = (
            str(self.query_one(f"#{what}", Select).value) for what in ("precision", "device")
        )
        folder = expanded(name)
        is_path = name.startswith(("/", "~", "."))
        if is_path and not is_folder(folder):
            self._tell(f"There is no folder {plain_line(name)}.")
            return
        command = LoadModel(
            str(folder) if is_path else name, precision, device, self._keep_quantized
        )
        if is_folder(folder):
            self.run_worker(self._look_first(folder, command), exclusive=True)
        else:
            self.dismiss(command)

    async def _look_first(self, folder: Path, command: LoadModel) -> None:
        """End the model of now only for one that can be loaded."""
        try:
            report = await asyncio.to_thread(inspect_checkpoint, folder)
            report.require_loadable()
        except GlmError as error:
            self._tell(str(error))
        else:
            self.dismiss(command)

    def _tell(self, problem: str) -> None:
        self.query_one(".problem", Words).show(plain_text(problem))


def _shown(name: str) -> str:
    return "the embedded model" if name == str(CHECKPOINT) else plain_line(name)


def _select(name: str, choices: tuple[str, ...], value: str) -> Select[str]:
    options = [(choice, choice) for choice in dict.fromkeys((*choices, value))]
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
