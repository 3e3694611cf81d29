"""How probable answers are: the batched pass equals one full forward pass for each answer."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from glm4v_tui.demo import CHECKPOINT
from glm4v_tui.engine.protocol import Finished, FinishReason, LoadModel, Score, Scored
from glm4v_tui.errors import NoModelError, UsageError
from glm4v_tui.inference import likelihood
from glm4v_tui.inference.backend import Backend
from glm4v_tui.inference.decoding import Decoder
from glm4v_tui.inference.likelihood import repeat_cache, tokens_after
from tests.inference.conftest import PICTURES, Answers, system, user

ANSWERS = ("Yes", "No", "A red square stands to the left", "Grüner Apfel — naïve café")
"""Of one token and of many, with shared beginnings of letters and none."""
_WITHIN = 1e-4


class Plain:
    """transformers as its documentation says: one pass over prompt and answer, no cache."""

    def __init__(self, folder: Any) -> None:
        self.processor = AutoProcessor.from_pretrained(folder)
        self.tokenizer = self.processor.tokenizer
        model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
        self.model = model.eval()

    def prompt(self, words: str, *keys: str) -> dict[str, Any]:
        images = [{"type": "image", "image": PICTURES[key]} for key in keys]
        turns = [{"role": "user", "content": [*images, {"type": "text", "text": words}]}]
        return dict(
            self.processor.apply_chat_template(
                turns, tokenize=True, return_dict=True, return_tensors="pt",
                add_generation_prompt=True,
            )
        )  # fmt: skip

    def total(self, inputs: dict[str, Any], before: list[int], answer: list[int]) -> float:
        chances = torch.log_softmax(self.logits(inputs, [*before, *answer]).double(), dim=-1)
        places = chances[-len(answer) - 1 : -1]
        return sum(float(row[token]) for row, token in zip(places, answer, strict=True))

    def logits(self, inputs: dict[str, Any], more: list[int]) -> torch.Tensor:
        inputs = dict(inputs)
        shape, ids = inputs["input_ids"].shape, torch.tensor([more], dtype=torch.long)
        for name, value in inputs.items():
            if value.shape == shape and name != "input_ids":
                fill = torch.full_like(ids, int(name == "attention_mask"))
                inputs[name] = torch.cat((value, fill.to(value.dtype)), dim=1)
        inputs["input_ids"] = torch.cat((inputs["input_ids"], ids), dim=1)
        with torch.inference_mode():
            result: torch.Tensor = self.model(**inputs).logits[0]
        return result


def score(backend: Backend, *messages: Any, answers: tuple[str, ...] = ANSWERS) -> Any:
    return backend.score(Score("r", messages, answers), lambda _: None, lambda: False)


def spelled(plain: Plain, inputs: dict[str, Any], added: list[int]) -> list[list[int]]:
    """The spelling that begins better, by the definition."""
    before = [*inputs["input_ids"][0].tolist(), *added]
    chances = torch.softmax(plain.logits(inputs, added)[-1].double(), dim=-1)
    both = [[tokens_after(plain.tokenizer, before, s + one) for one in ANSWERS] for s in ("", " ")]
    return max(both, key=lambda ids: float(chances[list({one[0] for one in ids})].sum()))


def thought(plain: Plain, inputs: dict[str, Any]) -> list[int]:
    """The closed, empty thought of a model whose template opens one, by the definition."""
    text = plain.tokenizer.decode(inputs["input_ids"][0, -8:])
    if not text.rstrip().endswith("<think>"):
        return []
    added = plain.tokenizer.encode("</think>", add_special_tokens=False)
    for _ in range(4):
        best = int(plain.logits(inputs, added)[-1].argmax())
        if plain.tokenizer.decode([best]).strip() not in ("", "<answer>", "<|begin_of_box|>"):
            break
        added = [*added, best]
    return added


def check_equal(plain: Plain, backend: Backend, words: str, *keys: str) -> None:
    inputs = plain.prompt(words, *keys)
    added = thought(plain, inputs)
    ids = spelled(plain, inputs, added)
    scored = score(backend, user(words, *keys))
    assert isinstance(scored, Scored)
    assert scored.tokens == tuple(map(len, ids))
    expected = [plain.total(inputs, added, one) for one in ids]
    assert scored.log_likelihoods == pytest.approx(expected, abs=_WITHIN)
    assert len(set(scored.log_likelihoods)) == len(ANSWERS)


@pytest.fixture
def plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    """On transformers' loop, also where this program's own could be used."""
    monkeypatch.setattr(Decoder, "runs_own_loop", False)


@pytest.mark.parametrize("keys", [("wide",), ("tall", "wide"), ()])
def test_answers_behind_each_other_equal_a_full_pass_for_each(
    family: Answers, keys: tuple[str, ...]
) -> None:
    check_equal(Plain(family.folder), family.backend, "What is it?", *keys)


@pytest.mark.parametrize("keys", [("wide",), ("tall", "wide"), ()])
@pytest.mark.usefixtures("plainly")
def test_the_batched_pass_equals_a_full_pass_for_each_answer(
    family: Answers, keys: tuple[str, ...]
) -> None:
    check_equal(Plain(family.folder), family.backend, "What is it?", *keys)


@pytest.mark.usefixtures("plainly")
def test_so_it_does_where_the_cache_cannot_be_repeated(
    family: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(likelihood, "repeat_cache", lambda *_: False)
    check_equal(Plain(family.folder), family.backend, "What is it?", "tall")


@pytest.mark.usefixtures("plainly")
def test_so_it_does_where_the_memory_does_not_suffice_for_all(
    glm4v: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_full(*_: Any) -> bool:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(likelihood, "repeat_cache", is_full)
    check_equal(Plain(glm4v.folder), glm4v.backend, "What is it?", "tall")


@pytest.fixture(scope="module")
def embedded() -> Backend:
    backend = Backend()
    backend.load(LoadModel(str(CHECKPOINT), "fp32", "cpu"), lambda _: None)
    for key, image in PICTURES.items():
        backend.put_image(key, SimpleNamespace(width=image.width, height=image.height,
                                               pixels=image.tobytes()))  # fmt: skip
    return backend


def test_the_embedded_model_agrees_too(embedded: Backend) -> None:
    question = "Is there a defect? Answer yes or no."
    check_equal(Plain(CHECKPOINT), embedded, question, "wide")


def test_the_embedded_model_puts_nearly_all_on_yes_and_no(embedded: Backend) -> None:
    question = "Is there a defect? Answer yes or no."
    scored = score(embedded, user(question, "wide"), answers=("Yes", "No"))
    chances = torch.tensor(scored.log_likelihoods).exp()
    assert 0.95 < float(chances.sum()) <= 1.0001


def test_an_image_that_was_read_before_changes_nothing(family: Answers) -> None:
    alone = score(family.backend, user("What is it?", "tall"))
    score(family.backend, user("Which?", "wide", "tall"))
    again = score(family.backend, system("Be brief."), user("What is it?", "tall"))
    once_more = score(family.backend, user("What is it?", "tall"))
    assert once_more.log_likelihoods == pytest.approx(alone.log_likelihoods, abs=_WITHIN)
    assert again.log_likelihoods != pytest.approx(alone.log_likelihoods, abs=_WITHIN)


def test_an_answer_after_a_score_is_as_before(family: Answers) -> None:
    _, before = family.ask(user("What is it?", "wide"))
    score(family.backend, user("Which?", "tall"))
    _, after = family.ask(user("What is it?", "wide"))
    assert after == before


def test_many_answers_take_no_more_memory_than_few(glm4v: Answers) -> None:
    score(glm4v.backend, user("What is it?", "wide"), answers=ANSWERS[:1])
    one = glm4v.backend.kv_bytes
    score(glm4v.backend, user("What is it?", "wide"))
    assert glm4v.backend.kv_bytes == one > 0


def test_a_score_reads_nothing_that_the_question_before_has_read(
    glm4v: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = user("What is it?", "wide")
    before = score(glm4v.backend, asked)
    decoder = glm4v.backend._decoder
    assert decoder is not None
    assert decoder.own is not None
    begin, read = decoder.own.begin, list[int]()

    def counted(*arguments: Any) -> Any:
        begun = begin(*arguments)
        read.append(begun.read)
        return begun

    monkeypatch.setattr(decoder.own, "begin", counted)
    assert score(glm4v.backend, asked).log_likelihoods == pytest.approx(
        before.log_likelihoods, abs=_WITHIN
    )
    assert read[0] == 1


@pytest.mark.usefixtures("plainly")
def test_keys_and_values_are_given_back_and_counted(glm4v: Answers) -> None:
    score(glm4v.backend, user("What is it?", "wide"))
    assert glm4v.backend._decoder is not None
    assert glm4v.backend._decoder.run.cache is None
    four = glm4v.backend.kv_bytes
    score(glm4v.backend, user("What is it?", "wide"), answers=ANSWERS[2:])
    assert four > 1.9 * glm4v.backend.kv_bytes > 0


@pytest.mark.parametrize("calls", [1, 3, 6, 8])
def test_it_ends_between_two_layers_wherever_it_is_stopped(glm4v: Answers, calls: int) -> None:
    asked = 0

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return asked >= calls

    request = Score("r", (user("What is it?", "wide"),), ANSWERS)
    ended = glm4v.backend.score(request, lambda _: None, should_stop)
    if calls > asked:
        assert isinstance(ended, Scored)
    else:
        assert ended == Finished("r", FinishReason.ABORT)
    assert isinstance(score(glm4v.backend, user("What is it?", "wide")), Scored)


def test_a_prompt_without_room_for_answers_is_refused_in_words(glm4v: Answers) -> None:
    with pytest.raises(UsageError, match="too long"):
        score(glm4v.backend, user("What is it? " * 700, "wide"))


def test_without_a_model_it_says_so() -> None:
    with pytest.raises(NoModelError):
        score(Backend(), user("What is it?"))


@pytest.mark.parametrize("answers", [(), ("Yes", "")])
def test_no_answers_or_empty_ones_are_a_fault(glm4v: Answers, answers: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="answers"):
        score(glm4v.backend, user("What is it?"), answers=answers)


class OddCache:
    """Repeats some of what it remembers only, as a layer with a state of its own might."""

    def __init__(self) -> None:
        whole = SimpleNamespace(keys=torch.zeros(3, 2, 4, 8))
        left = SimpleNamespace(state=torch.zeros(1, 2, 8))
        self.layers = [whole, left]

    def batch_repeat_interleave(self, count: int) -> None:
        pass


def test_a_cache_that_repeats_in_part_only_is_not_used() -> None:
    assert not repeat_cache(OddCache(), 3)
    assert not repeat_cache(object(), 3)
    assert not repeat_cache(None, 3)


def test_a_reasoning_model_is_given_a_closed_empty_thought(
    glm4v: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made to open a thought, it is asked as if it had closed it at once."""
    decoder: Any = glm4v.backend._decoder
    opening, closing = decoder.tokenizer.convert_tokens_to_ids(["<think>", "</think>"])
    begin, heard = decoder.begin, list[list[int]]()

    def prefers_to_think(prompt: Any, room: int, stop: Any, added: list[int]) -> Any:
        begun = begin(prompt, room, stop, added)
        heard.append(list(added))
        if added:
            return begun
        logits = begun.logits.clone()
        logits[opening] = logits.max() + 1
        return replace(begun, logits=logits)

    monkeypatch.setattr(decoder, "begin", prefers_to_think)
    score(glm4v.backend, user("What is it?", "wide"))
    assert heard[:2] == [[], [opening, closing]]
