"""Several conversations at once, several images, and features in place of pixels."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.inference.glm4v_9b.conftest import Reference, user

CLOSE = 1e-4


def chats(one: Reference) -> list[list[dict[str, Any]]]:
    small, large = one.pictures["small"], one.pictures["large"]
    return [
        [user("Tell me about 1999.")],
        [{"role": "system", "content": "Be short."}, user("What is it?", small)],
        [user("Which one is left of the other?", small, large)],
        [user("What?", small), {"role": "assistant", "content": "Red."}, user("这个？", large)],
    ]


def test_a_batch_answers_as_each_alone(one: Reference) -> None:
    together = one.written(chats(one))
    assert (together["attention_mask"][:, 0] == 0).any()
    output = one.model.generate(
        **together, do_sample=False, max_new_tokens=16, eos_token_id=None, output_logits=True,
        return_dict_in_generate=True,
    )  # fmt: skip
    for index, chat in enumerate(chats(one)):
        tokens, logits = one.generate(one.written(chat))
        assert output.sequences[index, -16:].tolist() == tokens
        batched = torch.stack([step[index] for step in output.logits])
        assert float((batched - logits).abs().max()) < CLOSE


def test_two_images_are_read_both_and_in_order(one: Reference) -> None:
    """The original refuses a second image; its arithmetic does not."""
    small, large = one.pictures["small"], one.pictures["large"]
    told = [
        one.generate(one.written([user("Which?", *pictures)]))[1]
        for pictures in ((small, large), (large, small), (small, small))
    ]
    assert not torch.allclose(told[0], told[1])
    assert not torch.allclose(told[0], told[2])
    inputs = one.written([user("Which?", small, large)])
    positions = one.model._prepare_position_ids_for_generation(inputs["input_ids"], {})[0]
    tokens = one.processor.image_processor.tokens
    assert positions.max() + 1 == inputs["input_ids"].shape[1] - 2 * (tokens - 1)


def test_features_do_in_place_of_pixels(one: Reference) -> None:
    inputs = one.written(chats(one)[2])
    _, expected = one.generate(inputs)
    features = one.model.get_image_features(inputs.pop("pixel_values"))
    _, logits = one.generate(inputs | {"mm_encoder_outputs": {"image": features}})
    assert torch.equal(logits, expected)


def test_a_new_image_goes_on_with_a_cache(one: Reference) -> None:
    first = one.written(chats(one)[3][:1])
    output = one.model.generate(
        **first, do_sample=False, max_new_tokens=1, return_dict_in_generate=True
    )
    name = "cache" if "cache" in output else "past_key_values"
    whole = one.written(chats(one)[3])
    assert whole["input_ids"][0, : first["input_ids"].shape[1]].equal(first["input_ids"][0])
    tokens, logits = one.generate(whole | {name: output[name]})
    alone, expected = one.generate(whole)
    assert tokens == alone
    assert float((logits - expected).abs().max()) < CLOSE


@pytest.mark.parametrize("as_features", [True, False])
def test_several_answers_to_several_conversations(one: Reference, as_features: bool) -> None:
    inputs = one.written(chats(one)[1:3])
    if as_features:
        features = one.model.get_image_features(inputs.pop("pixel_values"))
        inputs["mm_encoder_outputs"] = {"image": features}
    output = one.model.generate(
        **inputs, num_return_sequences=2, num_beams=2, do_sample=False, max_new_tokens=1
    )
    for index, chat in enumerate(chats(one)[1:3]):
        alone = one.model.generate(**one.written(chat), do_sample=False, max_new_tokens=1)
        assert output[2 * index, -1] == alone[0, -1]


def test_images_and_ids_that_do_not_fit_together_are_refused(one: Reference) -> None:
    inputs = one.written(chats(one)[1])
    with pytest.raises(ValueError, match="do not match, tokens: 18, features: 36"):
        one.model(**inputs | {"pixel_values": inputs["pixel_values"].repeat(2, 1, 1, 1)})


def test_a_cache_cannot_go_on_without_positions(one: Reference) -> None:
    """They would be counted by the slots of the cache, which an image takes more of."""
    inputs = one.written(chats(one)[1])
    output = one.model(**inputs, use_cache=True)
    name = "cache" if "cache" in output else "past_key_values"
    with pytest.raises(ValueError, match="position_ids are needed"):
        one.model(input_ids=inputs["input_ids"][:, -1:], **{name: output[name]})
