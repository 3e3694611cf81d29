"""What every command that talks to a model does first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from glm4v_tui import paths
from glm4v_tui.config import Settings, load_settings
from glm4v_tui.engine.protocol import LoadModel, Sampling
from glm4v_tui.errors import ImageMissingError, NoModelError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from glm4v_tui.engine.engine import Engine

S = TypeVar("S", bound=msgspec.Struct)

HOW_TO_CHOOSE = (
    "Name one with --model: a folder with a checkpoint, or a hub id such as "
    "zai-org/GLM-4.1V-9B-Thinking. To keep it, write it in the settings:\n"
    f'    {paths.config_file()}\n    [model]\n    checkpoint = "..."'
)


def settings_with(**overrides: object) -> Settings:
    """The user's settings, with what the command line says in their place.

    Args:
        overrides: Values by ``area__key``; None leaves the setting as it is.
    """
    settings = load_settings()
    for name, value in overrides.items():
        if value is not None:
            area, _, key = name.partition("__")
            part = msgspec.structs.replace(getattr(settings, area), **{key: value})
            settings = msgspec.structs.replace(settings, **{area: part})
    return settings


def model_of(settings: Settings) -> LoadModel | None:
    """What is to be loaded, or None when no model is named anywhere."""
    model = settings.model
    if not model.checkpoint:
        return None
    return LoadModel(_absolute_if_folder(model.checkpoint), model.precision, model.device)


def required_model(settings: Settings) -> LoadModel:
    """What is to be loaded.

    Raises:
        NoModelError: no model is named anywhere.
    """
    if (model := model_of(settings)) is None:
        raise NoModelError("No model is chosen", "", HOW_TO_CHOOSE)
    return model


def sampling_of(settings: Settings) -> Sampling:
    generation = settings.generation
    return Sampling(
        max_new_tokens=generation.max_new_tokens,
        temperature=generation.temperature,
        top_p=generation.top_p,
        top_k=generation.top_k,
        repetition_penalty=generation.repetition_penalty,
        seed=generation.seed,
    )


def make_engine(settings: Settings, scripted: str | None = None) -> Engine:
    """The engine that runs the model; ``scripted`` names a script to play instead."""
    if scripted is not None:
        from glm4v_tui.engine.scripted import ScriptedEngine, read_script

        return ScriptedEngine(read_script(Path(scripted)))
    from glm4v_tui.engine.local import LocalEngine

    return LocalEngine(
        paths.worker_log_file(),
        silent_after_s=settings.engine.silent_after_s,
        abort_within_s=settings.engine.abort_within_s,
    )


def existing_paths(names: Iterable[str]) -> list[Path]:
    """The paths that the command line names.

    Raises:
        ImageMissingError: one of them does not exist.
    """
    found = [Path(name).expanduser() for name in names]
    for path in found:
        if not path.exists():
            raise ImageMissingError(
                "There is no such file", str(path), "Check the name; paths are of this host."
            )
    return [path.absolute() for path in found]


def _absolute_if_folder(name: str) -> str:
    """The worker runs elsewhere, so a folder is told absolutely; a hub id stays as it is."""
    folder = Path(name).expanduser()
    return str(folder.absolute()) if folder.exists() else str(folder) if name[:1] == "~" else name
