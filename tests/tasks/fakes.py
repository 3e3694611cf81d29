"""Tasks for tests."""

from typing import Annotated, Literal

import msgspec

from glm4v_tui.images import Facts
from glm4v_tui.tasks.call import make_call
from glm4v_tui.tasks.panel import Badge, Panel, Region, Row, Tone, pixel_box
from glm4v_tui.tasks.task import Generation, Label, Language, Task, Words
from glm4v_tui.tasks.toml_fields import BoxField


class Finding(msgspec.Struct, frozen=True):
    kind: Literal["scratch", "dent"]
    note: Annotated[str, msgspec.Meta(max_length=20)]
    box: BoxField


class Options(msgspec.Struct, frozen=True):
    strict: bool = False
    level: int = 3
    words: tuple[str, ...] = ()


class Look(Task[Finding, Options]):
    name = "look"
    title = "Look"
    summary = "Looks."
    question = Words("What is there?", "有什么？")
    system_prompt = Words("You look.", "你看。")
    result_type = Finding
    options_type = Options
    version = "2"
    labels = (Label("ok", "o"),)
    generation = Generation(max_new_tokens=64, temperature=0)
    notice = "Only a test."

    def check(self, result, facts, options):
        return ["small"] if result.kind == "dent" else []

    def render(self, result, facts, options):
        return Panel((Badge(result.kind, Tone.BAD),), (Row("Note", result.note),))

    def regions(self, result, facts):
        return [Region(pixel_box(result.box, facts.width, facts.height), result.kind)]


RAW = '{"kind": "dent", "note": "left", "box": [0, 0, 499, 999]}'
FACTS = Facts(200, 100, "PNG", {"code": "123"})


def call_of(task, options=None, facts=(FACTS,), language=Language.EN):
    return make_call(task, options or task.options_type(), language, facts)
