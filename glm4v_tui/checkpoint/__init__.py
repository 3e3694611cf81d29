"""Is a model folder whole, and is it of a kind that can be loaded? Told before loading it.

Only small JSON files and the headers of the safetensors files are read, so this takes
milliseconds for any size and needs no model library.
"""

from glm4v_tui.checkpoint.kind import context_length, loadable_model_types, read_config
from glm4v_tui.checkpoint.problem import Problem
from glm4v_tui.checkpoint.report import CheckpointReport, inspect_checkpoint
from glm4v_tui.checkpoint.source import (
    MAIN,
    ModelSource,
    cached_snapshot,
    hub_name,
    is_hub_id,
    resolve_model,
)
from glm4v_tui.checkpoint.weight_file import TensorEntry
from glm4v_tui.checkpoint.weights import tensor_bytes, tensor_entries

__all__ = [
    "MAIN",
    "CheckpointReport",
    "ModelSource",
    "Problem",
    "TensorEntry",
    "cached_snapshot",
    "context_length",
    "hub_name",
    "inspect_checkpoint",
    "is_hub_id",
    "loadable_model_types",
    "read_config",
    "resolve_model",
    "tensor_bytes",
    "tensor_entries",
]
