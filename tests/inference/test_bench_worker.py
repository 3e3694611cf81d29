"""The speed as the chat gets it, measured on the CPU and tiny shapes: so that it works at once on a
GPU."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from safetensors import safe_open

from glm4v_tui import cli
from glm4v_tui.bench import speed
from glm4v_tui.bench.command import bench
from glm4v_tui.bench.shape_words import VOCABULARY, WORDS, words, write_words
from glm4v_tui.bench.shapes import config_of, write_checkpoint
from glm4v_tui.bench.speed import SpeedWishes, measure_speed
from glm4v_tui.bench.speed_row import Row
from glm4v_tui.bench.speed_table import speed_line
from glm4v_tui.bench.speed_worker import Heard, against_bare, measure_worker, requests, said_again
from glm4v_tui.demo import CHECKPOINT
from glm4v_tui.demo.tokenizer import SPECIAL_TOKENS
from glm4v_tui.engine.protocol import Finished, FinishReason, TextDelta
from glm4v_tui.errors import CheckpointError
from glm4v_tui.inference.loading import load_processor

KINDS = ["greedy", "sampled", "bound"]


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLM4V_TUI_HOME", str(tmp_path_factory.mktemp("home")))


def test_a_shape_is_talked_to_through_the_command(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """All of it: weights and words are made, the row runs, then the worker is asked."""
    options = "--device cpu --precision int8 --pixels 112 --new 24 --rounds 1 --extra worker --json"
    words = ["glm4v-tui", "bench", "glm-4.1v-tiny", *options.split()]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    made, row = map(json.loads, capfd.readouterr().out.splitlines())
    assert made["shape"] == "glm-4.1v-tiny"
    assert "worker_failed" not in row
    assert list(row["worker_tokens_per_s"]) == list(row["worker_own_tokens_per_s"]) == KINDS
    assert list(row["worker_loss_percent"]) == KINDS  # none of them ended early
    for kind, speed_ in row["worker_tokens_per_s"].items():
        lost = 100 * (1 - speed_ / row["bare_tokens_per_s"])
        assert row["worker_loss_percent"][kind] == pytest.approx(lost, abs=0.06)
    assert set(row["worker_said_again"].values()) == {0.0}
    assert row["worker_prompt_tokens"] > 16


def test_the_shape_of_2024_is_talked_to(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, "glm-4v-9b-tiny", "cpu")
    facts = told_of(Row(str(tmp_path), "int4", device="cpu", pixels=90, new=12, rounds=2))
    assert list(facts["worker_tokens_per_s"]) == KINDS
    assert "worker_ended_after" not in facts
    assert "worker_eased" not in facts


def test_a_model_that_ends_its_answer_is_not_held_to_the_step() -> None:
    """The embedded model says what is to be said, and ends; the form lets it not."""
    row = Row(str(CHECKPOINT), "fp32", device="cpu", pixels=280, new=96, rounds=1)
    facts = against_bare(told_of(row), 100.0)
    assert facts["worker_ended_after"].keys() == {"greedy", "sampled"}
    assert max(facts["worker_ended_after"].values()) < 96
    assert list(facts["worker_loss_percent"]) == ["bound"]


def told_of(row: Row) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    asyncio.run(measure_worker(row, facts))
    return facts


def test_a_folder_that_cannot_be_loaded_is_told_and_the_rows_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = {"precision": "bf16", "by": "glm4v-tui", "bare_tokens_per_s": 100.0}
    facts_of = speed._facts_of
    monkeypatch.setattr(
        speed,
        "_facts_of",
        lambda module, *rest: bare if module == "speed_row" else facts_of(module, *rest),
    )
    write_checkpoint(tmp_path, "glm-4.1v-tiny", "cpu")
    (tmp_path / "tokenizer.json").unlink()
    told: list[dict[str, Any]] = []
    wishes = SpeedWishes(str(tmp_path), ("bf16",), device="cpu", extra=("worker",))
    monkeypatch.setattr(speed, "_settled", lambda wishes: wishes)
    measure_speed(wishes, told.append)
    (row,) = told
    assert "tokenizer is missing" in row["worker_failed"]
    assert "the worker failed: The tokenizer is missing" in speed_line(row)
    with pytest.raises(CheckpointError):
        told_of(Row(str(tmp_path), "bf16", device="cpu"))


# Figures ----------------------------------------------------------------------------------------


def test_tokens_are_counted_from_the_first_piece_to_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = iter((10.0, 10.5, 12.0))
    monkeypatch.setattr("time.perf_counter", lambda: next(times))
    heard = Heard()
    for tokens in (3, 5, 15):
        heard.take(TextDelta("r", "some", tokens))
    assert heard.tokens_per_s == (5 + 15) / 2.0
    assert not heard.is_whole
    heard.end = Finished("r", FinishReason.LENGTH)
    assert heard.is_whole
    heard.end = Finished("r", FinishReason.STOP)
    assert not heard.is_whole


def test_one_piece_has_no_speed() -> None:
    heard = Heard()
    heard.take(TextDelta("r", "all of it", 9))
    assert heard.tokens_per_s is None


def test_what_is_lost_is_of_the_bare_step_and_whole_answers_only() -> None:
    found = {
        "worker_tokens_per_s": {"greedy": 95.0, "bound": 110.0, "sampled": 1.0},
        "worker_ended_after": {"sampled": 7},
    }
    assert against_bare(found, 100.0)["worker_loss_percent"] == {"greedy": 5.0, "bound": -10.0}
    assert against_bare(found, None) == found
    assert against_bare({"worker_failed": "why"}, 100.0) == {"worker_failed": "why"}


def test_what_is_said_again() -> None:
    once = "".join(chr(0x4E00 + number) for number in range(100))
    assert said_again(once) == 0
    assert said_again("ab" * 500) > 0.99
    assert said_again(once + once) == pytest.approx(77 / 177)
    assert said_again("short") == 0


def test_a_row_in_words_says_what_was_said_again() -> None:
    """There several tokens may have come at a time, and the bare step may have been outdone."""
    row = {
        "precision": "bf16", "by": "glm4v-tui", "worker_tokens_per_s": {"greedy": 210.0},
        "worker_loss_percent": {"greedy": -5.0}, "worker_said_again": {"greedy": 0.25},
    }  # fmt: skip
    assert speed_line(row) == (
        "bf16, glm4v-tui: from the worker greedy: 210 tokens/s, beside the bare step "
        "greedy: 5.0 % faster, said again greedy: 25.0 %"
    )
    assert "said again" not in speed_line(row | {"worker_said_again": {"greedy": 0.0}})


def test_figures_at_longer_contexts_and_what_was_asked_are_in_the_line() -> None:
    row = {"precision": "fp32", "by": "glm4v-tui", "pixels": 280, "new": 128}
    row |= {"tokens_per_s_at_2000": 165.0, "tokens_per_s_at_8000": 64.0}
    assert speed_line(row) == (
        "fp32, glm4v-tui, 280 px, 128 tokens: tokens/s at a context of 2000: 165, 8000: 64.0"
    )


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (("--precision", "foo"), "known: auto, fp32"),
        (("--text", "-1"), "8<=x<=100000"),
        (("--pixels", "0"), "56<=x<=4480"),
        (("--out", "/nonexistent/rows.jsonl"), "There is no folder"),
    ],
)
def test_what_cannot_be_measured_is_refused_at_once(wrong: tuple[str, str], reason: str) -> None:
    found = CliRunner().invoke(bench, ["speed", *wrong])
    assert found.exit_code == 2
    assert reason in found.output


def test_a_row_that_fails_is_told_by_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "measure_speed", lambda _, tell: tell({"failed": "no memory"}))
    assert CliRunner().invoke(bench, ["speed"]).exit_code == 1


def test_no_token_is_forced_within_the_text_and_none_ends_it() -> None:
    asked = requests(Row("", "bf16", new=512))
    assert [request.form is not None for request in asked.values()] == [False, False, True]
    assert asked["bound"].form is not None
    schema = msgspec.json.decode(asked["bound"].form.schema)
    assert schema["properties"]["text"]["minLength"] > 512 * max(map(len, words()))
    assert asked["sampled"].sampling == asked["bound"].sampling
    assert asked["greedy"].sampling.temperature == 0


# Words ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["glm-4.1v", "glm-4v-9b"])
def test_words_are_as_many_as_the_family_has_at_its_ids(name: str, tmp_path: Path) -> None:
    config = config_of(name)
    (tmp_path / "config.json").write_text(json.dumps(config))
    write_words(tmp_path, config["model_type"])
    processor = load_processor(str(tmp_path))
    tokenizer = processor.tokenizer
    assert len(tokenizer) == VOCABULARY
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL_TOKENS}
    assert ids["<|endoftext|>"] == WORDS == 151329
    begin, end = config.get("boi_token_id"), config.get("eoi_token_id")
    assert ids["<|begin_of_image|>"] == (begin or config["image_start_token_id"])
    assert ids["<|end_of_image|>"] == (end or config["image_end_token_id"])
    if name == "glm-4.1v":
        assert ids["<|image|>"] == config["image_token_id"]
        assert ids["<|video|>"] == config["video_token_id"]
    texts = tokenizer.batch_decode([[number] for number in range(VOCABULARY)])
    assert all(texts)
    assert tokenizer.decode(tokenizer.encode("Grüße, 猫!", add_special_tokens=False)) == (
        "Grüße, 猫!"
    )


@pytest.mark.parametrize("name", ["glm-4.1v", "glm-4v-9b"])
def test_images_cost_what_they_cost_the_family(name: str, tmp_path: Path) -> None:
    config = config_of(name)
    (tmp_path / "config.json").write_text(json.dumps(config))
    write_words(tmp_path, config["model_type"])
    turn = [{"type": "image", "image": Image.new("RGB", (1120, 1120))}]
    written = load_processor(str(tmp_path)).apply_chat_template(
        [{"role": "user", "content": turn}],
        tokenize=True, return_dict=True, return_tensors="pt", add_generation_prompt=True,
    )  # fmt: skip
    ids = written["input_ids"][0].tolist()
    assert max(map(ids.count, set(ids))) == 1600


def test_words_differ_and_have_the_lengths_of_words() -> None:
    made = words()
    assert len(made) == len(set(made)) == WORDS
    assert made[:256] == [bytes([number]) for number in range(256)]
    assert 5 < sum(map(len, made)) / WORDS < 7


@pytest.mark.parametrize(
    ("name", "head"),
    [("glm-4.1v-tiny", "lm_head.weight"), ("glm-4v-9b-tiny", "transformer.output_layer.weight")],
)
def test_special_tokens_are_never_likely(name: str, head: str, tmp_path: Path) -> None:
    write_checkpoint(tmp_path, name, "cpu")
    places = json.loads((tmp_path / "model.safetensors.index.json").read_text())["weight_map"]
    with safe_open(tmp_path / places[head], "pt") as stored:
        rows = stored.get_tensor(head).abs().amax(-1)
    assert torch.equal(rows == 0, torch.arange(VOCABULARY) >= WORDS)
