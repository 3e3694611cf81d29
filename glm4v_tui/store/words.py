"""Text as the index has it, and what users look for as the index understands it."""

from __future__ import annotations

import re

from glm4v_tui.plain import plain_line, plain_text

_ALONE = re.compile(
    "["
    "\u3040-\u30ff"  # kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
    "\uac00-\ud7af"  # Hangul syllables
    "]"
)
"""Letters of scripts without spaces between their words: each is a word of the index."""


def index_text(text: str) -> str:
    """Text with these letters apart, and nothing that a terminal would obey."""
    return _ALONE.sub(r" \g<0> ", plain_text(text))


def index_query(wanted: str) -> str:
    """An FTS5 query for texts that have all these words, each perhaps only begun.

    Returns:
        "" when there is no word in it.
    """
    phrases = [" ".join(index_text(word).split()) for word in wanted.split()]
    known = [phrase for phrase in phrases if any(letter.isalnum() for letter in phrase)]
    return " AND ".join('"{}" *'.format(phrase.replace('"', '""')) for phrase in known)


def excerpt(text: str, wanted: str, width: int = 90) -> str:
    """One line of the text around the first of these words; its beginning if none is in it."""
    line = " ".join(plain_line(text).split())
    found = [line.casefold().find(word.casefold()) for word in wanted.split()]
    at = min((place for place in found if place >= 0), default=0)
    start = max(0, at - width // 3)
    before, after = ("…" if start else ""), ("…" if len(line) > start + width else "")
    return f"{before}{line[start : start + width]}{after}"
