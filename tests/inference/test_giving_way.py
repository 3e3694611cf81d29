"""An answer that gives way to another one goes on where it was, as if nothing had been."""

from __future__ import annotations

from pathlib import Path

import pytest

from glm4v_tui.engine.protocol import Finished, FinishReason, Generate, Sampling, TextDelta
from tests.checkpoints import MAKERS
from tests.inference.conftest import user
from tests.inference.test_ladder import Chat
from tests.inference.test_ladder_together import ASKED


class Asking(Chat):
    """Answers for some tokens at a time, with another question in between."""

    def undisturbed(self, number: int) -> tuple[str, Finished]:
        messages, sampling, form = ASKED[number]
        ended = self.ask(messages, sampling=sampling, form=form)
        return self.text, ended

    def disturbed(self, number: int) -> tuple[str, Finished, int]:
        """Text, end, and how often it has given way: each time that it has told some text."""
        messages, sampling, form = ASKED[number]
        request = Generate("later", messages, sampling, form, urgent=False)
        text, pieces = "", 0
        while True:
            self.events.clear()
            ended = self.backend.generate(
                request, self._take, lambda: False, gives_way=self.has_text
            )
            text += self.text
            if ended.reason is not FinishReason.ABORT:
                return text, ended, pieces
            pieces += 1
            self.ask((user("And what is that?", "tall"),), sampling=Sampling(3, 1.0, seed=9))

    def has_text(self) -> bool:
        return any(isinstance(event, TextDelta) for event in self.events)


@pytest.fixture(scope="module", params=["glm4v", "qwen2_5_vl", "llava", "glm4v_9b"])
def asking(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Asking:
    folder: Path = tmp_path_factory.mktemp("model") / request.param
    return Asking(MAKERS[request.param](folder))


@pytest.mark.parametrize("number", range(len(ASKED)))
def test_it_is_the_same_answer_told_once(asking: Asking, number: int) -> None:
    """Greedy, within a form, sampled with a seed, without an image, with a penalty."""
    text, expected = asking.undisturbed(number)
    found, ended, times = asking.disturbed(number)
    assert times > 0
    assert (found, ended.usage, ended.reason) == (text, expected.usage, expected.reason)
    assert not asking.backend.ahead._alone


def test_one_that_is_whole_does_not_give_way(asking: Asking) -> None:
    messages, _, _ = ASKED[3]
    request = Generate("later", messages, Sampling(1, temperature=0), urgent=False)
    asking.events.clear()
    ended = asking.backend.generate(request, asking._take, lambda: False, gives_way=asking.has_text)
    assert (ended.reason, ended.usage.completion_tokens) == (FinishReason.LENGTH, 1)


def test_an_abort_ends_it_whatever_else_waits(asking: Asking) -> None:
    messages, sampling, form = ASKED[0]
    request = Generate("later", messages, sampling, form, urgent=False)
    asking.events.clear()
    ended = asking.backend.generate(
        request, asking._take, asking.has_text, gives_way=asking.has_text
    )
    assert ended.reason is FinishReason.ABORT
    assert asking.backend.ahead.begun(request) is None
