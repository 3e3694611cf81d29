"""Look-ahead, asking and store together: a scripted model, real pictures."""

import asyncio
import contextlib

import pytest
from PIL import Image

from glm4v_tui.engine.protocol import LoadModel
from glm4v_tui.engine.scripted import Script, ScriptedAnswer, ScriptedEngine
from glm4v_tui.errors import ImageError, StoreError
from glm4v_tui.store.database import Database
from glm4v_tui.tasks.task import Language
from glm4v_tui.triage.asking import Asker, Judged
from glm4v_tui.triage.look_ahead import LookAhead
from glm4v_tui.triage.queue import Queue
from glm4v_tui.triage.review import Review
from tests.tasks.fakes import RAW
from tests.triage.reviews import Sort

FAST = ScriptedAnswer(RAW, tokens_per_s=100_000)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    for number in range(4):
        Image.new("RGB", (40 + number, 30), "gray").save(folder / f"{number}.png")
    (folder / "2.png").write_bytes(b"no picture")
    return folder


@contextlib.asynccontextmanager
async def working(folder, database):
    """A run of the program: what the model said, by file name."""
    engine, said = ScriptedEngine(Script((FAST,))), {}
    await engine.load(LoadModel("script"))
    task = Sort()
    asker = Asker(engine, database, task, task.options_type(), Language.EN, "model")
    review = Review(database, task, Queue.of([folder]), session="s")
    everything = asyncio.Event()

    def take(path, judged):
        said[path.name] = judged
        if len(said) == review.queue.total:
            everything.set()

    async def listen():
        async for event in engine.events():
            asker.handle(event)

    ahead = LookAhead(asker, review, take)
    jobs = [asyncio.ensure_future(listen()), asyncio.ensure_future(ahead.run())]
    await asyncio.wait_for(everything.wait(), 20)
    yield review, said
    for job in jobs:
        job.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await job
    await engine.close()


async def test_results_are_stored_and_found_again_under_other_names(folder, tmp_path):
    database = Database(tmp_path / "db.sqlite3")
    async with working(folder, database) as (_, said):
        assert [name for name, judged in said.items() if isinstance(judged, Judged)] == [
            "0.png", "1.png", "3.png",
        ]  # fmt: skip
        assert isinstance(said["2.png"], ImageError)
        assert not any(said[name].is_stored for name in ("0.png", "1.png", "3.png"))
    folder = folder.rename(folder.with_name("renamed"))
    async with working(folder, database) as (review, said):
        assert all(said[name].is_stored for name in ("0.png", "1.png", "3.png"))
        review.give("good")
        assert review.progress.done == 1


def write_notes(review):
    for number in range(10_000):
        review.note(f"{number} " * 200)


def limit_pages(database, pages):
    """Of the connection that writes: to SQLite this is a full disk."""
    with database.transaction() as connection:
        connection.execute(f"PRAGMA max_page_count = {pages}")


async def test_a_full_disk_keeps_nothing_and_says_so(folder, tmp_path):
    database = Database(tmp_path / "db.sqlite3")
    review = Review(database, Sort(), Queue.of([folder]), session="s")
    review.give("good")
    review.queue.go(1)
    (pages,) = database.rows("PRAGMA page_count")[0]
    limit_pages(database, pages)
    with pytest.raises(StoreError, match="full"):
        write_notes(review)
    before = review.verdict_at(1)
    with pytest.raises(StoreError):
        review.note("x" * 100_000)
    assert review.verdict_at(1) == before
    limit_pages(database, 1_000_000)
    review.give("bad")
    assert review.progress.done == 2
