"""The chat screen as a user meets it: keys in, words and pictures out. Answers from a script."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import asynccontextmanager

from textual.events import Paste

from glm4v_tui.engine.protocol import LoadModel
from glm4v_tui.engine.scripted import Script, ScriptedAnswer, ScriptedEngine
from glm4v_tui.ui.app import Glm4vApp
from glm4v_tui.ui.launch import Launch
from glm4v_tui.ui.widgets.composer import Composer
from glm4v_tui.ui.widgets.search_bar import SearchBar
from glm4v_tui.ui.widgets.side_bar import SideBar
from glm4v_tui.ui.widgets.turn_view import TurnView

MODEL = LoadModel("x")
SLOW = ScriptedAnswer("one two three four five six seven eight nine ten. ", 20, repeat=20)


def quick(text):
    return ScriptedAnswer(text, tokens_per_s=1e6)


class User:
    """Presses keys and looks at the screen."""

    def __init__(self, app, pilot):
        self.app, self.pilot, self.session = app, pilot, app.session

    async def press(self, *keys):
        await self.pilot.press(*keys)

    async def write(self, text):
        await self.press(*("space" if c == " " else c for c in text))
        await self.until(lambda: self.composer.text.endswith(text))

    async def write_in_search(self, text):
        await self.until(lambda: self.app.query(SearchBar))
        await self.press(*("space" if c == " " else c for c in text))

    async def send(self, question):
        await self.write(question)
        await self.press("enter")
        await self.until(lambda: self.session.turns[-1:] and self.last.question.text == question)

    async def ask(self, question):
        """Ask, and wait for the whole answer to stand on the screen."""
        await self.send(question)
        turn = self.last
        await self.until(lambda: turn.state.is_over and self.view(turn))
        await self.sees(" out", *re.findall(r"\w+", turn.answer.text)[-1:])
        return turn

    async def until(self, holds, seconds=10.0):
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"never came:\n{self.screen}"
            await asyncio.sleep(0.01)
        await self.pilot.pause()

    async def sees(self, *words):
        await self.until(lambda: all(word in self.screen for word in words))

    async def misses(self, *words):
        await self.until(lambda: not any(word in self.screen for word in words))

    @property
    def screen(self):
        strips = self.app.screen._compositor.render_strips()
        said = [f"{toast.title} {toast.message}" for toast in self.app._notifications]
        return "\n".join([*(strip.text.rstrip() for strip in strips), *said])

    @property
    def composer(self):
        return self.app.screen_stack[0].query_one(Composer)

    @property
    def last(self):
        return self.session.turns[-1]

    def view(self, turn):
        chat = self.app.screen_stack[0]
        return next((v for v in chat.query(TurnView) if v.turn is turn), None)

    def paste(self, text):
        self.app.post_message(Paste(text))

    async def focus_turn(self, turn=None):
        """Go to a turn, as Tab and the arrow keys do."""
        view = self.view(turn or self.last)
        self.app.screen.set_focus(view)
        await self.until(lambda: view.has_focus)


@asynccontextmanager
async def chatting(
    *answers, size=(120, 40), images=(), model=MODEL, load_s=0.0, kind=ScriptedEngine, **options
):
    script = Script(tuple(answers or [quick("Yes.")]), load_s)
    app = Glm4vApp(Launch(kind(script), model, images=tuple(images), **options))
    async with app.run_test(size=size) as pilot:
        user = User(app, pilot)
        await user.until(lambda: app.query(SideBar))
        if model and not load_s:
            await user.sees("ready")
        yield user
