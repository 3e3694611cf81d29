"""Every family at every precision, loaded as the program does it."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText

from glm4v_tui.engine.protocol import LoadModel
from glm4v_tui.errors import CheckpointError, UsageError
from glm4v_tui.inference import loading
from glm4v_tui.inference.backend import Backend
from glm4v_tui.inference.failures import explain
from glm4v_tui.inference.placement import choose_placement
from glm4v_tui.inference.quantized import saved
from glm4v_tui.inference.quantized.layers import QuantizedLayer
from glm4v_tui.inference.quantized.parts import Parts
from glm4v_tui.precision import PRECISIONS
from tests.checkpoints import MAKERS
from tests.inference.conftest import GREEDY, PICTURES, user

QUANTIZED = [name for name in PRECISIONS if name not in ("fp32", "bf16", "fp16")]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GLM4V_TUI_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def load(folder: Path, precision: str, **options: Any) -> loading.Loaded:
    placement = choose_placement(precision, "cpu", lambda itemsize: itemsize)
    return loading.load(str(folder), placement, lambda *_: None, **options)


def logits(model: Any) -> torch.Tensor:
    """Of a few words without an image, (tokens, vocabulary)."""
    ids = torch.arange(40, 60)[None]
    with torch.inference_mode():
        return model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0].float()


def distance(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).norm() / other.norm())


def kinds(model: Any) -> dict[str, Counter[str]]:
    """Part -> how many of its layers have which format."""
    parts = Parts(model)
    found: dict[str, Counter[str]] = {}
    for name, module in model.named_modules():
        if isinstance(module, QuantizedLayer):
            found.setdefault(parts.of(name), Counter())[module.format] += 1
    return found


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_plain_precisions_load_what_transformers_loads(name: str, tmp_path: Path) -> None:
    folder = MAKERS[name](tmp_path / name, shards=3)
    ours = load(folder, "bf16").model  # which also makes the chatglm folders known
    theirs = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.bfloat16).eval()
    assert torch.equal(logits(ours), logits(theirs))
    expected = theirs.state_dict()
    assert ours.state_dict().keys() == expected.keys()
    assert all(torch.equal(value, expected[key]) for key, value in ours.state_dict().items())


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_parts_are_found_by_structure(name: str, tmp_path: Path) -> None:
    model = load(MAKERS[name](tmp_path / name), "fp32").model
    parts = Parts(model)
    assert len(parts.towers) == 1
    layers = model.config.get_text_config().num_hidden_layers
    assert len(parts.layers(parts.language)) == layers > 1
    counts = Counter(parts.of(module) for module, _ in model.named_parameters())
    assert counts["language"] > 10
    assert counts["vision"] > 10
    assert counts["embedding"] == counts["head"] == 1


@pytest.mark.parametrize("precision", QUANTIZED)
@pytest.mark.parametrize("name", sorted(MAKERS))
def test_every_family_answers_at_every_precision(name: str, precision: str, tmp_path: Path) -> None:
    folder = MAKERS[name](tmp_path / name)
    backend = Backend()
    info = backend.load(LoadModel(str(folder), precision, "cpu"), lambda event: None)
    assert (info.precision, info.device) == (precision, "cpu")
    backend.put_image("wide", _pixels("wide"))
    finished = _ask(backend, "wide")
    assert finished.usage.completion_tokens == GREEDY.max_new_tokens
    assert finished.usage.image_tokens > 0


def _pixels(key: str) -> Any:
    from glm4v_tui.engine.protocol import RgbImage

    picture = PICTURES[key]
    return RgbImage(picture.width, picture.height, picture.tobytes())


def _ask(backend: Backend, key: str) -> Any:
    from glm4v_tui.engine.protocol import Generate

    request = Generate("r", (user("What?", key),), GREEDY)
    return backend.generate(request, lambda event: None, lambda: False)


def test_mixed_has_int8_eyes_and_an_nf4_language(tiny_glm4v: Path) -> None:
    found = kinds(load(tiny_glm4v, "mixed").model)
    assert set(found["vision"]) == {"int8"}
    assert set(found["language"]) == {"nf4"}
    assert set(found["embedding"]) == {"int8"}
    assert "head" not in found


def test_fewer_bits_are_fewer_bytes_and_less_exact(tiny_glm4v: Path) -> None:
    exact = logits(load(tiny_glm4v, "fp32").model)
    sizes, errors = [], []
    for precision in ("bf16", "int8", "int4"):
        model = load(tiny_glm4v, precision).model
        sizes.append(loading.count_weights(model)[0])
        errors.append(distance(logits(model), exact))
    assert sizes == sorted(sizes, reverse=True)
    assert errors == sorted(errors)
    assert errors[0] > 0
    assert errors[-1] < 0.5


def test_parameters_are_counted_as_the_checkpoint_has_them(tiny_glm4v: Path) -> None:
    counts = {loading.count_weights(load(tiny_glm4v, name).model)[1] for name in PRECISIONS}
    assert len(counts) == 1


def test_a_head_that_shares_the_embedding_is_left_alone_unless_asked(tmp_path: Path) -> None:
    folder = _tied(tmp_path / "tied")
    plain = load(folder, "int4").model
    assert plain.get_output_embeddings().weight is plain.get_input_embeddings().weight
    compact = load(folder, "int4-compact").model
    assert kinds(compact)["head"] == {"nf4": 1}
    assert compact.get_input_embeddings().weight.dtype == torch.bfloat16
    assert 0 < distance(logits(compact), logits(plain)) < 0.3


def _tied(folder: Path) -> Path:
    from transformers import Glm4vConfig, Glm4vForConditionalGeneration

    from tests.checkpoints import make_glm4v

    make_glm4v(folder)
    config = Glm4vConfig.from_pretrained(folder)
    config.tie_word_embeddings = config.text_config.tie_word_embeddings = True
    torch.manual_seed(0)
    Glm4vForConditionalGeneration(config).save_pretrained(folder)
    return folder


def test_the_bar_counts_the_bytes_of_the_checkpoint(tiny_glm4v: Path) -> None:
    told: list[tuple[int, int]] = []
    placement = choose_placement("int4", "cpu", lambda itemsize: itemsize)
    loading.load(str(tiny_glm4v), placement, lambda *step: told.append(step))
    total = sum(tensor.nbytes for tensor in load_file(tiny_glm4v / "model.safetensors").values())
    assert told[0] == (0, total)
    assert told[-1] == (total, total)


@pytest.mark.parametrize("part", ["language_model.layers.1.mlp.down_proj", "input_layernorm"])
def test_weights_of_another_shape_are_refused(part: str, tiny_glm4v: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(tiny_glm4v, folder)
    tensors = load_file(folder / "model.safetensors")
    name = next(name for name in tensors if part in name)
    tensors[name] = tensors[name][:-1].clone()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises((CheckpointError, RuntimeError)) as caught:
        load(folder, "int4")
    told = explain(caught.value, "loading")
    assert type(told) is CheckpointError
    assert told.title == "The weights do not belong to this model"


def test_what_is_quantized_is_not_quantized_again(tiny_glm4v: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(tiny_glm4v, folder)
    config = (folder / "config.json").read_text()
    bits = '{"load_in_4bit": true, "quant_method": "bitsandbytes"}'
    (folder / "config.json").write_text(config.replace("{", f'{{"quantization_config": {bits},', 1))
    with pytest.raises(UsageError) as caught:
        load(folder, "int8")
    assert "--precision auto" in caught.value.remedy


# Kept weights -----------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", QUANTIZED)
def test_kept_weights_are_the_same_weights(precision: str, tiny_glm4v: Path) -> None:
    first = load(tiny_glm4v, precision, keep=True)
    second = load(tiny_glm4v, precision)
    assert (first.from_saved, second.from_saved) == (False, True)
    assert torch.equal(logits(first.model), logits(second.model))


@pytest.mark.parametrize("precision", ["mixed", "int4-compact"])
@pytest.mark.parametrize("name", sorted(MAKERS))
def test_a_model_of_kept_weights_is_the_same_in_all(
    name: str, precision: str, tmp_path: Path
) -> None:
    """They pass transformers' loader by, and have all that it does for every family."""
    folder = MAKERS[name](tmp_path / name)
    first = load(folder, precision, keep=True).model
    second = load(folder, precision)
    assert second.from_saved
    _require_same(second.model, first)
    assert torch.equal(logits(second.model), logits(first))
    backend = Backend()
    backend.load(LoadModel(str(folder), precision, "cpu"), lambda event: None)
    backend.put_image("wide", _pixels("wide"))
    assert _ask(backend, "wide").usage.image_tokens > 0


def _require_same(one: Any, other: Any) -> None:
    """Every tensor, the settings, the dtype, and what is left to train."""
    for found, expected in (
        (dict(one.named_parameters()), dict(other.named_parameters())),
        (dict(one.named_buffers()), dict(other.named_buffers())),
    ):
        assert found.keys() == expected.keys()
        for name, tensor in expected.items():
            assert found[name].dtype == tensor.dtype, name
            assert torch.equal(found[name], tensor), name
    assert _set_values(one.generation_config) == _set_values(other.generation_config)
    assert one.config._attn_implementation == other.config._attn_implementation
    assert (one.dtype, one.device, one.training) == (other.dtype, other.device, other.training)


def _set_values(config: Any) -> dict[str, Any]:
    return {name: value for name, value in config.to_dict().items() if value}


def test_kept_weights_that_lack_a_tensor_are_told(tiny_glm4v: Path) -> None:
    load(tiny_glm4v, "int4", keep=True)
    file = Path(saved.saved_weights()[0].folder) / "model-00001-of-00001.safetensors"
    tensors = load_file(file)
    del tensors["lm_head.weight"]
    save_file(tensors, file)
    with pytest.raises(CheckpointError, match="lm_head"):
        load(tiny_glm4v, "int4")


def test_a_tied_model_of_kept_weights_is_tied(tmp_path: Path) -> None:
    folder = _tied(tmp_path / "tied")
    for precision in ("int4", "int4-compact"):
        first = load(folder, precision, keep=True).model
        second = load(folder, precision)
        assert second.from_saved
        assert torch.equal(logits(second.model), logits(first))


def test_kept_weights_tell_their_size_and_can_be_removed(tiny_glm4v: Path, own_home: Path) -> None:
    load(tiny_glm4v, "int4", keep=True)
    load(tiny_glm4v, "int8", keep=True)
    newest, oldest = saved.saved_weights()
    assert (newest.precision, oldest.precision) == ("int8", "int4")
    assert newest.source == str(tiny_glm4v)
    assert newest.nbytes > oldest.nbytes > 0
    assert saved.remove(Path(newest.folder)) == newest.nbytes
    assert saved.saved_weights() == (oldest,)
    assert saved.remove(tiny_glm4v) == 0
    assert (tiny_glm4v / "config.json").is_file()


def test_a_changed_checkpoint_is_quantized_anew(tiny_glm4v: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(tiny_glm4v, folder)
    load(folder, "int4", keep=True)
    tensors = load_file(folder / "model.safetensors")
    save_file(
        {name: tensor * 2 for name, tensor in tensors.items()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    assert load(folder, "int4").from_saved is False


def test_another_transformers_makes_its_own(
    tiny_glm4v: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have other names for the same tensors."""
    load(tiny_glm4v, "int4", keep=True)
    monkeypatch.setattr(saved.transformers, "__version__", "99.0")
    assert load(tiny_glm4v, "int4").from_saved is False


def test_a_save_that_fails_leaves_nothing(
    tiny_glm4v: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saved, "_copy_small_files", fail)
    with pytest.raises(OSError, match="No space"):
        load(tiny_glm4v, "int4", keep=True)
    assert saved.saved_weights() == ()
    assert list((own_home / "cache" / "weights").iterdir()) == []


def test_the_backend_keeps_when_asked(tiny_glm4v: Path) -> None:
    for expected in (1, 1):
        command = LoadModel(str(tiny_glm4v), "int4", "cpu", keep_quantized=True)
        Backend().load(command, lambda event: None)
        assert len(saved.saved_weights()) == expected
