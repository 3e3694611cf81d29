"""What every command that talks to a model does first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from glm4v_tui import demo, paths
from glm4v_tui.config import Settings, load_settings
from glm4v_tui.engine.protocol import LoadModel, Sampling
from glm4v_tui.engine_settings import (
    all_engines,
    engine_named,
    engine_of_task,
    engines_named,
)
from glm4v_tui.errors import ImageMissingError, UsageError
from glm4v_tui.paths import expanded, is_there
from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from glm4v_tui.engine.engine import Engine
    from glm4v_tui.engine_settings import SendImages
    from glm4v_tui.store.sent import Sent
    from glm4v_tui.tasks.plugins import Plugins
    from glm4v_tui.tasks.task import Language

S = TypeVar("S", bound=msgspec.Struct)

EMBEDDED = (
    "No model is chosen: the small embedded one answers, about drawn shapes, part defects, "
    "packages and chest phantoms only."
)


GUESSING = " It has not learned this task's form, and guesses."

_MISSING = "Check the name; paths are of this host."


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


def model_of(settings: Settings) -> LoadModel:
    """What is to be loaded: an engine elsewhere or the model that was named, else the embedded one.

    Raises:
        UsageError: no engine has this name.
    """
    model = settings.model
    if model.engine:
        (served, *_) = {told.model for told in engines_named(model.engine).values()}
        return LoadModel(served, engine=model.engine)
    name = _absolute_if_folder(model.checkpoint) if model.checkpoint else str(demo.CHECKPOINT)
    return LoadModel(name, model.precision, model.device, model.keep_quantized)


def is_embedded(settings: Settings) -> bool:
    """Nothing was named: the small model that comes along answers."""
    return not (settings.model.checkpoint or settings.model.engine)


def engine_for(
    engine: str | None, model: str | None, scripted: str | None, task: str | None = None
) -> str | None:
    """The engine that the command line asks for, or the settings for its task; empty for this
    machine's own, as a model was named; None where nothing says anything."""
    if engine or model:
        return engine or ""
    return engine_of_task(task) if scripted is None else None


def place_of_task(task: str) -> LoadModel | None:
    """The engine that the settings name for a task; None where they name none.

    Raises:
        SettingsError: they cannot be used.
    """
    name = engine_of_task(task)
    return LoadModel(engine_named(name).model, engine=name) if name else None


def check_engine(engine: str | None, *others: str | None) -> None:
    """Raises UsageError: an engine and a model of this machine were both named."""
    if engine and any(others):
        raise UsageError(
            "--engine names a server, whose model, precision and device are its own",
            "",
            "Leave --model, --precision and --device out, or --engine.",
        )


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


def make_engine(
    settings: Settings,
    scripted: str | None = None,
    *,
    send_images: SendImages | None = None,
    asks: bool = False,
) -> Engine:
    """The engine that runs the model, and all those elsewhere that the settings name now or later:
    they are read when one is chosen.

    Args:
        scripted: A script to play in place of this machine's own model.
        send_images: In place of what the settings say of every engine, unless they say never.
        asks: Somebody is there to be asked before images leave this machine.

    Raises:
        SettingsError: the table ``[engines]`` is wrong.
    """
    if scripted is not None and not all_engines():
        return _own_engine(settings, scripted)
    from glm4v_tui.engine.routing import RoutingEngine

    def make(name: str) -> Engine:
        if not name:
            return _own_engine(settings, scripted)
        from glm4v_tui.engine.remote.engine import RemoteEngine

        members: dict[Engine, int] = {}
        for one, told in engines_named(name).items():
            if send_images is not None and told.send_images != "never":
                told = msgspec.structs.replace(told, send_images=send_images)
            members[RemoteEngine(one, told, _ledger, asks=asks)] = told.max_in_flight
        if len(members) == 1:
            return next(iter(members))
        from glm4v_tui.engine.spread import SpreadEngine

        return SpreadEngine(members)

    return RoutingEngine(make, lambda digests, task: _ledger().keep_private(digests, task))


def _ledger() -> Sent:
    from glm4v_tui.store.database import Database
    from glm4v_tui.store.sent import Sent

    return Sent(Database())


def _own_engine(settings: Settings, scripted: str | None) -> Engine:
    if scripted is not None:
        from glm4v_tui.engine.scripted import ScriptedEngine, read_script

        return ScriptedEngine(read_script(Path(scripted)))
    from glm4v_tui.engine.local import LocalEngine

    return LocalEngine(
        paths.worker_log_file(),
        silent_after_s=settings.engine.silent_after_s,
        abort_within_s=settings.engine.abort_within_s,
    )


def plugins_of(settings: Settings) -> Plugins:
    """All that installed plugins and the user's task files bring."""
    from glm4v_tui.tasks.plugins import load_plugins

    return load_plugins(settings.plugins, sorted(paths.user_tasks_dir().glob("*.toml")))


def language_of(settings: Settings) -> Language:
    """The language that tasks ask in."""
    from glm4v_tui.tasks.call import language_named

    return language_named(settings.generation.language)


def existing_paths(names: Iterable[str]) -> list[Path]:
    """The paths that the command line names.

    Raises:
        ImageMissingError: one of them does not exist.
    """
    named = list(names)
    if not all(named):
        raise ImageMissingError(
            "There is no such file", "An empty name was given.", "Is a shell variable not set?"
        )
    found = [expanded(name) for name in named]
    for path in found:
        if not is_there(path):
            raise ImageMissingError("There is no such file", plain_line(str(path)), _MISSING)
    return [path.absolute() for path in found]


def _absolute_if_folder(name: str) -> str:
    """The worker runs elsewhere, so a folder is told absolutely; a hub id stays as it is."""
    folder = expanded(name)
    return str(folder.absolute()) if is_there(folder) or name[:1] == "~" else name
