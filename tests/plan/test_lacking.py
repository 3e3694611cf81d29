"""Tensors that neither the files nor the index of a checkpoint have."""

import json

import pytest
from safetensors.torch import load_file, save_file

from glm4v_tui.demo import CHECKPOINT
from glm4v_tui.plan import Part, find_lacking
from tests import checkpoints

INDEX = "model.safetensors.index.json"
FAMILIES = ("glm4v", "glm46v", "glm4v_9b", "glm_ocr", "qwen2_5_vl", "llava")


def without(folder, *gone):
    """Take tensors out of the file and out of the index, as a bad copy would."""
    for file in folder.glob("*.safetensors"):
        tensors = load_file(file)
        kept = {name: value for name, value in tensors.items() if name not in gone}
        save_file(kept, file, {"format": "pt"})
    if (folder / INDEX).exists():
        index = json.loads((folder / INDEX).read_text())
        index["weight_map"] = {
            name: file for name, file in index["weight_map"].items() if name not in gone
        }
        (folder / INDEX).write_text(json.dumps(index))
    return folder


@pytest.fixture(scope="module", params=FAMILIES)
def whole(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return getattr(checkpoints, f"make_{request.param}")(folder / "model")


def test_a_whole_checkpoint_lacks_nothing(whole):
    assert not find_lacking(whole)
    assert not find_lacking(CHECKPOINT)


@pytest.mark.parametrize("shards", [1, 3])
def test_what_one_layer_lacks_is_named(tmp_path, shards):
    folder = checkpoints.make_glm4v(tmp_path / "model", shards=shards)
    gone = "model.language_model.layers.1.mlp.down_proj.weight"
    found = find_lacking(without(folder, gone))
    assert (found.names, found.is_certain) == ((gone,), True)
    assert set(found.parameters) == {Part.LANGUAGE}


@pytest.mark.parametrize(
    ("gone", "part"),
    [
        ("lm_head.weight", Part.HEAD),
        ("model.language_model.embed_tokens.weight", Part.EMBEDDING),
        ("model.visual.patch_embed.proj.weight", Part.VISION),
        ("model.visual.merger.proj.weight", Part.ADAPTER),
    ],
)
def test_what_stands_alone_is_told_by_its_part_and_size(tmp_path, gone, part):
    folder = checkpoints.make_glm4v(tmp_path / "model")
    size = load_file(folder / "model.safetensors")[gone].numel()
    assert find_lacking(without(folder, gone)).parameters == {part: size}


def test_a_whole_layer_at_the_end_is_missed(tmp_path):
    folder = checkpoints.make_glm4v(tmp_path / "model")
    names = load_file(folder / "model.safetensors")
    last = max(name for name in names if ".layers." in name).rpartition(".layers.")[2][0]
    gone = sorted(name for name in names if f"language_model.layers.{last}." in name)
    assert sorted(find_lacking(without(folder, *gone)).names) == gone


def test_of_a_family_that_was_not_studied_it_is_a_guess(tmp_path):
    folder = checkpoints.make_llava(tmp_path / "model")
    names = load_file(folder / "model.safetensors")
    gone = next(name for name in names if ".layers.1." in name and "language" in name)
    found = find_lacking(without(folder, gone))
    assert (found.names, found.is_certain, found.parameters) == ((gone,), False, {})


def test_layers_that_differ_by_design_lack_nothing(tmp_path):
    """As where the first layers have one wide product and the others have many experts."""
    folder = checkpoints.make_llava(tmp_path / "model")
    tensors = load_file(folder / "model.safetensors")
    renamed = {
        name.replace("down_proj", "experts") if ".layers.1." in name else name: value
        for name, value in tensors.items()
    }
    save_file(renamed, folder / "model.safetensors", {"format": "pt"})
    assert not find_lacking(folder)
