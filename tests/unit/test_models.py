"""Which models are offered, what is seen of them, and what they would take here."""

import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from glm4v_tui.commands.model.fitting import Fitting
from glm4v_tui.config import ModelSettings
from glm4v_tui.demo import CHECKPOINT
from glm4v_tui.engine.protocol import DeviceMemory, LoadModel, MemoryReading
from glm4v_tui.errors import CheckpointError, GlmError
from glm4v_tui.gpu import GpuAbility, GpuReading, GpuReport, HostMemory
from glm4v_tui.hub import cache_folder, cached_models
from glm4v_tui.models import (
    Machine,
    ModelDesk,
    Offer,
    Origin,
    Selection,
    gather,
    look_at,
    machine,
    read_machine,
    remember,
    require_again,
    require_loadable,
)
from glm4v_tui.models.offers import KNOWN_MODELS, matching, offers
from glm4v_tui.models.outlook import outlook, planned
from glm4v_tui.models.recent import recent_models
from glm4v_tui.models.words import fit, room, state
from glm4v_tui.plan import PRECISIONS, Gpu, known_shape, shape_of
from glm4v_tui.precision import all_precisions
from glm4v_tui.state import RecentModel
from glm4v_tui.ui.screens.model_frame import fit_frame
from tests.fake_hub import HUB_ID, serving

GIB = 1 << 30
GLM_4V = "zai-org/glm-4v-9b"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("GLM4V_TUI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "home"


def write_model(folder, *, hidden=64):
    """A folder with a config and a header of two tensors, whose bytes are a hole in the file."""
    folder.mkdir(parents=True)
    config = {
        "model_type": "glm4v",
        "text_config": {"hidden_size": hidden, "num_hidden_layers": 2, "intermediate_size": 128,
                        "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 512},
        "vision_config": {"depth": 2, "hidden_size": 32, "num_heads": 2, "out_hidden_size": 64,
                          "intermediate_size": 64, "image_size": 112, "patch_size": 14},
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    count = 512 * hidden
    tensors = {
        name: {"dtype": "BF16", "shape": [512, hidden], "data_offsets": [at, at + 2 * count]}
        for name, at in (("model.embed_tokens.weight", 0), ("lm_head.weight", 2 * count))
    }
    header = json.dumps(tensors).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + 4 * count)
    return folder


def write_cached(hub, name, **options):
    folder = hub / f"models--{name.replace('/', '--')}"
    write_model(folder / "snapshots" / "abc", **options)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("abc")
    return folder


# The list ---------------------------------------------------------------------------------------


def test_the_cache_is_listed_by_its_folders(tmp_path):
    folder = write_cached(tmp_path / "hub", "owner/one--two")
    (tmp_path / "hub" / "models--a--begun").mkdir()
    (tmp_path / "hub" / "datasets--a--b").mkdir()
    found = {model.hub_id: model.main for model in cached_models()}
    assert found == {"a/begun": None, "owner/one--two": str(folder / "snapshots" / "abc")}


def test_a_cache_that_is_not_there_is_empty():
    assert cached_models() == ()


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"HF_HOME": "~/models"},
        {"XDG_CACHE_HOME": "/caches"},
        {"HF_HOME": "$HOME/a", "HF_HUB_CACHE": "/b"},
        {"HUGGINGFACE_HUB_CACHE": "~/old"},
    ],
)
def test_the_cache_is_where_the_library_has_it(monkeypatch, variables):
    for name in ("HF_HOME", "XDG_CACHE_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    code = "from huggingface_hub.constants import HF_HUB_CACHE; print(HF_HUB_CACHE)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert cache_folder() == Path(done.stdout.strip())


def test_what_fits_is_the_same_in_every_list(tmp_path, monkeypatch):
    """A card that takes a model only with less context than usual, and one without a card."""
    folder = write_model(tmp_path / "mine")
    for there in (Machine((Gpu(0, 2 * GIB),), "Card", 8 * GIB), Machine((), "", 8 * GIB)):
        monkeypatch.setattr("glm4v_tui.models.gathering.read_machine", lambda _, there=there: there)
        fitting = Fitting()
        choices = outlook(shape_of(folder), there, PRECISIONS).choices[1:]
        assert fitting.names(str(folder)) == tuple(c.name for c in choices if c.fits)
        assert fitting.names(str(folder))
        assert fitting.where == room(there)


def test_the_model_in_use_comes_first_then_those_used_last_and_each_once():
    recent = (RecentModel("/models/b", "int4", "cuda"), RecentModel("a/a"))
    found = offers(LoadModel("a/a", "int8", "cpu"), recent, {"a/a": "/x", GLM_4V: "/y"})
    assert [offer.model for offer in found] == [
        *("a/a", "/models/b", str(CHECKPOINT), GLM_4V),
        *KNOWN_MODELS[1:],
    ]
    first, second = found[:2]
    assert (first.is_in_use, first.precision, first.device) == (True, "int8", "cpu")
    assert (second.origin, second.precision, second.device) == (Origin.FOLDER, "int4", "cuda")
    assert found[3].origin is Origin.CACHED
    assert found[4].origin is Origin.HUB


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("GLM flash", ["zai-org/GLM-4.6V-Flash"]),
        ("zai-org/glm-4v", [GLM_4V, "zai-org/glm-4v"]),
        (GLM_4V, [GLM_4V]),
        ("/models/x", ["/models/x"]),
        ("nothing", ["nothing"]),
        ("embedded", [str(CHECKPOINT)]),
    ],
)
def test_one_line_filters_and_names(typed, expected):
    assert [offer.model for offer in matching(offers(None, (), {}), typed)] == expected


def test_what_was_loaded_is_remembered_on_top_and_not_for_ever():
    for number in range(12):
        remember(LoadModel(f"a/{number}", "int4"))
    remember(LoadModel("/models/x"))
    remember(LoadModel("a/11", "int8", "cpu"))
    for unnamed in (LoadModel(str(CHECKPOINT)), LoadModel("script")):
        remember(unnamed)
    kept = recent_models()
    assert kept[:2] == (RecentModel("a/11", "int8", "cpu"), RecentModel("/models/x"))
    assert len(kept) == 8


# What is seen of one ----------------------------------------------------------------------------


def test_a_typed_name_becomes_what_it_means(tmp_path, monkeypatch):
    write_model(tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    cached = {"a/b": None}
    found = {name: look_at(Offer(name, Origin.TYPED), cached) for name in ("mine", "a/b", "c/d")}
    assert found["mine"].offer == Offer(
        str(tmp_path / "mine"), Origin.FOLDER, str(tmp_path / "mine")
    )
    assert found["mine"].shape.file_bytes == 4 * 512 * 64
    assert found["a/b"].is_incomplete
    assert found["c/d"].offer.origin is Origin.HUB
    assert found["c/d"].needs_download


def test_a_name_of_nothing_says_why():
    look = look_at(Offer("nothing", Origin.TYPED), {})
    assert not look.needs_download
    with pytest.raises(CheckpointError, match="names no model"):
        require_loadable(look)


@pytest.mark.parametrize("damage", ["config.json", "model.safetensors"])
def test_a_folder_that_cannot_be_loaded_is_told(tmp_path, damage):
    folder = write_model(tmp_path / "mine")
    (folder / damage).write_text("[]")
    look = look_at(Offer(str(folder), Origin.FOLDER, str(folder)), {})
    assert state(look.offer, look) == "cannot be loaded"
    with pytest.raises(CheckpointError):
        require_loadable(look)


def test_a_config_of_nonsense_is_no_crash(tmp_path):
    folder = write_model(tmp_path / "mine")
    (folder / "config.json").write_text('{"text_config": {"hidden_size": "wide"}}')
    look = look_at(Offer(str(folder), Origin.FOLDER, str(folder)), {})
    assert look.problem is not None or look.shape is not None
    with pytest.raises(CheckpointError):
        require_loadable(look)


# What has to be downloaded first ----------------------------------------------------------------


@pytest.fixture
def tiny_hub(tmp_path, tiny_glm4v, monkeypatch):
    from huggingface_hub import constants

    with serving(tiny_glm4v) as found:
        # The library has read its environment already.
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", found.url)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE",
                            found.url + "/{repo_id}/resolve/{revision}/{filename}")  # fmt: skip
        yield found


def test_what_the_hub_has_can_be_loaded_and_nothing_is_fetched_yet(tiny_hub, tmp_path):
    require_loadable(look_at(Offer(HUB_ID, Origin.TYPED), {}))
    assert not any(name.endswith(".safetensors") for name, _, _ in tiny_hub.given)
    assert not (tmp_path / "hub").exists()


@pytest.mark.usefixtures("tiny_hub")
def test_what_the_hub_has_not_is_told_before_anything_is_loaded():
    with pytest.raises(CheckpointError) as raised:
        require_loadable(look_at(Offer("owner/nothing", Origin.TYPED), {}))
    assert "owner/nothing" in str(raised.value)


def test_what_is_begun_in_the_cache_is_asked_for_too(tiny_hub, tmp_path):
    tiny_hub.close()
    (tmp_path / "hub" / "models--owner--begun").mkdir(parents=True)
    with pytest.raises(GlmError):
        require_loadable(look_at(Offer("owner/begun", Origin.TYPED), {"owner/begun": None}))


def test_what_was_loaded_before_may_have_gone(tmp_path):
    folder = write_model(tmp_path / "mine")
    with pytest.raises(CheckpointError):
        require_again(LoadModel(str(folder)))  # no tokenizer
    with pytest.raises(CheckpointError, match="no such model folder"):
        require_again(LoadModel(str(tmp_path / "gone")))
    require_again(LoadModel(str(CHECKPOINT)))
    require_again(LoadModel("script"))


# What is free -----------------------------------------------------------------------------------


@pytest.fixture
def h100(monkeypatch):
    """24 of 80 GiB are free; another GPU is fuller."""
    readings = (
        GpuReading(0, "GPU-0", "NVIDIA H100", 80 * GIB, 56 * GIB, 24 * GIB),
        GpuReading(1, "GPU-1", "Old", 8 * GIB, 7 * GIB, 1 * GIB),
    )
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(machine, "read_gpus", lambda: GpuReport(readings))
    monkeypatch.setattr(machine, "read_abilities", lambda: {0: GpuAbility(3350e9, True)})
    monkeypatch.setattr(machine, "read_host", lambda: HostMemory(64 * GIB, 40 * GIB))


@pytest.mark.usefixtures("h100")
def test_what_the_present_model_gives_back_is_counted_where_it_is():
    held = MemoryReading(2 * GIB, devices=(DeviceMemory("GPU-0", 20 * GIB, 22 * GIB, 0),))
    idle, busy = read_machine(None), read_machine(held)
    assert idle.free == 24 * GIB
    back = busy.gpus[0].free - idle.gpus[0].free
    assert 22 * GIB < back < 23 * GIB  # CUDA's own share as well
    assert busy.given_back == back
    assert busy.gpus[1].free == idle.gpus[1].free
    assert busy.host_free == 42 * GIB
    assert room(busy).startswith("46.5 GiB free on NVIDIA H100, 22.5 of it")


@pytest.mark.usefixtures("h100")
def test_without_a_gpu_it_is_host_memory_that_counts():
    cpu = read_machine(None).on("cpu")
    assert (cpu.gpus, cpu.free) == ((), 40 * GIB)
    assert room(cpu) == "no GPU in use, 40.0 GiB of host memory free"


# What it takes ----------------------------------------------------------------------------------


def plan_of(gpu_gib=None, host_gib=64, precisions=PRECISIONS):
    gpus = (Gpu(0, int(gpu_gib * GIB), 3350e9),) if gpu_gib else ()
    return outlook(known_shape(GLM_4V), Machine(gpus, "H100", host_gib * GIB), precisions)


def test_auto_comes_first_and_is_what_the_plan_recommends():
    seen = plan_of(24)
    assert [choice.name for choice in seen.choices] == ["auto", *PRECISIONS]
    auto = seen.choices[0]
    assert (auto.takes, auto.fits, auto.is_recommended) == ("int8", True, False)
    assert [choice.name for choice in seen.choices if choice.is_recommended] == ["int8"]
    assert seen.named("int8").tokens_per_s > 1
    assert seen.named("bf16").fits  # when its tower's layers are fetched for each image
    fp32 = seen.named("fp32")
    assert (fp32.fits, fp32.tokens_per_s) == (False, None)
    assert fit(fp32, seen) == "does not fit"  # but for some of its layers
    assert fit(plan_of(2).named("bf16"), plan_of(2)).endswith("GiB short")
    assert fit(auto, seen) == "fits"


def test_nothing_is_recommended_where_nothing_fits():
    seen = plan_of(2)
    assert not any(choice.is_recommended for choice in seen.choices)
    assert not any(choice.fits for choice in seen.choices)


def test_on_a_cpu_the_host_must_hold_it():
    seen = plan_of(None, 36)
    assert seen.choices[0].takes == "bf16"
    assert seen.named("fp32").needed > 36 * GIB > seen.named("bf16").needed
    assert seen.named("bf16").tokens_per_s is None


def test_the_users_own_precisions_are_planned_too(home):
    (home / "config").mkdir(parents=True)
    (home / "config" / "config.toml").write_text('[precisions.small]\nlanguage = "nf4"\n')
    seen = plan_of(24, precisions=planned(all_precisions()))
    assert seen.choices[-1].name == "small"
    assert seen.named("int4").weights < seen.named("small").weights < seen.named("bf16").weights


def test_settings_that_are_wrong_are_told_and_cost_only_the_users_own(home):
    (home / "config").mkdir(parents=True)
    (home / "config" / "config.toml").write_text('[precisions.small]\nlanguage = "none"\n')
    gathered = gather(None)
    assert gathered.precisions == PRECISIONS
    assert "config.toml" in gathered.problem.body


def test_the_desk_plans_only_what_was_read(tmp_path):
    desk = ModelDesk(LoadModel("a/a", "int8", "cpu"), ModelSettings(keep_quantized=True))
    offer = Offer(GLM_4V, Origin.HUB)
    desk.take_look(offer, look_at(offer, {}))
    assert desk.outlook(offer, "auto") is None
    desk.take_machine(Machine((Gpu(0, 40 * GIB),), "H100", 64 * GIB))
    assert desk.outlook(offer, "auto").choices[0].plan.device == "cuda"
    assert desk.outlook(offer, "cpu").choices[0].plan.device == "cpu"
    desk.take_machine(Machine((Gpu(0, 10 * GIB),), "H100", 64 * GIB))
    assert desk.outlook(offer, "auto").choices[0].takes == "int4"
    assert desk.command(desk.look(offer), "int4", "cuda") == LoadModel(
        GLM_4V, "int4", "cuda", keep_quantized=True
    )


# What is chosen ---------------------------------------------------------------------------------


def test_what_does_not_fit_is_told_once_for_each_choice():
    desk = ModelDesk(None, ModelSettings())
    offer = Offer(GLM_4V, Origin.HUB)
    look = look_at(offer, {})
    desk.take_look(offer, look)
    chosen = Selection(desk)
    assert chosen.warning(offer) is None  # nothing is known of the memory yet
    desk.take_machine(Machine((Gpu(0, 12 * GIB),), "Card", 64 * GIB))
    assert chosen.warning(offer) is None
    chosen.step_precision(offer, 1)
    assert chosen.warning(offer)[0].name == "fp32"
    assert chosen.warning(offer) is None
    chosen.step_device(offer)
    assert chosen.command(offer, look) == LoadModel(GLM_4V, "fp32", "cuda")
    assert chosen.warning(offer) is not None


def test_the_choosers_rows_never_exceed_the_screen():
    for screen in range(10, 60):
        for names in (1, 8, 200):
            frame = fit_frame(screen, 10, names)
            assert 1 <= frame.table <= 10
            assert frame.box <= screen
            assert frame.box - frame.table >= 6
