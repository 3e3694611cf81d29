"""Puts the classes of this package where transformers' auto classes look for them."""

from __future__ import annotations

from functools import lru_cache

from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoProcessor,
)
from transformers.conversion_mapping import register_checkpoint_conversion_mapping

from glm4v_tui.inference.glm4v_9b import MODEL_TYPE
from glm4v_tui.inference.glm4v_9b.configuration import Glm4v9bConfig
from glm4v_tui.inference.glm4v_9b.generation import Glm4v9bForConditionalGeneration
from glm4v_tui.inference.glm4v_9b.model import Glm4v9bModel
from glm4v_tui.inference.glm4v_9b.processor import Glm4v9bProcessor
from glm4v_tui.inference.glm4v_9b.weights import conversions


@lru_cache(maxsize=1)
def register_classes() -> None:
    """Once a process. Local classes go before a checkpoint's own code (its ``auto_map``)."""
    AutoConfig.register(MODEL_TYPE, Glm4v9bConfig)
    AutoModel.register(Glm4v9bConfig, Glm4v9bModel)
    AutoModelForImageTextToText.register(Glm4v9bConfig, Glm4v9bForConditionalGeneration)
    AutoModelForCausalLM.register(Glm4v9bConfig, Glm4v9bForConditionalGeneration)
    AutoProcessor.register(Glm4v9bConfig, Glm4v9bProcessor)
    register_checkpoint_conversion_mapping(MODEL_TYPE, conversions())
