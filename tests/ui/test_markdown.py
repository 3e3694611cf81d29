"""Markdown drawn while it grows: the same lines as when it is drawn whole."""

import itertools
import unicodedata

import pytest
from rich.cells import cell_len
from textual.theme import BUILTIN_THEMES

from glm4v_tui.ui.markdown import MarkdownLines, markdown_style, split_blocks

STYLE = markdown_style(BUILTIN_THEMES["textual-dark"])
WIDTH = 40


def draw(text, width=WIDTH, drawer=None):
    return (drawer or MarkdownLines()).draw(text, width, STYLE)


def look(strips):
    """What is seen of each line: its text and colors, without blanks at its end."""
    return [
        [(s.text, s.style) for s in strip.simplify() if s.text] for strip in map(_trimmed, strips)
    ]


def _trimmed(strip):
    return strip.crop(0, cell_len(strip.text.rstrip()))


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("", ""),
        ("one", "one"),
        ("one\ntwo", "one\ntwo"),
        ("one\n\ntwo", "two"),
        ("one\n\ntwo\n\n", "two\n\n"),
        ("one\n \t\ntwo", "two"),
        ("one\n\n\n\ntwo", "two"),
        ("# Head\n\ntext\n\n## Head", "## Head"),
        ("- one\n- two\n\n- three", "- one\n- two\n\n- three"),
        ("1. one\n\n2) two", "2) two"),
        ("1. one\n\n2. two", "1. one\n\n2. two"),
        ("- one\n\n  more of one", "- one\n\n  more of one"),
        ("- one\n\nafter", "after"),
        ("> one\n\n> two", "> two"),
        ("* one\n\n- two", "- two"),
        ("1. one\n\n2", "1. one\n\n2"),
        ("1. one\n\n20 cats", "20 cats"),
        ("# Head\n- one", "# Head\n- one"),
        ("> one\n\nafter", "after"),
        ("|a|b|\n|-|-|\n|1|2|\n\nafter", "after"),
        ("|a|\n|-|\n\n|b|", "|b|"),
        ("```\na\n\nb\n", "```\na\n\nb\n"),
        ("```\na\n\nb\n```\n\nafter", "after"),
        ("````\n```\n\nb\n```\n\nc\n````\n\nafter", "after"),
        ("~~~\n```\n\nb\n", "~~~\n```\n\nb\n"),
        ("```py\na\n```py\n\nb\n", "```py\na\n```py\n\nb\n"),
        ("- item\n\n  ```\n  a\n\nafter", "after"),
        ("- item\n  ```\n  a\n```\n\nin a fence", "- item\n  ```\n  a\n```\n\nin a fence"),
        ("    code\n\n    more\n\nafter", "after"),
        ("one\n\n**bold", "**bold"),
        ("one\n\n*emphasis*", "*emphasis*"),
        ("one\n\n-5 degrees", "-5 degrees"),
    ],
)
def test_the_last_block_begins_where_no_later_text_can_change_what_is_before(text, last):
    settled, growing = split_blocks(text)
    assert "".join(growing) == last
    assert "".join(settled + growing) == text


TEXTS = {
    "paragraphs": "One line\nand a second.\n\nAnother *paragraph* with **bold** and `code`.\n",
    "headings": "# One\n\ntext\n\n## Two\ntext\n\nUnder\n=====\n\nmore\n\n---\n\nend\n",
    "tight list": "Before:\n- one\n- two\n  - inner\n  - inner two\n- three\n\nAfter.\n",
    "loose list": "Before:\n\n- one\n\n- two\n\n  more of two\n\n- three\n\nAfter.\n",
    "numbers": "1. one\n2. two\n\n3. three\n   1. inner\n\n10. ten\n\nAfter.\n",
    "two lists": "- one\n\n* other\n\n1. first\n\nAfter.\n\n- new\n",
    "fence": "Code:\n\n```python\ndef f():\n\n    return 1\n```\n\nAfter.\n",
    "open fence": "Code:\n\n```\na\n\n# no head\n\n- no list\n",
    "long fence": "````\n```\n\na\n```\n\nb\n````\n\nAfter.\n",
    "fence in list": "- item\n\n  ```\n  a\n\n  b\n  ```\n\n- next\n\nAfter.\n",
    "open fence in list": "- item\n\n  ```\n  a\n\nAfter the list.\n\nAnd more.\n",
    "fence in quote": "> ```\n> a\n> ```\n\nAfter.\n\n> ```\n> b\n\nEnd.\n",
    "fence with words behind": "```a`b\n\ntext\n\n```\ncode\n```\n\nend\n",
    "fence not closed by words": "```py\na\n```py\n\nb\n```\n\nend\n",
    "indented code": "Text\n\n    a\n\n    b\n\nAfter.\n",
    "table": "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n\nAfter.\n\n| x |\n|---|\n| y |\n",
    "quote": "> one\n> two\n\n> three\n\nAfter.\n\n> lazy\ncontinued\n\nEnd.\n",
    "links": "See [a page](http://a.example/b).\n\n![image](c.png)\n\n<http://d.example>\n",
    "html": "Text\n\n<b>bold</b>\n\n<div>\n\nin it\n\n</div>\n\nEnd.\n",
    "wide": "日本語の文章はとても幅が広いので折り返す。\n\n- 項目一\n- 項目二\n\n終わり。🎲🎲\n",
    "long words": "x" * 100 + "\n\n" + "/a" * 60 + "\n\nend\n",
    "blank lines": "\n\n\none\n\n\n\n\ntwo\n\n\n",
    "windows": "one\r\n\r\ntwo\r\n\r\n- three\r\n",
    "breaks": "one  \ntwo\\\nthree\n\nfour\n",
    "fence closed too far left": "- item\n  ```\n  a\n```\n\nin it\n\nstill in it\n",
    "page of html": "<table>\n<tr><td>1</td></tr>\n\n<tr><td>2</td></tr></table>\n\nEnd.\n",
    "control entities": "a&#10;b &#27;[31m&#155; &#x202e;x &#9;y &#133; &#x2028;z &rlm;\n",
    "entities": "a &amp; b &lt;c&gt; &nbsp;d\n\n\\*no emphasis\\*\n",
}


@pytest.mark.parametrize("name", TEXTS)
def test_drawn_piece_by_piece_it_looks_as_drawn_whole(name):
    """At every cut point, however it came to be there."""
    text, growing, in_steps = TEXTS[name], MarkdownLines(), MarkdownLines()
    for cut in range(len(text) + 1):
        whole = look(draw(text[:cut]))
        assert look(draw(text[:cut], drawer=growing)) == whole, text[:cut]
        if cut % 7 == 0:
            assert look(draw(text[:cut], drawer=in_steps)) == whole, text[:cut]


@pytest.mark.parametrize(("one", "two"), list(itertools.pairwise(TEXTS)))
def test_blocks_of_every_kind_may_follow_each_other(one, two):
    text, growing = f"{TEXTS[one]}\nBetween.\n\n{TEXTS[two]}", MarkdownLines()
    for cut in [*range(0, len(text), 11), len(text)]:
        assert look(draw(text[:cut], drawer=growing)) == look(draw(text[:cut])), text[:cut]


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("width", [1, 2, 7, 40, 200])
def test_no_line_is_wider_than_there_is_room(name, width):
    for strip in draw(TEXTS[name], width):
        # A wide character has no place in one cell; whoever shows the line crops it.
        assert strip.cell_length <= max(width, 2), strip.text
        assert strip.cell_length == cell_len(strip.text)


@pytest.mark.parametrize("name", TEXTS)
def test_a_line_holds_one_line_and_no_control_characters(name):
    for strip in draw(TEXTS[name]):
        assert not any(unicodedata.category(c) == "Cc" for c in strip.text), repr(strip.text)
        assert not any(segment.control for segment in strip)


def test_html_is_shown_as_it_is():
    """Models that read documents answer with tables in HTML: nothing of it may be left out."""
    shown = "".join(strip.text for strip in draw(TEXTS["page of html"], 200))
    assert "<table> <tr><td>1</td></tr>" in shown
    assert "<tr><td>2</td></tr></table>" in shown
    assert draw("Use <kbd>x</kbd>")[0].text.rstrip() == "Use <kbd>x</kbd>"


def test_entities_cannot_turn_the_reading_order():
    for strip in draw(TEXTS["control entities"]):
        assert not set("\u202e\u2028\u200f\x9b\x1b") & set(strip.text), ascii(strip.text)


def test_what_is_settled_is_not_drawn_again():
    """The lines of earlier blocks stay the same objects: that is what makes growing cheap."""
    drawer, text = MarkdownLines(), "One.\n\n```py\nx = 1\n```\n\nTwo"
    before = draw(text, drawer=drawer)
    after = draw(text + " and more.\n\nThree", drawer=drawer)
    settled = len(draw("One.\n\n```py\nx = 1\n```\n\n"))
    assert all(a is b for a, b in zip(before[:settled], after[:settled], strict=True))


def test_another_width_style_or_text_is_drawn_anew():
    drawer, text = MarkdownLines(), "A `sentence` that is long enough to wrap.\n\nEnd."
    light = markdown_style(BUILTIN_THEMES["textual-light"])
    draw(text, drawer=drawer)
    assert look(draw(text, 12, drawer)) == look(draw(text, 12))
    assert look(drawer.draw(text, 12, light)) == look(MarkdownLines().draw(text, 12, light))
    assert look(draw("Other.\n\nText.", drawer=drawer)) == look(draw("Other.\n\nText."))


def test_the_style_of_a_theme_is_one_object():
    theme = BUILTIN_THEMES["nord"]
    assert markdown_style(theme) is markdown_style(theme)
    assert markdown_style(theme) is not STYLE


def test_links_are_words_not_sequences():
    for strip in draw(TEXTS["links"]):
        assert not any(segment.style and segment.style.link for segment in strip)
