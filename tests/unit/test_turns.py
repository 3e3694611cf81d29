"""Who may go in when, of several that wait."""

from __future__ import annotations

import asyncio

from glm4v_tui.turns import Turns


async def test_turns_are_given_in_order_and_are_not_lost_to_those_who_give_up():
    turns, inside = Turns(1), []

    async def take(name):
        async with turns.one():
            inside.append(name)
            await asyncio.sleep(0)

    jobs = [asyncio.create_task(take(number)) for number in range(5)]
    await asyncio.sleep(0)
    assert (inside, turns.waiting) == ([0], 4)
    jobs[1].cancel()
    turns.at_once = 2
    jobs[2].cancel()  # which was let in just now
    await asyncio.gather(*jobs, return_exceptions=True)
    assert inside == [0, 3, 4]
    await take(5)
    assert inside[-1] == 5


async def test_who_is_soon_comes_before_the_others_and_in_order():
    turns, inside = Turns(1), []

    async def take(name, *, is_soon):
        async with turns.one(is_soon=is_soon):
            inside.append(name)
            await asyncio.sleep(0)

    names = ["a", "b", "C", "c", "D"]
    await asyncio.gather(*(take(name, is_soon=name.isupper()) for name in names))
    assert inside == ["a", "C", "D", "b", "c"]
