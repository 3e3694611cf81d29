"""A form as decoding sees it, with bytes for tokens: what it lets through, and random results."""

from __future__ import annotations

import random

from llguidance import LLMatcher, LLTokenizer

STYLE = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
_BYTES = LLTokenizer("byte")


def matcher(form: str) -> LLMatcher:
    made = LLMatcher(_BYTES, LLMatcher.grammar_from_json_schema(form, overrides=STYLE), log_level=0)
    assert not made.is_error(), made.get_error()
    return made


def lets_through(form: str, text: str) -> bool:
    """Whether the text is a whole result of the form."""
    data = list(text.encode("utf-8", "surrogatepass"))
    made = matcher(form)
    return made.try_consume_tokens(data) == len(data) and made.is_accepting()


def random_result(form: str, rng: random.Random, longest: int = 100_000) -> str:
    """A result whose every byte was drawn from those allowed, ended only where nothing else is."""
    made, written = matcher(form), bytearray()
    while len(written) < longest:
        bits = made.compute_bitmask()
        allowed = [byte for byte in range(256) if bits[byte // 8] >> byte % 8 & 1]
        if not allowed:
            break
        written.append(rng.choice(allowed))
        made.consume_token(written[-1])
    return written.decode()
