"""Several tokens in one pass give the answer that one after the other gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from glm4v_tui.inference.language.choice import Settings
from glm4v_tui.inference.language.expectation import MOST, Lookup, Pace
from glm4v_tui.inference.language.kernel_weights import KernelWeights
from glm4v_tui.inference.language.kv_cache import KvCache
from glm4v_tui.inference.language.steps import Steps
from tests.checkpoints import MAKERS
from tests.inference.conftest import Answers, user
from tests.inference.forms import Hard, form
from tests.inference.language.test_writer import GLM, decoder_of, prompt_of, writer_of

if TYPE_CHECKING:
    from pathlib import Path

    from glm4v_tui.inference.language.writer import Writer

LONG = 40
IMAGE = (user("What is it?", "wide"),)
WAYS = {
    "greedy": Settings(),
    "drawn": Settings(temperature=1.0, top_p=0.9, seed=5),
    "punished": Settings(repetition_penalty=1.3),
    "both": Settings(temperature=0.8, top_k=40, repetition_penalty=1.2, seed=6),
}


@pytest.fixture(scope="module", params=GLM)
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    folder = tmp_path_factory.mktemp("family") / request.param
    return Answers(MAKERS[request.param](folder))


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passes whether they pay or not."""
    monkeypatch.setattr(Pace, "pays", True)


def answer(answers: Answers, settings: Settings, *, expects: bool, limit: int = LONG) -> list[int]:
    writer, prompt = writer_of(answers), prompt_of(answers, IMAGE)
    begun = writer.begin(prompt, limit, lambda: False)
    before = prompt.inputs["input_ids"][0].tolist()
    return list(writer.tokens(begun, settings, before, limit, None, expects=expects))


class Oracle:
    """Knows an answer, and is wrong now and then."""

    def __init__(self, known: list[int], right: int) -> None:
        self._known, self._right = known, right
        self.passes: list[int] = []

    def install(self, monkeypatch: pytest.MonkeyPatch, writer: Writer, prompt: int) -> None:
        few = writer._steps.few

        def expected(lookup: Lookup) -> list[int]:
            said = lookup._count - prompt
            truth = self._known[said : said + MOST]
            wrong = [token + 1 if token else 1 for token in truth]
            return truth[: self._right] + wrong[self._right :]

        def counted(*arguments: object) -> torch.Tensor:
            self.passes.append(len(arguments[1]))  # type: ignore[arg-type]
            return few(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(Lookup, "expected", expected)
        monkeypatch.setattr(writer._steps, "few", counted)


@pytest.mark.parametrize("right", [0, 1, 3, MOST])
@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.usefixtures("always")
def test_guesses_change_no_answer(
    family: Answers, way: str, right: int, ahead: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = answer(family, WAYS[way], expects=False)
    writer = writer_of(family)
    oracle = Oracle(expected, right)
    oracle.install(monkeypatch, writer, prompt_of(family, IMAGE).tokens)
    monkeypatch.setattr(writer._steps, "runs_ahead", ahead)
    assert answer(family, WAYS[way], expects=True) == expected
    assert oracle.passes
    if right == MOST:
        assert len(oracle.passes) <= LONG // MOST
    held = writer._held
    assert held[-len(expected) + 1 :] == expected[: len(expected) - 1]  # goes on from there
    assert answer(family, WAYS[way], expects=False) == expected


@pytest.mark.usefixtures("always")
def test_what_repeats_itself_is_found_without_an_oracle(
    family: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, prompt = writer_of(family), prompt_of(family, IMAGE)
    passes: list[int] = []
    few = writer._steps.few
    monkeypatch.setattr(writer._steps, "few", lambda *a: passes.append(len(a[1])) or few(*a))
    whole = answer(family, Settings(), expects=False)
    begun = writer.begin(prompt, LONG, lambda: False)
    before = [*prompt.inputs["input_ids"][0].tolist(), *whole, whole[0]]
    assert list(writer.tokens(begun, Settings(), before, LONG, None)) == whole
    assert passes


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.usefixtures("always")
def test_what_a_form_leaves_no_choice_about_takes_few_passes(
    tmp_path: Path, seed: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = Answers(MAKERS["glm4v"](tmp_path / "glm4v"))
    decoder, writer, prompt = decoder_of(answers), writer_of(answers), prompt_of(answers, IMAGE)
    settings = Settings() if seed is None else Settings(temperature=1.0, seed=seed)

    def bound(*, expects: bool) -> tuple[list[int], int]:
        mask = decoder._mask(form(Hard), prompt)
        assert mask is not None
        begun, calls = writer.begin(prompt, 300, lambda: False), 0
        steps = {name: getattr(writer._steps, name) for name in ("one", "few")}
        with monkeypatch.context() as patch:

            def counted(name: str, *arguments: object) -> torch.Tensor:
                nonlocal calls
                calls += 1
                return steps[name](*arguments)

            for name in steps:
                patch.setattr(writer._steps, name, lambda *a, name=name: counted(name, *a))
            chosen = []
            for token in writer.tokens(
                begun, settings, [], 300, mask, forced=mask.forced, expects=expects
            ):
                if token in decoder._stop_ids:
                    break
                mask.take(token)
                chosen.append(token)
        return chosen, calls

    expected, steps = bound(expects=False)
    found, passes = bound(expects=True)
    assert found == expected
    assert passes < steps


def test_an_answer_stops_at_its_limit_in_the_middle_of_a_pass(
    family: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = answer(family, Settings(), expects=False)
    writer = writer_of(family)
    Oracle(expected, MOST).install(monkeypatch, writer, prompt_of(family, IMAGE).tokens)
    for limit in (1, 2, 5, MOST + 2):
        assert answer(family, Settings(), expects=True, limit=limit) == expected[:limit]


@pytest.mark.parametrize("by_kernels", [False, True])
def test_tokens_in_one_pass_have_the_logits_of_steps(family: Answers, by_kernels: bool) -> None:
    stack = writer_of(family).stack
    steps = Steps(stack, KernelWeights(stack) if by_kernels else None)
    alone, together = KvCache(stack), KvCache(stack)
    tokens = [5, 9, 2, 11, 5]
    with torch.inference_mode():
        for cache in (alone, together):
            cache.make_room(64)
            steps.one(cache, torch.tensor([3]), 0, 0)
        expected = [
            steps.one(alone, torch.tensor([token]), 1 + place, 4 + place).clone()
            for place, token in enumerate(tokens)
        ]
        found = steps.few(together, tokens, 1, 4)
    assert torch.allclose(found, torch.stack(expected), atol=1e-4)


@pytest.mark.parametrize("at_once", [2, 64])
def test_each_way_to_go_on_is_read_as_if_alone(
    family: Answers, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glm4v_tui.inference.language.branches.AT_ONCE", at_once)
    writer, prompt = writer_of(family), prompt_of(family, IMAGE)
    ways = [[5], [9, 2, 11], [9, 2, 7, 8], [5, 5]]
    begun = writer.begin(prompt, 64, lambda: False)
    found = list(writer.after_each(begun, ways, lambda: False))
    for way, rows in zip(ways, found, strict=True):
        alone = [
            writer.begin(prompt, 8, lambda: False, way[: count + 1]).logits
            for count in range(len(way))
        ]
        assert torch.allclose(rows, torch.stack(alone), atol=1e-4)
