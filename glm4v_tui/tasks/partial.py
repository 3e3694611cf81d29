"""What has been written of a result so far."""

from __future__ import annotations

import re
from typing import Any

import msgspec

_CLOSES = {"{": "}", "[": "]"}
_ENDS_BARE = re.compile(r"[\s,\]}]")
_CUT_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")


def written_so_far(text: str) -> Any:
    """The JSON value that begins here, with what is missing at its end left out or closed.

    A text that is being written is there as far as it goes; a number or word only once something
    follows it, so that no digit is shown that is not the last.

    Returns:
        JSON values; None while there is nothing to show.
    """
    for end in _ends(text):
        try:
            return msgspec.json.decode(end)
        except (msgspec.DecodeError, RecursionError):
            continue
    return None


def _ends(text: str) -> tuple[str, ...]:
    """The text closed at its end, then closed where it last was sure to make sense."""
    stack: list[str] = []
    is_text = is_escaped = False
    sure, sure_stack = 0, ""  # where a value had ended
    for at, character in enumerate(text):
        if is_text:
            if is_escaped or character == "\\":
                is_escaped = not is_escaped
            elif character == '"':
                is_text = False
            continue
        if character == '"':
            is_text = True
        elif character in _CLOSES:
            stack.append(_CLOSES[character])
            sure, sure_stack = at + 1, "".join(reversed(stack))
        elif character in "}]" and stack:
            stack.pop()
            sure, sure_stack = at + 1, "".join(reversed(stack))
        elif character == ",":
            sure, sure_stack = at, "".join(reversed(stack))
    closing = "".join(reversed(stack))
    fallback = text[:sure] + sure_stack
    if is_text:
        whole = _without_cut_escape(text, is_escaped) + '"'
        return whole + closing, fallback
    is_sure = not stack or text[-1:] in ('"', "}", "]") or bool(_ENDS_BARE.match(text[-1:]))
    return (text + closing, fallback) if is_sure else (fallback,)


def _without_cut_escape(text: str, is_escaped: bool) -> str:
    if is_escaped:
        return text[:-1]
    found = _CUT_ESCAPE.search(text)
    if found is None or len(found[0]) < 2:
        return text
    backslashes = len(text[: found.start() + 1]) - len(text[: found.start() + 1].rstrip("\\"))
    return text[: found.start()] if backslashes % 2 else text
