"""Loads one plugin, and keeps its faults to itself.

Whatever a plugin does while it is loaded or asked what it brings, printing included, ends in its
report; the program and the other plugins go on.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import pluggy

from glm4v_tui.plain import plain_line
from glm4v_tui.tasks import hookspecs
from glm4v_tui.tasks.plugin_report import PluginReport, PluginState
from glm4v_tui.toml_file import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from importlib.metadata import EntryPoint

    Take = Callable[[object, PluginReport], None]

Value = TypeVar("Value")

SLOW_S = 1.0
"""A plugin that takes longer to import is named, since every start pays for it."""
LIMIT_S = 15.0
"""A plugin that is not loaded after this is left behind."""
_HEAVY = ("torch", "transformers", "accelerate", "bitsandbytes")
"""What a plugin must not import into the interface's process."""
HOOKS = tuple(name for name in vars(hookspecs) if name.startswith(f"{hookspecs.PROJECT}_"))
"""What a plugin may implement."""


def new_manager() -> pluggy.PluginManager:
    """A plugin manager that knows the hooks of the contract."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    return manager


def load_plugin(manager: pluggy.PluginManager, entry: EntryPoint, report: PluginReport) -> None:
    """Import a plugin and register its hooks; its report says how that went."""
    heavy = {name for name in _HEAVY if name in sys.modules}
    started = time.monotonic()
    try:
        with _silenced(report):
            plugin = _within_limit(entry.load)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's code
        report.fail(said_by(error))
    else:
        _register(manager, plugin, report)
    report.seconds = time.monotonic() - started
    if report.seconds > SLOW_S:
        report.warn(f"its import took {report.seconds:.1f} s")
    brought = [name for name in _HEAVY if name in sys.modules and name not in heavy]
    if brought:
        report.warn(f"it imports {', '.join(brought)} with itself; import them where they are used")


def _register(manager: pluggy.PluginManager, plugin: object, report: PluginReport) -> None:
    """Add a plugin whose hooks are those of the contract; any other leaves no trace."""
    if manager.has_plugin(report.name):
        report.fail(f"another plugin is called {report.name} already", PluginState.INCOMPATIBLE)
        return
    try:
        manager.register(plugin, report.name)
        manager.check_pending()
        _check_marks(plugin, report)
    except (pluggy.PluginValidationError, ValueError) as error:
        report.fail(_misfit(error), PluginState.INCOMPATIBLE)
    except Exception as error:  # noqa: BLE001 - its attributes are a stranger's code as well
        report.fail(said_by(error))
    fits = report.state in {PluginState.OK, PluginState.WARNED}
    if not fits and manager.has_plugin(report.name):
        manager.unregister(name=report.name)


def collect(
    manager: pluggy.PluginManager, name: str, report: PluginReport, taken: Mapping[str, Take]
) -> None:
    """Call the plugin's hooks, each on its own.

    Args:
        taken: Name of a hook -> what takes each thing that it offers.
    """
    for hook, take in taken.items():
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            if implementation.plugin_name != name:
                continue
            try:
                with _silenced(report):
                    offers = _within_limit(partial(_offers_of, implementation.function))
            except TimeoutError as error:
                offers = _Offers(error=error)
            for offered in offers.given:
                take(offered, report)
            if offers.error is not None:
                report.fail(f"its {hook} failed: {said_by(offers.error)}")


@dataclass
class _Offers:
    """What a hook has given, and what ended it early."""

    given: list[object] = field(default_factory=list)
    error: BaseException | None = None


def _offers_of(hook: Callable[[], Iterable[object] | None]) -> _Offers:
    offers = _Offers()
    try:
        for one in hook() or ():
            offers.given.append(one)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - told by whoever asked
        offers.error = error
    return offers


def _within_limit(work: Callable[[], Value]) -> Value:
    """Run a stranger's code in a thread that is left behind when it does not come to an end.

    Raises:
        TimeoutError: it is still at it after the limit; it may be so for ever.
        BaseException: what the code raises.
    """
    done: Future[Value] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            done.set_exception(error)

    threading.Thread(target=run, name="plugin", daemon=True).start()
    try:
        return done.result(LIMIT_S)
    except FutureTimeoutError as error:
        if done.done():
            raise
        raise TimeoutError(f"not loaded after {LIMIT_S:g} s, and left behind") from error


def _misfit(error: Exception) -> str:
    """pluggy's word on hooks that do not fit, and which hook may have been meant."""
    text = _first_line(error)
    unknown = re.match(r"unknown hook '(\w+)'", text)
    return f"{unknown[0]}{did_you_mean(unknown[1], HOOKS)}" if unknown else text


def _check_marks(plugin: object, report: PluginReport) -> None:
    """Name what looks like a hook and is none: pluggy passes over functions without the mark."""
    for name in dir(plugin):
        looks = name.startswith(f"{hookspecs.PROJECT}_") and callable(getattr(plugin, name))
        if looks and not hasattr(getattr(plugin, name), f"{hookspecs.PROJECT}_impl"):
            report.warn(f"its {name} is not marked with @hookimpl, so it is no hook")


@contextlib.contextmanager
def _silenced(report: PluginReport) -> Iterator[None]:
    """Keep what a plugin prints off the screen and out of the output of commands."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            yield
    finally:
        if printed.getvalue().strip():
            report.warn(f'it prints while it is loaded: "{_line(printed.getvalue())[:60]}"')


def said_by(error: BaseException) -> str:
    """An exception on one line, for a report."""
    text = _first_line(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _first_line(error: BaseException) -> str:
    return _line(str(error))[:300]


def _line(text: str) -> str:
    return plain_line(" ".join(filter(None, map(str.strip, text.splitlines()))))
