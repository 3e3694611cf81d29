"""Quantization while transformers loads: each matrix is packed as soon as it is read.

transformers asks a quantizer of its own for every kind of format; one model can have one. This one
follows the rules of a precision, module by module, and so mixes formats. Everything else stays
transformers' business: which tensor of a checkpoint becomes which of the model, tied weights, what
is initialized. The hooks used here are the same from 5.17 to 5.24.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers.core_model_loading import ConversionOps
from transformers.quantizers.auto import register_quantization_config, register_quantizer
from transformers.quantizers.base import HfQuantizer
from transformers.utils.quantization_config import QuantizationConfigMixin

from glm4v_tui.inference.quantized.layers import QuantizedLayer
from glm4v_tui.inference.quantized.replace import exchange_layers

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from glm4v_tui.precision import Rule

    Pack = Callable[[QuantizedLayer, str, torch.Tensor], dict[str, torch.Tensor]]
    """Packs (layer, name, weight) and brings the result to its place."""

METHOD = "glm4v-tui"
_IS_FILLED = "_is_hf_initialized"
"""transformers' own mark on modules that it must not fill with random numbers."""


@register_quantization_config(METHOD)
class RulesConfig(QuantizationConfigMixin):  # type: ignore[misc]
    """What a load hands to the quantizer.

    Args:
        on_skeleton: Told the model when its layers are exchanged and still without weights.
    """

    def __init__(
        self, rules: tuple[Rule, ...], on_skeleton: Callable[[Any], None], pack: Pack
    ) -> None:
        self.quant_method = METHOD
        self.rules, self.on_skeleton, self.pack = rules, on_skeleton, pack

    def to_dict(self) -> dict[str, Any]:
        return {"quant_method": METHOD, "rules": as_lists(self.rules)}

    def __deepcopy__(self, _: Any) -> RulesConfig:  # with the configuration; functions stay
        return self


@register_quantizer(METHOD)
class RulesQuantizer(HfQuantizer):  # type: ignore[misc]
    """Exchanges the layers, then packs what is loaded into them."""

    requires_calibration = False

    def _process_model_before_weight_loading(self, model: Any, **_: Any) -> Any:
        config = self.quantization_config
        exchange_layers(model, config.rules, packed=False)
        config.on_skeleton(model)
        return model

    def param_needs_quantization(self, model: Any, param_name: str, **_: Any) -> bool:
        return _layer_of(model, param_name) is not None

    def get_quantize_ops(self) -> Any:
        return _Pack(self)

    def param_element_size(self, *_: Any, **__: Any) -> float:
        """Nothing: transformers would take memory ahead of need."""
        return 0

    def is_serializable(self, *_: Any, **__: Any) -> bool:
        return False

    @property
    def is_trainable(self) -> bool:
        return False


class _Pack(ConversionOps):  # type: ignore[misc]
    """What transformers calls with a loaded matrix, after its own conversions."""

    def __init__(self, quantizer: RulesQuantizer) -> None:
        self._pack = quantizer.quantization_config.pack

    def convert(
        self, input_dict: dict[str, Any], model: Any = None, **_: Any
    ) -> dict[str, torch.Tensor]:
        return {
            name: self._converted(model, name, value[0] if isinstance(value, list) else value)
            for name, value in input_dict.items()
        }

    def _converted(self, model: Any, name: str, value: torch.Tensor) -> torch.Tensor:
        layer = _layer_of(model, name)
        if layer is None:
            return value
        packed = self._pack(layer, name, value)
        layer.take({key: tensor for key, tensor in packed.items() if key != "weight"})
        setattr(layer, _IS_FILLED, True)
        weight: torch.Tensor = packed["weight"]
        return weight


def _layer_of(model: Any, name: str) -> QuantizedLayer | None:
    """The quantized layer whose weight this is."""
    owner, _, last = name.rpartition(".")
    if last != "weight":
        return None
    module = model.get_submodule(owner)
    return module if isinstance(module, QuantizedLayer) else None


def as_lists(rules: tuple[Rule, ...]) -> list[list[Any]]:
    return [
        [str(rule.part), rule.pattern, str(rule.format), str(rule.place), rule.outliers]
        for rule in rules
    ]
