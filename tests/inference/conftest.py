from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from glm4v_tui.chat import Attachment, Message, Role
from glm4v_tui.engine.protocol import (
    Event,
    Generate,
    LoadModel,
    ResultForm,
    RgbImage,
    Sampling,
    TextDelta,
)
from glm4v_tui.inference.backend import Backend
from glm4v_tui.inference.environment import prepare_environment
from tests.checkpoints import MAKERS

prepare_environment()  # as the worker does, before torch is imported

GREEDY = Sampling(max_new_tokens=48, temperature=0)


class Answers:
    """A loaded model with the events it told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[Event] = []
        self.backend = Backend()
        self.info = self.backend.load(
            LoadModel(str(folder), precision="fp32", device="cpu"), self.events.append
        )
        for key, picture in PICTURES.items():
            self.backend.put_image(key, RgbImage(picture.width, picture.height, picture.tobytes()))

    def ask(
        self,
        *messages: Message,
        sampling: Sampling = GREEDY,
        should_stop: Callable[[], bool] = lambda: False,
        on_event: Callable[[Event], None] = lambda event: None,
        form: ResultForm | None = None,
    ) -> tuple[Any, str]:
        """Ask; return what it finished with and the text."""
        deltas: list[TextDelta] = []

        def emit(event: Event) -> None:
            on_event(event)
            if isinstance(event, TextDelta):
                deltas.append(event)

        request = Generate("r", messages, sampling, form)
        finished = self.backend.generate(request, emit, should_stop)
        assert sum(delta.tokens for delta in deltas) == finished.usage.completion_tokens
        return finished, "".join(delta.text for delta in deltas)


PICTURES = {
    "wide": Image.radial_gradient("L").convert("RGB").resize((200, 120)),
    "tall": Image.linear_gradient("L").convert("RGB").resize((90, 170)),
}


def user(text: str, *keys: str) -> Message:
    attachments = tuple(
        Attachment(f"/pictures/{key}.png", key, *PICTURES[key].size) for key in keys
    )
    return Message(Role.USER, text, attachments)


def assistant(text: str) -> Message:
    return Message(Role.ASSISTANT, text)


def system(text: str) -> Message:
    return Message(Role.SYSTEM, text)


@pytest.fixture(scope="session")
def glm4v(tiny_glm4v: Path) -> Answers:
    return Answers(tiny_glm4v)


@pytest.fixture(scope="session", params=sorted(MAKERS))
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """One model of every family that the tests make."""
    folder = tmp_path_factory.mktemp("family") / request.param
    return Answers(MAKERS[request.param](folder))
