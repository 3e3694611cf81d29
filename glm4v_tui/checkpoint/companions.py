"""The files without which weights cannot chat: tokenizer, image processor, chat template."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from glm4v_tui.checkpoint.chatglm import CHATGLM, chatglm_companion_problems
from glm4v_tui.checkpoint.problem import COPY_AGAIN, Problem
from glm4v_tui.checkpoint.weight_file import is_lfs_pointer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "tekken.json", "spiece.model")
PROCESSOR_FILES = ("processor_config.json", "preprocessor_config.json")
SETTINGS_FILES = (*PROCESSOR_FILES, "tokenizer_config.json", "generation_config.json")
TEMPLATE_FILES = ("chat_template.jinja", "chat_template.json")


def companion_problems(folder: Path, model_type: str) -> Iterator[Problem]:
    if model_type == CHATGLM:
        yield from chatglm_companion_problems(folder)
        return
    yield from _tokenizer_problems(folder)
    yield from settings_problems(folder)
    if not _has_any(folder, PROCESSOR_FILES):
        yield Problem(
            "The image processor's settings are missing",
            f"{folder} has neither {PROCESSOR_FILES[0]} nor {PROCESSOR_FILES[1]}.",
            "Copy or download them from the same checkpoint.",
        )
    if not _has_chat_template(folder):
        yield Problem(
            "The chat template is missing",
            f"{folder} does not say how a conversation is written for this model; it may be a "
            "base model that was not trained to chat.",
            f"Copy {TEMPLATE_FILES[0]} from the same checkpoint, or choose a chat model.",
        )


def settings_problems(folder: Path) -> Iterator[Problem]:
    """Settings files that are there and cannot be read."""
    for name in SETTINGS_FILES:
        file = folder / name
        try:
            is_object = isinstance(json.loads(file.read_text(encoding="utf-8")), dict)
            reason = "" if is_object else "it holds no object"
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            reason = str(error)
        if reason:
            yield Problem(f"{name} cannot be read", f"{file}: {reason}.", COPY_AGAIN)


def _tokenizer_problems(folder: Path) -> Iterator[Problem]:
    present = [folder / name for name in TOKENIZER_FILES if (folder / name).is_file()]
    if not present:
        yield Problem(
            "The tokenizer is missing",
            f"{folder} has none of {', '.join(TOKENIZER_FILES[:3])}.",
            "Copy or download the tokenizer files from the same checkpoint.",
        )
    for file in present:
        if is_lfs_pointer(file):
            yield Problem(
                f"{file.name} was not fetched",
                f"{file} is a Git LFS pointer, not the tokenizer.",
                "Run: git lfs pull",
            )
        elif file.suffix == ".json" and not _is_closed(file):
            yield Problem(
                f"{file.name} is truncated",
                f"{file} does not end as a JSON object does.",
                COPY_AGAIN,
            )


def _is_closed(file: Path) -> bool:
    """Whether a JSON object has its last brace. A tokenizer is too large to be read for this."""
    with file.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - 64))
        return stream.read().rstrip().endswith(b"}")


def _has_any(folder: Path, names: tuple[str, ...]) -> bool:
    return any((folder / name).is_file() for name in names)


def _has_chat_template(folder: Path) -> bool:
    if _has_any(folder, TEMPLATE_FILES) or (folder / "additional_chat_templates").is_dir():
        return True
    for name in ("tokenizer_config.json", *PROCESSOR_FILES):
        try:
            if json.loads((folder / name).read_text(encoding="utf-8")).get("chat_template"):
                return True
        except (OSError, ValueError, AttributeError):
            continue
    return False
