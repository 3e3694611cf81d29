"""Which precision is taken, and how layers are split over devices."""

import msgspec
import pytest

from glm4v_tui.plan import Gpu, Load, Tower, choose, known_shape, plans, recommended
from glm4v_tui.plan.cards import card_plans
from glm4v_tui.plan.figures import GIB, Card

GLM_41V = known_shape("zai-org/GLM-4.1V-9B-Thinking")
GLM_4V = known_shape("zai-org/glm-4v-9b")
LOAD = Load(context=4096)


def gpus(*free):
    return [Gpu(index, int(gib * GIB)) for index, gib in enumerate(free)]


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        (80, "bf16"), (21, "bf16"), (20, "int8"), (12.1, "int8"), (10, "mixed"),
        (7.7, "int4"), (6.5, "int4-compact"),
    ],
)  # fmt: skip
def test_auto_is_the_most_exact_that_fits(free, expected):
    chosen = choose(GLM_41V, gpus(free), load=LOAD)
    assert chosen.fits
    assert chosen.plan.precision == expected
    assert chosen.plan.needed <= free * GIB


def test_a_context_that_is_there_already_leaves_more_room():
    assert choose(GLM_41V, gpus(20.2), load=LOAD).plan.precision == "int8"
    assert choose(GLM_41V, gpus(20.6), load=LOAD, context=0).plan.precision == "bf16"


def test_a_gpu_without_bfloat16_gets_float16():
    old = [Gpu(0, 40 * GIB, has_bf16=False)]
    assert choose(GLM_41V, old, load=LOAD).plan.precision == "fp16"


def test_a_longer_context_can_take_a_smaller_precision():
    free = gpus(21)
    assert choose(GLM_41V, free, load=Load(context=4096)).plan.precision == "bf16"
    assert choose(GLM_41V, free, load=Load(context=32768)).plan.precision != "bf16"


def test_several_gpus_hold_together_what_none_holds_alone():
    chosen = choose(GLM_4V, gpus(16, 16), load=LOAD)
    assert chosen.plan.precision == "bf16"
    assert chosen.fits
    split = chosen.split
    assert len(split.layers) == 40
    assert split.layers == tuple(sorted(split.layers))
    assert set(split.layers) == {"cuda:0", "cuda:1"}
    assert (split.embedding, split.tower, split.head) == ("cuda:0", "cuda:0", "cuda:1")


def test_no_device_gets_more_than_it_has_free():
    free = [12, 14]
    chosen = choose(GLM_41V, gpus(*free), load=LOAD, precision="bf16")
    weights, split = chosen.plan.weights, chosen.split
    each = (weights.language + chosen.plan.kv) / 40
    held = [
        each * split.layers.count("cuda:0") + weights.embedding + weights.vision + weights.adapter,
        each * split.layers.count("cuda:1") + weights.head,
    ]
    assert all(taken < gib * GIB for taken, gib in zip(held, free, strict=True))
    assert not split.is_offloaded


def test_what_does_not_fit_goes_to_host_memory_then_to_disk():
    chosen = choose(GLM_41V, gpus(6), load=LOAD, precision="bf16", host_free=8 * GIB)
    assert not chosen.fits
    order = list(dict.fromkeys(chosen.split.layers))
    assert order == ["cuda:0", "cpu", "disk"]
    assert chosen.split.is_offloaded
    assert "of 40 layers fit the GPU" in chosen.why


def test_too_small_a_gpu_is_said_to_be_so():
    chosen = choose(GLM_4V, gpus(1.2), load=LOAD)
    assert not chosen.fits
    assert "every token needs" in chosen.why


def test_compact_keeps_the_embedding_in_host_memory():
    split = choose(GLM_41V, gpus(6.5), load=LOAD).split
    assert split.embedding == "cpu"
    assert set(split.layers) == {split.tower} == {split.head} == {"cuda:0"}
    assert not split.is_offloaded


@pytest.mark.parametrize(
    ("host", "expected", "fits"),
    [(80, "fp32", True), (30, "bf16", True), (20, "int8", True), (10, "int8", False)],
)
def test_a_cpu_takes_float32_where_that_fits(host, expected, fits):
    chosen = choose(GLM_41V, [], load=LOAD, host_free=host * GIB)
    assert (chosen.plan.precision, chosen.fits) == (expected, fits)
    assert chosen.split.devices == ("cpu",)


def test_the_tower_leaves_the_gpu_only_where_that_makes_it_fit():
    def tower(gib):
        (plan,) = [
            plan
            for plan in plans(GLM_4V, gpu_free=int(gib * GIB), load=LOAD)
            if plan.precision == "int4-compact"
        ]
        return plan.tower, plan.fits

    assert tower(24) == (Tower.RESIDENT, True)
    assert tower(6.1) == (Tower.STREAMED, True)
    assert tower(4) == (Tower.STREAMED, False)


def test_parking_makes_room_where_the_prompt_is_long_and_the_image_small():
    load = Load(((448, 448),), context=16384)

    def compact(free):
        return plans(GLM_41V, gpu_free=free, load=load)[-1]

    stays = compact(80 * GIB)
    assert stays.tower is Tower.RESIDENT
    parked = compact(stays.needed - 1)
    assert (parked.tower, parked.fits) == (Tower.PARKED, True)
    assert stays.needed - parked.needed > 0.4 * GIB


def test_little_host_memory_forbids_what_waits_there():
    choices = plans(GLM_41V, gpu_free=int(6.5 * GIB), host_free=2 * GIB, load=LOAD)
    compact = choices[-1]
    assert compact.precision == "int4-compact"
    assert not compact.fits
    assert (
        recommended(plans(GLM_41V, gpu_free=int(6.5 * GIB), host_free=2 * GIB, load=LOAD)) is None
    )


def test_larger_cards_are_never_given_less_exact_plans():
    names = ["int4-compact", "int4", "mixed", "int8", "bf16"]
    for shape in (GLM_41V, GLM_4V):
        cards = [Card(f"{gib}", gib * GIB, 1e12) for gib in (8, 12, 16, 24, 48, 80)]
        found = [names.index(card.plan.precision) for card in card_plans(shape, LOAD, cards)]
        assert found == sorted(found)


def test_memory_that_is_too_small_for_the_context_gets_less():
    chosen = choose(GLM_4V, gpus(6), load=Load())
    assert (chosen.context, chosen.fits) == (2560, True)
    assert chosen.plan.needed <= 6 * GIB
    assert "2,560 tokens" in chosen.why
    assert choose(GLM_4V, gpus(24), load=Load()).context == Load().context


def test_a_tower_that_does_not_fit_is_streamed_before_layers_are():
    chosen = choose(GLM_4V, gpus(8), load=LOAD, precision="int4")
    assert (chosen.plan.tower, chosen.fits) == (Tower.STREAMED, True)
    assert set(chosen.split.layers) == {"cuda:0"}


def test_a_small_card_may_get_a_smaller_context():
    (small,) = card_plans(GLM_4V, Load(), [Card("six", 6 * GIB, 168e9)])
    assert small.is_reduced
    assert small.plan.fits
    assert small.context < Load().context


def test_speed_is_the_measured_share_of_bandwidth_over_bytes():
    by_name = {
        plan.precision: plan
        for plan in plans(GLM_41V, gpu_free=80 * GIB, load=Load(context=1), bandwidth=3350e9)
    }
    assert by_name["bf16"].roofline == pytest.approx(171, rel=0.01)
    assert by_name["int8"].roofline == pytest.approx(319, rel=0.01)
    assert by_name["bf16"].tokens_per_s == pytest.approx(162, rel=0.01)
    assert by_name["int8"].tokens_per_s == pytest.approx(243, rel=0.01)
    slow = plans(GLM_41V, gpu_free=80 * GIB, load=Load(context=1), bandwidth=100e9)[1]
    assert slow.tokens_per_s < slow.roofline < 6


def test_on_the_librarys_loop_launching_takes_its_time():
    other = msgspec.structs.replace(GLM_41V, model_type="qwen2_5_vl")
    fast, slow = (
        plans(other, gpu_free=80 * GIB, load=Load(context=1), bandwidth=bandwidth)[1]
        for bandwidth in (3350e9, 100e9)
    )
    assert fast.tokens_per_s == pytest.approx(23.7)
    assert slow.tokens_per_s == slow.roofline
