"""What the files of an offered model tell, and whether it could be loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.checkpoint import inspect_checkpoint, is_hub_id, resolve_model
from glm4v_tui.errors import CheckpointError, GlmError
from glm4v_tui.models.offers import Offer, Origin
from glm4v_tui.paths import expanded, is_folder
from glm4v_tui.plan import Shape, known_shape, shape_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glm4v_tui.engine.protocol import LoadModel


class Look(msgspec.Struct, frozen=True):
    """What is known of an offer once it was looked at."""

    offer: Offer
    """As it was, or what a typed name turned out to be."""
    shape: Shape | None = None
    """None when its sizes are not to be known without a network."""
    problem: GlmError | None = None
    """Why it cannot be loaded as it is."""

    @property
    def needs_download(self) -> bool:
        """True when the hub is asked for it: for all of it, or for what the cache lacks."""
        return self.offer.origin is Origin.HUB or self.is_incomplete

    @property
    def is_incomplete(self) -> bool:
        return self.offer.origin is Origin.CACHED and self.problem is not None


def look_at(offer: Offer, cached: Mapping[str, str | None]) -> Look:
    """Read config and headers of an offer; blocks for milliseconds, on a slow disk for longer.

    Nothing is raised and no network is used.
    """
    if offer.origin is Origin.TYPED:
        offer = _what_is_meant(offer, cached)
    if offer.origin is Origin.TYPED:
        return Look(offer, problem=_why_nothing(offer.model))
    if offer.origin is Origin.ENGINE:
        return Look(offer)
    if offer.origin is Origin.HUB:
        return Look(offer, known_shape(offer.model))
    if offer.folder is None:
        return Look(offer, known_shape(offer.model), CheckpointError("Nothing is there yet"))
    try:
        return Look(offer, shape_of(Path(offer.folder)))
    except Exception as error:  # noqa: BLE001 - a stranger's config.json may hold anything
        return Look(offer, known_shape(offer.model), _as_error(error))


def require_loadable(look: Look) -> None:
    """Check a model once more, in all that a load needs, before the present one goes for it.

    Blocks: on a folder as :func:`look_at`; for what has to be downloaded until the hub has told
    that it is there, or some seconds have passed.

    Raises:
        GlmError: it cannot be loaded.
    """
    if look.offer.origin is Origin.FOLDER and look.offer.folder is not None:
        inspect_checkpoint(Path(look.offer.folder)).require_loadable()
    elif look.problem is not None and not look.needs_download:
        raise look.problem
    elif look.offer.origin in {Origin.CACHED, Origin.HUB}:
        _require_on_hub_unless_here(look.offer.model)


def require_again(command: LoadModel) -> None:
    """Check that what was loaded once can be loaded now. Blocks as :func:`require_loadable`.

    Raises:
        GlmError: it cannot.
    """
    if is_model_name(command.model):  # what a script plays has no files
        require_loadable(look_at(Offer(command.model, Origin.TYPED), {}))


def is_model_name(name: str) -> bool:
    """Whether a name is that of files: a folder, told absolutely, or a hub id."""
    return name.startswith("/") or is_hub_id(name)


def _require_on_hub_unless_here(name: str) -> None:
    """What is whole in the cache needs no hub."""
    source = resolve_model(name)
    if source.folder is not None or source.hub_id is None:
        return
    from glm4v_tui.diagnosis import explain
    from glm4v_tui.hub import look_ahead

    try:
        look_ahead(source.hub_id, source.revision)
    except Exception as error:
        raise explain(error, f"asking the hub for {source.hub_id}", _CHECK_HUB) from error


_CHECK_HUB = "glm4v-tui doctor checks the connection to the hub."


def _what_is_meant(offer: Offer, cached: Mapping[str, str | None]) -> Offer:
    """A folder when there is one of that name, else a hub id when it is written like one."""
    folder = expanded(offer.model)
    if is_folder(folder):
        absolute = str(folder.absolute())
        return Offer(absolute, Origin.FOLDER, absolute)
    if offer.model in cached:
        return Offer(offer.model, Origin.CACHED, cached[offer.model])
    return Offer(offer.model, Origin.HUB) if is_hub_id(offer.model) else offer


def _why_nothing(name: str) -> GlmError:
    try:
        resolve_model(name)
    except GlmError as error:
        return error
    except (OSError, ValueError) as error:
        return _as_error(error)
    return CheckpointError("This names no model")


def _as_error(error: Exception) -> GlmError:
    if isinstance(error, GlmError):
        return error
    return CheckpointError(
        "This model's files cannot be read", f"{type(error).__name__}: {error}", "Check the folder."
    )
