"""Failures of a checkpoint's files and kind."""

from __future__ import annotations

from glm4v_tui.diagnosis.row import Row
from glm4v_tui.errors import CheckpointError

CHECKPOINT_ROWS = (
    Row(
        "unknown-architecture",
        r"does not recognize this architecture|Unrecognized configuration class"
        r"|Unrecognized model in",
        "Unknown kind of model",
        "The installed transformers has no code for it: GLM-4.1V needs 4.53, GLM-4.6V-Flash 5.0. "
        "Or it is no vision-language model.",
        "Update transformers (pip install -U transformers), or choose a vision-language model. "
        "GLM-4V-9B's original folder loads as it is.",
        CheckpointError,
    ),
    Row(
        "package-missing",
        r"packages that were not found in your environment"
        r"|requires the .{1,40} library but it was not",
        "A Python package that this model needs is missing",
        "Something that reads its images or its tokens is not installed.",
        "Install the package that the message names beside glm4v-tui (pip install torchvision, "
        "for one); glm4v-tui doctor says which of its own are missing.",
    ),
    Row(
        "weight-file-damaged",
        r"SafetensorError|HeaderTooLarge|InvalidHeader|MetadataIncompleteBuffer"
        r"|InvalidHeaderDeserialization",
        "A weight file is damaged",
        "It was cut off, or something else was written into it.",
        "glm4v-tui doctor MODEL says which; glm4v-tui model verify MODEL --mend fetches it again.",
        CheckpointError,
    ),
    Row(
        "sizes-differ",
        r"You set `ignore_mismatched_sizes`|size mismatch for|mismatched keys",
        "The weights do not belong to this model",
        "config.json and the weight files are of different models or versions.",
        "Download the checkpoint again; config.json and weights must be of one version.",
        CheckpointError,
    ),
    Row(
        "weights-missing",
        r"no file named .*safetensors",
        "The weights are missing",
        "The folder has no weight files that transformers looks for.",
        "glm4v-tui model pull MODEL fetches them; or copy the *.safetensors files into the folder.",
        CheckpointError,
    ),
    Row(
        "file-forbidden",
        r"PermissionError: .*Permission denied|Read-only file system",
        "A file or folder may not be read or written",
        "It belongs to somebody else, or its disk is mounted for reading only.",
        "Check whose it is. HF_HOME puts the hub's cache elsewhere, GLM4V_TUI_HOME this program's "
        "own files.",
    ),
)
