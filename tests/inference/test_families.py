"""Every family that can be made here: prompts, tokens and answers equal transformers' own."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from glm4v_tui.engine.protocol import FinishReason
from tests.inference.conftest import GREEDY, PICTURES, Answers, assistant, system, user


def plain_answer(folder: Any, turns: list[dict[str, Any]]) -> tuple[Any, list[int], Any]:
    """What transformers answers when it is used as its documentation says."""
    processor = AutoProcessor.from_pretrained(folder)
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
    inputs = processor.apply_chat_template(
        turns, tokenize=True, return_dict=True, return_tensors="pt", add_generation_prompt=True
    )
    output = model.generate(**inputs, do_sample=False, max_new_tokens=GREEDY.max_new_tokens)
    return inputs, output[0, inputs["input_ids"].shape[1] :].tolist(), processor


def picture(key: str) -> dict[str, Any]:
    return {"type": "image", "image": PICTURES[key]}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def test_a_greedy_answer_is_transformers_own_token_by_token(family: Answers) -> None:
    turns = [{"role": "user", "content": [picture("wide"), picture("tall"), text("Which?")]}]
    inputs, expected, processor = plain_answer(family.folder, turns)
    finished, told = family.ask(user("Which?", "wide", "tall"))
    assert family.backend._decoder is not None
    assert family.backend._decoder.run.tokens == expected
    opening = "<think>\n" if told.startswith("<think>") else ""
    assert told == opening + processor.tokenizer.decode(expected, skip_special_tokens=True)
    assert finished.usage.prompt_tokens == inputs["input_ids"].shape[1]
    assert finished.reason is FinishReason.LENGTH


def test_images_are_counted_in_tokens_as_measured(family: Answers) -> None:
    finished, _ = family.ask(user("Which?", "wide", "tall"))
    measured = family.backend.measure(tuple(PICTURES[key].size for key in ("wide", "tall")))
    assert finished.usage.image_tokens == sum(measured.tokens) > 0
    assert all(width > 0 and height > 0 for width, height in measured.seen)


def test_images_may_come_in_any_turn(family: Answers) -> None:
    first, _ = family.ask(user("What is it?", "wide"))
    later, _ = family.ask(
        user("What is it?", "wide"), assistant("<think>hm</think>A light."), user("Now?", "tall")
    )
    sizes = tuple(PICTURES[key].size for key in ("wide", "tall"))
    measured = family.backend.measure(sizes)
    assert first.usage.image_tokens == measured.tokens[0]
    assert later.usage.image_tokens == sum(measured.tokens)


def test_a_system_prompt_reaches_the_model_and_thinking_does_not(family: Answers) -> None:
    writer = family.backend.smaller_images.writer
    assert writer is not None
    prompt = writer.write(
        (
            system("Speak of zebras."),
            user("What is it?"),
            assistant("<think>secret thoughts</think><answer>A light.</answer>"),
            user("Sure?"),
        ),
        lambda key: PICTURES[key],
    )
    rendered = writer._processor.tokenizer.decode(prompt.inputs["input_ids"][0])
    assert "Speak of zebras." in rendered
    assert "A light." in rendered
    assert "secret" not in rendered
    assert "'type'" not in rendered


def test_a_typed_image_token_is_only_text(family: Answers) -> None:
    token = family.backend.smaller_images.writer._processor.image_token  # type: ignore[union-attr]
    finished, _ = family.ask(user(f"What does {token} mean?", "wide"))
    measured = family.backend.measure((PICTURES["wide"].size,))
    assert finished.usage.image_tokens == measured.tokens[0]
