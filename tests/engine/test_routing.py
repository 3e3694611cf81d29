"""Several engines behind one, the named one asked."""

import asyncio
from dataclasses import dataclass, field

from glm4v_tui.chat import Attachment, Message, Role
from glm4v_tui.engine.engine import Engine
from glm4v_tui.engine.protocol import Failed, Finished, Generate, Loaded, LoadModel, RgbImage
from glm4v_tui.engine.routing import RoutingEngine
from glm4v_tui.engine.scripted import Script, ScriptedAnswer, ScriptedEngine
from glm4v_tui.errors import UsageError


@dataclass
class Makes:
    made: dict[str, Engine] = field(default_factory=dict)

    def __call__(self, name):
        if name == "nowhere":
            raise UsageError("No engine is called 'nowhere'")
        answers = (ScriptedAnswer(f"I am {name or 'home'}.", tokens_per_s=1000),)
        self.made[name] = ScriptedEngine(Script(answers))
        return self.made[name]


async def test_each_load_names_the_engine_that_is_asked_from_then_on():
    makes = Makes()
    engine = RoutingEngine(makes)
    events = engine.events()
    for name in ("", "there", ""):
        await engine.load(LoadModel("m", engine=name))
        assert isinstance(await anext(events), Loaded)
        await engine.put_image(f"of {name}", RgbImage(1, 1, b"abc"))
        assert makes.made[name].has_image(f"of {name}")
    assert set(makes.made) == {"", "there"}
    assert not engine.has_image("of there")  # it is another engine's
    await engine.close()
    assert [event async for event in events] == []


async def test_an_engine_that_there_is_not_fails_to_load_and_the_old_one_stays():
    engine = RoutingEngine(Makes())
    events = engine.events()
    await engine.load(LoadModel("m"))
    await anext(events)
    await engine.load(LoadModel("m", engine="nowhere"))
    failed = await anext(events)
    assert isinstance(failed, Failed)
    assert failed.request_id is None
    await engine.put_image("x", RgbImage(1, 1, b"abc"))
    assert engine.has_image("x")
    await engine.close()


async def test_leaving_an_engine_unloads_it():
    slow = ScriptedEngine(Script((ScriptedAnswer("x"),), load_s=60))
    makes = Makes()
    engine = RoutingEngine(lambda name: slow if name == "slow" else makes(name))
    events = engine.events()
    await engine.load(LoadModel("m", engine="slow"))
    async with asyncio.timeout(5):
        await engine.load(LoadModel("m"))
        heard = [await anext(events) for _ in range(3)]
    assert any(isinstance(one, Failed) for one in heard)
    assert isinstance(heard[-1], Loaded)
    await engine.close()


async def test_settings_that_were_mended_count_with_the_next_load():
    makes = Makes()
    engine = RoutingEngine(makes)
    events = engine.events()
    made = []
    for name in ("", "there", "there", ""):
        await engine.load(LoadModel("m", engine=name))
        assert isinstance(await anext(events), Loaded)
        made.append(makes.made[name])
    assert made[1] is not made[2]
    assert made[0] is made[3]  # this machine's own has a process to keep
    await engine.close()


async def test_what_an_engine_was_asked_ends_before_it_is_made_anew():
    engine = RoutingEngine(
        lambda _: ScriptedEngine(Script((ScriptedAnswer("x", first_token_s=60),)))
    )
    events = engine.events()
    await engine.load(LoadModel("m", engine="there"))
    await anext(events)
    await engine.generate(Generate("1", (Message(Role.USER, "?"),)))
    async with asyncio.timeout(5):
        await engine.load(LoadModel("m", engine="there"))
        heard = []
        while not (heard and isinstance(heard[-1], Loaded)):
            heard.append(await anext(events))
    assert [one.request_id for one in heard if isinstance(one, Failed | Finished)] == ["1"]
    await engine.close()


async def test_what_a_private_task_is_asked_about_is_told_once():
    told = []
    engine = RoutingEngine(Makes(), lambda digests, task: told.append((digests, task)))
    await engine.load(LoadModel("m"))
    image = Attachment("", "aa window=lung", 1, 1)
    messages = (Message(Role.USER, "?", (image,)),)
    for name in ("1", "2"):
        await engine.generate(Generate(name, messages, private_task="medical"))
    await engine.generate(Generate("3", messages))
    await engine.close()
    assert told == [({"aa"}, "medical")]
