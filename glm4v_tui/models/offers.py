"""The models that a user can choose from, and how a typed line finds them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from glm4v_tui.checkpoint import is_hub_id
from glm4v_tui.demo import CHECKPOINT
from glm4v_tui.plan import KNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from glm4v_tui.engine.protocol import LoadModel
    from glm4v_tui.engine_settings import RemoteSettings
    from glm4v_tui.state import RecentModel


class Origin(StrEnum):
    """Where a model would come from."""

    EMBEDDED = "embedded"
    FOLDER = "folder"
    CACHED = "cached"
    ENGINE = "engine"
    """A server of ``[engines.NAME]``."""
    HUB = "hub"
    """A hub id that is not on this host."""
    TYPED = "typed"
    """A name as it was typed, of which nothing is known yet."""


class Offer(msgspec.Struct, frozen=True):
    """One model of the list."""

    model: str
    """What ``LoadModel`` is given: a folder or a hub id."""
    origin: Origin
    folder: str | None = None
    """Where its files lie, or some of them."""
    is_in_use: bool = False
    precision: str = "auto"
    """To start from: as it was loaded before."""
    device: str | None = None
    """The same; None when it was not."""
    engine: str = ""
    """The name of a server; empty for all that runs on this machine."""
    served: str = ""
    """The model that is asked there, by its name there."""
    host: str = ""
    """Where that is."""

    @property
    def title(self) -> str:
        """As the list has it; not safe to show yet."""
        if self.origin is Origin.ENGINE:
            return f"{self.engine}: {self.served} at {self.host}"
        return "the embedded model" if self.origin is Origin.EMBEDDED else self.model


_ENGINE = "engine "
"""Before the name of an engine: no model's name has a space there."""

KNOWN_MODELS = tuple(name for name in KNOWN if not name.endswith("-Base"))
"""Offered whether they are here or not. A base model was not trained to chat."""


def offers(
    now: LoadModel | None,
    recent: Sequence[RecentModel],
    cached: Mapping[str, str | None],
    engines: Sequence[Offer] = (),
) -> list[Offer]:
    """All models, each once: the one in use, those used last, the embedded one, the engines
    elsewhere, those of the cache, and the known ones that are not here.

    Args:
        now: In use, or what was to be loaded last.
        cached: Hub id -> folder of the cache's models.
        engines: As :func:`engine_offers` makes them.
    """
    servers = {one.model: one for one in engines}
    used = {one.model: one for one in reversed(recent)}
    names = [
        *([key_of(now)] if now else []),
        *(one.model for one in recent),
        str(CHECKPOINT),
        *servers,
        *cached,
        *KNOWN_MODELS,
    ]
    found = []
    for name in dict.fromkeys(names):
        offer = servers.get(name) or _offer(name, cached)
        if (before := used.get(name)) is not None:
            offer = msgspec.structs.replace(offer, precision=before.precision, device=before.device)
        if now is not None and name == key_of(now):
            offer = msgspec.structs.replace(
                offer, is_in_use=True, precision=now.precision, device=now.device
            )
        found.append(offer)
    return found


def key_of(command: LoadModel) -> str:
    """What stands for it in the list."""
    return f"{_ENGINE}{command.engine}" if command.engine else command.model


def engine_offers(engines: Mapping[str, RemoteSettings]) -> list[Offer]:
    """The engines elsewhere, to be chosen as models are."""
    return [
        Offer(
            f"{_ENGINE}{name}",
            Origin.ENGINE,
            engine=name,
            served=told.model,
            host=urlsplit(told.url).netloc.rpartition("@")[2],
        )
        for name, told in engines.items()
    ]


def _offer(name: str, cached: Mapping[str, str | None]) -> Offer:
    if name == str(CHECKPOINT):
        return Offer(name, Origin.EMBEDDED, name)
    if name.startswith(_ENGINE):  # in use, and the settings are not read yet
        engine = name.removeprefix(_ENGINE)
        return Offer(name, Origin.ENGINE, engine=engine, served="…", host="…")
    if name in cached:
        return Offer(name, Origin.CACHED, cached[name])
    if is_hub_id(name):
        return Offer(name, Origin.HUB)
    return Offer(name, Origin.FOLDER, name)


def matching(every: Iterable[Offer], typed: str) -> list[Offer]:
    """The offers that have every typed word in their names, and last what was typed itself, to be
    taken for a folder or a hub id."""
    text = typed.strip()
    words = text.casefold().split()
    found = [offer for offer in every if all(word in offer.title.casefold() for word in words)]
    if not text or any(text in (offer.model, offer.title) for offer in found):
        return found
    is_name = is_hub_id(text) or text.startswith(("/", "~", "."))
    return [*found, Offer(text, Origin.TYPED)] if is_name or not found else found
