from __future__ import annotations

from dataclasses import replace

import pytest

from glm4v_tui.errors import OutOfMemoryError
from glm4v_tui.inference.layout import GIB, Layout, Room, Sizes, lay_out, room_for
from glm4v_tui.plan.beside import Beside

MIB = 1 << 20
# GLM-4V-9B in int4-compact: 40 layers, 63 layers of the tower, head and adapter.
COMPACT = Sizes((101 * MIB,) * 40, 2200 * MIB, (34 * MIB,) * 63, 400 * MIB)


def laid_out(*free: float, host: float = 64, vision: str = "auto", may_park: bool = True) -> Layout:
    """On GPUs with so many GiB free."""
    gpus = tuple((index, int(gib * GIB)) for index, gib in enumerate(free))
    room = Room(gpus, int(host * GIB))
    return lay_out(COMPACT, room, vision, may_park=may_park)  # type: ignore[arg-type]


def test_all_of_it_stays_where_there_is_room() -> None:
    layout = laid_out(8.0)
    assert (layout.vision, set(layout.layers), layout.name) == ("resident", {0}, "cuda:0")


def test_the_roomiest_gpu_is_taken() -> None:
    layout = laid_out(6.0, 9.0)
    assert (layout.gpu, layout.name) == (1, "cuda:1")


def test_the_tower_is_streamed_where_it_does_not_fit() -> None:
    layout = laid_out(6.0)
    assert (layout.vision, set(layout.layers), layout.name) == ("streamed", {0}, "cuda:0+host")


def test_the_tower_is_parked_where_only_keys_and_values_need_its_room() -> None:
    beside = Beside(encode=3 * GIB // 4, decode=2 * GIB)
    sizes = replace(COMPACT, beside=(beside,))
    room = Room(((0, int(7.5 * GIB)),), 64 * GIB)
    assert lay_out(sizes, room, "auto", may_park=True).vision == "parked"


def test_a_precision_that_keeps_its_tower_streams_layers_only_when_it_must() -> None:
    layout = laid_out(7.0, may_park=False)
    assert layout.vision == "streamed"
    assert set(layout.layers) == {0}


def test_layers_are_streamed_from_the_host_and_no_more_than_needed() -> None:
    layout = laid_out(4.0)
    streamed = layout.layers.count("host")
    assert 0 < streamed < 40
    assert set(layout.layers[: 40 - streamed]) == {0}
    needed = 400 * MIB + 58 * MIB + (40 - streamed + 2) * 101 * MIB + 68 * MIB + 768 * MIB
    assert needed <= 4 * GIB < needed + 101 * MIB


def test_a_shorter_context_goes_before_layers_that_are_streamed() -> None:
    sizes = replace(COMPACT, beside=(Beside(GIB, 3 * GIB), Beside(GIB // 2, GIB // 4)))
    layout = lay_out(sizes, Room(((0, 5 * GIB),), 64 * GIB), "auto", may_park=True)
    assert (layout.vision, set(layout.layers)) == ("streamed", {0})


def test_what_streaming_itself_takes_is_kept_free() -> None:
    def streamed(more: int) -> int:
        sizes = replace(COMPACT, beside=(Beside(GIB // 2, GIB // 4, streaming=more),))
        room = Room(((0, 4 * GIB),), 64 * GIB)
        return lay_out(sizes, room, "auto", may_park=True).layers.count("host")

    assert streamed(202 * MIB) == streamed(0) + 2


@pytest.mark.parametrize("stays", [0, 20, 37])
def test_room_is_told_for_so_many_layers(stays: int) -> None:
    sizes = replace(COMPACT, beside=(Beside(GIB // 2, GIB, streaming=MIB),))
    assert _here(sizes, room_for(sizes, "streamed", stays * 101 * MIB)) == stays
    longer = replace(sizes, beside=(Beside(GIB, 2 * GIB), *sizes.beside))
    assert _here(longer, room_for(longer, "streamed", stays * 101 * MIB)) <= stays


@pytest.mark.parametrize("stays", [0, 3])
def test_layers_of_a_tiny_model_can_be_sent_away(stays: int) -> None:
    sizes = Sizes((MIB,) * 6, MIB, (), MIB, (Beside(GIB, GIB, streaming=200 * MIB),))
    room = Room(((0, room_for(sizes, "parked", stays * MIB)),), 64 * GIB)
    assert lay_out(sizes, room, "parked", may_park=True).layers.count("host") == 6 - stays


def _here(sizes: Sizes, free: int) -> int:
    layout = lay_out(sizes, Room(((0, free),), 64 * GIB), "streamed", may_park=True)
    return layout.layers.count(0)


def test_what_the_host_has_no_room_for_comes_from_disk() -> None:
    layout = laid_out(3.0, host=4.0)
    assert {"host", "disk"} <= set(layout.layers)
    assert layout.name == "cuda:0+disk+host"


def test_layers_are_spread_over_gpus() -> None:
    layout = laid_out(5.0, 5.0)
    assert layout.vision == "resident"
    assert set(layout.layers) == {0, 1}
    assert list(layout.layers) == sorted(layout.layers, key=str)
    assert layout.name == "cuda:0+1"


def test_what_is_asked_for_is_done() -> None:
    assert laid_out(80.0, vision="streamed").vision == "streamed"
    assert laid_out(80.0, vision="parked").vision == "parked"


def test_too_little_for_one_layer_at_a_time_is_refused_in_words() -> None:
    with pytest.raises(OutOfMemoryError) as caught:
        laid_out(1.0)
    assert "1.0 GiB are free" in caught.value.body
    assert "--device cpu" in caught.value.remedy
