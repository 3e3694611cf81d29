"""``glm4v-tui [PATH ...]``: the chat screen, or the same without a screen."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glm4v_tui.commands.start import (
    check_engine,
    engine_for,
    existing_paths,
    is_embedded,
    make_engine,
    model_of,
    place_of_task,
    plugins_of,
    sampling_of,
    settings_with,
)
from glm4v_tui.engine.protocol import LoadModel
from glm4v_tui.errors import UsageError
from glm4v_tui.terminal import is_ssh, set_color_system

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from glm4v_tui.config import Settings
    from glm4v_tui.engine_settings import SendImages


@dataclass(frozen=True)
class ChatOptions:
    """The command line, as it was given; None where nothing was."""

    paths: tuple[str, ...] = ()
    model: str | None = None
    precision: str | None = None
    device: str | None = None
    engine: str | None = None
    send_images: SendImages | None = None
    theme: str | None = None
    images: str | None = None
    low_bandwidth: bool = False
    plain: bool = False
    resume: bool = False
    debug: bool = False
    scripted: str | None = None


def run(options: ChatOptions) -> int:
    """Chat until the user leaves; the exit code."""
    check_engine(options.engine, options.model, options.precision, options.device)
    settings = settings_with(
        model__checkpoint=options.model,
        model__precision=options.precision,
        model__device=options.device,
        model__engine=engine_for(options.engine, options.model, options.scripted),
        interface__theme=options.theme,
        interface__images=options.images,
        interface__low_bandwidth=options.low_bandwidth or None,
    )
    found = existing_paths(options.paths)
    if options.plain or os.environ.get("TERM") in ("dumb", "unknown"):
        from glm4v_tui.commands.line_chat import run_line_chat

        return run_line_chat(
            settings,
            found,
            options.scripted,
            resume=options.resume,
            send_images=options.send_images,
            place_of=_place_of(options),
        )
    check_terminal("Use --plain to chat through pipes, or `glm4v-tui ask` for one question.")
    return _run_screen(settings, found, options)


def check_terminal(remedy: str) -> None:
    """Raises UsageError: there is nothing to draw on."""
    if not (sys.stdin.isatty() and sys.__stderr__ is not None and sys.__stderr__.isatty()):
        raise UsageError(
            "There is no terminal to draw on",
            "Standard input and standard error must be a terminal.",
            remedy,
        )


def _run_screen(settings: Settings, found: list[Path], options: ChatOptions) -> int:
    # Textual reads its environment when it is imported, so this comes first.
    set_color_system(os.environ, settings.interface.colors)
    pixels = pixel_notices(settings)
    from glm4v_tui.ui.app import Glm4vApp, why_it_ended
    from glm4v_tui.ui.launch import Launch

    folders = [path for path in found if path.is_dir()]
    is_scripted = options.scripted is not None
    app = Glm4vApp(
        Launch(
            engine=make_engine(
                settings, options.scripted, send_images=options.send_images, asks=True
            ),
            model=LoadModel("script") if is_scripted and not options.engine else model_of(settings),
            is_embedded=not is_scripted and is_embedded(settings),
            images=tuple(path for path in found if not path.is_dir()),
            folder=folders[0] if folders else None,
            settings=settings,
            sampling=sampling_of(settings),
            is_remote=is_ssh(os.environ),
            notices=pixels,
            resume=options.resume,
            place_of=_place_of(options),
            load_plugins=lambda: plugins_of(settings),
        )
    )
    app.run()
    if (defect := why_it_ended(app)) is not None:
        raise defect from app.defect
    return app.return_code or 0


def _place_of(options: ChatOptions) -> Callable[[str], LoadModel | None] | None:
    """Tasks go to their own engines, where the command line does not say where all are asked."""
    is_named = options.engine or options.model or options.scripted is not None
    return None if is_named else place_of_task


def pixel_notices(settings: Settings) -> tuple[str, ...]:
    """Ask the terminal about pixel graphics, but only when they were asked for."""
    if settings.interface.images not in ("sixel", "kitty"):
        return ()
    from glm4v_tui.ui.pixels import prepare

    problem = prepare(settings.interface.images)
    return (problem,) if problem else ()
