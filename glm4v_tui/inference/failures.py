"""What a model library's exception means to a user: title, reason, remedy.

The libraries tell failures apart by wording more than by class, so most of the table goes by
text. A row's words are those of transformers 5, torch 2.11+ and huggingface_hub 1+.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from glm4v_tui.errors import CheckpointError, EngineError, GlmError, ImageError, OutOfMemoryError


class _Row(NamedTuple):
    words: str
    """A regular expression looked for in ``ClassName: text``."""
    error: type[GlmError]
    title: str
    remedy: str


_GPU_REMEDY = (
    "Ask about a smaller image or a crop, start a new conversation, or end other programs on the "
    "GPU. If it happens on every question, use a smaller model."
)
_HUB_REMEDY = (
    "Check the connection (behind a mirror, set HF_ENDPOINT), download the model elsewhere and "
    "name its folder, or choose one that is in the cache already."
)

_TABLE = (
    _Row(r"CUDA out of memory|CUDA error: out of memory|CUBLAS_STATUS_ALLOC_FAILED",
         OutOfMemoryError, "The GPU's memory did not suffice", _GPU_REMEDY),
    _Row(r"^(MemoryError|OutOfMemoryError)|not enough memory|can't allocate memory"
         r"|Cannot allocate memory|bad_alloc",
         OutOfMemoryError, "The memory did not suffice",
         "Ask about a smaller image or a crop, start a new conversation, or end other programs."),
    _Row(r"requires you to execute custom code|trust_remote_code",
         CheckpointError, "This model needs code of its own",
         "This program never runs code that comes with a checkpoint. Choose a checkpoint that "
         "transformers supports by itself."),
    _Row(r"does not recognize this architecture|Unrecognized configuration class"
         r"|Unrecognized model in",
         CheckpointError, "Unknown kind of model",
         "Update transformers (pip install -U transformers), or choose a vision-language model."),
    _Row(r"SafetensorError|HeaderTooLarge|InvalidHeader|MetadataIncompleteBuffer",
         CheckpointError, "A weight file is damaged",
         "glm4v-tui doctor says which; copy or download it again."),
    _Row(r"You set `ignore_mismatched_sizes`|size mismatch|mismatched keys",
         CheckpointError, "The weights do not belong to this model",
         "Download the checkpoint again; config.json and weights must be of one version."),
    _Row(r"no file named .*safetensors",
         CheckpointError, "The weights are missing",
         "Download or copy the *.safetensors files into the folder."),
    _Row(r"^RepositoryNotFound|is not a valid model identifier",
         CheckpointError, "The hub has no such model",
         "Check the hub id; GLM models moved from THUDM to zai-org. A private one needs: "
         "hf auth login"),
    _Row(r"GatedRepo|gated repo|Access to model .* is restricted",
         CheckpointError, "The hub does not give out this model without an account",
         "Accept its licence on the hub's page, then run: hf auth login"),
    _Row(r"OfflineModeIsEnabled|outgoing traffic has been disabled|HF_HUB_OFFLINE",
         CheckpointError, "The model is not in the cache, and the hub is switched off",
         "Unset HF_HUB_OFFLINE and TRANSFORMERS_OFFLINE to download it, or name a folder."),
    _Row(r"couldn't connect to|LocalEntryNotFound|ConnectError|ConnectTimeout|ReadTimeout"
         r"|ProxyError|Name or service not known|Temporary failure in name resolution",
         CheckpointError, "The hub cannot be reached", _HUB_REMEDY),
    _Row(r"No space left on device",
         CheckpointError, "The disk is full",
         "Make room, or set HF_HOME to a folder on a larger disk; the download goes on where it "
         "stopped."),
    _Row(r"Found no NVIDIA driver|driver on your system is too old|CUDA driver version"
         r"|no CUDA-capable device|Torch not compiled with CUDA",
         EngineError, "The GPU cannot be used",
         "Check nvidia-smi and the driver (glm4v-tui doctor tells), or start with --device cpu."),
    _Row(r"no kernel image is available",
         EngineError, "The installed torch has no code for this GPU",
         "Install a torch build for it, or start with --device cpu."),
    _Row(r"should be the same|expected scalar type|not implemented for '(Half|BFloat16)'",
         EngineError, "This device cannot compute in this precision",
         "Start with --precision fp32, or with --device cpu."),
    _Row(r"packages that were not found in your environment|requires the .* library but it was not",
         EngineError, "A Python package that this model needs is missing",
         "Install the package that the message names, beside glm4v-tui."),
    _Row(r"Image features and image tokens do not match|Mismatch in `image` token count",
         EngineError, "Text and images of the prompt do not fit together",
         "Start a new conversation; a question must not spell the model's own image tokens."),
    _Row(r"absolute aspect ratio must be smaller",
         ImageError, "An image is too long and thin for this model",
         "Ask about a crop of it (F2, then c)."),
    _Row(r"TemplateError|UndefinedError|raise_exception",
         EngineError, "The model's chat template refuses this conversation",
         "Start a new conversation without a system prompt."),
)  # fmt: skip

_MAX_REASON = 600
_FATAL = r"device-side assert|illegal memory access|CUDA error: unspecified launch failure"


def explain(error: BaseException, doing: str) -> GlmError:
    """Put an exception into words.

    Args:
        doing: What was going on, for a title where the table has none: ``loading the model``.
    """
    if isinstance(error, GlmError):
        return error
    for cause in _chain(error):
        wording = f"{type(cause).__name__}: {cause}"
        for row in _TABLE:
            if re.search(row.words, wording):
                return row.error(row.title, _reason(cause), row.remedy)
    return EngineError(
        f"Something went wrong while {doing}",
        _reason(error),
        "The model's log has the details; please report it when it happens again.",
    )


def is_fatal(error: BaseException) -> bool:
    """True when this process can compute no more: a CUDA context does not survive a fault."""
    return any(re.search(_FATAL, str(cause)) for cause in _chain(error))


def _chain(error: BaseException) -> list[BaseException]:
    """An exception and what led to it, the outermost first."""
    found: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in found:
        found.append(current)
        current = current.__cause__ or current.__context__
    return found


def _reason(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = " ".join(lines)
    if len(text) > _MAX_REASON:
        text = text[:_MAX_REASON].rsplit(" ", 1)[0] + " ..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
