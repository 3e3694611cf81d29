"""A conversation and what is on the disk of it meanwhile."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from glm4v_tui.archive import journal as module
from glm4v_tui.archive.journal import ChatJournal
from glm4v_tui.archive.turns import restored
from glm4v_tui.chat import Attachment
from glm4v_tui.engine.protocol import Generate, LoadModel, RgbImage
from glm4v_tui.engine.scripted import Script, ScriptedAnswer, ScriptedEngine
from glm4v_tui.errors import WorkerDiedError
from glm4v_tui.session import ChatSession, TurnState
from glm4v_tui.store.chats import Chats
from glm4v_tui.store.database import Database
from glm4v_tui.store.sent import UNNAMED_TASK
from glm4v_tui.tasks.call import TaskCall

CAT = Attachment("/cat.png", "aa" * 32, 2, 1)
QUICK = ScriptedAnswer("It is a cat.", tokens_per_s=5000)
SLOW = ScriptedAnswer("one two three four five ", tokens_per_s=50, repeat=100)
PRIVATE = TaskCall("medical", "1", "{}", "", "{}")


class Seen:
    """The same file, as another process sees it."""

    def __init__(self, path):
        self.database = Database(path)
        self.chats = Chats(self.database)

    def talk(self, at=0):
        chats = self.chats.all()
        return self.chats.turns_of(chats[at]) if len(chats) > at else []

    @property
    def texts(self):
        return [(turn.question, turn.state, turn.raw) for turn in self.talk()]


class WatchedEngine(ScriptedEngine):
    """Looks into the file when it is given a question."""

    seen = None
    found = None

    async def generate(self, request: Generate) -> None:
        self.found = self.seen.talk()[-1].question
        await super().generate(request)


@pytest.fixture
def seen(tmp_path):
    look = Seen(tmp_path / "x.sqlite3")
    yield look
    look.database.close()


@asynccontextmanager
async def chatting(seen, *answers, engine=ScriptedEngine):
    session = ChatSession(engine(Script(answers)), lambda _: RgbImage(2, 1, bytes(6)))
    troubles = []
    journal = ChatJournal(
        session, lambda call: call.task == "medical", troubles.append, seen.database.path
    )
    journal.troubles = troubles

    async def carry():
        async for event in session.engine.events():
            await session.handle(event)

    carrying = asyncio.create_task(carry())
    journal.left = await journal.begin()
    await session.load(LoadModel("some/model"))
    yield session, journal
    await session.engine.close()
    await carrying
    await journal.close()


async def until(holds, seconds=5.0):
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.005)


async def ask(session, question="What is it?", *images, call=None):
    turn = await session.submit(question, images, call)
    await until(lambda: turn.state.is_over)
    return turn


async def test_a_question_is_on_the_disk_before_the_model_has_it(seen):
    async with chatting(seen, QUICK, engine=WatchedEngine) as (session, _):
        session.engine.seen = seen
        await ask(session, "First of all?")
        assert session.engine.found == "First of all?"


async def test_an_answer_is_on_the_disk_while_it_grows(seen):
    async with chatting(seen, SLOW) as (session, _):
        turn = await session.submit("Count.")
        await until(lambda: seen.texts[-1:] and seen.texts[-1][2])
        first = seen.texts[-1][2]
        assert turn.state is TurnState.ANSWERING
        assert turn.raw.startswith(first)
        await until(lambda: len(seen.texts[-1][2]) > len(first), seconds=1.2)
        await session.stop()
        await until(lambda: seen.texts == [("Count.", "stopped", turn.raw)])


async def test_what_is_cut_goes_and_undo_brings_it_back(seen):
    async with chatting(seen, QUICK) as (session, journal):
        first = await ask(session, "one")
        second = await ask(session, "two")
        again = await session.regenerate(second)
        await until(lambda: again.state.is_over)
        await journal.kept()
        assert [turn.id for turn in seen.talk()] == [first.request_id, again.request_id]
        session.undo()
        await journal.kept()
        assert [turn.id for turn in seen.talk()] == [first.request_id, second.request_id]
        assert len(seen.chats.all()) == 1
        assert seen.chats.all()[0].turns == 3  # nothing is lost


async def test_a_question_taken_back_leaves_the_ones_after_it(seen):
    async with chatting(seen, SLOW, QUICK) as (session, journal):
        await session.submit("one")
        waiting = await session.submit("two")
        await session.submit("three")
        await journal.kept()
        assert [turn.question for turn in seen.talk()] == ["one", "two", "three"]
        session.withdraw(waiting)
        await journal.kept()
        assert [turn.question for turn in seen.talk()] == ["one", "three"]


async def test_a_new_chat_is_another_one_and_undo_goes_back_to_the_first(seen):
    async with chatting(seen, QUICK) as (session, journal):
        await ask(session, "one")
        session.clear()
        await ask(session, "two")
        await journal.kept()
        assert [chat.title for chat in seen.chats.all()] == ["two", "one"]
        assert [chat.owner == journal.owner for chat in seen.chats.all()] == [True, False]
        session.undo()
        await ask(session, "three")
        await journal.kept()
        assert [turn.question for turn in seen.talk()] == ["one", "three"]
        assert len(seen.chats.all()) == 2


async def test_a_chat_is_gone_on_with(seen):
    async with chatting(seen, QUICK) as (session, _):
        await ask(session, "one", CAT)
    kept, chat = seen.talk(), seen.chats.all()[0]
    async with chatting(seen, QUICK) as (session, journal):
        assert journal.left is None  # the last one ended in order
        session.open(journal.adopt(chat.id, kept))
        (turn,) = session.turns
        assert (turn.answer.text, turn.question.attachments) == ("It is a cat.", (CAT,))
        assert turn.usage.completion_tokens > 0
        await ask(session, "two")
        await journal.kept()
        assert [one.question for one in seen.talk()] == ["one", "two"]
        assert len(seen.chats.all()) == 1


async def test_a_process_that_died_leaves_a_chat_to_go_on_with(seen):
    async with chatting(seen, SLOW) as (session, journal):
        await session.submit("one")
        await until(lambda: seen.texts and seen.texts[-1][2])
        seen.chats.hold(seen.chats.all()[0].id, f"{journal.owner.rsplit(' ', 2)[0]} 1 1.0")
        journal.owner = ""
        async with chatting(seen, QUICK) as (other, heir):
            assert heir.left.title == "one"
            (turn,) = heir.adopt(heir.left.id, seen.talk())
            assert turn.state is TurnState.FAILED
            assert turn.raw.startswith("one")
            assert isinstance(turn.error, WorkerDiedError)
            assert "program ended" in turn.error.title
            other.open([turn])
            assert turn.is_remembered


async def test_private_tasks_leave_no_path(seen):
    async with chatting(seen, QUICK) as (session, journal):
        await ask(session, "What is it?", CAT)
        await ask(session, "And?", CAT, call=PRIVATE)
        await ask(session, "So?", CAT)
        await journal.kept()
        images = [image for turn in seen.talk() for image in turn.attachments]
        assert [(image.path, image.digest) for image in images] == [("", CAT.digest)] * 3


async def test_a_free_question_beside_a_private_review_leaves_no_path(seen):
    async with chatting(seen, QUICK) as (session, journal):
        journal.hides_places = True
        await ask(session, "What is it?", CAT)
        journal.hides_places = False
        await journal.kept()
        ((image,),) = (turn.attachments for turn in seen.talk())
        assert (image.path, image.digest) == ("", CAT.digest)


async def test_a_store_that_fails_is_told_once_and_nothing_is_lost_when_it_is_back(
    seen, monkeypatch
):
    monkeypatch.setattr(module, "RETRY_S", 0.05)
    async with chatting(seen, QUICK) as (session, journal):
        await ask(session, "one")
        with seen.database.transaction() as run:
            run.execute(
                "CREATE TRIGGER full BEFORE INSERT ON turns BEGIN SELECT RAISE(FAIL, 'full'); END"
            )
        turn = await ask(session, "two")
        await until(lambda: journal.troubles)
        await ask(session, "three")
        assert turn.state is TurnState.DONE
        with seen.database.transaction() as run:
            run.execute("DROP TRIGGER full")
        await until(lambda: len(seen.texts) == 3)
        await until(lambda: len(journal.troubles) == 2)
        assert journal.troubles[0].exit_code == 6
        assert journal.troubles[1] is None


async def test_a_private_turn_that_is_opened_again_is_still_private(seen):
    """Also where its task is not installed any more, and where a version before this wrote it."""
    async with chatting(seen, QUICK) as (session, journal):
        await ask(session, "Look.", CAT, call=PRIVATE)
        journal.hides_places = True
        await ask(session, "And?", CAT)
        await journal.kept()
        first, second = map(restored, seen.talk())
        assert (first.private_task, second.private_task) == ("medical", UNNAMED_TASK)
