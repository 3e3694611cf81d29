"""The answer in a stream of chunks: its text, how it ended, what it took.

What a server tells apart as reasoning (``reasoning_content``: vLLM until 0.11, SGLang, llama.cpp,
LM Studio; ``reasoning``: newer vLLM, Ollama) is put between the marks that the models themselves
write (``<think>``), which the rest of this program reads.
"""

from __future__ import annotations

from typing import Any

import msgspec

from glm4v_tui.engine.protocol import UNCOUNTED, FinishReason, Usage

_DONE = b"[DONE]"
_OPEN, _CLOSE = "<think>", "</think>"


class NotAChunkError(Exception):
    """What came is not of this interface; says what it was."""


class ServerToldError(Exception):
    """An error object in the place of a chunk."""

    def __init__(self, message: object) -> None:
        super().__init__("the server told of an error")
        self.message = message


class Answer:
    """Grows by :meth:`take`."""

    def __init__(self) -> None:
        self.finish: str | None = None
        """The server's word for how it ended; None while it has not."""
        self.is_done = False
        """The server has said that nothing more comes."""
        self.characters = 0
        self._usage: dict[str, Any] = {}
        self._is_thinking = False

    def take(self, data: bytes) -> str:
        """The new text in one event's data; often empty.

        Raises:
            NotAChunkError: it is none.
            ServerToldError: it tells of a failure.
        """
        if data.strip() == _DONE:
            self.is_done = True
            return ""
        try:
            chunk = msgspec.json.decode(data)
        except (msgspec.DecodeError, RecursionError) as error:
            shown = data[:80].decode("utf-8", "replace")
            raise NotAChunkError(f"An event is not JSON: {shown}") from error
        return self.take_chunk(chunk)

    def take_chunk(self, chunk: object) -> str:
        """The same of a decoded chunk, or of a whole answer that was not streamed."""
        if not isinstance(chunk, dict):
            raise NotAChunkError("An event is no object.")
        if chunk.get("error") or chunk.get("object") == "error":
            raise ServerToldError(chunk)
        if isinstance(usage := chunk.get("usage"), dict):
            self._usage = usage
        choices = chunk.get("choices")
        if choices is None or choices == []:
            return ""
        if not isinstance(choices, list) or not isinstance(choices[0], dict):
            raise NotAChunkError("An event's choices are no list of objects.")
        return self._take_choice(choices[0])

    @property
    def is_over(self) -> bool:
        """It ended by itself: the server has said so, in one way or the other."""
        return self.is_done or self.finish is not None

    @property
    def reason(self) -> FinishReason:
        return FinishReason.LENGTH if self.finish == "length" else FinishReason.STOP

    @property
    def failure(self) -> str | None:
        """Why it is no whole answer though the server ended it; None when it is."""
        if self.finish == "content_filter":
            return "The server's filter has ended it."
        if self.finish in ("abort", "error"):
            return f"The server has ended it ({self.finish})."
        return None

    @property
    def usage(self) -> Usage:
        """By the server's count, where it tells one: pieces of text are no tokens. What images take
        of the prompt is told by nobody."""
        prompt, completion = self._count("prompt_tokens"), self._count("completion_tokens")
        if prompt is None or completion is None:
            return UNCOUNTED
        return Usage(prompt, None, completion)

    def _count(self, name: str) -> int | None:
        value = self._usage.get(name)
        return value if type(value) is int and value >= 0 else None

    def _take_choice(self, choice: dict[str, Any]) -> str:
        part = choice.get("delta") or choice.get("message") or {}
        if not isinstance(part, dict):
            raise NotAChunkError("An event's delta is no object.")
        thought = _text(part.get("reasoning_content")) or _text(part.get("reasoning"))
        text = self._thought(thought) + self._said(_text(part.get("content")))
        if isinstance(finish := choice.get("finish_reason"), str) and finish:
            self.finish = finish
        if text:
            self.characters += len(text)
        return text

    def _thought(self, text: str) -> str:
        if not text:
            return ""
        opened = "" if self._is_thinking else _OPEN
        self._is_thinking = True
        return opened + text

    def _said(self, text: str) -> str:
        if not text or not self._is_thinking:
            return text
        self._is_thinking = False
        return _CLOSE + text


def _text(value: object) -> str:
    """A text, or the texts in a list of parts.

    Raises:
        NotAChunkError: something else.
    """
    match value:
        case None:
            return ""
        case str():
            return value
        case list():
            return "".join(_text(one.get("text")) for one in value if isinstance(one, dict))
    raise NotAChunkError("A piece of the answer is no text.")
