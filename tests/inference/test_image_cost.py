from __future__ import annotations

import pytest

from glm4v_tui.inference.image_cost import ImageCost, _resize_rule
from tests.inference.conftest import PICTURES, Answers, user

SIZES = [(200, 120), (28, 28), (1, 1), (57, 901), (1920, 1080), (640, 640)]


@pytest.mark.parametrize("size", SIZES)
def test_arithmetic_agrees_with_the_image_processor(glm4v: Answers, size: tuple[int, int]) -> None:
    processor = glm4v.backend._cost._processor  # type: ignore[union-attr]
    by_rule = ImageCost(processor, processor.image_token_id)
    assert by_rule._resize is not None
    by_picture = ImageCost(processor, processor.image_token_id)
    by_picture._resize = None
    assert by_rule.measure(size) == by_picture.measure(size)


def test_a_size_that_the_processor_refuses_costs_nothing(glm4v: Answers) -> None:
    measured = glm4v.backend.measure(((30, 9000), (28, 28)))
    assert measured.tokens[0] == 0
    assert measured.seen[0] == (0, 0)
    assert measured.tokens[1] > 0


def test_a_size_is_worked_out_once(glm4v: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    cost = glm4v.backend._cost
    assert cost is not None
    first = cost.measure((331, 97))
    monkeypatch.setattr(cost, "_measure", None)
    assert cost.measure((331, 97)) == first


def test_no_rule_where_a_family_has_none(family: Answers) -> None:
    processor = family.backend._cost._processor  # type: ignore[union-attr]
    assert (_resize_rule(processor.image_processor) is None) == (family.info.model_type == "llava")


def test_tokens_are_those_of_a_real_prompt(family: Answers) -> None:
    size = PICTURES["tall"].size
    (told,) = family.backend.measure((size,)).tokens
    finished, _ = family.ask(user("?", "tall"))
    assert finished.usage.image_tokens == told
