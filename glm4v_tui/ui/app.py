"""The application: theme, keymap, pictures, one screen."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding

from glm4v_tui.pixels import PixelOpener
from glm4v_tui.plain import plain_text
from glm4v_tui.session import ChatSession
from glm4v_tui.state import load_state
from glm4v_tui.ui.bridge import EventRoute
from glm4v_tui.ui.link_meter import LinkMeter, metered
from glm4v_tui.ui.picture_mode import PictureMode
from glm4v_tui.ui.task_desk import TaskDesk
from glm4v_tui.ui.themes import load_theme_or_default

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import PurePath

    from textual.binding import BindingType
    from textual.driver import Driver
    from textual.screen import Screen

    from glm4v_tui.errors import GlmError
    from glm4v_tui.triage.progress import Progress
    from glm4v_tui.ui.launch import Launch

_AGAIN_WITHIN_S = 2.0
"""How soon the second Ctrl+C must follow to quit."""


class Glm4vApp(App[None]):
    TITLE = "glm4v-tui"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (24, "-tall")]

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "help", "Help", id="app.help", priority=True),
        Binding("ctrl+c", "interrupt", "Interrupt", id="app.interrupt", show=False, priority=True,
                tooltip="Copy the selection, or stop the answer; twice to quit"),
        Binding("ctrl+q", "quit", "Quit", id="app.quit", show=False, priority=True),
        # Priority: the composer would take it for "select the line".
        Binding("f6", "change_theme", "Theme", id="app.theme", show=False, priority=True),
        Binding("ctrl+p", "command_palette", "All commands", id="app.commands", show=False,
                priority=True),
    ]  # fmt: skip

    def __init__(self, launch: Launch) -> None:
        self.picture_mode = PictureMode(
            images=launch.settings.interface.images,
            low_bandwidth=launch.settings.interface.low_bandwidth,
            is_remote=launch.is_remote,
        )
        self.link_meter = LinkMeter()
        # Of the first screen the style sheet is the app's, which is read before it.
        sheets: list[str | PurePath] = [
            "styles/chat.tcss",
            *(["styles/triage.tcss"] if launch.triage else []),
        ]
        super().__init__(css_path=sheets)
        self._launch = launch
        generation = launch.settings.generation
        opener = PixelOpener()
        self.desk = TaskDesk(launch.load_plugins, generation.language, opener)
        self.session = ChatSession(
            launch.engine,
            opener,
            sampling=launch.sampling,
            system_prompt=generation.system_prompt,
            smaller_images=launch.settings.model.smaller_images,
            place_of=launch.place_of,
        )
        self.route = EventRoute()
        self._notices = list(launch.notices)
        self._interrupted_at = 0.0
        self.left_at: Progress | None = None
        """How far the review had come; None where there was none."""
        self.left_with: GlmError | None = None
        """Why there was nothing to review."""
        self.defect: Exception | None = None
        """What ended the program against its will; the command reports it."""
        self._use_theme()

    def get_driver_class(self) -> type[Driver]:
        return metered(super().get_driver_class(), self.link_meter)

    def on_load(self) -> None:
        self._use_keymap()

    def get_default_screen(self) -> Screen[None]:
        """The one screen. In place of Textual's empty one, which would be laid out for nothing."""
        if self._launch.triage is not None:
            from glm4v_tui.ui.screens.triage import TriageScreen

            return TriageScreen(
                self._launch, self.session, self.desk, self._launch.triage, self._notices
            )
        from glm4v_tui.ui.screens.chat import ChatScreen

        return ChatScreen(self._launch, self.session, self.desk, self._notices)

    def on_mount(self) -> None:
        """End on a signal as on a key: with the terminal given back and the worker ended."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            loop.add_signal_handler(number, self.exit, None, 128 + number)

    async def on_unmount(self) -> None:
        await self.session.engine.close()
        await self.session.journal.close()

    # Looks and keys -------------------------------------------------------------------------

    def _use_theme(self) -> None:
        state, problem = load_state()
        name = state.theme_for(self._launch.settings.interface.theme)
        theme, error = load_theme_or_default(name)
        self.register_theme(theme)
        # What setting ``theme`` does, but before the style sheets are read: they are read once.
        self.set_reactive(App.theme, theme.name)
        self.set_class(theme.dark, "-dark-mode")
        self.set_class(not theme.dark, "-light-mode")
        self.add_class(f"-theme-{theme.name}")
        self._refresh_truecolor_filter(self.ansi_theme)
        self.stylesheet.set_variables(self.get_css_variables())
        self._notices += [text for text in (problem, str(error) if error else None) if text]

    def _use_keymap(self) -> None:
        from glm4v_tui.ui.keymap import load_keymap

        interface = self._launch.settings.interface
        keymap = load_keymap(interface.keymap, triage=interface.triage_keys)
        self.set_keymap(keymap.keys)
        self._notices += keymap.warnings
        if keymap.own:
            self.run_worker(lambda: self._check_keys(keymap.keys), thread=True)

    def _check_keys(self, keys: dict[str, str]) -> None:
        """Runs in a thread: it imports every screen to know every binding."""
        from glm4v_tui.ui.key_check import check_keymap

        for problem in check_keymap(keys):
            self.call_from_thread(
                self.notify, plain_text(problem), severity="warning", markup=False
            )

    def action_change_theme(self) -> None:
        """Choose among all themes; broken files are named, the choice is remembered."""
        from glm4v_tui.ui.themes import load_themes

        themes = load_themes()
        for theme in themes.good:
            self.register_theme(theme)
        for error in themes.failed:
            self.notify(plain_text(error.body), title=error.title, severity="warning", markup=False)
        self.theme_changed_signal.subscribe(self, lambda theme: self._remember_theme(theme.name))
        self.search_themes()

    def _remember_theme(self, name: str) -> None:
        from glm4v_tui.state import update_state

        update_state(theme=name, theme_over=self._launch.settings.interface.theme)

    # Commands -------------------------------------------------------------------------------

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette offers what the keys do, by the same words."""
        seen = set()
        for active in screen.active_bindings.values():
            binding = active.binding
            if not binding.id or binding.id in seen or binding.system:
                continue
            seen.add(binding.id)
            key = self.get_key_display(binding)
            yield SystemCommand(
                f"{binding.description}  ({key})",
                binding.tooltip or "",
                lambda action=binding.action, node=active.node: self.call_later(
                    self.run_action, action, node
                ),
            )

    def action_help(self) -> None:
        from glm4v_tui.ui.screens.help import HelpScreen

        if isinstance(self.screen, HelpScreen):
            self.screen.dismiss(None)
        else:
            self.push_screen(HelpScreen())

    def action_interrupt(self) -> None:
        """Ctrl+C: copy what is selected, else stop the answer, else quit at the second press."""
        if text := self._selected_text():
            self.copy_to_clipboard(plain_text(text))
            return
        is_second = time.monotonic() - self._interrupted_at < _AGAIN_WITHIN_S
        self._interrupted_at = time.monotonic()
        if is_second:
            self.exit(return_code=130)
        elif self.session.current is not None:
            self.run_worker(self.session.stop())
        else:
            self.notify("Press Ctrl+C again to quit.", timeout=_AGAIN_WITHIN_S, markup=False)

    def _selected_text(self) -> str:
        from textual.widgets import Input, TextArea

        if isinstance(self.focused, Input | TextArea) and self.focused.selected_text:
            return self.focused.selected_text
        return self.screen.get_selected_text() or ""

    # Defects --------------------------------------------------------------------------------

    def _fatal_error(self) -> None:
        """Leave without a traceback on the screen; the command that started us tells of it."""
        self.defect = self._exception
        self._close_messages_no_wait()


def why_it_ended(app: Glm4vApp) -> GlmError | None:
    """A defect of this program, in the form of every other error."""
    if app.defect is None:
        return None
    from glm4v_tui.errors import GlmError

    return GlmError(
        "The program met a defect of its own and had to stop",
        f"{type(app.defect).__name__}: {plain_text(str(app.defect))}",
        "Start it with --debug to see where, and please report it.",
    )
