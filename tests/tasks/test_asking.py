"""From files to a question."""

import pytest
from PIL import Image

from glm4v_tui import Language, NoOptions, Task, Words
from glm4v_tui.errors import UsageError
from glm4v_tui.tasks.asking import ask_about


class Compare(Task):
    name, title, summary = "compare", "Comparison", "Says what differs."
    question = Words("What differs?")
    result_type = {"type": "object", "properties": {"difference": {"type": "string"}}}


class Single(Compare):
    is_single = True


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path in paths:
        Image.new("RGB", (40, 30)).save(path)
    return [(path, None) for path in paths]


def test_a_task_is_asked_about_several_images(files):
    asked = ask_about(Compare(), files, Language.EN, options=NoOptions())
    assert [one.width for one in asked.call.facts] == [40, 40]


def test_a_task_for_one_image_refuses_several_before_it_opens_them(files, tmp_path):
    missing = (tmp_path / "missing.png", None)
    with pytest.raises(UsageError, match="one image at a time"):
        ask_about(Single(), [*files, missing], Language.EN, options=NoOptions())
    assert ask_about(Single(), files[:1], Language.EN, options=NoOptions()).text == "What differs?"
