"""What makes a folder of the type ``chatglm`` a GLM-4V-9B or GLM-4-9B that can be loaded.

ChatGLM of all years have that one type. Those before GLM-4 differ in tokenizer and chat format;
GLM-4's tokenizer is a text file in tiktoken's form, theirs a binary one of SentencePiece.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from glm4v_tui.checkpoint.problem import Problem
from glm4v_tui.checkpoint.weight_file import is_lfs_pointer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHATGLM = "chatglm"
_TOKENIZER = "tokenizer.model"
_TOKENIZER_CONFIG = "tokenizer_config.json"
_LINE = re.compile(rb"[A-Za-z0-9+/]+=* \d+\r?\n")
"""A token in base 64 and its number."""
_KEYS = ("num_layers", "padded_vocab_size", "hidden_size", "ffn_hidden_size", "kv_channels",
         "num_attention_heads", "layernorm_epsilon", "pad_token_id", "eos_token_id")  # fmt: skip
_VISION_KEYS = ("hidden_size", "num_hidden_layers", "num_heads", "intermediate_size", "image_size",
                "patch_size", "num_positions", "scaling_factor")  # fmt: skip


def chatglm_problem(config: dict[str, Any]) -> Problem | None:
    """Why a config of this type describes no GLM-4; None when it does."""
    vision = config.get("vision_config")
    lacking = [key for key in _KEYS if config.get(key) is None]
    if isinstance(vision, dict):
        lacking += [f"vision_config.{key}" for key in _VISION_KEYS if vision.get(key) is None]
        lacking += [key for key in ("boi_token_id", "eoi_token_id") if config.get(key) is None]
    other = [
        key
        for key, wanted in (
            ("rmsnorm", True), ("post_layer_norm", True), ("add_bias_linear", False),
            ("apply_residual_connection_post_layernorm", False),
        )
        if config.get(key, wanted) is not wanted
    ]  # fmt: skip
    if not lacking and not other:
        return None
    reason = f"lacks {', '.join(lacking)}" if lacking else f"sets {', '.join(other)} differently"
    return Problem(
        "This is not a GLM-4",
        f"Its config.json is of the type chatglm but {reason}.",
        "Use the original folder of GLM-4V-9B or GLM-4-9B, or a newer model of the family such as "
        "zai-org/GLM-4.1V-9B-Thinking.",
    )


def chatglm_companion_problems(folder: Path) -> Iterator[Problem]:
    """The image processor's settings and the chat template are no files here: they are known."""
    file = folder / _TOKENIZER
    if not file.is_file():
        yield Problem(
            "The tokenizer is missing",
            f"{folder} has no {_TOKENIZER}.",
            f"Copy or download {_TOKENIZER} from the same checkpoint.",
        )
    elif is_lfs_pointer(file):
        yield Problem(
            f"{_TOKENIZER} was not fetched",
            f"{file} is a Git LFS pointer, not the tokenizer.",
            "Run: git lfs pull",
        )
    elif not _is_tiktoken(file):
        yield Problem(
            f"{_TOKENIZER} is not a GLM-4's",
            f"{file} is not in the form of tiktoken; ChatGLM before GLM-4 has another tokenizer.",
            f"Copy {_TOKENIZER} from the same checkpoint, or choose GLM-4V-9B or a newer model.",
        )
    yield from _config_problems(folder / _TOKENIZER_CONFIG)


def _config_problems(file: Path) -> Iterator[Problem]:
    try:
        is_object = isinstance(json.loads(file.read_text(encoding="utf-8")), dict)
        reason = "" if is_object else f"{file} holds no object."
    except FileNotFoundError:
        reason = f"{file} does not exist."
    except (OSError, ValueError) as error:
        reason = f"{file}: {error}"
    if reason:
        yield Problem(
            f"{_TOKENIZER_CONFIG} cannot be read",
            reason,
            "Copy or download this file from the same checkpoint.",
        )


def _is_tiktoken(file: Path) -> bool:
    with file.open("rb") as stream:
        return _LINE.fullmatch(stream.readline(1024)) is not None
