"""Scenes of every family, at every size that training uses, state facts that questions can use."""

import json

import pytest

from glm4v_tui.demo.batches import GRIDS
from glm4v_tui.demo.evaluate import right
from glm4v_tui.demo.examples import FAMILIES, make_example, make_pair
from glm4v_tui.demo.questions.dialogue import Turn
from glm4v_tui.demo.scenes.canvas import VARIETY, Look, overlap
from glm4v_tui.demo.scenes.colours import COLOURS, palettes
from glm4v_tui.demo.tokenizer import CELL

LOOK = Look(palettes()[0], variety=VARIETY)


@pytest.mark.parametrize("grid", GRIDS)
def test_examples_have_the_asked_size_and_turns(grid: tuple[int, int]) -> None:
    height, width = grid[0] * CELL, grid[1] * CELL
    families = set()
    for seed in range(60):
        example = make_example(seed, LOOK, width, height)
        families.add(example.family)
        assert example.images[0].size == (width, height)
        assert example.turns
        assert all(t.question and t.answer for t in example.turns)
    assert len(families) >= len(FAMILIES) - 1
    assert len(make_pair(0, LOOK, width, height).images) == 2


def test_the_same_seed_is_the_same_example() -> None:
    first, second = (make_example(7, LOOK, 336, 252) for _ in range(2))
    assert first.images[0].tobytes() == second.images[0].tobytes()
    assert first.turns == second.turns


def test_questions_hold_no_unfilled_template() -> None:
    for seed in range(400):
        for turn in make_example(seed, LOOK, 280, 280, held_out=seed % 2 == 0).turns:
            assert not set("{}|") & set(turn.question), turn
            if turn.skill.endswith((" json", " box")):
                json.loads(turn.answer)


def test_palettes_share_no_value() -> None:
    train, held_out = palettes()
    for name in COLOURS:
        assert train.values[name]
        assert held_out.values[name]
        assert not set(train.values[name]) & set(held_out.values[name])


def test_boxes_are_right_by_their_overlap() -> None:
    assert overlap([0, 0, 99, 99], [0, 0, 99, 99]) == 1
    expected = Turn("defect box", "", "[0, 0, 99, 99]")
    assert right(expected, "[5, 5, 95, 99]")
    assert not right(expected, "[50, 50, 150, 150]")
    assert not right(expected, "There is none.")
