"""Shapes of models by name: folders, known ones, and what a hub tells by ranges."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from glm4v_tui.checkpoint import inspect_checkpoint
from glm4v_tui.demo import CHECKPOINT
from glm4v_tui.errors import CheckpointError
from glm4v_tui.plan import PRECISIONS, Part, Shape, known_shape, shape_of
from glm4v_tui.plan.finding import find_shape
from glm4v_tui.plan.weights import part_bytes
from tests.checkpoints import make_glm4v, make_glm_ocr, make_llava, make_qwen2_5_vl


@pytest.fixture(scope="module", params=[make_glm4v, make_glm_ocr, make_qwen2_5_vl, make_llava])
def folder(request, tmp_path_factory):
    return request.param(tmp_path_factory.mktemp("model"), shards=2)


def test_every_parameter_of_a_folder_is_in_some_part(folder):
    shape = shape_of(folder)
    assert shape.parameters == inspect_checkpoint(folder).parameters
    for part in (Part.LANGUAGE, Part.EMBEDDING, Part.VISION, Part.ADAPTER):
        assert shape.parameters_of(part) > 0
    assert shape.is_tied or shape.parameters_of(Part.HEAD) > 0


def test_matrices_are_the_linear_layers_that_the_model_has(folder):
    import torch
    from transformers import AutoModelForImageTextToText

    model = AutoModelForImageTextToText.from_pretrained(folder)
    linear = {
        id(module.weight): module.weight.numel()
        for module in model.modules()
        if isinstance(module, torch.nn.Linear)
    }
    shape = shape_of(folder)
    if shape.is_tied:
        linear.pop(id(model.get_output_embeddings().weight))
    found = sum(shape.parameters_of(part, matrices_only=True) for part in Part)
    assert found == sum(linear.values())


def test_weights_take_what_the_file_has_of_them():
    shape = shape_of(CHECKPOINT)
    expected = inspect_checkpoint(CHECKPOINT).parameters * 4
    assert part_bytes(shape, PRECISIONS["fp32"]).total == pytest.approx(expected, rel=0.001)


def test_former_names_mean_the_same_model():
    assert known_shape("THUDM/GLM-4v-9B") == known_shape("zai-org/glm-4v-9b") is not None
    assert known_shape("owner/other") is None


def test_a_known_model_needs_no_owner(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_shape("GLM-4v-9b ") == known_shape("zai-org/glm-4v-9b")
    with pytest.raises(CheckpointError, match="names no model"):
        find_shape("glm-5v")
    make_glm4v(tmp_path / "glm-4v-9b")
    assert find_shape("glm-4v-9b").parameters < 1e6  # what is here comes first


def test_an_original_folder_is_read(tmp_path):
    write_original(tmp_path)
    shape = shape_of(tmp_path)
    assert shape.parameters_of(Part.ADAPTER) == 4 * 6 * 4 + 8
    assert shape.parameters_of(Part.HEAD) == shape.parameters_of(Part.EMBEDDING) == 32
    assert not shape.is_rough
    assert shape.vision.size == 112


def write_original(folder):
    """A folder of GLM-4V-9B's layout with a few of its tensors."""
    import torch
    from safetensors.torch import save_file

    config = {
        "model_type": "chatglm", "hidden_size": 4, "num_layers": 1, "ffn_hidden_size": 8,
        "num_attention_heads": 2, "kv_channels": 2, "multi_query_attention": True,
        "multi_query_group_num": 1, "padded_vocab_size": 8, "seq_length": 64,
        "vision_config": {"hidden_size": 6, "num_hidden_layers": 1, "num_heads": 2,
                          "intermediate_size": 12, "image_size": 112, "patch_size": 14},
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    shapes = {
        "transformer.embedding.word_embeddings.weight": (8, 4),
        "transformer.output_layer.weight": (8, 4),
        "transformer.rotary_pos_emb.inv_freq": (1,),
        "transformer.encoder.layers.0.self_attention.query_key_value.weight": (8, 4),
        "transformer.vision.conv.weight": (4, 6, 2, 2),
        "transformer.vision.boi": (1, 1, 4),
        "transformer.vision.eoi": (1, 1, 4),
        "transformer.vision.patch_embedding.cls_embedding": (1, 6),
    }
    save_file({k: torch.zeros(s) for k, s in shapes.items()}, folder / "model.safetensors")


def test_a_missing_shard_is_named(tmp_path):
    folder = make_glm4v(tmp_path / "model", shards=2)
    file = min(folder.glob("*.safetensors"))
    file.unlink()
    with pytest.raises(CheckpointError, match=file.name):
        shape_of(folder)


# The hub ----------------------------------------------------------------------------------------


class Hub(BaseHTTPRequestHandler):
    """Serves a folder as ``owner/tiny`` and notes how many bytes it gave of which file."""

    protocol_version = "HTTP/1.1"
    folder: Path
    given: dict[str, int]

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        file = self.folder / self.path.rpartition("/")[2]
        if "/resolve/" not in self.path or not file.is_file():
            self.answer(404, b"", {"X-Error-Code": "EntryNotFound"})
            return
        data, total = file.read_bytes(), file.stat().st_size
        headers = {"X-Repo-Commit": "a" * 40, "ETag": '"1"', "Accept-Ranges": "bytes"}
        if wanted := self.headers.get("Range"):
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            data = data[int(first) : int(last) + 1]
            headers["Content-Range"] = f"bytes {first}-{int(first) + len(data) - 1}/{total}"
        self.answer(206 if wanted else 200, data, headers)

    def answer(self, status, data, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "GET":
            name = self.path.rpartition("/")[2]
            self.given[name] = self.given.get(name, 0) + len(data)
            self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(tmp_path):
    folder = make_glm4v(tmp_path / "model", shards=2)
    handler = type("OneHub", (Hub,), {"folder": folder, "given": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server, handler
    server.shutdown()
    server.server_close()


def plan_in_a_process(endpoint, cache, name="owner/tiny"):
    """huggingface_hub reads its settings when it is imported, so this takes a new process."""
    command = [sys.executable, "-m", "glm4v_tui", "plan", name, "--json", "--context", "100"]
    env = os.environ | {"HF_ENDPOINT": endpoint, "HF_HOME": str(cache), "HF_HUB_OFFLINE": "0"}
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=60)


def test_a_hub_tells_the_shape_without_giving_the_weights(hub, tmp_path):
    server, handler = hub
    endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    done = plan_in_a_process(endpoint, tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["parameters"] == inspect_checkpoint(handler.folder).parameters
    for file in handler.folder.glob("*.safetensors"):
        assert 0 < handler.given[file.name] <= 100_001 < file.stat().st_size


def test_without_a_hub_it_says_so_soon_and_names_what_is_known(tmp_path):
    done = plan_in_a_process("http://127.0.0.1:9", tmp_path / "cache")
    assert done.returncode == 4
    assert done.stderr.startswith("The size of this model is not known\n")
    assert "zai-org/GLM-4.1V-9B-Thinking" in done.stderr
    assert "Retry" not in done.stderr


def test_a_known_model_needs_no_hub(tmp_path):
    done = plan_in_a_process("http://127.0.0.1:9", tmp_path / "cache", "THUDM/glm-4v-9b")
    assert json.loads(done.stdout)["parameters"] == 13_906_320_896


def test_find_shape_takes_a_folder():
    assert isinstance(find_shape(str(CHECKPOINT)), Shape)
