"""``glm4v-tui triage``: many images, a key for each."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glm4v_tui.commands.chat import check_terminal, pixel_notices
from glm4v_tui.commands.start import (
    check_engine,
    engine_for,
    existing_paths,
    is_embedded,
    language_of,
    make_engine,
    model_of,
    plugins_of,
    sampling_of,
    settings_with,
)
from glm4v_tui.config import task_options
from glm4v_tui.engine.protocol import LoadModel
from glm4v_tui.terminal import is_ssh, set_color_system

if TYPE_CHECKING:
    from pathlib import Path

    from glm4v_tui.config import Settings
    from glm4v_tui.engine_settings import SendImages
    from glm4v_tui.store.database import Database
    from glm4v_tui.tasks.plugins import Plugins
    from glm4v_tui.ui.app import Glm4vApp
    from glm4v_tui.ui.triage.plan import Plan


@dataclass(frozen=True)
class TriageOptions:
    """The command line, as it was given; None where nothing was."""

    paths: tuple[str, ...]
    task: str
    recursive: bool = False
    order: str = "name"
    options: tuple[str, ...] = ()
    auto_above: float | None = None
    keys: str | None = None
    reviewer: str | None = None
    model: str | None = None
    precision: str | None = None
    device: str | None = None
    engine: str | None = None
    send_images: SendImages | None = None
    theme: str | None = None
    images: str | None = None
    low_bandwidth: bool = False
    debug: bool = False
    scripted: str | None = None


def run(options: TriageOptions) -> int:
    """Review until the user leaves; the exit code.

    Raises:
        GlmError: a file, the settings, the task or the database is wrong.
    """
    check_engine(options.engine, options.model, options.precision, options.device)
    settings = settings_with(
        model__checkpoint=options.model,
        model__precision=options.precision,
        model__device=options.device,
        model__engine=engine_for(options.engine, options.model, options.scripted, options.task),
        interface__theme=options.theme,
        interface__images=options.images,
        interface__low_bandwidth=options.low_bandwidth or None,
        interface__triage_keys=options.keys,
    )
    # Textual reads its environment when it is imported, so this comes first.
    set_color_system(os.environ, settings.interface.colors)
    paths = existing_paths(options.paths)
    plugins = plugins_of(settings)
    from glm4v_tui.store.database import Database

    with closing(Database(may_read_only=True)) as database:
        plan = _plan(options, settings, plugins, paths, database)
        # last: what is wrong with the command is wrong on a terminal, too
        check_terminal("Use `glm4v-tui batch` to have the model look at images without a screen.")
        return _run_screen(options, settings, plugins, plan)


def _plan(
    options: TriageOptions,
    settings: Settings,
    plugins: Plugins,
    paths: list[Path],
    database: Database,
) -> Plan:
    from glm4v_tui.tasks.command import options_set
    from glm4v_tui.triage.queue import Order
    from glm4v_tui.ui.triage.plan import Plan, user_name

    task = plugins.task(options.task)
    return Plan(
        task=task,
        options=options_set(task, task_options(task.name, task.options_type), options.options),
        language=language_of(settings),
        paths=tuple(paths),
        database=database,
        is_recursive=options.recursive,
        order=Order(options.order),
        auto_above=options.auto_above,
        reviewer=options.reviewer or user_name(),
    )


def _run_screen(options: TriageOptions, settings: Settings, plugins: Plugins, plan: Plan) -> int:
    pixels = pixel_notices(settings)
    from glm4v_tui.ui.app import Glm4vApp, why_it_ended
    from glm4v_tui.ui.launch import Launch

    is_scripted = options.scripted is not None
    app = Glm4vApp(
        Launch(
            engine=make_engine(settings, options.scripted, send_images=options.send_images),
            model=LoadModel("script") if is_scripted and not options.engine else model_of(settings),
            is_embedded=not is_scripted and is_embedded(settings),
            settings=settings,
            sampling=sampling_of(settings),
            is_remote=is_ssh(os.environ),
            notices=(*pixels, *plugins.notices),
            triage=plan,
            load_plugins=lambda: plugins,
        )
    )
    app.run()
    if (defect := why_it_ended(app)) is not None:
        raise defect from app.defect
    if app.left_with is not None:
        raise app.left_with
    _say_where(app)
    return app.return_code or 0


def _say_where(app: Glm4vApp) -> None:
    """Where the review was left, on the shell."""
    progress = app.left_at
    if progress is None:
        return
    decided = f"{progress.done:,} of {progress.total:,} decided"
    rest = f", {progress.left:,} left: the same command goes on there" if progress.left else ""
    sys.stdout.write(f"{decided}{rest}.\n")
