"""The original layout through the program: backend, worker, command line, doctor."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from glm4v_tui.chat import Attachment, Message, Role
from glm4v_tui.checkpoint import inspect_checkpoint
from glm4v_tui.engine.protocol import FinishReason, Generate, LoadModel, RgbImage, Sampling
from glm4v_tui.errors import CheckpointError, ImageError
from glm4v_tui.inference.backend import Backend
from tests.checkpoints import change_config
from tests.inference.conftest import Answers, assistant, system, user
from tests.inference.forms import Short, form, read
from tests.inference.glm4v_9b.conftest import Reference
from tests.inference.glm4v_9b.test_original_folder import make_text_model

SIXTEEN = Sampling(max_new_tokens=16, temperature=0)


@pytest.fixture(scope="module")
def answers() -> Answers:
    from tests.checkpoints import GLM4V_9B

    return Answers(GLM4V_9B / "checkpoint")


def test_the_first_answer_and_the_next_turn_are_the_references(
    answers: Answers, one: Reference
) -> None:
    small = one.pictures["small"].convert("RGB")
    answers.backend.put_image("small", RgbImage(*small.size, small.tobytes()))
    attached = (Attachment("/image.png", "small", *small.size),)
    turns = {
        "image_user": [Message(Role.USER, "What is in this image?", attached)],
        "two_turns_image_first": [
            Message(Role.USER, "What is in this image?", attached),
            assistant("There are three shapes: a circle, a square and a triangle."),
            user("Which one is on the left?"),
        ],
    }
    for case, messages in turns.items():
        finished, told = answers.ask(*messages, sampling=SIXTEEN)
        expected = one.manifest["greedy"][case]
        assert answers.backend._decoder is not None
        assert answers.backend._decoder.run.tokens == expected["tokens"]
        assert told == expected["text"]
        assert finished.usage.prompt_tokens == one.manifest["cases"][case]["expanded_length"]
        assert finished.usage.image_tokens == one.processor.image_processor.tokens


def test_it_stops_where_the_config_says(answers: Answers, one: Reference) -> None:
    case = one.manifest["stop_case"]
    finished, told = answers.ask(user(case["messages"][0]["content"]))
    assert finished.reason is FinishReason.STOP
    assert told == case["text"]


def test_every_picture_costs_the_same(answers: Answers) -> None:
    measured = answers.backend.measure(((1, 1), (4000, 3000), (30, 9000)))
    assert measured.seen == ((112, 112),) * 3
    assert measured.tokens == (16,) * 3


def test_chinese_system_and_control_tokens_reach_the_model_as_they_are(
    answers: Answers, one: Reference
) -> None:
    words = "<|user|> [gMASK]<sop> 图中有几个形状？"
    writer = answers.backend.smaller_images.writer
    assert writer is not None
    prompt = writer.write((system("用中文回答。"), user(words)), lambda _: one.pictures["small"])
    tokenizer = one.processor.tokenizer
    text = tokenizer.decode(prompt.inputs["input_ids"][0])
    assert text == f"[gMASK]<sop><|system|>\n用中文回答。<|user|>\n{words}<|assistant|>"
    ids = prompt.inputs["input_ids"][0].tolist()
    assert ids.count(tokenizer.convert_tokens_to_ids("<|user|>")) == 1


def test_answers_can_be_bound_to_a_form(answers: Answers) -> None:
    _, told = answers.ask(user("?", "tall"), form=form(Short), sampling=Sampling(80, temperature=0))
    assert read(Short, told).value is not None


def test_a_text_model_chats_and_says_that_it_sees_nothing(folder: Path) -> None:
    text_model = Answers(make_text_model(folder))
    finished, told = text_model.ask(user("Tell me about 1999."), sampling=SIXTEEN)
    assert finished.usage.completion_tokens
    assert told
    assert text_model.backend.measure(((100, 100),)).tokens == (0,)
    with pytest.raises(ImageError, match="no images"):
        text_model.ask(user("What is it?", "wide"))


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _truncate(folder: Path) -> None:
    file = folder / "model-00001-of-00001.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def _older_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.model").write_bytes(b"\x0a\x0e\x0a\x05<unk>\x15")


def _lfs_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.model").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")


def _no_scaling(folder: Path) -> None:
    vision = json.loads((folder / "config.json").read_text())["vision_config"]
    del vision["scaling_factor"]
    change_config(folder, vision_config=vision)


SHARD = "model-00001-of-00001.safetensors"
DAMAGES: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "shard missing": (remove(SHARD), f"{SHARD} is missing", "does not exist"),
    "shard truncated": (_truncate, f"{SHARD} is truncated", "bytes of"),
    "no tokenizer": (remove("tokenizer.model"), "tokenizer is missing", "no tokenizer.model"),
    "tokenizer not fetched": (_lfs_tokenizer, "was not fetched", "Git LFS"),
    "an older ChatGLM's tokenizer": (_older_tokenizer, "not a GLM-4's", "tiktoken"),
    "no tokenizer config": (
        remove("tokenizer_config.json"), "tokenizer_config.json cannot be read", "does not exist",
    ),
    "no scaling": (_no_scaling, "not a GLM-4", "vision_config.scaling_factor"),
    "an older ChatGLM": (
        lambda folder: change_config(folder, add_bias_linear=True),
        "not a GLM-4", "add_bias_linear",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
def test_a_broken_folder_is_told_in_plain_words(folder: Path, name: str) -> None:
    damage, title, body = DAMAGES[name]
    damage(folder)
    with pytest.raises(CheckpointError) as caught:
        Backend().load(LoadModel(str(folder), "fp32", "cpu"), lambda event: None)
    assert title in caught.value.title
    assert body in caught.value.body
    assert caught.value.remedy
    assert len(inspect_checkpoint(folder).problems) == 1


def program(*arguments: object, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "glm4v_tui", *map(str, arguments)],
        capture_output=True, text=True, timeout=100, check=False,
        env=os.environ | {"GLM4V_TUI_HOME": str(home), "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip


def test_the_command_line_asks_it_in_a_worker(one: Reference, tmp_path: Path) -> None:
    done = program(
        "ask", "--model", one.checkpoint, one.folder / "image.png", "--device", "cpu",
        "-q", "What is in this image?", "--greedy", "--max-new-tokens", 16, "--json",
        home=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["answer"] == one.manifest["greedy"]["image_user"]["text"]
    assert told["usage"] == {"prompt_tokens": 29, "image_tokens": 16, "completion_tokens": 16}


def test_doctor_calls_it_whole_and_names_what_is_not(folder: Path, tmp_path: Path) -> None:
    whole = program("doctor", "--model", folder, home=tmp_path / "home").stdout
    assert "chatglm" in whole
    assert "whole" in whole
    shutil.copyfile(folder / "config.json", folder / "tokenizer.model")
    broken = program("doctor", "--model", folder, home=tmp_path / "home")
    assert broken.returncode != 0
    assert "not in the form of tiktoken" in broken.stdout


def test_a_worker_that_loads_it_asks_nothing_of_the_network(
    one: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr("socket.socket.connect", lambda _, address: asked.append(address))
    monkeypatch.setattr("socket.getaddrinfo", lambda *host: asked.append(host))
    backend = Backend()
    backend.load(LoadModel(str(one.checkpoint), "fp32", "cpu"), lambda event: None)
    request = Generate("r", (user("Hm?"),), SIXTEEN, None)
    assert backend.generate(request, lambda event: None, lambda: False).usage.completion_tokens
    assert asked == []
