"""Conversations to token ids, as GLM-4V-9B was trained on them.

``[gMASK]<sop>``, then for each message ``<|role|>``, its metadata, a line break and its content;
at the end ``<|assistant|>`` with nothing behind. Metadata and content are tokenized apart, so no
token reaches across that line break, which a template of text could not say. An image is begin,
``<|endoftext|>``, end, and stands where it stands in the content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Turns = Sequence[dict[str, Any]]

OPENING = ("[gMASK]", "<sop>")
IMAGE = ("<|begin_of_image|>", "<|endoftext|>", "<|end_of_image|>")
_ANSWER = "<|assistant|>"
_ROLES = frozenset({"system", "user", "assistant", "observation"})


class Special(str):
    """A special token among pieces of plain text."""

    __slots__ = ()


def chat_pieces(turns: Turns, *, add_generation_prompt: bool) -> Iterator[str]:
    """A conversation in pieces that are tokenized one by one.

    Args:
        turns: ``role`` and ``content``: a text, or parts of type ``text`` and ``image``. A turn
            may have ``metadata``, and an ``image`` that goes before a content of text.

    Raises:
        ValueError: a role that the model does not know.
    """
    yield from map(Special, OPENING)
    for turn in turns:
        if (role := turn["role"]) not in _ROLES:
            raise ValueError(f"{role!r} is no role of this model.")
        if parts := _parts(turn):
            yield Special(f"<|{role}|>")
            yield f"{turn.get('metadata', '')}\n"
            for part in parts:
                yield from map(Special, IMAGE) if part["type"] == "image" else (part["text"],)
    if add_generation_prompt:
        yield Special(_ANSWER)


def chat_images(turns: Turns) -> list[Any]:
    """The pictures of a conversation, in order."""
    parts = (part for turn in turns for part in _parts(turn) if part["type"] == "image")
    return [part["image"] for part in parts]


def chat_ids(pieces: Iterator[str], tokenizer: Any) -> list[int]:
    """Token ids; an image has three here."""
    encode: Callable[[str], list[int]] = lambda text: tokenizer.encode(  # noqa: E731
        text, add_special_tokens=False
    )
    ids: list[int] = []
    for piece in pieces:
        if isinstance(piece, Special):
            ids.append(tokenizer.convert_tokens_to_ids(str(piece)))
        else:
            ids += encode(piece)
    return ids


def _parts(turn: dict[str, Any]) -> list[dict[str, Any]]:
    """A turn's content without what is empty; nothing for a turn that says nothing."""
    content = turn.get("content") or ""
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
        if turn.get("image") is not None:
            content.insert(0, {"type": "image", "image": turn["image"]})
    return [part for part in content if part["type"] == "image" or part["text"]]
