"""What has been written of a result so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLOSES = {"{": "}", "[": "]"}
_SURROGATES = 12
"""Characters of the longest escape, two surrogates: until the last one it is no text."""


def written_so_far(text: str) -> Any:
    r"""The JSON value that begins here, with what is missing at its end left out or closed.

    A text that is being written is there as far as it goes; a number or word only once something
    follows it, so that no digit is shown that is not the last.

    Returns:
        JSON values; None while there is nothing to show.
    """
    for whole in _endings(text):
        try:
            return msgspec.json.decode(whole)
        except (msgspec.DecodeError, RecursionError):
            continue
    return None


def _endings(text: str) -> Iterator[str]:
    """The text closed at its end, then where it last was sure to make sense."""
    stack: list[str] = []
    begun: int | None = None
    """Where the text begins that is being written."""
    is_escaped = False
    sure = 0
    """Length after the last whole value; what is open there is open at the end as well."""
    for at, character in enumerate(text):
        if begun is not None:
            if is_escaped or character == "\\":
                is_escaped = not is_escaped
            elif character == '"':
                begun = None
        elif character == '"':
            begun = at + 1
        elif character in "{[}],":
            if character in _CLOSES:
                stack.append(_CLOSES[character])
            elif character != "," and stack:
                stack.pop()
            sure = at + (character != ",")
    closing = "".join(reversed(stack))
    if begun is not None:
        for end in range(len(text), max(begun, len(text) - _SURROGATES) - 1, -1):
            yield f'{text[:end]}"{closing}'
    elif not stack or text[-1:].isspace() or text[-1:] in tuple('"}]'):
        yield text + closing
    yield text[:sure] + closing
