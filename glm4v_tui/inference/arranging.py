"""A loaded model's parts brought to the places that its layout has for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from glm4v_tui.inference.pieces import FEWER_AT_ONCE, TOKENS_AT_ONCE, feed_in_pieces
from glm4v_tui.inference.quantized.layers import Nf4Linear, QuantizedLayer
from glm4v_tui.inference.quantized.parts import Parts
from glm4v_tui.inference.quantized.replace import is_tied
from glm4v_tui.inference.slab import Parked, Streamed
from glm4v_tui.inference.transfer import gpu_device
from glm4v_tui.plan.formats import matrix_bytes, rounded
from glm4v_tui.precision import PLAIN, Part, Place, format_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from glm4v_tui.inference.layout import Layout, Vision
    from glm4v_tui.precision import Rule

CPU = torch.device("cpu")


class Arrangement:
    """Which tensor of a model goes where. Made for a model that has no weights yet."""

    def __init__(self, model: Any, rules: tuple[Rule, ...], layout: Layout | None) -> None:
        """Remember the names.

        Args:
            layout: None for a model on the CPU.
        """
        self._rules, self._layout = rules, layout
        self.parts = Parts(model)
        self._layers = self.parts.layers(self.parts.language)
        self._embedding_in_host = layout is not None and _is_in_host(model, self.parts, rules)

    def device_of(self, name: str) -> torch.device:
        """Where a tensor goes when it is loaded."""
        layout = self._layout
        if layout is None:
            return CPU
        part = self.parts.of(name)
        if part is Part.EMBEDDING and self._embedding_in_host:
            return CPU
        if part is Part.VISION and layout.vision != "resident":
            is_layer = any(_is_in(name, layer) for layer in self._tower_layers())
            return CPU if is_layer or layout.vision == "parked" else gpu_device(layout.gpu)
        for layer, place in zip(self._layers, layout.layers, strict=False):
            if _is_in(name, layer):
                return CPU if isinstance(place, str) else gpu_device(place)
        return gpu_device(layout.gpu)

    def finish(self, model: Any, spool: Path) -> None:
        """After loading: let parts that are elsewhere come to the GPU when they are used.

        Args:
            spool: A folder for what neither GPU nor host memory has room for.
        """
        layout = self._layout
        if layout is None:
            for module in model.modules():
                if isinstance(module, Nf4Linear):
                    module.lay_out_for_cpu()
            return
        if self._embedding_in_host:
            model.set_submodule(self.parts.embedding, HostEmbedding(model.get_input_embeddings()))
        feed_in_pieces(
            (model.get_submodule(name) for name in (*self._layers, *self._tower_layers())),
            FEWER_AT_ONCE if self._embedding_in_host else TOKENS_AT_ONCE,
        )
        self._arrange_tower(model, layout)
        self._arrange_layers(model, layout, spool)

    def _tower_layers(self) -> tuple[str, ...]:
        return tuple(name for tower in self.parts.towers for name in self.parts.layers(tower))

    def _arrange_tower(self, model: Any, layout: Layout) -> None:
        if layout.vision != "resident":
            move_towers(model, layout.vision, layout.gpu)

    def _arrange_layers(self, model: Any, layout: Layout, spool: Path) -> None:
        places = dict(zip(self._layers, layout.layers, strict=False))
        elsewhere = [name for name, place in places.items() if isinstance(place, str)]
        if elsewhere:
            Streamed(
                [model.get_submodule(name) for name in elsewhere],
                gpu_device(layout.gpu),
                is_endless=True,
                spools=[spool if places[name] == "disk" else None for name in elsewhere],
            )
        if any(place != layout.gpu for place in places.values() if not isinstance(place, str)):
            for name, place in places.items():
                if not isinstance(place, str):
                    _run_on(model.get_submodule(name), gpu_device(place))
            for module in _after_the_layers(model.get_submodule(self.parts.language)):
                _run_on(module, gpu_device(layout.gpu))


def tower_ids(model: Any) -> frozenset[int]:
    """``id`` of all modules of the vision towers."""
    towers = [model.get_submodule(name) for name in Parts(model).towers]
    return frozenset(id(module) for tower in towers for module in tower.modules())


def move_towers(model: Any, vision: Vision, gpu: int) -> None:
    """Let the vision towers of a loaded model leave the GPU, where they were until now.

    Args:
        vision: ``parked`` or ``streamed``.
    """
    parts, device = Parts(model), gpu_device(gpu)
    for tower in parts.towers:
        if vision == "parked":
            Parked(model.get_submodule(tower), device)
        else:
            layers = [model.get_submodule(name) for name in parts.layers(tower)]
            Streamed(layers, device, is_endless=False)


class HostEmbedding(nn.Module):
    """An embedding whose matrix stays in host memory; the rows of a prompt are moved."""

    def __init__(self, embedding: nn.Module) -> None:
        super().__init__()
        assert isinstance(embedding, nn.Embedding)
        # Not a parameter: libraries ask a model's first one where the model is.
        self.rows = embedding.weight.detach().clone()
        self.num_embeddings, self.embedding_dim = self.rows.shape
        self.padding_idx = embedding.padding_idx

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return nn.functional.embedding(ids.to(CPU), self.rows).to(ids.device)


def measure_parts(
    model: Any, rules: tuple[Rule, ...], *, in_host: bool
) -> tuple[tuple[int, ...], int, tuple[int, ...], int]:
    """Bytes of a model without weights: language layers, tower, tower's layers, rest.

    Args:
        in_host: An embedding that a rule leaves in host memory is not counted.
    """
    parts = Parts(model)
    layers = [bytes_of(model.get_submodule(name)) for name in parts.layers(parts.language)]
    towers = [bytes_of(model.get_submodule(name)) for name in parts.towers]
    tower_layers = [
        bytes_of(model.get_submodule(name))
        for tower in parts.towers
        for name in parts.layers(tower)
    ]
    rest = bytes_of(model) - sum(layers) - sum(towers)
    if in_host and _is_in_host(model, parts, rules):
        rest -= bytes_of(model.get_submodule(parts.embedding))
    return tuple(layers), sum(towers), tuple(tower_layers), rest


def bytes_of(module: nn.Module) -> int:
    """Of parameters and buffers, quantized ones as they will be; a shared tensor counts once.

    As a GPU's allocator rounds them up.
    """
    seen: set[int] = set()
    total = 0
    for owner in module.modules():
        for name, tensor in (*owner._parameters.items(), *owner._buffers.items()):
            if tensor is None or id(tensor) in seen:
                continue
            seen.add(id(tensor))
            is_weight = isinstance(owner, QuantizedLayer) and name == "weight"
            if is_weight and tensor.is_floating_point():
                assert isinstance(owner, QuantizedLayer)
                total += matrix_bytes(owner.rows, owner.columns, owner.format)
            else:
                total += rounded(tensor.nbytes)
    return total


def move_rest(
    model: Any,
    device_of: Callable[[str], torch.device],
    send: Callable[[torch.Tensor, torch.device], torch.Tensor],
) -> None:
    """Bring what is not at its place yet; tied weights stay tied."""
    moved: dict[int, torch.Tensor] = {}
    for path, owner in model.named_modules():
        for store in (owner._parameters, owner._buffers):
            for name, tensor in store.items():
                if tensor is None:
                    continue
                device = device_of(f"{path}.{name}" if path else name)
                if id(tensor) not in moved:
                    moved[id(tensor)] = _moved(tensor, device, send)
                store[name] = moved[id(tensor)]


def _moved(
    tensor: torch.Tensor,
    device: torch.device,
    send: Callable[[torch.Tensor, torch.device], torch.Tensor],
) -> torch.Tensor:
    arrived = send(tensor.detach(), device)
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(arrived, requires_grad=False)
    return arrived


def _run_on(module: nn.Module, device: torch.device) -> None:
    def bring(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return _on(args, device), _on(kwargs, device)

    module.register_forward_pre_hook(bring, with_kwargs=True)


def _on(value: Any, device: torch.device) -> Any:
    """Tensors of nested arguments on ``device``; a cache keeps each layer's where they are."""
    match value:
        case torch.Tensor():
            return value.to(device)
        case tuple() if type(value) is tuple:
            return tuple(_on(item, device) for item in value)
        case list() if type(value) is list:
            return [_on(item, device) for item in value]
        case dict() if type(value) is dict:
            return {key: _on(item, device) for key, item in value.items()}
        case _:
            return value


def _after_the_layers(language: nn.Module) -> list[nn.Module]:
    """The language model's own small modules, norms above all, that run on the first GPU."""
    return [
        module
        for module in language.children()
        if not isinstance(module, nn.ModuleList | nn.Embedding)
        and "rotary" not in type(module).__name__.lower()
    ]


def _is_in_host(model: Any, parts: Parts, rules: tuple[Rule, ...]) -> bool:
    """Whether the embedding stays in host memory: not where the head computes with its matrix."""
    rule = format_of(rules, Part.EMBEDDING, parts.embedding)
    if rule is None or rule.place is not Place.HOST:
        return False
    head = format_of(rules, Part.HEAD, parts.head or "")
    return not is_tied(model) or (head is not None and head.format not in PLAIN)


def _is_in(name: str, owner: str) -> bool:
    return name == owner or name.startswith(owner + ".")
