"""Exceptions as the libraries really raise them, wherever one can be provoked here."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForImageTextToText

from glm4v_tui.errors import CheckpointError, EngineError, OutOfMemoryError, UsageError
from glm4v_tui.gpu import limits
from glm4v_tui.inference.failures import explain, is_fatal


def test_an_error_of_ours_is_told_as_it_is() -> None:
    error = UsageError("title", "body", "remedy")
    assert explain(error, "loading") is error


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.16 GiB. GPU 0 has ..."),
        RuntimeError("CUDA error: out of memory"),
        MemoryError(),
    ],
)
def test_memory_running_out(error: Exception) -> None:
    told = explain(error, "answering")
    assert type(told) is OutOfMemoryError
    assert "image" in told.remedy


def test_a_real_allocation_that_cannot_be() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert type(explain(caught.value, "answering")) is OutOfMemoryError


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        SystemError("error return without exception set"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
    ],
)
def test_a_limit_of_the_address_space_is_named(error: Exception, monkeypatch) -> None:
    monkeypatch.setattr(limits, "address_space_limit", lambda: 3 << 30)
    told = explain(error, "loading the model")
    assert type(told) is OutOfMemoryError
    assert "3.0 GiB (ulimit -v)" in told.body
    assert "ulimit -v unlimited" in told.remedy
    of_the_gpu = explain(RuntimeError("CUDA error: out of memory"), "answering")
    assert "ulimit" not in of_the_gpu.body


def test_an_unknown_architecture(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "glm9v"}')
    with pytest.raises(ValueError, match="glm9v") as caught:
        AutoConfig.from_pretrained(tmp_path)
    told = explain(caught.value, "loading the model")
    assert type(told) is CheckpointError
    assert told.title == "Unknown kind of model"


def test_remote_code(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(
        '{"model_type": "own", "auto_map": {"AutoConfig": "own.Config"}}'
    )
    (tmp_path / "own.py").write_text("raise SystemExit('remote code ran')")
    with pytest.raises(ValueError, match="custom code") as caught:
        AutoConfig.from_pretrained(tmp_path, trust_remote_code=False)
    told = explain(caught.value, "loading the model")
    assert told.title == "This model needs code of its own"


def test_a_text_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(ValueError, match="Unrecognized") as caught:
        AutoModelForImageTextToText.from_pretrained(tmp_path)
    assert explain(caught.value, "loading the model").title == "Unknown kind of model"


def test_a_cause_is_looked_for_behind_a_wrapper() -> None:
    wrapper = RuntimeError("could not answer")
    wrapper.__cause__ = MemoryError()
    assert type(explain(wrapper, "answering")) is OutOfMemoryError


def test_anything_else_is_told_with_its_class_and_words() -> None:
    told = explain(KeyError("shape"), "answering")
    assert type(told) is EngineError
    assert told.title == "Something went wrong while answering"
    assert told.body == "KeyError: 'shape'"
    assert told.remedy


def test_a_fault_of_the_gpu_is_fatal_and_running_out_of_memory_is_not() -> None:
    assert is_fatal(RuntimeError("CUDA error: device-side assert triggered"))
    assert is_fatal(RuntimeError("CUDA error: an illegal memory access was encountered"))
    assert not is_fatal(torch.OutOfMemoryError("CUDA out of memory."))


def test_a_long_message_is_cut() -> None:
    assert len(explain(ValueError("word " * 1000), "answering").body) < 700
