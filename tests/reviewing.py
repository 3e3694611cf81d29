"""A reviewer at the triage screen: keys in, words out. Answers from a script."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import asynccontextmanager, closing
from typing import Literal

import msgspec
from PIL import Image
from textual import events

from glm4v_tui import Badge, Label, Panel, Region, Task, Words
from glm4v_tui.chat import Box
from glm4v_tui.engine.protocol import LoadModel, Sampling
from glm4v_tui.engine.scripted import Script, ScriptedAnswer, ScriptedEngine
from glm4v_tui.store.database import Database
from glm4v_tui.store.files import Files
from glm4v_tui.store.results import Results, StoredResult
from glm4v_tui.tasks.task import Language
from glm4v_tui.triage.digests import digest_of
from glm4v_tui.triage.identity import asked_key, model_key
from glm4v_tui.ui.app import Glm4vApp
from glm4v_tui.ui.launch import Launch
from glm4v_tui.ui.screens.triage import TriageScreen
from glm4v_tui.ui.triage.plan import Plan

GOOD = ScriptedAnswer('{"kind": "good"}', tokens_per_s=1e6)
BAD = ScriptedAnswer('{"kind": "bad"}', tokens_per_s=1e6)


class Kind(msgspec.Struct, frozen=True):
    kind: Literal["good", "bad"]


class SortTask(Task[Kind, msgspec.Struct]):
    name = "sort"
    title = "Sorting"
    summary = "Sorts."
    question = Words("What is it?")
    result_type = Kind
    labels = (Label("good", "g"), Label("bad", "d"), Label("next", "n"))
    notice = "Not for diagnosis."

    def label_of(self, result, options):
        return result.kind

    def render(self, result, facts, options):
        return Panel(badges=(Badge(f"it is {result.kind}"),))

    def regions(self, result, facts):
        return [Region(Box(10, 10, 30, 30), "spot")]


class Unlabeled(SortTask):
    name = "unlabeled"
    labels = ()
    notice = ""

    def label_of(self, result, options):
        return None


class Reviewer:
    def __init__(self, app, pilot, screen):
        self.app, self.pilot, self.screen = app, pilot, screen

    async def press(self, *keys):
        """Press keys as fingers do, each when what the one before has done can be seen."""
        for key in keys:
            await self.until(self.sees_image)
            await asyncio.sleep(0.08)
            await self.pilot.press(key)
            await self.until(lambda: not self.screen._waiting)
            await self.pilot.pause()

    def sees_image(self):
        """Whether image and label are there, as far as this is about the review."""
        screen = self.screen
        if self.app.screen is not screen or screen._index is None:
            return True
        return screen._sight.has_seen_label(time.monotonic())

    def burst(self, keys, after_s=0.0):
        """Keys that arrive in one read, so long after now."""
        for key in keys:
            name = "slash" if key == "/" else "space" if key == " " else key
            event = events.Key(name, key)
            event.time += after_s
            self.app.post_message(event)

    async def until(self, holds, seconds=10.0):
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"never came:\n{self.text}"
            await asyncio.sleep(0.01)
        await self.pilot.pause()

    async def sees(self, *words):
        await self.until(lambda: all(word in self.text for word in words))

    @property
    def text(self):
        strips = self.app.screen._compositor.render_strips()
        said = [f"{toast.title} {toast.message}" for toast in self.app._notifications]
        return "\n".join([*(strip.text.rstrip() for strip in strips), *said])

    @property
    def review(self):
        return self.screen._review

    def label(self, index):
        return self.review.standings.label(index)

    @property
    def at(self):
        return self.review.queue.position


def images_in(folder, count=4):
    """Small images, each of its own color."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        path = folder / f"part-{number}.png"
        if not path.exists():
            Image.new("RGB", (60, 40), (40 * number, 80, 120)).save(path)
    return folder


@asynccontextmanager
async def reviewing(
    folder,
    *answers,
    task=None,
    size=(120, 40),
    load_s=0.0,
    database=None,
    ready=True,
    launch=None,
    **plan,
):
    task = task or SortTask()
    database = database or Database()
    chosen = Plan(
        task=task,
        options=task.options_type(),
        language=Language.EN,
        paths=(folder,),
        database=database,
        reviewer="ann",
        **plan,
    )
    script = Script(tuple(answers or [GOOD]), load_s)
    engine = ScriptedEngine(script)
    app = Glm4vApp(Launch(engine, LoadModel("x"), triage=chosen, **(launch or {})))
    async with app.run_test(size=size) as pilot:
        screen = app.screen_stack[0]
        assert isinstance(screen, TriageScreen)
        reviewer = Reviewer(app, pilot, screen)
        if ready:
            await reviewer.until(lambda: screen._index is not None)
            await reviewer.until(reviewer.sees_image)
            if not load_s:
                await reviewer.until(lambda: screen._judged.get(screen._index) is not None)
                await reviewer.until(reviewer.sees_image)
        yield reviewer


def store_opinions(folder, task, chances, model="x"):
    """What a model once said of images, by their names: log-likelihoods of ``bad`` where that of
    ``good`` is 0, as ``glm4v-tui batch`` stores them."""
    with closing(Database()) as database:
        files = Files(database)
        asked = asked_key(task, task.options_type(), Language.EN, Sampling())
        results = Results(database, asked, model_key(LoadModel(model)))
        for name, chance in chances.items():
            os.utime(folder / name, (1e9, 1e9))  # what was just written is read again
            said = {"good": (0.0, 1), "bad": (chance, 1)}
            stored = StoredResult(raw=GOOD.text, is_finished=True, log_likelihoods=said)
            results.put(digest_of(files, folder / name), stored)
