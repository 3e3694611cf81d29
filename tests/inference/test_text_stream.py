from __future__ import annotations

import random

import pytest

from glm4v_tui.inference.text_stream import TextStream


def from_bytes(ids: list[int]) -> str:
    """A decoder whose tokens are single bytes."""
    return bytes(ids).decode("utf-8", errors="replace")


def pieces(stream: TextStream, ids: list[int]) -> list[str]:
    return [*(stream.feed(token) for token in ids), stream.rest()]


@pytest.mark.parametrize("text", ["plain", "naïve", "猫と犬", "ok 😀🎉 done", "👩\u200d🔬"])
def test_pieces_join_to_the_text_and_never_show_half_a_character(text: str) -> None:
    told = pieces(TextStream(from_bytes, frozenset()), list(text.encode()))
    assert "".join(told) == text
    assert not any("\ufffd" in piece for piece in told)


def test_a_character_comes_with_its_last_byte() -> None:
    stream = TextStream(from_bytes, frozenset())
    assert [stream.feed(byte) for byte in "é!".encode()] == ["", "é", "!"]


def test_hidden_tokens_leave_no_text() -> None:
    stream = TextStream(from_bytes, frozenset({ord("#")}))
    assert "".join(pieces(stream, list(b"a#b#"))) == "ab"


def test_an_answer_cut_inside_a_character_shows_that_something_is_missing() -> None:
    assert "".join(pieces(TextStream(from_bytes, frozenset()), list("ab😀".encode())[:-1])) == (
        "ab\ufffd"
    )


def test_bytes_that_are_no_text_do_not_hold_up_what_follows() -> None:
    stream = TextStream(from_bytes, frozenset())
    told = [stream.feed(byte) for byte in b"\x80" * 40 + b"end"]
    assert "".join(told).endswith("end")
    assert "".join(told[:20]).count("\ufffd") >= 17  # at most three are held back


def test_a_long_answer_joins_to_what_decoding_all_at_once_gives() -> None:
    choose = random.Random(0)
    ids = list("".join(choose.choice("a é猫😀") for _ in range(500)).encode())
    told = pieces(TextStream(from_bytes, frozenset()), ids)
    assert "".join(told) == from_bytes(ids)


def test_the_cost_of_a_token_does_not_grow_with_the_answer() -> None:
    lengths: list[int] = []

    def decode(ids: list[int]) -> str:
        lengths.append(len(ids))
        return from_bytes(ids)

    pieces(TextStream(decode, frozenset()), list(b"x" * 1000))
    assert max(lengths) < 50


def test_a_decoder_that_drops_a_leading_space_loses_none() -> None:
    words = ["one", "two", "three"] * 40

    def decode(ids: list[int]) -> str:
        return "".join(f" {words[i]}" for i in ids)[1:]

    told = pieces(TextStream(decode, frozenset()), list(range(len(words))))
    assert "".join(told) == " ".join(words)
