"""All checks in order, each guarded from the faults of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from glm4v_tui.config import Settings, load_settings
from glm4v_tui.doctor import engines, files, hardware, model, software, tasks, terminal
from glm4v_tui.doctor.finding import SETTINGS, Finding, Status
from glm4v_tui.errors import SettingsError

Check = Callable[[], Iterable[Finding]]


def run_checks(model_name: str | None = None, extra: Iterable[Check] = ()) -> list[Finding]:
    """Everything that :func:`stream_checks` finds, at once."""
    return list(stream_checks(model_name, extra))


def stream_checks(model_name: str | None = None, extra: Iterable[Check] = ()) -> Iterator[Finding]:
    """Look at everything, one finding after the other.

    Args:
        model_name: A folder or hub id in place of the one in the settings.
        extra: Checks of layers above this one, such as the screen's keys and themes.
    """
    settings, error = _settings()
    name = settings.model.checkpoint if model_name is None else model_name
    checks: list[tuple[str, Check]] = [
        ("terminal", partial(terminal.check, settings.interface)),
        ("software", software.check),
        ("hardware", hardware.check),
        ("model", partial(model.check, name, settings.model.device)),
        (SETTINGS, partial(files.check_settings, error)),
        (SETTINGS, partial(engines.check, settings.model.engine)),
        *((SETTINGS, check) for check in extra),
        (tasks.AREA, partial(tasks.check, settings)),
        ("files", files.check_places),
    ]
    for area, check in checks:
        yield from _guarded(area, check)


def _settings() -> tuple[Settings, SettingsError | None]:
    try:
        return load_settings(), None
    except SettingsError as error:
        return Settings(), error


def _guarded(area: str, check: Check) -> Iterator[Finding]:
    """A check that breaks says so and lets the next one begin."""
    try:
        yield from check()
    except Exception as error:  # noqa: BLE001 - whatever this machine has that nobody thought of
        yield Finding(
            area,
            "check",
            Status.WARN,
            f"This check broke: {type(error).__name__}: {error}",
            "Please report it with the output of doctor --json.",
        )
