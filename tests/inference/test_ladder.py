"""Memory that runs out does not end a question, wherever it happens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from glm4v_tui.chat import Message
from glm4v_tui.engine.protocol import (
    ConsentWanted,
    Eased,
    Event,
    Finished,
    FinishReason,
    Generate,
    LoadModel,
    Progress,
    ResultForm,
    RgbImage,
    Sampling,
    Score,
    Scored,
    TextDelta,
)
from glm4v_tui.errors import OutOfMemoryError
from glm4v_tui.inference import arranging, loading, smaller_images
from glm4v_tui.inference.backend import Backend
from glm4v_tui.inference.layout import GIB
from glm4v_tui.inference.placement import Placement
from glm4v_tui.precision import PRECISIONS
from tests import checkpoints
from tests.checkpoints import MAKERS
from tests.inference.conftest import PICTURES, user
from tests.shortages import Shortage

GREEDY = Sampling(max_new_tokens=40, temperature=0)
QUESTION = (user("What is it?", "wide"),)
SCHEMA = """{"type": "object", "required": ["a"],
"properties": {"a": {"type": "string", "minLength": 20, "maxLength": 40}}}"""


class Chat:
    """A backend, what it told, and somebody who answers it."""

    def __init__(self, folder: Path, precision: str = "fp32") -> None:
        self.backend = Backend()
        self.events: list[Event] = []
        self.backend.load(LoadModel(str(folder), precision, "cpu"), self.events.append)
        self.put_images()
        self.says = True
        self.stops_at: str | None = None
        self._stop = False

    def put_images(self) -> None:
        for key, picture in PICTURES.items():
            large = picture.resize((2 * picture.width, 2 * picture.height))
            self.backend.put_image(key, RgbImage(*large.size, large.tobytes()))

    def ask(self, messages: tuple[Message, ...] = QUESTION, **options: Any) -> Finished:
        self.events.clear()
        self._stop = False
        request = Generate("r", messages, **({"sampling": GREEDY} | options))
        return self.backend.generate(request, self._take, lambda: self._stop, self._consent)

    def score(self, answers: tuple[str, ...]) -> Scored | Finished:
        self.events.clear()
        request = Score("r", QUESTION, answers)
        return self.backend.score(request, self._take, lambda: self._stop, self._consent)

    def _take(self, event: Event) -> None:
        self.events.append(event)
        if self.stops_at in (getattr(event, "rung", ""), getattr(event, "stage", "")):
            self._stop = True

    def _consent(self, wanted: ConsentWanted) -> bool:
        self.events.append(wanted)
        return self.says

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))

    @property
    def rungs(self) -> list[str]:
        return [event.rung for event in self.events if isinstance(event, Eased) and event.message]

    @property
    def consents(self) -> list[ConsentWanted]:
        return [event for event in self.events if isinstance(event, ConsentWanted)]


@pytest.fixture
def chat(tiny_glm4v: Path) -> Chat:
    return Chat(tiny_glm4v)


@pytest.fixture(scope="module")
def expected(tiny_glm4v: Path) -> str:
    chat = Chat(tiny_glm4v)
    assert chat.ask().usage.completion_tokens == 40
    assert not chat.rungs
    return chat.text


# Where it happens ---------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["vision", "prefill", "decode"])
@pytest.mark.parametrize("family", sorted(MAKERS))
def test_an_answer_is_the_same_wherever_the_memory_ran_out(
    part: str, family: str, tmp_path: Path
) -> None:
    chat = Chat(MAKERS[family](tmp_path / family))
    chat.ask()
    whole = chat.text
    Shortage(part, times=2, after=3 if part == "decode" else 0).watch(chat.backend)
    finished = chat.ask()
    assert chat.text == whole
    assert finished.usage.completion_tokens == 40
    assert chat.rungs == ["free", "release"]


def test_what_was_written_is_neither_lost_nor_written_again(chat: Chat, expected: str) -> None:
    Shortage("decode", times=1, after=25).watch(chat.backend)
    chat.ask()
    at = next(index for index, event in enumerate(chat.events) if isinstance(event, Eased))
    before = [event for event in chat.events[:at] if isinstance(event, TextDelta)]
    assert before
    assert expected.startswith("".join(event.text for event in before))
    assert chat.text == expected
    told = [event for event in chat.events if isinstance(event, TextDelta)]
    assert sum(event.tokens for event in told) == 40


@pytest.mark.parametrize(
    "error",
    [
        MemoryError,
        lambda _: RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 8 bytes."),
    ],
)
def test_host_memory_counts_as_well(error: Any, chat: Chat, expected: str) -> None:
    Shortage("prefill", times=1, error=error).watch(chat.backend)
    chat.ask()
    assert chat.text == expected
    assert chat.rungs == ["free"]


def test_other_failures_are_told_at_once(chat: Chat) -> None:
    Shortage("prefill", times=1, error=lambda _: ValueError("a defect")).watch(chat.backend)
    with pytest.raises(ValueError, match="a defect"):
        chat.ask()
    assert not chat.rungs


def test_a_fault_of_the_device_is_not_climbed(chat: Chat) -> None:
    words = "CUDA error: an illegal memory access was encountered; CUDA out of memory"
    Shortage("prefill", 1, error=lambda _: RuntimeError(words)).watch(chat.backend)
    with pytest.raises(RuntimeError):
        chat.ask()
    assert not chat.rungs


def test_a_bound_answer_goes_on_in_its_form(chat: Chat) -> None:
    form = ResultForm(SCHEMA)
    chat.ask(form=form)
    whole = chat.text
    Shortage("decode", times=2, after=5).watch(chat.backend)
    chat.ask(form=form)
    assert chat.rungs == ["free", "release"]
    assert chat.text == whole


def test_a_sample_with_a_seed_goes_on_as_it_would_have(chat: Chat) -> None:
    sampling = Sampling(max_new_tokens=40, temperature=1.2, top_p=1.0, top_k=50, seed=3)
    chat.ask(sampling=sampling)
    whole = chat.text
    Shortage("decode", times=1, after=12).watch(chat.backend)
    chat.ask(sampling=sampling)
    assert chat.rungs
    assert chat.text == whole


def test_scores_are_the_same(chat: Chat) -> None:
    answers = ("a red square", "a dog")
    whole = chat.score(answers)
    Shortage("prefill", times=2).watch(chat.backend)
    found = chat.score(answers)
    assert isinstance(whole, Scored)
    assert isinstance(found, Scored)
    assert found.log_likelihoods == pytest.approx(whole.log_likelihoods)
    assert chat.rungs == ["free", "release"]


# Smaller images -----------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["glm4v", "qwen2_5_vl", "glm4v_9b"])
def test_a_smaller_image_is_asked_for_and_remembered(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = Chat(MAKERS[family](tmp_path / family))
    monkeypatch.setattr(smaller_images, "_LEAST_SIDE", 28)  # the 9B in miniature sees few pixels
    whole = chat.ask().usage.image_tokens
    Shortage("prefill", times=3).watch(chat.backend)
    finished = chat.ask(smaller_images="ask")
    (wanted,) = chat.consents
    assert finished.usage.image_tokens == whole - wanted.tokens_less
    assert finished.usage.image_tokens <= whole * 0.6
    assert "×" in wanted.question
    assert chat.rungs == ["free", "release", "smaller images"]
    assert chat.ask().usage.image_tokens == finished.usage.image_tokens
    assert not chat.rungs


def test_full_detail_is_the_users_choice(chat: Chat) -> None:
    chat.says = False
    whole = chat.ask().usage.image_tokens
    Shortage("prefill", times=3).watch(chat.backend)
    finished = chat.ask(smaller_images="ask")
    assert len(chat.consents) == 1
    assert finished.usage.image_tokens == whole
    assert chat.rungs == ["free", "release", "precision"]


def test_agreed_beforehand_it_holds_for_the_next_image(chat: Chat) -> None:
    whole = chat.ask((user("What?", "tall"),)).usage.image_tokens
    Shortage("prefill", times=3).watch(chat.backend)
    chat.ask(smaller_images="always")
    assert not chat.consents
    assert chat.rungs[-1] == "smaller images"
    finished = chat.ask((user("What?", "tall"),), smaller_images="always")
    assert finished.usage.image_tokens < whole
    assert chat.ask((user("What?", "tall"),)).usage.image_tokens == whole


# The model, loaded again --------------------------------------------------------------------------


def test_the_next_precision_is_loaded_and_stays(chat: Chat) -> None:
    Shortage("decode", times=4, after=10).watch(chat.backend)
    finished = chat.ask()
    assert finished.usage.completion_tokens == 40
    assert chat.rungs == ["free", "release", "precision", "precision"]
    models = [event.model for event in chat.events if isinstance(event, Eased) and event.model]
    assert [model.precision for model in models] == ["bf16", "int8"]
    assert (
        models[1].weight_bytes
        < models[0].weight_bytes
        == chat.backend.weight_bytes + (models[0].weight_bytes - models[1].weight_bytes)
    )
    loads = [event for event in chat.events if isinstance(event, Progress) and event.total]
    assert {event.stage for event in loads} == {"weights"}
    chat.ask()
    assert not chat.rungs


def test_the_old_model_is_gone_before_the_next_is_loaded(chat: Chat) -> None:
    """Twice the weights is what there is no room for."""
    import gc
    import weakref

    assert chat.backend._decoder is not None
    old = weakref.ref(chat.backend._decoder.model)
    alive: list[bool] = []
    place = chat.backend._load

    def note(*args: Any) -> None:
        alive.append(old() is not None)
        place(*args)

    chat.backend._load = note  # type: ignore[method-assign]
    Shortage("decode", times=3, after=10).watch(chat.backend)
    gc.disable()
    try:
        chat.ask()
    finally:
        gc.enable()
    assert alive == [False]


def test_after_the_last_rung_the_error_says_what_was_tried(chat: Chat) -> None:
    Shortage("prefill", times=99).watch(chat.backend)
    with pytest.raises(OutOfMemoryError) as caught:
        chat.ask()
    assert chat.rungs == ["free", "release", *["precision"] * 3]
    assert "smaller precisions" in caught.value.body
    assert "--smaller-images always" in caught.value.remedy
    assert "smaller image" in caught.value.remedy


def test_without_an_image_no_option_for_images_is_named(chat: Chat) -> None:
    Shortage("prefill", times=99).watch(chat.backend)
    with pytest.raises(OutOfMemoryError) as caught:
        chat.ask((user("What is there to be said of it, in short?"),))
    assert "--smaller-images" not in caught.value.remedy


def test_the_text_of_a_failed_answer_is_all_told(tiny_glm4v: Path) -> None:
    chat = Chat(tiny_glm4v, "int4")
    chat.ask()
    whole = chat.text
    Shortage("decode", times=99, after=5).watch(chat.backend)
    with pytest.raises(OutOfMemoryError):
        chat.ask()
    told = [event for event in chat.events if isinstance(event, TextDelta)]
    assert sum(event.tokens for event in told) == 6  # the last of them is in no cache yet
    assert len(whole) > len(chat.text) > 0
    assert whole.startswith(chat.text)


def test_the_next_question_is_answered(chat: Chat) -> None:
    Shortage("prefill", times=6).watch(chat.backend)
    with pytest.raises(OutOfMemoryError):
        chat.ask()
    assert chat.ask().usage.completion_tokens == 40


def test_what_did_not_help_is_taken_back(chat: Chat, expected: str) -> None:
    shortage = Shortage("prefill", times=99)
    shortage.watch(chat.backend)
    with pytest.raises(OutOfMemoryError):
        chat.ask(smaller_images="always")
    shortage.times = 0
    chat.ask(smaller_images="always")
    assert chat.text == expected
    (told,) = [event.model for event in chat.events if isinstance(event, Eased)]
    assert told is not None
    assert told.precision == "fp32"


# Stopping -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rung", ["free", "release", "precision"])
def test_it_stops_on_every_rung(rung: str, chat: Chat) -> None:
    Shortage("decode", times=99, after=10).watch(chat.backend)
    chat.stops_at = rung
    finished = chat.ask()
    assert finished.reason is FinishReason.ABORT
    assert chat.rungs[-1] == rung
    assert chat.text


def test_it_stops_while_the_model_is_loaded_again(chat: Chat, expected: str) -> None:
    shortage = Shortage("decode", times=99, after=10)
    shortage.watch(chat.backend)
    chat.stops_at = "weights"
    finished = chat.ask()
    assert finished.reason is FinishReason.ABORT
    assert finished.usage.completion_tokens == 11  # the last of them is in no cache yet
    chat.stops_at, shortage.times = None, 0
    chat.ask()  # the model is not there, and is loaded as it was
    assert chat.backend.info is not None
    assert chat.backend.info.precision == "fp32"
    assert chat.text == expected


def test_a_no_by_abort_ends_it(chat: Chat) -> None:
    Shortage("prefill", times=99).watch(chat.backend)

    def stop(_: ConsentWanted) -> bool:
        chat._stop = True
        return False

    chat._consent = stop  # type: ignore[method-assign]
    assert chat.ask(smaller_images="ask").reason is FinishReason.ABORT
    assert chat.rungs == ["free", "release"]


def test_a_no_by_abort_on_the_last_rung_ends_it(tiny_glm4v: Path) -> None:
    chat = Chat(tiny_glm4v, "int4")
    Shortage("prefill", times=99).watch(chat.backend)

    def stop(_: ConsentWanted) -> bool:
        chat._stop = True
        return False

    chat._consent = stop  # type: ignore[method-assign]
    assert chat.ask(smaller_images="ask").reason is FinishReason.ABORT


# A GPU's rungs, with the CPU in its place ---------------------------------------------------------


@pytest.fixture(scope="module")
def six_layers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        text_config = checkpoints._text_config
        patch.setattr(
            checkpoints, "_text_config", lambda one: text_config(one) | {"num_hidden_layers": 6}
        )
        return checkpoints.make_glm4v(tmp_path_factory.mktemp("six") / "layers")


@pytest.fixture(scope="module")
def expected_of_six(six_layers: Path) -> str:
    chat = Chat(six_layers)
    chat.ask()
    return chat.text


@pytest.fixture
def on_gpu(
    six_layers: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Chat]:
    """A model that takes the CPU for a GPU."""
    from glm4v_tui.inference import placement

    for module in (arranging, loading):
        monkeypatch.setattr(module, "gpu_device", lambda _: torch.device("cpu"))
    monkeypatch.setattr(loading, "gpu_count", lambda: 0)
    monkeypatch.setenv("GLM4V_TUI_HOME", str(tmp_path / "home"))

    def choose(precision: str, *_: Any) -> Placement:
        rules = PRECISIONS[precision]
        dtype = "fp32" if precision == "fp32" else "bf16"
        return Placement(precision, "cuda", rules, dtype, ((0, 80 * GIB),))  # type: ignore[arg-type]

    monkeypatch.setattr(placement, "choose_placement", choose)
    # An offloaded cache needs a GPU's streams; that it is asked for is looked at below.
    return lambda precision="fp32": Chat(six_layers, precision)


def without_offloaded_cache(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes what cache is asked for, and lets the usual one be used."""
    from glm4v_tui.inference.decoding import Decoder

    asked: list[str] = []
    config_of = Decoder._config

    def config(self: Decoder, *args: Any) -> Any:
        made = config_of(self, *args)
        asked.append(made.cache_implementation or "")
        made.cache_implementation = None
        return made

    monkeypatch.setattr(Decoder, "_config", config)
    return asked


def test_the_tower_waits_in_host_memory(on_gpu: Any, expected_of_six: str) -> None:
    chat = on_gpu()
    Shortage("decode", times=3, after=10).watch(chat.backend)
    chat.ask()
    assert chat.rungs == ["free", "release", "park"]
    assert chat.text == expected_of_six
    assert chat.backend.layout.vision == "parked"
    chat.ask()
    assert chat.text == expected_of_six
    assert not chat.rungs


def test_the_tower_is_streamed_when_it_is_what_does_not_fit(
    on_gpu: Any, expected_of_six: str
) -> None:
    chat = on_gpu()
    Shortage("vision", times=2).watch(chat.backend)
    chat.ask()
    assert chat.rungs == ["free", "stream"]
    assert chat.text == expected_of_six
    assert chat.backend.layout.vision == "streamed"


def test_a_parked_tower_can_be_streamed_later(on_gpu: Any, expected_of_six: str) -> None:
    chat = on_gpu()
    Shortage("decode", times=3, after=10).watch(chat.backend)
    chat.ask()
    Shortage("vision", times=2).watch(chat.backend)
    chat.ask()
    assert chat.rungs == ["free", "stream"]
    assert chat.backend.layout.vision == "streamed"
    assert chat.text == expected_of_six


def test_no_room_to_park_leads_on(
    on_gpu: Any, expected_of_six: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    chat = on_gpu()
    without_offloaded_cache(chat, monkeypatch)
    monkeypatch.setattr(arranging, "move_towers", full)
    Shortage("decode", times=3, after=10).watch(chat.backend)
    chat.ask()
    assert chat.rungs == ["free", "release", "park", "keys and values"]
    assert chat.text == expected_of_six


def test_every_rung_of_a_gpu(
    on_gpu: Any, expected_of_six: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = on_gpu()
    asked = without_offloaded_cache(chat, monkeypatch)
    shortage = Shortage("decode", times=99, after=10)
    shortage.watch(chat.backend)
    with pytest.raises(OutOfMemoryError):
        chat.ask()
    assert chat.rungs == [
        "free", "release", "park", "keys and values",
        *["precision"] * 5, "offload", "offload",
    ]  # fmt: skip
    models = [event.model for event in chat.events if isinstance(event, Eased) and event.model]
    assert [model.precision for model in models] == [
        "fp32", "bf16", "int8", "mixed", "int4", "int4-compact", "int4-compact", "int4-compact",
    ]  # fmt: skip
    assert [model.device for model in models][-2:] == ["cuda:0+host", "cuda:0+host"]
    assert chat.backend.layout.layers == ("host",) * 6
    assert asked[0] == ""
    assert asked[-1] == "offloaded"
    shortage.times = 0
    chat.ask()
    assert chat.text == expected_of_six
    assert not chat.rungs


def test_offloaded_layers_write_the_same(on_gpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    chat = on_gpu("int4-compact")
    without_offloaded_cache(chat, monkeypatch)
    chat.ask()
    whole = chat.text
    Shortage("decode", times=5, after=10).watch(chat.backend)
    chat.ask()
    assert chat.rungs == ["free", "release", "park", "keys and values", "offload"]
    assert chat.text == whole
