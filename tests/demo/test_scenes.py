"""Scenes of every family, at every size that training uses, state facts that questions can use."""

import json
import random
from collections import defaultdict

import pytest

from glm4v_tui.demo.batches import GRIDS
from glm4v_tui.demo.evaluate import right
from glm4v_tui.demo.examples import FAMILIES, declined, make_example, make_pair
from glm4v_tui.demo.questions.chest import ask_chest
from glm4v_tui.demo.questions.dialogue import Turn, casual
from glm4v_tui.demo.questions.pairs import ask_two
from glm4v_tui.demo.questions.parts import ask_part
from glm4v_tui.demo.questions.products import ask_product
from glm4v_tui.demo.questions.shapes import ask_shapes
from glm4v_tui.demo.questions.sheets import ask_sheet
from glm4v_tui.demo.scenes.canvas import VARIETY, Canvas, Look, overlap
from glm4v_tui.demo.scenes.chest import draw_chest
from glm4v_tui.demo.scenes.colours import COLOURS, palettes
from glm4v_tui.demo.scenes.parts import draw_part
from glm4v_tui.demo.scenes.products import draw_product
from glm4v_tui.demo.scenes.shapes import draw_shapes
from glm4v_tui.demo.scenes.sheets import draw_sheet
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


ASKED = {
    "shapes": (draw_shapes, ask_shapes),
    "parts": (draw_part, ask_part),
    "products": (draw_product, ask_product),
    "chest": (draw_chest, ask_chest),
    "sheets": (draw_sheet, ask_sheet),
}


def plainly(question: str) -> str:
    """The words alone: case and marks do not make another question."""
    return " ".join(question.lower().replace("colour", "color").strip(" ?.!").split())


@pytest.mark.parametrize("family", ASKED)
def test_a_question_about_an_image_has_one_answer(family: str) -> None:
    draw, ask = ASKED[family]
    answerable: dict[str, str] = {}
    for seed in range(60):
        rng = random.Random(seed)
        facts = draw(Canvas(rng, 196, 196, LOOK))[1]
        answers: dict[str, str] = {}
        for _ in range(10):
            for first, *_ in ask(rng, facts):
                question = plainly(first.question)
                assert answers.setdefault(question, first.answer) == first.answer, first
                answerable[question] = first.answer
    rng = random.Random(family)
    refused = {plainly(c[0].question) for _ in range(4000) for c in declined(rng, family)}
    assert not refused & answerable.keys()


def test_a_question_about_two_images_has_one_answer() -> None:
    for seed in range(60):
        rng = random.Random(seed)
        facts = [draw_shapes(Canvas(rng, 196, 196, LOOK))[1] for _ in range(2)]
        answers: dict[str, str] = {}
        for _ in range(10):
            for (turn,) in ask_two(rng, *facts):
                found = answers.setdefault(plainly(turn.question), turn.answer)
                assert found == turn.answer, turn


def test_hurried_typing_keeps_the_words() -> None:
    rng = random.Random(1)
    forms: dict[str, int] = defaultdict(int)
    for _ in range(500):
        typed = casual(rng, "Where is the scratch?")
        assert "scratch" in typed.lower()
        forms[typed] += 1
    assert len(forms) > 20
