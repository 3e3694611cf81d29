"""Telling thinking from answer, at every point of its growth."""

import pytest

from glm4v_tui.chat import Answer, Attachment, Box, split_answer


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        ("", Answer("", "", False)),
        ("A cat.", Answer("", "A cat.", False)),
        ("\n\nA cat.\n", Answer("", "A cat.", False)),
        ("<think>fur</think><answer>A cat.</answer>", Answer("fur", "A cat.", False)),
        ("\n<think>\nfur\n</think>\n<answer>\nA cat.\n</answer>", Answer("fur", "A cat.", False)),
        ("<think>fur, ears", Answer("fur, ears", "", True)),
        ("<think>", Answer("", "", True)),
        ("<think></think>A cat.", Answer("", "A cat.", False)),
        ("<think>a</think>b</think>c", Answer("a", "b</think>c", False)),
        ("Write <think> for that.", Answer("", "Write <think> for that.", False)),
        ("<|begin_of_box|>42<|end_of_box|>", Answer("", "42", False)),
        ("<think>6*7</think><|begin_of_box|>42<|end_of_box|>.", Answer("6*7", "42.", False)),
        ("    code, indented", Answer("", "    code, indented", False)),
    ],
)  # fmt: skip
def test_thinking_and_answer_are_told_apart(raw, answer):
    assert split_answer(raw) == answer


MARKS = ("<think>", "</think>", "<answer>", "</answer>", "<|begin_of_box|>", "<|end_of_box|>")


@pytest.mark.parametrize(
    "raw",
    [
        "<think>fur, ears</think><answer>A cat.</answer>",
        "<think>fur</think>\n<answer>It is <|begin_of_box|>42<|end_of_box|>.</answer>",
        "<answer>1 < 2 and <b> stays</answer>",
    ],
)
def test_while_it_grows_a_mark_is_never_half_shown(raw):
    """Marks come in several tokens: a piece of one would flicker on the screen."""
    for cut in range(len(raw) + 1):
        answer = split_answer(raw[:cut], is_complete=False)
        shown = answer.text + answer.thinking
        assert not any(
            shown.endswith(mark[:length]) for mark in MARKS for length in range(2, len(mark))
        ), (raw[:cut], answer)


def test_what_is_shown_while_it_grows_is_never_taken_back():
    raw = "<think>fur, ears</think><answer>A cat,\nor <|begin_of_box|>42<|end_of_box|>.</answer>"
    shown = ""
    for cut in range(len(raw) + 1):
        text = split_answer(raw[:cut], is_complete=False).text
        assert text.startswith(shown.rstrip("\n"))
        shown = text


@pytest.mark.parametrize("raw", ["1 <", "a <answ", "<thi", "x</think"])
def test_the_end_of_a_whole_answer_is_shown_even_when_it_looks_like_a_mark(raw):
    assert split_answer(raw).text == raw
    assert split_answer(raw, is_complete=False).text == raw[: raw.index("<")]


def test_the_key_of_an_image_is_its_content_and_its_part():
    whole = Attachment("/a.png", "aa", 9, 9)
    part = Attachment("/a.png", "aa", 2, 2, Box(1, 1, 3, 3))
    moved = Attachment("/elsewhere.png", "aa", 9, 9)
    assert whole.key == moved.key != part.key
    assert part.key != Attachment("/a.png", "aa", 2, 2, Box(1, 1, 3, 4)).key
    assert (part.crop.width, part.crop.height) == (2, 2)
