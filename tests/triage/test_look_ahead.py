"""The model ahead of the reviewer: which image is asked about, and which job is let go."""

import asyncio
import contextlib
from dataclasses import dataclass, field

import pytest

from glm4v_tui.errors import EngineError, ImageError, StoreError
from glm4v_tui.triage.forecast import Forecast
from glm4v_tui.triage.look_ahead import LookAhead
from tests.triage.reviews import images_in, review_of


@dataclass(frozen=True)
class Said:
    digest: str
    label: str | None = "good"
    probabilities: dict[str, float] = field(default_factory=lambda: {"good": 0.8, "bad": 0.2})
    is_stored: bool = False


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class FakeJudge:
    """Answers when the test says so."""

    def __init__(self):
        self.asked = []
        self.urgent = []
        self.given_up = []
        self.working = {}

    async def judge(self, path, *, urgent=False):
        self.asked.append(path.name)
        if urgent:
            self.urgent.append(path.name)
        self.working[path.name] = answer = asyncio.get_running_loop().create_future()
        try:
            return await answer
        except asyncio.CancelledError:
            self.given_up.append(path.name)
            raise
        finally:
            del self.working[path.name]

    async def answer(self, said=None, name=None):
        """About an image; about the last one that was asked about where none is named."""
        answer = self.working[name or self.asked[-1]]
        if isinstance(said, Exception):
            answer.set_exception(said)
        else:
            answer.set_result(said or Said(f"{len(self.asked):064x}"))
        await settled()


async def settled():
    for _ in range(10):
        await asyncio.sleep(0)


class Stage:
    """A review of ten images with a model that works ahead."""

    def __init__(self, tmp_path, count=10):
        names = [f"{number}.png" for number in range(count)]
        self.review = review_of(images_in(tmp_path / "parts", names), tmp_path / "db.sqlite3")
        self.judge, self.clock, self.told = FakeJudge(), Clock(), []
        self.ahead = LookAhead(self.judge, self.review, self._tell, clock=self.clock)
        self.ahead.moved()

    def _tell(self, path, judged):
        self.told.append((path.name, judged))

    async def go(self, position, at=None):
        self.clock.now = self.clock.now if at is None else at
        self.review.queue.go(position)
        self.ahead.moved()
        await settled()

    async def answer(self, said=None, at=None):
        self.clock.now = self.clock.now if at is None else at
        await self.judge.answer(said)


@pytest.fixture
async def stage(tmp_path):
    stage = Stage(tmp_path)
    working = asyncio.ensure_future(stage.ahead.run())
    await settled()
    yield stage
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working


async def test_the_current_image_first_then_the_next_ones(stage):
    for _ in range(3):
        await stage.answer()
    assert stage.judge.asked == ["0.png", "1.png", "2.png", "3.png"]
    assert [name for name, _ in stage.told] == ["0.png", "1.png", "2.png"]
    assert stage.review.standings.model_label(1) == "good"
    assert stage.review.standings.probability(1) == pytest.approx(0.8)
    assert stage.ahead.is_done(2)
    assert not stage.ahead.is_done(3)


async def test_where_the_reviewer_goes_comes_first(stage):
    await stage.go(5)
    assert stage.judge.given_up == ["0.png"]
    await stage.answer()
    assert stage.judge.asked == ["0.png", "5.png", "6.png"]
    for _ in range(9):
        await stage.answer()
    assert stage.judge.asked[2:] == [f"{number}.png" for number in (6, 7, 8, 9, 0, 1, 2, 3, 4)]
    assert stage.ahead.working_on is None  # all are done
    await stage.go(2)
    assert len(stage.judge.asked) == 11


async def test_a_job_ahead_goes_on_while_he_looks_at_what_is_done(stage):
    for _ in range(3):
        await stage.answer()
    await stage.go(1)
    await stage.go(2)
    assert stage.judge.asked[-1] == "3.png"
    assert stage.judge.given_up == []


async def test_a_job_that_he_went_past_is_let_go(stage):
    await stage.answer(at=10)
    assert stage.judge.asked[-1] == "1.png"
    await stage.go(4, at=11)
    assert stage.judge.given_up == ["1.png"]
    assert stage.judge.asked[-1] == "4.png"


async def test_a_job_that_is_nearly_done_is_not_let_go(stage):
    await stage.answer(at=10)  # the model takes ten seconds
    await stage.go(4, at=19)
    assert stage.judge.given_up == []


@pytest.mark.parametrize(("work_s", "least"), [(0.4, 0.97), (0.8, 0.9), (2.0, 0.4), (5.0, 0.1)])
async def test_the_share_of_results_that_are_there_in_time(tmp_path, work_s, least):
    """A reviewer who goes on every second, over 60 images. No model can do better than one result
    every ``work_s``; asking about each image as he comes to it would have none in time from a
    second on.
    """
    stage = Stage(tmp_path, 60)
    working = asyncio.ensure_future(stage.ahead.run())
    await settled()
    there, asked, began = 0, 0, 0.0
    for tenth in range(1, 590):
        now = stage.clock.now = tenth / 10
        if len(stage.judge.asked) > asked:
            asked, began = len(stage.judge.asked), (tenth - 1) / 10
        if stage.ahead.working_on is not None and now - began >= work_s - 0.01:
            await stage.answer()
        if tenth % 10 == 0:
            there += stage.ahead.is_done(tenth // 10)
            await stage.go(tenth // 10)
    working.cancel()
    assert there / 58 >= least


async def test_an_image_that_fails_does_not_stop_the_others(stage):
    await stage.answer(ImageError("broken"))
    assert stage.judge.asked[-1] == "1.png"
    assert stage.told[0][1].title == "broken"
    assert stage.review.standings.model_label(0) is None
    stage.ahead.again(0)
    await stage.go(0)
    assert stage.judge.asked[-1] == "0.png"


async def test_a_model_that_fails_again_and_again_is_left_alone(stage):
    for _ in range(3):
        await stage.answer(EngineError("dead"))
    assert len(stage.judge.asked) == 3
    assert stage.ahead.is_paused
    stage.ahead.resume()
    await settled()
    assert stage.judge.asked[-1] == "2.png"


async def test_a_store_that_fails_stops_at_once(stage):
    await stage.answer(StoreError("full"))
    assert stage.ahead.is_paused
    assert stage.judge.asked == ["0.png"]


async def test_a_pause_lets_go_of_the_model(stage):
    stage.ahead.pause()
    await settled()
    assert stage.judge.given_up == ["0.png"]
    await stage.go(3)
    assert stage.judge.asked == ["0.png"]
    stage.ahead.resume()
    await settled()
    assert stage.judge.asked[-1] == "3.png"


async def test_nothing_shown_nothing_asked(stage):
    stage.review.show(lambda standings, index: False)
    stage.ahead.moved()
    await settled()
    assert stage.judge.given_up == ["0.png"]
    assert stage.ahead.working_on is None


# Several at a time -------------------------------------------------------------------------------


@pytest.fixture
async def several(stage):
    """A model that takes four images at a time; the first one is asked about."""
    stage.ahead.pause()
    stage.ahead.at_once = 4
    await settled()
    stage.judge.asked.clear()
    stage.judge.given_up.clear()
    stage.ahead.resume()
    await settled()
    return stage


def working(stage):
    return [int(name.removesuffix(".png")) for name in stage.judge.working]


async def test_the_more_is_done_before_him_the_more_are_asked_about(several):
    assert working(several) == [0]
    await several.answer()
    assert working(several) == [1, 2]
    await several.judge.answer(name="1.png")
    assert working(several) == [2, 3, 4]
    await several.judge.answer(name="3.png")  # before its neighbor
    assert working(several) == [2, 4, 5]
    await several.judge.answer(name="2.png")
    assert working(several) == [4, 5, 6, 7]
    assert [name for name, _ in several.told] == ["0.png", "1.png", "3.png", "2.png"]
    assert several.review.standings.model_label(3) == "good"
    assert several.judge.urgent == ["0.png"]


async def test_an_image_that_he_waits_for_is_urgent_and_ends_none_of_those_after_it(several):
    for name in ("0.png", "1.png", "2.png"):
        await several.judge.answer(name=name)
    assert working(several) == [3, 4, 5, 6]
    await several.go(3)  # which is in work
    assert (working(several), several.judge.urgent) == ([3, 4, 5, 6], ["0.png"])
    several.ahead.again(0)
    await several.go(0)
    assert working(several) == [3, 4, 5, 6, 0]
    assert several.judge.urgent == ["0.png", "0.png"]
    assert several.ahead.is_working_on(0)
    assert several.judge.given_up == []


async def test_those_that_he_went_past_are_let_go_for_others(several):
    several.clock.now = 10
    for name in ("0.png", "1.png"):
        await several.judge.answer(name=name)
    assert working(several) == [2, 3, 4]
    await several.go(8, at=11)
    assert several.judge.given_up == ["2.png", "3.png", "4.png"]
    assert working(several) == [8]
    await several.judge.answer(name="8.png")
    await several.judge.answer(name="9.png")
    assert set(working(several)) <= {2, 3, 4, 5, 6, 7}  # nothing is left before him


async def test_a_pause_lets_go_of_all(several):
    for name in ("0.png", "1.png"):
        await several.judge.answer(name=name)
    several.ahead.pause()
    await settled()
    assert several.judge.given_up == ["2.png", "3.png", "4.png"]
    assert working(several) == []


async def test_all_are_told_of_once_in_the_end(several):
    while several.judge.working:
        await several.judge.answer(name=list(several.judge.working)[-1])
    assert sorted(name for name, _ in several.told) == [f"{number}.png" for number in range(10)]


def test_a_forecast_knows_who_is_faster():
    clock = Clock()
    forecast = Forecast(clock)
    forecast.arrived(0)
    assert forecast.lead() == 0  # nothing is known yet
    for position in (1, 2, 3):
        clock.now += 1
        forecast.arrived(position)
    clock.now = 4
    forecast.arrived(4)
    forecast.finished(4)  # it took four seconds, he one an image
    assert forecast.is_passing()
    assert forecast.lead() == 4
    clock.now = 5.6
    assert not forecast.is_passing()  # he waits for this one
    assert forecast.lead() == 0
    forecast.arrived(0)  # went elsewhere
    assert not forecast.is_passing()
