"""What cannot be trusted is made harmless and stays readable."""

import re
import unicodedata

import pytest

from glm4v_tui.plain import plain_line, plain_text


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("plain text, täxt, 文字 🎲", "plain text, täxt, 文字 🎲"),
        ("a\tb\nc", "a\tb\nc"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[38;2;1;2;3mred\x1b[6n\x1b[?1049h", "red"),
        ("\x9b31mred", "red"),
        ("a\x1b]0;title\x07b", "ab"),
        ("a\x1b]52;c;cGF5bG9hZA==\x1b\\b", "ab"),
        ("a\x1bP1$r\x1b\\b\x1b_Gq\x1b\\c", "abc"),
        ("a\x1b(Bb\x1bcc\x1b", "abc"),
        ("a\x00\x08\x7f\x85b", "ab"),
        ("a\u202egnp.txt\u2069", "agnp.txt"),
        ("a\u2028b\ufeff", "ab"),
        ("e\u0301 \u200d", "e\u0301 \u200d"),
    ],
)
def test_what_moves_the_cursor_goes_and_the_rest_stays(text, plain):
    assert plain_text(text) == plain


def test_bytes_of_a_name_that_are_no_text_keep_their_number():
    assert (
        plain_text(b"caf\xe9\xff.png".decode("utf-8", "surrogateescape")) == "caf\ufffd\ufffd.png"
    )


def test_a_line_is_one_line():
    assert plain_line("a\tb\nc\r\nd\u2029e") == "a b c de"


@pytest.mark.parametrize("before", ["", "x", "\x1b", "\x1b[", "\x1b]", "\x9b", "\x1bP"])
def test_nothing_that_a_terminal_obeys_is_left(before):
    """Every character there is below the surrogates, behind every beginning of a sequence."""
    for code in range(0x3000):
        plain = plain_text(before + chr(code) + "31m" + chr(code))
        left = [c for c in plain if unicodedata.category(c) == "Cc" and c not in "\t\n"]
        assert not left, (before, code, plain)
        assert not re.search("[\u202a-\u202e\u2066-\u2069]", plain)


@pytest.mark.parametrize(
    "text",
    ["a\x1b[\x1b[31mmb", "\x1b\x1b]0;x\x07", "\x1b\x9b31m", "a\x1b]0;no end", "\x1b[3\x001m"],
)
def test_taking_it_twice_is_taking_it_once(text):
    assert plain_text(plain_text(text)) == plain_text(text)
