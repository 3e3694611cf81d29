from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glm4v_tui.checkpoint import inspect_checkpoint, loadable_model_types, resolve_model
from glm4v_tui.checkpoint.weight_file import TruncatedError, WeightFileError, read_weight_file
from glm4v_tui.errors import CheckpointError, NoModelError


def safetensors(tensors: dict[str, int], dtype: str = "BF16") -> bytes:
    """A file of tensors with this many two-byte elements each."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, count in tensors.items():
        header[name] = {"dtype": dtype, "shape": [count], "data_offsets": [at, at + 2 * count]}
        at += 2 * count
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(at)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two shards in the published layout, with all that belongs to them."""
    (tmp_path / "a.safetensors").write_bytes(safetensors({"one": 100, "two": 50}))
    (tmp_path / "b.safetensors").write_bytes(safetensors({"three": 25}))
    files: dict[str, Any] = {
        "config.json": {"model_type": "glm4v", "text_config": {"max_position_embeddings": 65536}},
        "model.safetensors.index.json": {
            "weight_map": {
                "one": "a.safetensors", "two": "a.safetensors", "three": "b.safetensors",
            }
        },
        "tokenizer.json": {},
        "preprocessor_config.json": {},
        "tokenizer_config.json": {"chat_template": "{{ messages }}"},
    }  # fmt: skip
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content))
    return tmp_path


def change_config(folder: Path, **values: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def test_a_whole_checkpoint_is_loadable_and_described(folder: Path) -> None:
    report = inspect_checkpoint(folder)
    assert report.is_loadable
    report.require_loadable()
    assert report.model_type == "glm4v"
    assert report.weight_bytes == 350
    assert report.parameters == 175
    assert report.dtype == "BF16"
    assert report.context_length == 65536
    assert report.files == ("a.safetensors", "b.safetensors")


def write(name: str, data: bytes) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / name).write_bytes(data)

    return damage


def remove(*names: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return damage


def cut(folder: Path) -> None:
    data = (folder / "b.safetensors").read_bytes()
    (folder / "b.safetensors").write_bytes(data[:-7])


def break_link(folder: Path) -> None:
    (folder / "b.safetensors").unlink()
    (folder / "b.safetensors").symlink_to(folder / "blob-that-is-not-there")


def only_pickles(folder: Path) -> None:
    remove("a.safetensors", "b.safetensors", "model.safetensors.index.json")(folder)
    (folder / "pytorch_model.bin").write_bytes(b"x")


def other_version(folder: Path) -> None:
    (folder / "b.safetensors").write_bytes(safetensors({"thirty": 25}))


def entries(tensors: dict[str, tuple[str, list[int], int, int]]) -> Callable[[Path], None]:
    """A weight file with a header of this content: dtype, shape, first byte, end."""
    header = json.dumps(
        {
            name: {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
            for name, (dtype, shape, start, end) in tensors.items()
        }
    ).encode()
    end = max(tensor[3] for tensor in tensors.values())
    return write("b.safetensors", struct.pack("<Q", len(header)) + header + bytes(end))


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n"

DAMAGES: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "shard missing": (remove("b.safetensors"), "b.safetensors is missing", "one of the"),
    "shard is a dead link": (break_link, "b.safetensors is missing", "does not exist"),
    "shard truncated": (cut, "b.safetensors is truncated", "bytes of"),
    "shard empty": (write("b.safetensors", b""), "b.safetensors is truncated", "0 bytes"),
    "shard overwritten": (write("b.safetensors", b"\xff" * 99), "b.safetensors is damaged", ""),
    "header not JSON": (
        write("b.safetensors", struct.pack("<Q", 4) + b"{[}]"),
        "b.safetensors is damaged", "header",
    ),
    "too long": (
        write("b.safetensors", safetensors({"three": 25}) + b"x"),
        "b.safetensors is damaged", "more",
    ),
    "shard not fetched": (write("b.safetensors", LFS), "b.safetensors is damaged", "Git LFS"),
    "shard of another version": (other_version, "does not belong", "three"),
    "index missing": (
        remove("model.safetensors.index.json"), "index.json is missing", "a.safetensors",
    ),
    "index broken": (write("model.safetensors.index.json", b"{"), "index.json cannot be read", ""),
    "index leads elsewhere": (
        write("model.safetensors.index.json", b'{"weight_map": {"one": "../../etc/passwd"}}'),
        "index.json cannot be read", "plain file name",
    ),
    "pickles only": (only_pickles, "not safetensors", ".bin"),
    "no weights": (
        remove("a.safetensors", "b.safetensors", "model.safetensors.index.json"),
        "weights are missing", "",
    ),
    "no tokenizer": (remove("tokenizer.json"), "tokenizer is missing", ""),
    "tokenizer not fetched": (write("tokenizer.json", LFS), "tokenizer.json was not fetched", ""),
    "no processor": (remove("preprocessor_config.json"), "image processor", ""),
    "no template": (write("tokenizer_config.json", b"{}"), "chat template is missing", ""),
    "no config": (remove("config.json"), "holds no model", "config.json"),
    "config broken": (write("config.json", b"{"), "config.json cannot be read", ""),
    "config no object": (write("config.json", b"[]"), "config.json cannot be read", ""),
    "tokenizer truncated": (
        write("tokenizer.json", b'{"model": {"vocab": {"a": 1,'), "tokenizer.json is truncated", "",
    ),
    "processor not JSON": (
        write("preprocessor_config.json", b"{'size': 5}"),
        "preprocessor_config.json cannot be read", "",
    ),
    "no model type": (
        lambda f: change_config(f, model_type=""), "names no kind of model", "model_type",
    ),
    "bytes not of the shape": (
        entries({"three": ("BF16", [25], 0, 48)}), "b.safetensors is damaged", "BF16",
    ),
    "a gap between tensors": (
        entries({"three": ("U8", [4], 4, 8)}), "b.safetensors is damaged", "begin elsewhere",
    ),
    "text model": (lambda f: change_config(f, model_type="llama"), "Unknown kind", "'llama'"),
    "remote code": (
        lambda f: change_config(f, model_type="own", auto_map={"AutoModel": "m.M"}),
        "code of its own", "'own'",
    ),
    "ChatGLM of 2023": (
        lambda f: change_config(f, model_type="chatglm", auto_map={"AutoModel": "m.M"}),
        "not a GLM-4", "chatglm",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
def test_every_damage_is_named_with_its_remedy(folder: Path, name: str) -> None:
    damage, title, body = DAMAGES[name]
    damage(folder)
    report = inspect_checkpoint(folder)
    assert len(report.problems) == 1, report.problems
    problem = report.problems[0]
    assert title in problem.title
    assert body in problem.body
    assert problem.remedy
    with pytest.raises(CheckpointError) as caught:
        report.require_loadable()
    assert caught.value.remedy == problem.remedy


def test_what_the_index_does_not_tell_of_is_a_hint_and_keeps_nobody_from_loading(
    folder: Path,
) -> None:
    assert inspect_checkpoint(folder).hints == ()
    (folder / "b.safetensors").write_bytes(safetensors({"three": 25, "four": 2}))
    (folder / "model-00009-of-00009.safetensors").write_bytes(safetensors({"x": 1}))
    report = inspect_checkpoint(folder)
    assert report.is_loadable
    more, unused = report.hints
    assert "b.safetensors has tensors that the index does not tell of" in more.title
    assert "four" in more.body
    assert "model-00009-of-00009.safetensors" in unused.body


def test_several_damages_are_all_named(folder: Path) -> None:
    remove("a.safetensors", "tokenizer.json")(folder)
    report = inspect_checkpoint(folder)
    assert [problem.title for problem in report.problems] == [
        "a.safetensors is missing",
        "The tokenizer is missing",
    ]
    with pytest.raises(CheckpointError) as caught:
        report.require_loadable()
    assert "Also: The tokenizer is missing." in caught.value.body


def test_adapters_and_gguf_are_told_apart_from_models(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    assert "GGUF" in inspect_checkpoint(tmp_path).problems[0].title
    (tmp_path / "adapter_config.json").write_text("{}")
    assert "adapter" in inspect_checkpoint(tmp_path).problems[0].title


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    report = inspect_checkpoint(tmp_path / "nowhere")
    assert "no such model folder" in report.problems[0].title


def test_the_model_types_are_those_that_transformers_maps() -> None:
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

    assert loadable_model_types() == frozenset(MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES)


def test_a_real_checkpoint_is_whole(tiny_glm4v: Path) -> None:
    from safetensors import safe_open

    report = inspect_checkpoint(tiny_glm4v)
    assert report.is_loadable
    file = tiny_glm4v / "model.safetensors"
    with safe_open(file, "numpy") as stored:
        assert read_weight_file(file).tensors == {
            name: stored.get_tensor(name).nbytes
            for name in stored.keys()  # noqa: SIM118
        }


@pytest.mark.parametrize("keep", [0, 5, 8, 40, -1])
def test_a_file_cut_anywhere_is_truncated(tmp_path: Path, keep: int) -> None:
    file = tmp_path / "w.safetensors"
    file.write_bytes(safetensors({"a": 10})[:keep])
    with pytest.raises(TruncatedError):
        read_weight_file(file)


def test_a_header_longer_than_the_format_allows_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    file.write_bytes(struct.pack("<Q", 1 << 40) + b"{}")
    with pytest.raises(WeightFileError):
        read_weight_file(file)


def test_looking_needs_no_model_library(tiny_glm4v: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from glm4v_tui.checkpoint import inspect_checkpoint;"
        f"assert inspect_checkpoint(Path({str(tiny_glm4v)!r})).is_loadable;"
        "heavy = {'torch', 'transformers', 'numpy', 'huggingface_hub', 'safetensors'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


# Names -------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_a_folder_is_taken_however_it_is_written(home: Path) -> None:
    (home / "models" / "glm").mkdir(parents=True)
    expected = str((home / "models" / "glm").resolve())
    for name in (
        "models/glm",
        "./models/glm",
        "~/models/glm",
        f"{home}/models/glm/",
        " models/glm ",
    ):
        source = resolve_model(name)
        assert (source.folder, source.hub_id) == (expected, None)
        assert source.short_name == "glm"


@pytest.mark.parametrize("name", ["/no/where", "./here", "~/there", "a/b/c", "models/other", "x/"])
def test_a_path_to_nothing_is_told_as_a_path(home: Path, name: str) -> None:
    (home / "models").mkdir()
    with pytest.raises(CheckpointError, match="no such model folder") as caught:
        resolve_model(name)
    assert "does not exist" in caught.value.body


@pytest.mark.parametrize("name", ["glm", "owner/na me", "http:x"])
def test_what_is_neither_says_what_a_hub_id_is(home: Path, name: str) -> None:
    with pytest.raises(CheckpointError, match="names no model") as caught:
        resolve_model(name)
    assert "zai-org/" in caught.value.remedy


def test_a_file_is_not_a_model(home: Path) -> None:
    (home / "model.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match="folder, not a file") as caught:
        resolve_model("model.safetensors")
    assert str(home.resolve()) in caught.value.remedy


def test_no_name_is_no_model() -> None:
    with pytest.raises(NoModelError):
        resolve_model("  ")


def cache_with(tmp_path: Path, folder: Path) -> Path:
    repo = tmp_path / "cache" / "models--owner--name"
    commit = "0" * 40
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text(commit)
    shutil.copytree(folder, repo / "snapshots" / commit)
    return repo / "snapshots" / commit


def test_a_hub_id_in_the_cache_needs_no_network(
    tmp_path: Path, tiny_glm4v: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = cache_with(tmp_path, tiny_glm4v)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    source = resolve_model("owner/name")
    assert source.hub_id == "owner/name"
    assert source.folder is not None
    assert Path(source.folder).samefile(snapshot)
    assert source.short_name == "name"


def test_half_a_model_in_the_cache_is_still_to_be_fetched(
    tmp_path: Path, tiny_glm4v: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cache_with(tmp_path, tiny_glm4v) / "model.safetensors").unlink()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    assert resolve_model("owner/name").folder is None
