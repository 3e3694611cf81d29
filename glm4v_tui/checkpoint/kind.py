"""Which kind of model a folder holds, and whether the installed transformers knows it."""

from __future__ import annotations

import importlib.util
import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from glm4v_tui.checkpoint.chatglm import CHATGLM, chatglm_problem
from glm4v_tui.checkpoint.problem import COPY_AGAIN, Problem

CONFIG = "config.json"


def context_length(config: dict[str, Any]) -> int | None:
    """Tokens a model was made for, from its ``config.json``; None when that does not say."""
    text = config.get("text_config") or config.get("language_config") or config
    for values in (text, config):
        for key in ("max_position_embeddings", "seq_length", "max_sequence_length"):
            if isinstance(length := values.get(key), int):
                return length
    return None


@lru_cache(maxsize=1)
def loadable_model_types() -> frozenset[str] | None:
    """The model types that the installed transformers can load for images and text.

    Read from its source text, because importing it takes seconds. None when not to be found out.
    """
    spec = importlib.util.find_spec("transformers")
    if spec is None or spec.origin is None:
        return None
    source = Path(spec.origin).parent / "models" / "auto" / "modeling_auto.py"
    try:
        text = source.read_text(encoding="utf-8")
    except OSError:
        return None
    table = re.search(
        r"^MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES = OrderedDict\((.*?)^\)", text, re.M | re.S
    )
    return frozenset(re.findall(r'\(\s*"([^"]+)",', table[1])) if table else None


def read_config(folder: Path) -> dict[str, Any] | Problem:
    """The folder's ``config.json``, or why there is none."""
    if not folder.is_dir():
        return Problem(
            "There is no such model folder", f"{folder} is not a folder.", "Check the path."
        )
    file = folder / CONFIG
    if not file.is_file():
        return _no_config(folder)
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return Problem(f"{CONFIG} cannot be read", f"{file}: {error}", COPY_AGAIN)
    if not isinstance(config, dict):
        return Problem(f"{CONFIG} cannot be read", f"{file} holds no object.", COPY_AGAIN)
    return config


def _no_config(folder: Path) -> Problem:
    if (folder / "adapter_config.json").is_file():
        return Problem(
            "This folder holds an adapter, not a model",
            f"{folder} has adapter_config.json and no {CONFIG}.",
            "Merge the adapter into its base model and name the folder of the result.",
        )
    if any(folder.glob("*.gguf")):
        return Problem(
            "GGUF files are not supported",
            f"{folder} holds GGUF weights, which are made for llama.cpp.",
            "Name the folder or hub id of the original safetensors checkpoint.",
        )
    return Problem(
        "This folder holds no model",
        f"{folder} has no {CONFIG}.",
        "Name the folder that holds config.json and the safetensors files.",
    )


def kind_problem(config: dict[str, Any]) -> Problem | None:
    """Why a model of this kind cannot be loaded at all; None when it can."""
    kind = str(config.get("model_type", ""))
    known = loadable_model_types()
    if not kind:
        return Problem(
            f"{CONFIG} names no kind of model",
            f"It has no model_type; it may be of another program, or only a part of {CONFIG}.",
            COPY_AGAIN,
        )
    if kind == CHATGLM:
        return chatglm_problem(config)
    if known is not None and kind not in known:
        return _unknown_kind(kind, has_code="auto_map" in config)
    return None


def _unknown_kind(kind: str, *, has_code: bool) -> Problem:
    if has_code:
        return Problem(
            "This model needs code of its own",
            f"The installed transformers does not know the model type {kind!r}; the checkpoint "
            "brings Python code for it, which this program never runs.",
            "Choose a checkpoint that transformers supports by itself, or update transformers.",
        )
    return Problem(
        "Unknown kind of model",
        f"The installed transformers has no vision-language model of type {kind!r}.",
        "Update transformers (pip install -U transformers), or choose a vision-language model.",
    )
