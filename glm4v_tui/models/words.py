"""Models and what they take, in words; safe to show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glm4v_tui.models.offers import Offer, Origin
from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    from glm4v_tui.models.looks import Look
    from glm4v_tui.models.machine import Machine
    from glm4v_tui.models.outlook import Choice, Outlook

_GIB = 1 << 30


def gib(size: int) -> str:
    """``27.8``; two digits below one."""
    return f"{size / _GIB:.1f}" if size >= _GIB else f"{size / _GIB:.2f}"


def title(offer: Offer) -> str:
    return plain_line(offer.title)


def state(offer: Offer, look: Look | None) -> str:
    """Where it is: ``in use``, ``not downloaded`` ..."""
    if offer.is_in_use:
        return "in use"
    if look is None:
        return "" if offer.origin is Origin.TYPED else _ORIGINS[offer.origin]
    if look.is_incomplete:
        return "incomplete"
    if look.offer.origin is Origin.TYPED:
        return "no such model"
    if look.problem is not None:
        return "cannot be loaded"
    return _ORIGINS[look.offer.origin]


_ORIGINS = {
    Origin.EMBEDDED: "comes along",
    Origin.FOLDER: "folder",
    Origin.CACHED: "cached",
    Origin.ENGINE: "server",
    Origin.HUB: "not downloaded",
}


def file_size(look: Look | None) -> str:
    """``27.8 GB`` of files, as the hub and disks are measured; empty when unknown."""
    if look is None or look.shape is None:
        return ""
    size = look.shape.file_bytes / 1e9
    return f"{size:.1f} GB" if size >= 1 else f"{size:.2f} GB"


def fit(choice: Choice, outlook: Outlook) -> str:
    """Whether it fits, in a word or two."""
    if choice.fits:
        return "fits"
    if outlook.free is not None and choice.needed > outlook.free:
        return f"{gib(choice.needed - outlook.free)} GiB short"
    return "does not fit"


def misfit(choice: Choice, outlook: Outlook) -> str:
    """The sentence before something is loaded that does not fit."""
    free = f"{gib(outlook.free)} GiB are free" if outlook.free is not None else "that is not free"
    needs = f"{choice.takes} needs {gib(choice.needed)} GiB and {free}"
    return f"{needs}: it will be slow, or fail."


def room(machine: Machine | None) -> str:
    """What is free and where, the present model's share told apart."""
    if machine is None:
        return "reading the memory …"
    place = plain_line(machine.gpu_name) if machine.gpus else "host memory"
    if machine.free is None:
        return f"{place}: free memory unknown"
    free = f"{gib(machine.free)} GiB"
    back = f", {gib(machine.given_back)} of it the present model's" if machine.given_back else ""
    if machine.gpus:
        return f"{free} free on {place}{back}"
    return f"no GPU in use, {free} of host memory free{back}"


def footnote(device: str, machine: Machine, look: Look | None) -> str:
    """What stands below the precisions: where it would run, and what is not sure of it."""
    words = [f"device {device}: {room(machine.on(device))}"]
    if look is not None and look.shape is None:
        words.append("its sizes are told by the hub" if look.problem is None else "")
    elif look is not None and look.shape is not None and look.shape.is_rough:
        words.append("needed is a rough guess")
    if look is not None and look.problem is not None:
        words.append(look.problem.title[:1].lower() + look.problem.title[1:])
    return " · ".join(filter(None, words))


def download(look: Look) -> str:
    """What is said when loading begins with a download."""
    size = file_size(look)
    of = f" of {size}" if size else ""
    return f"{title(look.offer)} is downloaded first{of}; what is here already is kept."
