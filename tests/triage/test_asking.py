"""What the model says of an image is asked once: after a restart, after a rename, never again."""

import asyncio
import contextlib
import os
import sqlite3
from types import SimpleNamespace

import msgspec
import pytest
from PIL import Image

from glm4v_tui.engine.protocol import Failed, FailureKind, Generate, Sampling, Score, Scored
from glm4v_tui.engine.scripted import Script, ScriptedAnswer, ScriptedEngine
from glm4v_tui.errors import EngineError, ImageError, WorkerDiedError
from glm4v_tui.store.database import Database
from glm4v_tui.tasks.task import Label, Language, Words
from glm4v_tui.triage.asking import Asker, Withdrawn, probabilities
from tests.tasks.fakes import Look, Options

RESULT = '{"kind": "dent", "note": "n", "box": [0, 0, 499, 999]}'


class Sort(Look):
    name = "sort"
    labels = (Label("good", answer="Yes"), Label("bad", answer="No"), Label("later"))
    label_question = Words("Is it good?")

    def label_of(self, result, options):
        return "bad" if result.kind == "dent" else "good"


class Mute(Sort):
    """The model is not asked for labels."""

    name = "mute"
    labels = (Label("good"), Label("bad"))
    label_question = Words("")


class Private(Sort):
    is_private = True


class Engine(ScriptedEngine):
    """Counts what it is asked; "Yes" is nine times as probable as "No"."""

    def __init__(self, *answers):
        texts = answers or (ScriptedAnswer(RESULT, 1e6),)
        super().__init__(Script(tuple(texts)))
        self.asked, self.shown, self.has_begun = [], [], False

    async def generate(self, request):
        self._note(request)
        await super().generate(request)
        self.has_begun = True

    async def score(self, request):
        self._note(request)
        totals = tuple({"Yes": -0.1, "No": -2.3}[one] for one in request.answers)
        self._events.put_nowait(Scored(request.request_id, totals, (1, 1), 0.25))

    def _note(self, request):
        self.asked.append(request)
        attachment = request.messages[-1].attachments[0]
        assert self.has_image(attachment.key)
        assert attachment.path == ""
        self.shown.append(attachment.key)

    @property
    def kinds(self):
        return [type(one) for one in self.asked]


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (40, 30), "red").save(path)
    os.utime(path, (1e9, 1e9))  # what was written just now might be written to again
    return path


@pytest.fixture
def asker(tmp_path):
    """Makes askers as runs of the program do: each with a connection of its own."""
    with contextlib.ExitStack() as opened:

        def make(engine, task=None, options=None, model="m", sampling=None, **more):
            database = Database(tmp_path / "store.sqlite3")
            opened.callback(database.close)
            sampling = sampling or Sampling()
            return Asker(
                *(engine, database, task or Sort(), options or Options(), Language.EN, model),
                **{"sampling": sampling, **more},
            )

        yield make


@contextlib.asynccontextmanager
async def listening(asker):
    async def listen():
        async for event in asker._engine.events():
            asker.handle(event)

    task = asyncio.create_task(listen())
    try:
        yield asker
    finally:
        await asker._engine.close()
        await task


async def judged(asker, *paths):
    async with listening(asker):
        return [await asker.judge(path) for path in paths]


async def test_labels_and_the_result_are_asked_for(asker, image):
    engine = Engine()
    [said] = await judged(asker(engine), image)
    assert engine.kinds == [Score, Generate]
    assert engine.asked[0].answers == ("Yes", "No")
    assert [one.text for one in engine.asked[0].messages] == ["Is it good?"]
    assert said.probabilities == pytest.approx({"good": 0.9, "bad": 0.1}, abs=0.001)
    assert (said.label, said.is_stored) == ("good", False)
    assert said.outcome.value["note"] == "n"
    assert said.outcome.label == "bad"
    assert said.outcome.regions[0][0].box.width == 20


async def test_nothing_is_asked_twice_not_even_by_another_run(asker, image):
    [first] = await judged(asker(Engine()), image)
    engine = Engine()
    other = asker(engine)
    assert other.known(image) is not None
    [again] = await judged(other, image)
    assert engine.asked == []
    assert again.is_stored
    assert (again.probabilities, again.label) == (first.probabilities, first.label)
    assert again.outcome == first.outcome
    assert again.seconds == first.seconds > 0.2


async def test_a_renamed_or_copied_file_is_the_same_image(asker, image):
    await judged(asker(Engine()), image)
    moved = image.rename(image.with_name("b.png"))
    engine = Engine()
    other = asker(engine)
    [said] = await judged(other, moved)
    assert (said.is_stored, engine.asked) == (True, [])
    assert other.known(moved) == said


async def test_a_changed_file_is_another_image(asker, image):
    await judged(asker(Engine()), image)
    Image.new("RGB", (40, 30), "blue").save(image)
    engine = Engine()
    other = asker(engine)
    assert other.known(image) is None
    await judged(other, image)
    assert engine.kinds == [Score, Generate]


class NewVersion(Sort):
    version = "3"


class OtherQuestion(Sort):
    question = Words("What else?")


class OtherLabelQuestion(Sort):
    label_question = Words("Is it fine?")


class OtherAnswer(Sort):
    labels = (Label("good", answer="No"), Label("bad", answer="Yes"))


@pytest.mark.parametrize(
    "change",
    [
        {"task": NewVersion()},
        {"task": OtherQuestion()},
        {"task": OtherLabelQuestion()},
        {"task": OtherAnswer()},
        {"options": Options(level=4)},
        {"model": "other"},
        {"sampling": Sampling(top_k=3)},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_what_changes_an_answer_makes_it_another(asker, image, change):
    await judged(asker(Engine()), image)
    engine = Engine()
    await judged(asker(engine, **change), image)
    assert engine.kinds == [Score, Generate]


async def test_labels_alone_are_completed_later(asker, image):
    engine = Engine()
    [said] = await judged(asker(engine, wants_result=False), image)
    assert (engine.kinds, said.outcome, said.label) == ([Score], None, "good")
    engine = Engine()
    [said] = await judged(asker(engine), image)
    assert engine.kinds == [Generate]
    assert said.outcome.value is not None


async def test_a_task_without_a_label_question_takes_the_results_word(asker, image):
    engine = Engine()
    [said] = await judged(asker(engine, Mute(), wants_result=False), image)
    assert engine.kinds == [Generate]
    assert (said.probabilities, said.label) == ({}, "bad")


async def test_what_was_there_before_a_failure_is_kept(asker, image):
    with pytest.raises(EngineError, match="broken"):
        await judged(asker(Engine(ScriptedAnswer("", 1e6, fail="broken"))), image)
    engine = Engine()
    await judged(asker(engine), image)
    assert engine.kinds == [Generate]


async def test_a_cut_result_is_kept_as_that(asker, image):
    cut = ScriptedAnswer(RESULT[:9], 1e6, cut=True)
    [said] = await judged(asker(Engine(cut)), image)
    assert (said.outcome.value, said.outcome.result.state) == (None, "cut")
    assert asker(Engine()).known(image).outcome.result.state == "cut"


async def test_two_files_of_one_content_are_asked_about_once(asker, image):
    copy = image.with_name("copy.png")
    copy.write_bytes(image.read_bytes())
    engine = Engine()
    async with listening(asker(engine)) as asking:
        first, second = await asyncio.gather(asking.judge(image), asking.judge(copy))
    assert engine.kinds == [Score, Generate]
    assert {first.is_stored, second.is_stored} == {False, True}  # whichever was read first


async def test_several_are_asked_about_at_once(asker, image):
    """Their answers come in any order; one that is urgent does not wait for its turn."""
    paths = [image.with_name(f"{number}.png") for number in range(5)]
    for number, path in enumerate(paths):
        Image.new("RGB", (40 + number, 30), "blue").save(path)
    (copy := image.with_name("copy.png")).write_bytes(paths[0].read_bytes())
    slow = ScriptedAnswer(RESULT, 1e6, first_token_s=60)
    engine = Engine(slow)
    async with listening(asker(engine)) as asking:
        asking.at_once = 3
        judging = [asyncio.create_task(asking.judge(path)) for path in [copy, *paths[:4]]]
        while len(engine._playing) < 3:
            await asyncio.sleep(0)
        urgent = asyncio.create_task(asking.judge(paths[4], urgent=True))
        while len(engine._playing) < 4:
            await asyncio.sleep(0)
        assert [one.urgent for one in engine.asked if isinstance(one, Generate)] == [
            *[False] * 3, True,
        ]  # fmt: skip
        assert len(set(engine.shown)) == 4
        for job in [*judging, urgent]:
            job.cancel()
        await asyncio.gather(*judging, urgent, return_exceptions=True)
    assert engine._keys == set()


async def test_copies_are_asked_about_once_also_at_the_same_time(asker, image):
    copies = [image.with_name(f"copy{number}.png") for number in range(3)]
    for copy in copies:
        copy.write_bytes(image.read_bytes())
    engine = Engine()
    async with listening(asker(engine)) as asking:
        asking.at_once = 4
        said = await asyncio.gather(*map(asking.judge, copies))
    assert engine.kinds == [Score, Generate]
    assert sorted(one.is_stored for one in said) == [False, True, True]


class Mortal(Engine):
    """Its process ends at one image, and takes along what is answered with it."""

    def __init__(self, deadly, waves):
        super().__init__()
        self.deadly, self.waves, self.open = deadly, list(waves), []

    async def generate(self, request):
        self.open.append(request)
        if len(self.open) < self.waves[0]:
            return
        self.waves.pop(0)
        wave, self.open = self.open, []
        ends = any(request.messages[-1].attachments[0].width == self.deadly for request in wave)
        for one in wave:
            if ends:
                self._keys.clear()
                self._events.put_nowait(
                    Failed(FailureKind.WORKER_DIED, "It ended", request_id=one.request_id)
                )
            else:
                await super().generate(one)


async def test_images_that_a_process_took_along_are_asked_about_once_more(asker, image):
    """Three at a time, one of which ends the process: it does so again, alone, and fails."""
    paths = [image.with_name(f"{width}.png") for width in (40, 41, 42)]
    for path in paths:
        Image.new("RGB", (int(path.stem), 30), "blue").save(path)
    engine = Mortal(deadly=42, waves=[3, 1, 1, 1])
    async with listening(asker(engine)) as asking:
        asking.at_once = 3
        ends = await asyncio.gather(*map(asking.judge, paths), return_exceptions=True)
        assert asking._turns.at_once == asking.at_once == 3
    assert [isinstance(end, WorkerDiedError) for end in ends] == [False, False, True]
    assert [end.label for end in ends[:2]] == ["good", "good"]
    assert engine.waves == []


async def test_images_are_let_go_of(asker, image):
    engine = Engine()
    await judged(asker(engine), image)
    assert engine.shown[0] == engine.shown[1]
    assert engine._keys == set()


async def test_cancel_ends_what_is_asked_and_what_waits(asker, image):
    other = image.with_name("b.png")
    Image.new("RGB", (40, 30), "blue").save(other)
    engine = Engine(ScriptedAnswer(RESULT, 1e6, first_token_s=60))
    async with listening(asker(engine)) as asking:
        judging = [asyncio.create_task(asking.judge(image))]
        while not engine.has_begun:
            await asyncio.sleep(0)
        judging.append(asyncio.create_task(asking.judge(other)))
        while not asking._turns.waiting:
            await asyncio.sleep(0)
        await asking.cancel()
        ends = await asyncio.gather(*judging, return_exceptions=True)
        assert [type(end) for end in ends] == [Withdrawn, Withdrawn]
        assert engine.kinds == [Score, Generate]
        engine._answers = iter([ScriptedAnswer(RESULT, 1e6)])
        assert (await asking.judge(image)).label == "good"  # and it can be asked again
        assert engine.kinds[2:] == [Generate]


async def test_a_caller_that_gives_up_aborts_the_request(asker, image):
    engine = Engine(ScriptedAnswer(RESULT, 1e6, first_token_s=60))
    async with listening(asker(engine)) as asking:
        judging = asyncio.create_task(asking.judge(image))
        while not engine.has_begun:
            await asyncio.sleep(0)
        judging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await judging
        while engine._playing:
            await asyncio.sleep(0)
    assert engine._keys == set()


async def test_events_of_others_are_left_to_them(asker):
    asking = asker(Engine())
    assert not asking.handle(Scored("somebody's", (0.0,), (1,)))
    assert not asking.handle(SimpleNamespace(request_id=None))
    assert not asking.handle(FailureKind.IMAGE)


@pytest.mark.parametrize("name", ["nothing.png", "text.png"])
async def test_files_that_are_no_images_are_told(asker, tmp_path, name):
    (tmp_path / "text.png").write_text("text")
    engine = Engine()
    with pytest.raises(ImageError):
        await judged(asker(engine), tmp_path / name)
    assert engine.asked == []
    assert asker(Engine()).known(tmp_path / name) is None


async def test_the_model_is_waited_for_only_where_it_is_needed(asker, image):
    calls = []

    async def ready():
        calls.append(1)

    await judged(asker(Engine(), ready=ready), image)
    await judged(asker(Engine(), ready=ready), image)
    assert calls == [1]


async def test_a_private_task_leaves_no_path_in_the_store(asker, image, tmp_path):
    await judged(asker(Engine(), Private()), image)
    assert asker(Engine(), Private()).known(image) is not None
    stored = sqlite3.connect(tmp_path / "store.sqlite3").iterdump()
    assert image.name not in "\n".join(stored)
    assert image.name.encode() not in (tmp_path / "store.sqlite3").read_bytes()


async def test_a_name_that_is_no_utf8_is_an_image_like_others(asker, image):
    odd = image.rename(image.parent / "odd\udcff.png")
    await judged(asker(Engine()), odd)
    assert asker(Engine()).known(odd).is_stored


def test_longer_answers_do_not_lose_for_being_longer():
    found = probabilities({"short": (-1.0, 1), "long": (-3.0, 3)})
    assert found == pytest.approx({"short": 0.5, "long": 0.5})


@pytest.mark.parametrize("totals", [(-900.0, -800.0), (-1e-9, -50.0), (0.0, 0.0)])
def test_probabilities_sum_to_one(totals):
    likelihoods = {name: (total, 1) for name, total in zip("ab", totals, strict=True)}
    assert sum(probabilities(likelihoods).values()) == pytest.approx(1)
    assert probabilities({}) == {}


def test_facts_of_the_result_come_back(asker):
    """What the result was asked with is stored, since its panel and boxes are made of it."""
    asking = asker(Engine())
    facts = msgspec.json.encode([{"width": 10, "height": 5, "format": "PNG"}]).decode()
    from glm4v_tui.store.results import StoredResult

    said = asking._judged("k", "d", StoredResult(RESULT, True, facts), is_stored=True)
    assert said.outcome.regions[0][0].box.height == 5


async def test_a_result_that_is_none_is_asked_for_anew_where_that_is_wanted(asker, image):
    engine = Engine(ScriptedAnswer("I see a dent.", 1e6))
    await judged(asker(engine), image)
    kept = Engine()
    [said] = await judged(asker(kept), image)
    assert (kept.kinds, said.outcome.value) == ([], None)
    again = Engine()
    [said] = await judged(asker(again, asks_again=True), image)
    assert again.kinds == [Generate]  # the labels are known
    assert (said.outcome.value["kind"], said.is_stored) == ("dent", False)
    whole = Engine()
    [said] = await judged(asker(whole, asks_again=True), image)
    assert (whole.kinds, said.is_stored) == ([], True)
