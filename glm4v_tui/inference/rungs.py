"""What can be done when the memory does not suffice, in the order in which it is done.

First what costs nothing, then what costs time, then what costs exactness. What was done stays done
for the loaded model, so the next question begins with it: a rung that has been taken applies no
more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.engine.protocol import ConsentWanted
from glm4v_tui.inference.ladder import Rung
from glm4v_tui.inference.layout import room_for
from glm4v_tui.inference.savings import smaller_precisions

if TYPE_CHECKING:
    from glm4v_tui.inference.ladder import Climb
    from glm4v_tui.inference.smaller_images import Proposal

# What is not needed ------------------------------------------------------------------------------


def _nothing_more(_: Climb) -> bool:
    """What a failed attempt held is let go of before every rung; this one is the attempt after."""
    return True


def _give_back(one: Climb) -> bool:
    one.backend.ahead.give_back()
    one.backend.recover()
    return True


def _release(one: Climb) -> bool:
    for kept in one.backend.releasable:
        kept.release()
    one.backend.recover()
    return True


def _says_release(one: Climb) -> str:
    names = " and ".join(kept.name for kept in one.backend.releasable)
    return f"Let go of {names}, which were kept at hand; trying again."


# The vision tower --------------------------------------------------------------------------------


def _may_park(one: Climb) -> bool:
    """Parking is of no use to the tower itself: it is all there while it looks at an image."""
    assert one.shortage is not None
    layout = one.backend.layout
    return (
        layout is not None
        and layout.vision == "resident"
        and bool(one.backend.tower_ids)
        and not one.shortage.at_vision
    )


def _park(one: Climb) -> bool:
    one.backend.move_towers("parked")
    one.tell_model()
    return True


def _may_stream(one: Climb) -> bool:
    assert one.shortage is not None
    layout, sizes = one.backend.layout, one.backend.sizes
    return (
        layout is not None
        and sizes is not None
        and layout.vision != "streamed"
        and bool(sizes.tower_layers)
        and one.shortage.at_vision
    )


def _stream(one: Climb) -> bool:
    layout = one.backend.layout
    if layout is not None and layout.vision == "resident":
        one.backend.move_towers("streamed")
        one.tell_model()
        return True
    return one.load_again(msgspec.structs.replace(one.backend.savings, vision="streamed"))


# Smaller images ----------------------------------------------------------------------------------


def _may_shrink(one: Climb) -> bool:
    return one.request.smaller_images != "never" and one.backend.propose_smaller(one) is not None


def _agrees(one: Climb) -> bool:
    if one.reads_all_smaller:
        return True
    proposal = _proposed(one)
    plural = len(proposal.areas) > 1
    words = (
        f"Out of memory. Read the {'images' if plural else 'image'} smaller ({proposal.change})?"
    )
    return one.ask(
        ConsentWanted(
            *(one.request.request_id, words, proposal.before, proposal.after),
            proposal.tokens_less,
        )
    )


def _shrink(one: Climb) -> bool:
    one.backend.smaller_images.agree(_proposed(one), for_all=one.reads_all_smaller)
    return True


def _proposed(one: Climb) -> Proposal:
    proposal = one.backend.propose_smaller(one)
    assert proposal is not None
    return proposal


# Keys and values ---------------------------------------------------------------------------------


def _may_keep_kv_in_host(one: Climb) -> bool:
    return one.backend.is_on_gpu and not one.backend.keeps_kv_in_host


def _keep_kv_in_host(one: Climb) -> bool:
    one.backend.keeps_kv_in_host = True
    return True


# The model, loaded again -------------------------------------------------------------------------


def _next_precision(one: Climb) -> str | None:
    info = one.backend.info
    if info is None:
        return None
    device = "cuda" if one.backend.is_on_gpu else "cpu"
    smaller = smaller_precisions(info.precision, device)
    return next((name for name in smaller if name not in one.refused), None)


def _may_load_smaller(one: Climb) -> bool:
    return one.backend.can_quantize and _next_precision(one) is not None


def _says_precision(one: Climb) -> str:
    info, name = one.backend.info, _next_precision(one)
    assert info is not None
    return (
        f"Loading the model again as {name} in place of {info.precision}: it takes less memory "
        "and is a little less exact."
    )


def _load_smaller(one: Climb) -> bool:
    name = _next_precision(one)
    assert name is not None
    one.refused.add(name)  # one that was loaded and did not help is not to be loaded again either
    # What it leaves free is new: layers that went to host memory come back.
    return one.load_again(msgspec.structs.replace(one.backend.savings, precision=name, room=None))


def _layers_on_gpu(one: Climb) -> list[int]:
    """Bytes of each language layer that is there."""
    layout, sizes = one.backend.layout, one.backend.sizes
    if layout is None or sizes is None:
        return []
    places = zip(sizes.layers, layout.layers, strict=False)
    return [size for size, place in places if not isinstance(place, str)]


def _offload(one: Climb) -> bool:
    """Half of the layers leave, then the rest."""
    layout, sizes, info = one.backend.layout, one.backend.sizes, one.backend.info
    assert layout is not None
    assert sizes is not None
    assert info is not None
    is_first = all(place != "host" and place != "disk" for place in layout.layers)
    stays = sum(_layers_on_gpu(one)) // 2 if is_first else 0
    room = (layout.gpu, room_for(sizes, layout.vision, stays))
    savings = one.backend.savings
    vision = savings.vision if layout.vision == "resident" else layout.vision
    return one.load_again(
        msgspec.structs.replace(savings, precision=info.precision, vision=vision, room=room)
    )


RUNGS = (
    Rung(
        "free",
        "freeing caches",
        lambda _: True,
        lambda _: "The memory did not suffice. Freed what is not needed; trying again.",
        _nothing_more,
    ),
    Rung(
        "fewer",
        "fewer answers at a time",
        lambda one: one.backend.ahead.nbytes > 0,
        lambda _: "Answers that were written beside this one wait for it now; trying again.",
        _give_back,
    ),
    Rung(
        "release",
        "letting go of what was kept",
        lambda one: bool(one.backend.releasable),
        _says_release,
        _release,
    ),
    Rung(
        "park",
        "the vision tower in host memory",
        _may_park,
        lambda _: "The part that sees waits in host memory until the next image; trying again.",
        _park,
    ),
    Rung(
        "stream",
        "the vision tower streamed",
        _may_stream,
        lambda _: "The part that sees comes to the GPU layer by layer now: images take longer.",
        _stream,
    ),
    Rung(
        "smaller images",
        "smaller images",
        _may_shrink,
        lambda one: f"Reading smaller: {_proposed(one).change}.",
        _shrink,
        most=2,
        consent=_agrees,
    ),
    Rung(
        "keys and values",
        "keys and values in host memory",
        _may_keep_kv_in_host,
        lambda _: "What was read is kept in host memory now: answers come slower.",
        _keep_kv_in_host,
    ),
    Rung(
        "precision", "smaller precisions", _may_load_smaller, _says_precision, _load_smaller, most=6
    ),
    Rung(
        "offload",
        "layers in host memory",
        lambda one: len(_layers_on_gpu(one)) > 2,  # two are there at a time in any case
        lambda _: "Loading the model again with layers in host memory: answers come much slower.",
        _offload,
        most=2,
    ),
)
