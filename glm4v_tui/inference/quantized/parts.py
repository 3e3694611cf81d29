"""Which part of a model a module belongs to, found by structure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

from glm4v_tui.precision import Part

if TYPE_CHECKING:
    from collections.abc import Iterator


class Parts:
    """The parts of a model that transformers built, on whatever device.

    The language model is the smallest module that holds the input embedding and a list of layers;
    a tower is the largest module beside it that holds a list of layers of its own.
    """

    def __init__(self, model: Any) -> None:
        names = {id(module): name for name, module in model.named_modules()}
        self.embedding = names[id(model.get_input_embeddings())]
        head = model.get_output_embeddings()
        self.head = None if head is None else names[id(head)]
        lists = {
            name: module
            for name, module in model.named_modules()
            if isinstance(module, nn.ModuleList) and not _is_inside_a_layer(name)
        }
        self.language = _owner(self.embedding, lists)
        self.towers = tuple(
            dict.fromkeys(
                _outermost(name, self.language) for name in lists if not _is_in(name, self.language)
            )
        )
        self._lists = lists

    def of(self, name: str) -> Part:
        """The part of a module or a tensor."""
        if self.head is not None and _is_in(name, self.head):
            return Part.HEAD
        if _is_in(name, self.embedding):
            return Part.EMBEDDING
        if _is_in(name, self.language):
            return Part.LANGUAGE
        if any(_is_in(name, tower) for tower in self.towers):
            return Part.VISION
        return Part.ADAPTER

    def layers(self, owner: str) -> tuple[str, ...]:
        """Names of the layers of the language model or of a tower, in their order."""
        return tuple(
            f"{name}.{index}"
            for name, module in self._lists.items()
            if _is_in(name, owner)
            for index in range(len(module))
        )


def _is_in(name: str, owner: str) -> bool:
    return not owner or name == owner or name.startswith(owner + ".")


def _is_inside_a_layer(name: str) -> bool:
    return any(word.isdigit() for word in name.split("."))


def _owner(name: str, lists: dict[str, nn.ModuleList]) -> str:
    for owner in _owners(name):
        if any(_is_in(other, owner) for other in lists):
            return owner
    return ""


def _owners(name: str) -> Iterator[str]:
    """The modules around one, the nearest first."""
    while name:
        name = name.rpartition(".")[0]
        yield name


def _outermost(name: str, language: str) -> str:
    """The largest module around ``name`` that the language model is not in."""
    found = name
    for owner in _owners(name):
        if _is_in(language, owner):
            break
        found = owner
    return found
