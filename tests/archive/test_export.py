"""Conversations as files: whole, and harmless whatever was said."""

import json
import re
from html.parser import HTMLParser

import msgspec
import pytest
from PIL import Image

from glm4v_tui.archive.export.html import html
from glm4v_tui.archive.export.jsonl import jsonl
from glm4v_tui.archive.export.markdown import MarkdownFile, fenced, tamed
from glm4v_tui.archive.export.talk import talk_of
from glm4v_tui.archive.turns import Details
from glm4v_tui.engine.protocol import UNCOUNTED
from glm4v_tui.images import open_image
from glm4v_tui.store.chat_values import KeptChat, KeptTurn

EVIL = (
    "</div><script>alert(1)</script> <img src=x onerror=y> ![p](http://x/y) \x1b[31m\x9b31m\u202e"
)
CHAT = KeptChat(7, "c", f"title {EVIL}", 0.0, 0.0)


@pytest.fixture
def cat(tmp_path):
    path = tmp_path / "cat ](x) <b>'\"*.png"
    Image.radial_gradient("L").convert("RGB").resize((80, 60)).save(path)
    return open_image(path).attachment


@pytest.fixture
def talk(cat):
    gone = type(cat)("/no/where/dog.png", "bb" * 32, 5, 5)
    private = type(cat)("", "cc" * 32, 5, 5)
    return talk_of(
        CHAT,
        [
            KeptTurn(
                "1", f"What? {EVIL}", (cat, gone, private), state="done", raw=f"It is. {EVIL}"
            ),
            KeptTurn("2", "Task", call='{"task":"defect"}', state="done", raw='{"a": "</pre><b>"}'),
            KeptTurn("3", "Cut?", state="interrupted", raw="<think>so \x1b[2J</think>half"),
        ],
    )


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self.said = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.said.append(data)


def test_html_is_one_file_without_scripts_and_with_thumbnails(talk):
    page = html([talk])
    tags = Tags(page)
    names = {tag for tag, _ in tags.found}
    assert not names & {"script", "b", "iframe", "link", "a", "object"}
    images = [attrs for tag, attrs in tags.found if tag == "img"]
    assert [image["src"].partition(",")[0] for image in images] == ["data:image/jpeg;base64"]
    assert not any(name.startswith("on") for _, attrs in tags.found for name in attrs)
    said = "".join(tags.said)
    assert "<script>alert(1)</script>" in said  # told as what it is
    assert "dog.png (5×5): the file is gone" in said
    assert "place not kept (private task)" in said
    assert "The program ended before its answer was whole" in said
    assert not re.search("[\x1b\x9b\u202e]", page)


def test_markdown_has_its_images_beside(talk, tmp_path):
    folder = tmp_path / "talk images"
    text = MarkdownFile(folder).text([talk])
    (made,) = folder.iterdir()
    assert Image.open(made).size == (80, 60)
    assert f"](<talk%20images/{made.name}>)" in text
    assert text.count("](") == 1 + text.count("\\](")  # of the only image
    assert "<script" not in text.replace("\\<script", "")
    assert not re.search("[\x1b\x9b\u202e]", text)
    assert '```json\n{\n  "a": "</pre><b>"\n}\n```' in text


def test_markdown_without_a_file_names_its_images(talk):
    text = MarkdownFile(None).text([talk])
    assert "Image: cat" in text


def test_jsonl_has_no_tokens_that_nobody_counted():
    details = msgspec.json.encode(Details(usage=UNCOUNTED)).decode()
    turns = [
        KeptTurn("1", "Far?", state="stopped", raw="On", details=details),
        KeptTurn("2", "Near?", state="done", raw="Here."),
    ]
    far, near = (json.loads(line)["usage"] for line in jsonl([talk_of(CHAT, turns)]).splitlines())
    assert far == dict.fromkeys(near)
    assert near == {"prompt_tokens": 0, "image_tokens": 0, "completion_tokens": 0}


def test_jsonl_is_exact_and_safe(talk, cat):
    text = jsonl([talk])
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
    first, second, third = map(json.loads, text.splitlines())
    assert first["question"] == f"What? {EVIL}"
    assert [image["path"] for image in first["images"]] == [cat.path, "/no/where/dog.png", None]
    assert (second["task"], second["result"]) == ("defect", {"a": "</pre><b>"})
    assert (third["answer"], third["state"]) == ("half", "interrupted")


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("- a **b**\n- c", "- a **b**\n- c"),
        ("a `x < y` b", "a `x < y` b"),
        ("a \\`<b>` c", "a \\`&lt;b>` c"),  # no code: the backslash sees to that
        ("| `a | <b>` |", "| `a | &lt;b>` |"),  # nor is this, in a table
        ("`` `<b> ``", "`` `&lt;b> ``"),
        ("\\<b>", "\\&lt;b>"),
        ("[a](http://x)", "[a&#93;(http://x)"),
        ("[a]: http://x", "[a&#93;: http://x"),
        ("![a][b]", "&#33;[a&#93;[b]"),
        ("# Title\n=====", "\\# Title\n\\====="),
        ("&#60;b>", "&amp;#60;b>"),
        ("```py\na < b\n```\nthen <b>", "```\na < b\n```\n\nthen &lt;b>"),
        ("~~~\nnever closed ```` <b>", "`````\nnever closed ```` <b>\n`````"),
    ],
)
def test_what_a_model_writes_is_no_more_than_text(said, written):
    assert tamed(said) == written


def test_nothing_ends_a_block_of_code_from_inside():
    assert fenced("a\n```\nb").startswith("````\n")
