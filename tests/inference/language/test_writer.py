"""The loop of this program against transformers' own, for every family that it knows."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from glm4v_tui.chat import Message
from glm4v_tui.errors import EngineError
from glm4v_tui.inference.decoding import Decoder
from glm4v_tui.inference.language import kernel_reading, kv_cache
from glm4v_tui.inference.language.choice import Settings
from glm4v_tui.inference.language.kernel_reading import KernelReader
from glm4v_tui.inference.language.kernel_weights import KernelWeights
from glm4v_tui.inference.language.kv_cache import KvCache
from glm4v_tui.inference.language.reading import read
from glm4v_tui.inference.language.replay import KernelStep
from glm4v_tui.inference.language.sight import Span
from glm4v_tui.inference.language.step import PlainStep
from glm4v_tui.inference.language.steps import Steps
from glm4v_tui.inference.language.writer import Writer
from glm4v_tui.inference.prompt import Prompt
from tests.checkpoints import MAKERS
from tests.inference.conftest import GREEDY, Answers, assistant, user

GLM = ("glm4v", "glm46v", "glm_ocr", "glm4v_9b")
CONVERSATIONS = {
    "image": (user("What is it?", "wide"),),
    "text": (user("hello"),),
    "follow-up": (user("What is it?", "wide"), assistant("a thing"), user("And what else?")),
}
TWO = (user("Which is larger?", "tall", "wide"),)


@pytest.fixture(scope="module", params=GLM)
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    folder = tmp_path_factory.mktemp("family") / request.param
    return Answers(MAKERS[request.param](folder))


def decoder_of(answers: Answers) -> Decoder:
    assert answers.backend._decoder is not None
    return answers.backend._decoder


def writer_of(answers: Answers) -> Writer:
    own = decoder_of(answers).own
    assert own is not None
    return own


def prompt_of(answers: Answers, messages: tuple[Message, ...]) -> Prompt:
    writer = answers.backend.smaller_images.writer
    assert writer is not None
    return writer.write(messages, answers.backend._picture)


def written(answers: Answers, messages: tuple[Message, ...]) -> tuple[int, ...]:
    prompt = prompt_of(answers, messages)
    return decoder_of(answers).answer(prompt, GREEDY, lambda *_: None, lambda: False).tokens


def by_transformers(answers: Answers, messages: tuple[Message, ...]) -> tuple[int, ...]:
    decoder = decoder_of(answers)
    own, decoder.own = decoder.own, None
    try:
        return written(answers, messages)
    finally:
        decoder.own = own


@pytest.mark.parametrize("name", [*CONVERSATIONS, "two images"])
def test_greedy_answers_are_those_of_generate(family: Answers, name: str) -> None:
    messages = CONVERSATIONS.get(name, TWO)
    expected = by_transformers(family, messages)
    assert written(family, messages) == expected
    assert written(family, messages) == expected  # from the cache


def test_a_follow_up_reads_only_what_is_new(family: Answers) -> None:
    writer_of(family).release()
    first = family.ask(*CONVERSATIONS["image"])[0].usage.prompt_tokens
    prompt = prompt_of(family, CONVERSATIONS["follow-up"])
    begun = writer_of(family).begin(prompt, 8, lambda: False)
    assert begun.tokens == prompt.tokens > first
    assert begun.read <= prompt.tokens - first + 4


def test_asking_again_reads_one_token(family: Answers) -> None:
    prompt = prompt_of(family, CONVERSATIONS["image"])
    writer = writer_of(family)
    once = writer.begin(prompt, 8, lambda: False)
    again = writer.begin(prompt, 8, lambda: False)
    assert again.read == 1
    assert torch.allclose(once.logits, again.logits, atol=1e-4)


def test_another_image_in_the_same_words_is_read(family: Answers) -> None:
    expected = by_transformers(family, (user("What is it?", "tall"),))
    written(family, (user("What is it?", "wide"),))
    assert written(family, (user("What is it?", "tall"),)) == expected


def test_a_cache_that_grows_while_an_answer_is_written(
    family: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = written(family, CONVERSATIONS["image"])
    writer_of(family).release()
    monkeypatch.setattr(kv_cache, "STEP", 16)
    written(family, CONVERSATIONS["text"])
    before = writer_of(family).cache.capacity
    assert written(family, CONVERSATIONS["image"]) == expected
    assert writer_of(family).cache.capacity > before
    writer_of(family).release()


def test_more_images_than_are_kept_are_encoded_once_each(
    family: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = writer_of(family)
    writer.release()
    encode, numbers = writer._encode, []

    def counted(prompt: Prompt, span: Span) -> torch.Tensor:
        numbers.append(span.number)
        return encode(prompt, span)

    monkeypatch.setattr(writer, "_encode", counted)
    monkeypatch.setattr(writer.features, "_budget", 1)
    assert written(family, TWO) == by_transformers(family, TWO)
    assert numbers == [0, 1]


def test_released_features_and_cache_are_made_anew(family: Answers) -> None:
    expected = written(family, CONVERSATIONS["image"])
    assert writer_of(family).features.nbytes > 0
    writer_of(family).release()
    assert writer_of(family).features.nbytes == writer_of(family).cache.nbytes == 0
    assert written(family, CONVERSATIONS["image"]) == expected


def test_the_kernels_step_is_the_plain_one(family: Answers) -> None:
    """Here in their plain form; on a GPU the same test runs the Triton kernels."""
    writer = writer_of(family)
    prompt = prompt_of(family, CONVERSATIONS["image"])
    begun = writer.begin(prompt, 8, lambda: False)
    plain, kernel = PlainStep(writer._stack), KernelStep(KernelWeights(writer._stack))
    token = torch.tensor([7])
    with torch.inference_mode():
        for count in range(3):
            length, position = begun.tokens + count, begun.position + count
            expected = plain.run(writer.cache, token, length, position)
            found = kernel.run(writer.cache, token, [length], [position])[0]
            assert torch.allclose(found, expected, atol=1e-4)
            token = expected.argmax(-1, keepdim=True)


@pytest.mark.parametrize("start", [0, 5])
@pytest.mark.parametrize("few", [0, 1000])
def test_the_kernels_reader_is_the_plain_one(
    family: Answers, start: int, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_reading, "_FEW", few)  # either kind of attention
    stack = writer_of(family)._stack
    generator = torch.Generator().manual_seed(2)
    vectors = torch.randn(30, stack.hidden, generator=generator)
    places = torch.arange(30).expand(stack.axes, -1)
    plain, ours = KvCache(stack), KvCache(stack)
    with torch.inference_mode():
        for cache in (plain, ours):
            cache.make_room(64)
            if start:
                read(stack, cache, 0, vectors[:start], places[:, :start])
        expected = read(stack, plain, start, vectors[start:], places[:, start:])
        reader = KernelReader(KernelWeights(stack))
        found = reader.read(ours, start, vectors[start:], places[:, start:])
    assert torch.allclose(found, expected, atol=1e-4)
    for one, other in zip(ours.keys + ours.values, plain.keys + plain.values, strict=True):
        assert torch.allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("most", [0, 48])
def test_little_text_read_in_passes_is_the_same(
    family: Answers, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than one pass of sixteen, and a limit that leaves all to the reader."""
    question = user("And what else is it?")
    first, second = (
        prompt_of(family, messages)
        for messages in (
            CONVERSATIONS["image"],
            (*CONVERSATIONS["image"], assistant("a thing"), question),
        )
    )
    writer = writer_of(family)
    writer.forget()
    expected = writer.begin(second, 32, lambda: False).logits
    steps = Steps(writer._stack, KernelWeights(writer._stack))
    monkeypatch.setattr(writer, "_steps", steps)
    monkeypatch.setattr("glm4v_tui.inference.language.writer._READ_IN_PASSES", most)
    passes: list[int] = []

    def counted(cache: KvCache, tokens: list[int], *place: int) -> torch.Tensor:
        passes.append(len(tokens))
        return Steps.few(steps, cache, tokens, *place)

    monkeypatch.setattr(steps, "few", counted)
    writer.forget()
    writer.begin(first, 64, lambda: False)
    begun = writer.begin(second, 32, lambda: False)
    assert torch.allclose(begun.logits, expected, atol=1e-4)
    assert 16 < begun.read <= 48
    assert sum(passes) == (begun.read if most else 0)


def test_rows_of_different_lengths_do_not_see_each_other(family: Answers) -> None:
    writer = writer_of(family)
    stack = writer._stack
    cache = KvCache(stack, rows=2)
    cache.make_room(64)
    plain, both = PlainStep(stack), KernelStep(KernelWeights(stack), rows=2)
    tokens = [torch.tensor([5]), torch.tensor([9])]
    alone = []
    with torch.inference_mode():
        for row, (token, length) in enumerate(zip(tokens, (3, 11), strict=True)):
            single = KvCache(stack)
            single.make_room(64)
            generator = torch.Generator().manual_seed(row)
            for layer in range(len(stack.layers)):
                for held, many in ((single.keys, cache.keys), (single.values, cache.values)):
                    shape = held[layer][0, :, :length].shape
                    held[layer][0, :, :length] = torch.randn(shape, generator=generator)
                    many[layer][row] = held[layer][0]
            alone.append(plain.run(single, token, length, length))
        found = both.run(cache, torch.cat(tokens), [3, 11], [3, 11])
    assert torch.allclose(found, torch.stack(alone), atol=1e-4)


def test_a_seed_repeats_an_answer_and_another_changes_it(family: Answers) -> None:
    prompt = prompt_of(family, CONVERSATIONS["text"])
    writer = writer_of(family)

    def drawn(seed: int) -> list[int]:
        begun = writer.begin(prompt, 16, lambda: False)
        settings = Settings(temperature=1.0, seed=seed)
        return list(writer.tokens(begun, settings, [], 16, None))

    assert drawn(1) == drawn(1) != drawn(2)


def test_an_answer_that_is_gone_on_with_is_the_same(family: Answers) -> None:
    prompt, writer = prompt_of(family, CONVERSATIONS["image"]), writer_of(family)
    for settings in (Settings(), Settings(temperature=1.0, top_p=0.9, seed=5)):
        begun = writer.begin(prompt, 16, lambda: False)
        whole = list(writer.tokens(begun, settings, [], 16, None))
        for count in (1, 7):
            writer.release()
            begun = writer.begin(prompt, 16 - count, lambda: False, whole[:count])
            rest = list(writer.tokens(begun, settings, [], 16 - count, None, count))
            assert whole[:count] + rest == whole


def test_weights_that_are_no_numbers_are_told_of(tmp_path: Path) -> None:
    answers = Answers(MAKERS["glm4v"](tmp_path / "broken"))
    with torch.inference_mode():
        writer_of(answers)._stack.layers[0].down.weight.fill_(float("nan"))
    with pytest.raises(EngineError, match="computes no numbers"):
        written(answers, CONVERSATIONS["text"])


def test_models_of_other_families_are_left_to_transformers(tmp_path: Path) -> None:
    assert decoder_of(Answers(MAKERS["llava"](tmp_path / "llava"))).own is None
