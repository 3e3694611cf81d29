"""The settings a user writes in ``config.toml``.

Every field has its default beside it and its meaning right under it; the README's reference is
made from here (``python -m glm4v_tui.config``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import msgspec

from glm4v_tui import paths

if TYPE_CHECKING:
    from pathlib import Path

RESERVED = ("tasks", "precisions", "engines")
"""Tables whose parts have names of the user's: ``task_options``, ``precision`` and
``engine_settings`` read them."""

S = TypeVar("S", bound=msgspec.Struct)

Count = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]
Rows = Annotated[int, msgspec.Meta(ge=4, le=100)]
Temperature = Annotated[float, msgspec.Meta(ge=0)]
Probability = Annotated[float, msgspec.Meta(gt=0, le=1)]
Penalty = Annotated[float, msgspec.Meta(gt=0)]
Seed = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class ModelSettings(msgspec.Struct, frozen=True):
    """Which model is loaded, and how."""

    checkpoint: str = ""
    """A folder on this host or a hub id; the same as `--model`."""
    precision: str = "auto"
    """How weights are kept: `auto`, `fp32`, `bf16`, `fp16`, `int8`, `mixed`, `int4`,
    `int4-compact`, or one of your own (`[precisions.NAME]`). `auto` takes the best that fits."""
    keep_quantized: bool = False
    """Save weights that were quantized in the cache folder, for a faster next start."""
    device: Literal["auto", "cuda", "cpu"] = "auto"
    """Where the model runs. `auto` is the GPU when there is one."""
    engine: str = ""
    """A server of `[engines.NAME]` that is asked in place of a model on this machine; the same as
    `--engine`. Several of one model, with commas between, share the work."""
    smaller_images: Literal["ask", "always", "never"] = "ask"
    """When the memory does not suffice: whether images may be read smaller. Commands that have
    nobody to ask take `ask` for `never`."""

    @property
    def smaller_images_unasked(self) -> Literal["always", "never"]:
        """Where nobody is there to be asked."""
        return "always" if self.smaller_images == "always" else "never"


class GenerationSettings(msgspec.Struct, frozen=True):
    """How answers are made. What is not set is left to the checkpoint's own settings."""

    system_prompt: str = ""
    """Said to the model before every conversation."""
    max_new_tokens: Count = 1024
    """The longest answer, in tokens."""
    temperature: Temperature | None = None
    """0 always takes the most probable token; higher is more varied."""
    top_p: Probability | None = None
    """Only the most probable tokens that together reach this share."""
    top_k: Count | None = None
    """Only this many of the most probable tokens."""
    repetition_penalty: Penalty | None = None
    """Above 1, tokens that were used already become less likely."""
    seed: Seed | None = None
    """The same seed, question and settings give the same answer."""
    language: Literal["auto", "en", "zh"] = "auto"
    """The language that tasks ask in. `auto` is the system's."""


class InterfaceSettings(msgspec.Struct, frozen=True):
    """How the screen looks and listens."""

    theme: str = "graphite"
    """A shipped theme, or a file in `themes/` beside this one, without its suffix. A theme that
    was chosen in the program stays until this is changed; in a terminal with 16 colors `graphite`
    gives way to `terminal`."""
    images: Literal["half", "sixel", "kitty", "off"] = "half"
    """How pictures are drawn: colored half blocks work everywhere; sixel and kitty need a terminal
    that can and are asked for here only."""
    colors: Literal["auto", "truecolor", "256", "16"] = "auto"
    """How many colors the terminal gets. `auto` is true color, also over SSH where the terminal's
    own word for it is lost, except in terminals known to have fewer."""
    low_bandwidth: bool = False
    """Smaller and coarser pictures, for slow links."""
    picture_height: Rows = 16
    """The most rows that a picture takes in the conversation."""
    keymap: str = "default"
    """The keys to start from: `default`, `vim` or `emacs`. Single keys are changed in
    `keymap.toml`."""
    triage_keys: Literal["prodigy", "lightroom"] = "prodigy"
    """The keys of a review to start from. `prodigy`: `a` accepts, `x` rejects. `lightroom`: `p`
    picks (accepts), `x` rejects, `u` takes it back."""


class EngineSettings(msgspec.Struct, frozen=True):
    """How patient this program is with the model's process."""

    silent_after_s: Seconds = 15.0
    """Seconds without a sign of life before the screen says so."""
    abort_within_s: Seconds = 5.0
    """Seconds that stopping an answer may take; after that the process is ended."""


class PluginSettings(msgspec.Struct, frozen=True):
    """Which installed plugins are loaded. Nothing of the others is imported."""

    enabled: tuple[str, ...] | None = None
    """Only these, by the names that `glm4v-tui plugin list` shows."""
    disabled: tuple[str, ...] = ()
    """All but these."""


class Settings(msgspec.Struct, frozen=True):
    model: ModelSettings = ModelSettings()
    generation: GenerationSettings = GenerationSettings()
    interface: InterfaceSettings = InterfaceSettings()
    engine: EngineSettings = EngineSettings()
    plugins: PluginSettings = PluginSettings()


def load_settings(path: Path | None = None) -> Settings:
    """Read the settings; without a file all have their defaults.

    Args:
        path: The file; by default the user's ``config.toml``.

    Raises:
        SettingsError: the file cannot be read, is not TOML, or has wrong keys or values.
    """
    file = path or paths.config_file()
    if path is None and not file.exists():
        return Settings()
    return _read(file)


def task_options(name: str, kind: type[S], path: Path | None = None) -> S:
    """The options that the user has set for a task: ``[tasks.NAME]``.

    Raises:
        SettingsError: as :func:`load_settings`.
    """
    from glm4v_tui.toml_file import read_toml
    from glm4v_tui.toml_struct import read_table

    file = path or paths.config_file()
    return read_table(read_toml(file), kind, ("tasks", name)) if file.exists() else kind()


def _read(path: Path) -> Settings:
    from glm4v_tui.engine_settings import all_engines
    from glm4v_tui.precision import all_precisions
    from glm4v_tui.toml_file import missing_file, read_toml
    from glm4v_tui.toml_struct import read_struct

    try:
        settings = read_struct(read_toml(path), Settings, RESERVED)
    except FileNotFoundError as error:
        raise missing_file(path) from error
    all_precisions(path)  # what is wrong with them is told at the start, too
    all_engines(path)
    return settings


def settings_in_markdown() -> str:
    """The README's reference: all areas, and the tables whose names are the user's."""
    from glm4v_tui.engine_settings import RemoteSettings
    from glm4v_tui.settings_reference import area, reference

    return "\n".join((reference(Settings), *area("engines.NAME", RemoteSettings)))


if __name__ == "__main__":
    import sys

    sys.stdout.write(settings_in_markdown())
