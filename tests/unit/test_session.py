"""A conversation's rules, played against a script."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from glm4v_tui.chat import Attachment, Role
from glm4v_tui.engine.protocol import (
    UNCOUNTED,
    Failed,
    FailureKind,
    Loaded,
    Loading,
    LoadModel,
    ResultForm,
    RgbImage,
    Sampling,
)
from glm4v_tui.engine.scripted import Script, ScriptedAnswer, ScriptedEngine
from glm4v_tui.errors import ImageChangedError, SettingsError, WorkerDiedError
from glm4v_tui.session import ChatSession, ModelState, Turn, TurnState
from glm4v_tui.tasks.call import TaskCall
from glm4v_tui.tasks.task import Generation

CAT = Attachment("/cat.png", "aa" * 32, 2, 1)
DOG = Attachment("/dog.png", "bb" * 32, 2, 1)
SLOW = ScriptedAnswer("one two three four five six seven eight nine ten", tokens_per_s=20)
LATE = ScriptedAnswer("one", first_token_s=30)
QUICK = ScriptedAnswer("It is a cat.", tokens_per_s=5000)


def pixels(_attachment):
    return RgbImage(2, 1, bytes(6))


@asynccontextmanager
async def chatting(*answers, load=True, open_pixels=pixels, **settings):
    """A session whose engine plays these answers, its events carried to it."""
    session = ChatSession(ScriptedEngine(Script(answers)), open_pixels, **settings)

    async def carry():
        async for event in session.engine.events():
            await session.handle(event)

    carrying = asyncio.create_task(carry())
    if load:
        await session.load(LoadModel("some/model"))
    yield session
    await session.engine.close()
    await carrying


async def until(condition, seconds=5.0):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


async def over(turn: Turn):
    await until(lambda: turn.state.is_over)


async def test_an_answer_grows_and_ends_with_figures():
    async with chatting(QUICK) as session:
        turn = await session.submit("What is it?", [CAT])
        await over(turn)
        assert (turn.state, turn.answer.text) == (TurnState.DONE, "It is a cat.")
        assert turn.usage.image_tokens > 0
        assert session.context_used == turn.usage.prompt_tokens + turn.usage.completion_tokens


async def test_questions_wait_for_the_model_and_for_each_other():
    async with chatting(QUICK, load=False) as session:
        first = await session.submit("one")
        second = await session.submit("two")
        assert [first.state, second.state] == [TurnState.QUEUED, TurnState.QUEUED]
        await session.load(LoadModel("some/model"))
        await over(second)
        assert first.state is TurnState.DONE
        prompt = session.prompt_of(second)
        assert [message.text for message in prompt] == ["one", "It is a cat.", "two"]


async def test_the_system_prompt_comes_first_and_thinking_is_not_remembered():
    answer = ScriptedAnswer("<think>fur, ears</think><answer>A cat.</answer>", tokens_per_s=5000)
    async with chatting(answer, system_prompt="Be brief.") as session:
        first = await session.submit("What is it?", [CAT])
        await over(first)
        assert first.answer.thinking == "fur, ears"
        second = await session.submit("And its color?")
        prompt = session.prompt_of(second)
        assert [m.role for m in prompt] == [Role.SYSTEM, Role.USER, Role.ASSISTANT, Role.USER]
        assert prompt[2].text == "A cat."
        assert prompt[1].attachments == (CAT,)


CALL = TaskCall("look", "1", "{}", "You look.", '{"type": "null"}', 7, Generation(40, 0))
RESULT = ScriptedAnswer('<think>hm</think>{"kind": "dent"}', tokens_per_s=5000)


async def test_a_task_asks_in_its_own_way_and_what_follows_in_the_users():
    async with chatting(RESULT, QUICK, system_prompt="Be brief.") as session:
        asked = []
        send = session.engine.generate

        async def note(request):
            asked.append(request)
            await send(request)

        session.engine.generate = note
        session.sampling = Sampling(max_new_tokens=9, temperature=1.0, repetition_penalty=2.0)
        first = await session.submit("What is it?", [CAT], CALL)
        await over(first)
        second = await session.submit("Why?")
        await over(second)
        again = await session.regenerate(second)
        await over(again)
        session.undo()
        third = await session.regenerate(first)
        await over(third)
    task, free, _, task_again = asked
    assert task.form == ResultForm('{"type": "null"}', 7)
    assert task.sampling == Sampling(max_new_tokens=47, temperature=0)
    assert [message.text for message in task.messages] == ["You look.", "What is it?"]
    assert free.form is None
    assert free.sampling == session.sampling
    assert [message.text for message in free.messages] == [
        "Be brief.", "What is it?", '{"kind": "dent"}', "Why?",
    ]  # fmt: skip
    assert free.messages[1].attachments == (CAT,)
    assert (task_again.form, task_again.sampling) == (task.form, task.sampling)


async def test_stopping_keeps_what_was_written_and_asks_the_next():
    async with chatting(SLOW, QUICK) as session:
        first = await session.submit("count")
        await until(lambda: first.raw)
        second = await session.submit("What is it?")
        await session.stop()
        await over(second)
        assert first.state is TurnState.STOPPED
        assert SLOW.text.startswith(first.raw)
        assert first.raw != SLOW.text
        assert second.state is TurnState.DONE
        assert session.prompt_of(second)[1].text == first.answer.text


async def test_a_queued_question_can_be_taken_back():
    async with chatting(SLOW) as session:
        await session.submit("count")
        waiting = await session.submit("again", [CAT])
        assert session.withdraw(waiting).attachments == (CAT,)
        assert len(session.turns) == 1
        await until(lambda: session.current)
        with pytest.raises(ValueError, match="not queued"):
            session.withdraw(session.turns[0])


async def test_regenerate_can_be_undone():
    async with chatting(QUICK, ScriptedAnswer("A dog.", tokens_per_s=5000)) as session:
        first = await session.submit("What is it?", [CAT])
        await over(first)
        again = await session.regenerate(first)
        await over(again)
        assert [turn.raw for turn in session.turns] == ["A dog."]
        assert again.question == first.question
        assert session.undo()
        assert session.turns == [first]
        assert session.undo()  # what was asked since is not lost either
        assert session.turns == [again]


async def test_nothing_is_cut_while_an_answer_is_written():
    async with chatting(SLOW) as session:
        turn = await session.submit("count")
        with pytest.raises(ValueError, match="being written"):
            session.cut(turn)
        assert not session.undo()


async def test_a_failed_answer_is_not_remembered_unless_something_was_written():
    failing = ScriptedAnswer("", fail="Out of memory")
    async with chatting(failing, QUICK) as session:
        failed = await session.submit("What is it?", [CAT])
        await over(failed)
        assert failed.error.title == "Out of memory"
        second = await session.submit("Again?")
        assert [message.text for message in session.prompt_of(second)] == ["Again?"]


async def test_an_image_that_changed_fails_its_question_only():
    def refuse(_attachment):
        raise ImageChangedError("cat.png has changed")

    async with chatting(QUICK, open_pixels=refuse) as session:
        turn = await session.submit("What is it?", [CAT])
        await over(turn)
        assert isinstance(turn.error, ImageChangedError)
        other = await session.submit("And without an image?")
        await over(other)
        assert other.state is TurnState.DONE


async def test_images_of_a_question_without_an_answer_go_on_to_the_next():
    async with chatting(LATE, QUICK, QUICK) as session:
        stopped = await session.submit("Describe it", [CAT])
        await until(lambda: stopped.is_sent)
        await session.stop()
        await over(stopped)
        assert not stopped.answer.text
        assert session.images == session.images_left == (CAT,)
        second = await session.submit("What is it?", [DOG])
        assert session.prompt_of(second)[-1].attachments == (CAT, DOG)
        await over(second)
        assert session.images_left == ()
        third = await session.submit("Sure?")
        prompt = session.prompt_of(third)
        assert [message.attachments for message in prompt] == [(CAT, DOG), (), ()]


async def test_images_go_on_past_a_worker_that_died_and_each_once():
    async with chatting(SLOW, QUICK) as session:
        turn = await session.submit("Describe it", [CAT])
        await until(lambda: turn.is_sent)
        await session.engine.unload()  # the scripted engine's way to end what runs
        await over(turn)
        turn.state, turn.error = TurnState.FAILED, WorkerDiedError("The process ended")
        turn.raw = ""
        again = await session.submit("What is it?", [CAT])
        assert session.prompt_of(again)[-1].attachments == (CAT,)


async def test_an_image_of_two_stopped_questions_is_left_once():
    async with chatting(LATE, LATE, QUICK) as session:
        for _ in range(2):
            stopped = await session.submit("Describe it", [CAT])
            await until(lambda turn=stopped: turn.is_sent)
            await session.stop()
            await over(stopped)
        assert session.images_left == (CAT,)
        asked = await session.submit("What is it?")
        assert session.prompt_of(asked)[-1].attachments == (CAT,)


async def test_what_tasks_have_said_is_context_of_a_free_question():
    """A task is asked alone, so its count is not that of the conversation."""
    call = TaskCall("look", "1", "{}", "You look.", "{}")
    async with chatting(QUICK) as session:
        counts = []
        for how in (None, call, call, None):
            turn = await session.submit("What is it?", [CAT], how)
            await over(turn)
            counts.append(turn.usage.prompt_tokens + turn.usage.completion_tokens)
            if how is not None:
                assert session.context_used == sum(counts)
        assert session.context_used == counts[-1]
        assert counts[-1] > counts[0]
        session.turns[-1].usage = UNCOUNTED
        assert session.context_used is None


async def test_images_that_made_a_question_fail_do_not_go_on():
    def refuse(attachment):
        if attachment is CAT:
            raise ImageChangedError("cat.png has changed")
        return pixels(attachment)

    async with chatting(QUICK, open_pixels=refuse) as session:
        failed = await session.submit("What is it?", [CAT])
        await over(failed)
        assert not failed.leaves_images
        assert session.images == session.images_left == ()
        other = await session.submit("And this?", [DOG])
        await over(other)
        assert other.state is TurnState.DONE


async def test_a_task_is_asked_as_if_it_were_the_first_question():
    """Else a small model says of the second part what it has said of the first."""
    call = TaskCall("look", "1", "{}", "You look.", "{}")
    async with chatting(QUICK, system_prompt="Be brief.") as session:
        await over(await session.submit("What is it?", [CAT]))
        turn = await session.submit("Look at it", [DOG], call)
        prompt = session.prompt_of(turn)
        assert [message.text for message in prompt] == ["You look.", "Look at it"]
        await over(turn)
        follow = await session.submit("Sure?")
        texts = [message.text for message in session.prompt_of(follow)]
        assert texts == [
            "Be brief.",
            "What is it?",
            "It is a cat.",
            "Look at it",
            "It is a cat.",
            "Sure?",
        ]


async def test_freeing_the_memory_holds_the_queue_until_somebody_asks():
    async with chatting(SLOW, QUICK) as session:
        first = await session.submit("one")
        waiting = await session.submit("two")
        await until(lambda: first.is_sent)
        await session.unload()
        await over(first)
        await asyncio.sleep(0)
        assert waiting.state is TurnState.QUEUED
        third = await session.submit("three")
        await over(third)
        assert waiting.state is TurnState.DONE


async def test_the_pixels_of_an_image_cross_once():
    opened = []

    def count(attachment):
        opened.append(attachment.key)
        return pixels(attachment)

    async with chatting(QUICK, open_pixels=count) as session:
        for question in ("one", "two", "three"):
            await over(await session.submit(question, [CAT]))
        assert opened == [CAT.key]


async def test_unloading_leaves_the_conversation():
    async with chatting(QUICK) as session:
        await over(await session.submit("one"))
        await session.unload()
        assert session.model_state is ModelState.GONE
        again = await session.submit("two")
        await over(again)
        assert again.state is TurnState.DONE


# Another model ----------------------------------------------------------------------------------


async def test_another_model_stops_the_answer_and_keeps_what_was_written():
    async with chatting(SLOW, QUICK) as session:
        turn = await session.submit("one")
        waiting = await session.submit("two")
        await until(lambda: turn.raw)
        await session.load(LoadModel("other/model"))
        assert (turn.state, turn.error) == (TurnState.STOPPED, None)
        await over(waiting)
        assert waiting.state is TurnState.DONE
        assert session.prompt_of(waiting)[0].text == "one"


async def test_a_load_that_another_one_replaced_is_no_failure():
    async with chatting(QUICK, load=False) as session:
        states = []
        for name in ("a/a", "b/b", "c/c"):
            await session.load(LoadModel(name))
            states.append(session.model_error)
        await until(lambda: session.model_state is ModelState.READY)
        assert session.model.name == "c"
        assert states == [None] * 3
        assert session.model_error is None


async def test_stopped_loading_leaves_questions_waiting_for_the_next_choice():
    async with chatting(QUICK, load=False) as session:
        engine = session.engine
        engine._script = Script((QUICK,), load_s=900)
        await session.load(LoadModel("a/a"))
        await session.stop_loading()
        turn = await session.submit("one")
        await asyncio.sleep(0)
        assert (session.model_state, session.model_error) == (ModelState.NONE, None)
        assert turn.state is TurnState.QUEUED
        engine._script = Script((QUICK,))
        await session.load(LoadModel("b/b"))
        await over(turn)
        assert turn.state is TurnState.DONE


async def test_memory_freed_while_a_model_loads_is_no_failure():
    async with chatting(QUICK, load=False) as session:
        session.engine._script = Script((QUICK,), load_s=900)
        await session.load(LoadModel("a/a"))
        await until(lambda: session.loading is not None and session.loading.total)
        await session.unload()
        turn = await session.submit("one")
        await over(turn)
        assert (turn.state, session.model_error) == (TurnState.DONE, None)
        assert session.model_state is ModelState.GONE
        await session.handle(Loading("start"))  # the engine loads it again for the question
        assert session.model_state is ModelState.LOADING
        await session.handle(Failed(FailureKind.CHECKPOINT, "It is gone"))
        assert session.model_state is ModelState.FAILED  # this load was not given up


async def test_a_model_that_the_engine_loads_by_itself_after_a_crash_is_taken_as_before():
    async with chatting(QUICK) as session:
        await until(lambda: session.model_state is ModelState.READY)
        again = session.model
        for event in (Loading("start"), Loaded(again)):
            await session.handle(event)
        assert session.model_state is ModelState.READY
        await session.handle(Failed(FailureKind.CHECKPOINT, "It is gone"))
        assert session.model_state is ModelState.FAILED


# What belongs to private tasks --------------------------------------------------------------------

SCAN = TaskCall("medical", "1", "{}", "", "{}", is_private=True)
PART = TaskCall("defect", "1", "{}", "", "{}")


@asynccontextmanager
async def watched(*answers):
    """A session, and what private task each of its requests was said to belong to."""
    async with chatting(*answers) as session:
        said, generate = [], session.engine.generate

        async def listen(request):
            said.append(request.private_task)
            await generate(request)

        session.engine.generate = listen
        yield session, said


async def test_a_private_task_and_all_that_follows_from_it_is_said_to_be_private():
    async with watched(QUICK) as (session, said):
        await over(await session.submit("Before?", [DOG]))
        await over(await session.submit("Look.", [CAT], SCAN))
        await over(await session.submit("And what does that mean?"))
        session.clear()
        await over(await session.submit("Something else?", [DOG]))
        assert said == ["", "medical", "medical", ""]


async def test_another_task_and_a_free_question_about_the_same_image_are_private():
    async with watched(QUICK) as (session, said):
        await over(await session.submit("Look.", [CAT], SCAN))
        await over(await session.submit("Look.", [CAT], PART))
        await over(await session.submit("Look.", [DOG], PART))
        assert said == ["medical", "medical", ""]


async def test_what_was_private_stays_so_when_its_task_is_taken_out_of_the_chat():
    async with watched(QUICK) as (session, said):
        await over(await session.submit("Look.", [CAT], SCAN))
        free = await session.submit("And?", [CAT])
        await over(free)
        session.turns.pop(0)
        await over(await session.regenerate(free) or free)
        await over(session.turns[-1])
        assert said == ["medical", "medical", "medical"]


# Where tasks are asked --------------------------------------------------------------------------

THERE = LoadModel("m", engine="there")
SORT = TaskCall("sort", "1", "{}", "", "{}")


async def test_a_task_is_asked_where_the_settings_say():
    led = []
    async with chatting(QUICK, place_of={"sort": THERE}.get) as session:
        session.on_placed = lambda task, before: led.append((task, before.model))
        await over(await session.submit("one"))
        assert session.command.engine == ""
        task = await session.submit("two", call=SORT)
        await over(task)
        assert (session.command, task.state) == (THERE, TurnState.DONE)
        await over(await session.submit("three"))
        assert session.command is THERE
        assert led == [("sort", "some/model")]


async def test_an_answer_that_is_written_is_not_ended_by_a_task_that_goes_elsewhere():
    async with chatting(SLOW, QUICK, place_of={"sort": THERE}.get) as session:
        first = await session.submit("one")
        await until(lambda: first.raw)
        await over(await session.submit("two", call=SORT))
        assert first.state is TurnState.DONE


async def test_a_task_goes_where_the_user_goes_when_its_own_engine_is_not_there():
    async with chatting(QUICK, place_of={"sort": THERE}.get) as session:
        await until(lambda: session.model_state is ModelState.READY)
        session.engine.load = refused(session)
        task = await session.submit("two", call=SORT)
        await until(lambda: session.model_state is ModelState.FAILED)
        assert task.state is TurnState.QUEUED
        del session.engine.load
        await session.load(LoadModel("some/model"))
        await over(task)
        assert (task.state, session.command.engine) == (TurnState.DONE, "")


async def test_settings_that_cannot_be_read_fail_the_task_and_nothing_else():
    def broken(_task):
        raise SettingsError("The settings cannot be used")

    async with chatting(QUICK, place_of=broken) as session:
        task = await session.submit("one", call=SORT)
        await over(task)
        assert isinstance(task.error, SettingsError)
        after = await session.submit("two")
        await over(after)
        assert after.state is TurnState.DONE


def refused(session):
    async def load(_command):
        session.engine._events.put_nowait(Failed(FailureKind.SERVER, "It is down"))

    return load
