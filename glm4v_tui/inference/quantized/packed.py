"""Loading weights that :mod:`.saved` kept: the names in the files are the model's own.

Nothing has to be renamed, fused, converted or drawn, so transformers' loader, which prepares for
all of that tensor by tensor, is passed by. It is a second of work for a model of thousands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open
from torch import nn
from transformers import AutoConfig, AutoModelForImageTextToText, GenerationConfig
from transformers.initialization import meta_device_safe_creation_ops, no_init_weights

from glm4v_tui.checkpoint import Problem
from glm4v_tui.checkpoint.weights import weight_names
from glm4v_tui.inference.quantized.replace import exchange_layers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from glm4v_tui.precision import Rule

_IS_FILLED = "_is_hf_initialized"
"""transformers' own mark on tensors and modules that it must not fill with random numbers."""


def load_packed(
    folder: Path,
    dtype: torch.dtype,
    rules: tuple[Rule, ...],
    on_skeleton: Callable[[Any], None],
) -> tuple[Any, list[str]]:
    """A model whose tensors are mapped from its files, and the names of those that lack.

    Args:
        dtype: What is computed in.
        on_skeleton: Told the model when its layers are exchanged and still without weights.
    """
    model = _skeleton(folder, dtype)
    exchange_layers(model, rules, packed=True)
    on_skeleton(model)
    lacking = _fill(model, folder)
    if not lacking:
        _compute_buffers(model)
        model.tie_weights()
    return model.eval(), lacking


def _skeleton(folder: Path, dtype: torch.dtype) -> Any:
    """The model on the meta device, with the settings that ``from_pretrained`` gives it."""
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    config.name_or_path = str(folder)
    with torch.device("meta"), no_init_weights(), meta_device_safe_creation_ops():
        model = AutoModelForImageTextToText.from_config(
            config, dtype=dtype, trust_remote_code=False
        )
    if (folder / "generation_config.json").is_file():
        model.generation_config = GenerationConfig.from_pretrained(folder, local_files_only=True)
    return model


def _fill(model: Any, folder: Path) -> list[str]:
    """Put every tensor of the files in its place; the names that no file has."""
    modules = dict(model.named_modules())
    left = model.state_dict().keys() - model.all_tied_weights_keys.keys()
    for name, tensor in _tensors(folder):
        path, _, last = name.rpartition(".")
        _put(modules[path], last, tensor)
        left.discard(name)
    return sorted(left)


def _tensors(folder: Path) -> Iterator[tuple[str, torch.Tensor]]:
    files = weight_names(folder)
    for file in () if isinstance(files, Problem) else files:
        with safe_open(folder / file, "pt") as stored:
            for name in stored.keys():  # noqa: SIM118 - it is no dict
                yield name, stored.get_tensor(name)


def _put(owner: nn.Module, name: str, tensor: torch.Tensor) -> None:
    if name in owner._parameters:
        owner._parameters[name] = nn.Parameter(tensor, requires_grad=False)
    else:
        owner._buffers[name] = tensor


def _compute_buffers(model: Any) -> None:
    """What is in no file, such as rotary frequencies: only its owners are initialized.

    All else is marked as filled; an owner may be told to fill what modules inside it have.
    """
    for module in model.modules():
        computed = module._non_persistent_buffers_set
        for name, tensor in (*module._parameters.items(), *module._buffers.items()):
            if tensor is not None and name in computed:
                module._buffers[name] = torch.empty_like(tensor, device="cpu")
            elif tensor is not None:
                setattr(tensor, _IS_FILLED, True)
        setattr(module, _IS_FILLED, not computed)
    model.initialize_weights()
