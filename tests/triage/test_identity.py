"""Two models or questions are the same only where nothing that changes an answer differs."""

import os
import shutil

import pytest

from glm4v_tui.engine.protocol import LoadModel
from glm4v_tui.triage import identity
from glm4v_tui.triage.identity import expected_precision, model_key


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "model"
    made.mkdir()
    (made / "config.json").write_text("{}")
    (made / "chat_template.jinja").write_text("{{ messages }}")
    (made / "model.safetensors").write_bytes(bytes(range(256)) * 1000)
    (made / "README.md").write_text("a model")
    return made


def key(folder, asked="fp32", precision=""):
    return model_key(LoadModel(str(folder), asked, "cpu"), precision)


def test_a_copy_elsewhere_is_the_same_model(folder, tmp_path):
    other = shutil.copytree(folder, tmp_path / "elsewhere")
    os.utime(other / "config.json", (0, 0))
    (other / "README.md").write_text("the same model, told otherwise")
    assert key(other) == key(folder)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("config.json", b"{ }"),
        ("chat_template.jinja", b"{{ message }}"),
        ("generation_config.json", b"{}"),
        ("model.safetensors", bytes(range(255)) * 1000),
        ("model.safetensors", bytes([9]) + bytes(range(1, 256)) + bytes(range(256)) * 999),
    ],
)
def test_other_files_are_another_model(folder, name, data):
    before = key(folder)
    (folder / name).write_bytes(data)
    assert key(folder) != before


def test_of_large_files_samples_tell(folder, monkeypatch):
    monkeypatch.setattr(identity, "_WHOLE", 1000)
    before, file = key(folder), folder / "model.safetensors"
    data = bytearray(file.read_bytes())
    for place in (0, len(data) // 63 + 4096, len(data) - 1):
        changed = bytearray(data)
        changed[place] ^= 1
        file.write_bytes(changed)
        assert key(folder) != before
    file.write_bytes(data)
    assert key(folder) == before


def test_precision_makes_another_model(folder):
    assert key(folder, "bf16") != key(folder, "fp32") == key(folder, "auto")
    assert key(folder, "auto", "bf16") == key(folder, "bf16")


@pytest.mark.parametrize(
    ("asked", "device", "has_gpu", "expected"),
    [
        ("auto", "auto", True, "bf16"),
        ("auto", "auto", False, "fp32"),
        ("auto", "cpu", True, "fp32"),
        ("fp32", "auto", True, "fp32"),
    ],
)
def test_the_precision_that_is_expected(monkeypatch, asked, device, has_gpu, expected):
    monkeypatch.setattr(identity, "_has_gpu", lambda: has_gpu)
    assert expected_precision(LoadModel("m", asked, device)) == expected


def test_a_model_that_is_not_here_goes_by_its_name():
    assert model_key(LoadModel("/nothing/here")) != model_key(LoadModel("/nothing/there"))


def test_servers_of_one_model_are_the_same_model(tmp_path, monkeypatch):
    monkeypatch.setenv("GLM4V_TUI_HOME", str(tmp_path))
    path = tmp_path / "config" / "config.toml"
    path.parent.mkdir()
    path.write_text(
        "".join(
            f'[engines.{name}]\nurl = "http://{name}.example/v1"\nmodel = "{model}"\n'
            for name, model in (("one", "glm"), ("two", "glm"), ("other", "qwen"))
        )
    )
    keys = [model_key(LoadModel("x", engine=name)) for name in ("one", "two", "one,two", "other")]
    assert keys[0] == keys[1] == keys[2] != keys[3]
