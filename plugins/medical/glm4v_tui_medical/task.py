"""The task ``medical``: a report of findings. Not for diagnosis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from glm4v_tui import Badge, Generation, Label, Language, Panel, Row, Table, Task, Tone, Words
from glm4v_tui_medical.doubts import doubts
from glm4v_tui_medical.report import Finding, Report
from glm4v_tui_medical.window import MONTAGE, PRESETS, Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from PIL.Image import Image

    from glm4v_tui import Facts

WindowName = Literal["auto", "soft tissue", "lung", "liver", "bone", "brain", "montage"]
_TONES = {"routine": Tone.GOOD, "soon": Tone.WARN, "urgent": Tone.BAD}


class MedicalOptions(msgspec.Struct, frozen=True):
    """``[tasks.medical]``."""

    window: WindowName = "auto"
    """What CT is shown by. ``auto`` is the file's own window, else soft tissue; ``montage`` shows
    lung, soft tissue and bone side by side."""
    slices: Annotated[int, msgspec.Meta(ge=1, le=16)] = 3
    """How many images of a series are asked about."""


class MedicalTask(Task[Report, MedicalOptions]):
    name = "medical"
    title = "Medical report"
    summary = "Reports findings, impression and advice about a medical image. Not for diagnosis."
    notice = "Not for diagnosis."
    is_private = True
    question = Words(
        "Report the findings as JSON.",
        "请以 JSON 报告影像所见。",
    )
    system_prompt = Words(
        "You describe medical images for a reader who decides. Answer these questions: Are there"
        " nodules, and where, how large? Is there an effusion? What is the texture of the lungs?"
        " Are there other findings? What is the impression? What do you advise? Report what the"
        " image shows and no more; where you are not sure, say so.",
        "你为做决定的医生描述医学影像。请回答：有无结节，位置和大小如何？有无积液？肺纹理如何？"
        "有无其他异常？总体印象是什么？有何建议？只报告影像所示；不确定时请说明。",
    )
    result_type = Report
    options_type = MedicalOptions
    labels = (
        Label("normal", "n", answer="Yes"),
        Label("abnormal", "a", answer="No"),
        Label("urgent", "u"),
        Label("repeat", "r"),
    )
    label_question = Words("Is the image normal? Answer yes or no.")
    generation = Generation(max_new_tokens=1536, temperature=0)

    def choose(self, count: int, options: MedicalOptions) -> Sequence[int]:
        """Evenly spaced: the middles of as many equal parts of the series."""
        parts = min(options.slices, count)
        return tuple((2 * part + 1) * count // (2 * parts) for part in range(parts))

    def prepare(self, image: Image, facts: Facts, options: MedicalOptions) -> Image | None:
        if options.window == "auto" or not _is_hounsfield(facts):
            return None
        if options.window == "montage":
            return _montage(image)
        return _windowed(image, PRESETS[options.window])

    def ask(self, facts: Sequence[Facts], options: MedicalOptions, language: Language) -> str:
        lines = [self.question.in_language(language)]
        if options.window == "montage" and any(map(_is_hounsfield, facts)):
            panels = "The panels show the lung, soft tissue and bone window."
            lines.append("三幅图依次为肺窗、软组织窗和骨窗。" if language == "zh" else panels)
        if len(facts) > 1:
            slices = f"The {len(facts)} images are one scan, in order."
            lines.append(f"{len(facts)} 幅图属于同一次扫描，按顺序排列。"
                         if language == "zh" else slices)  # fmt: skip
        return " ".join(lines)

    def label_of(self, result: Report, options: MedicalOptions) -> str:  # noqa: ARG002
        if result.urgency == "urgent":
            return "urgent"
        return "abnormal" if result.findings else "normal"

    def check(
        self,
        result: Report,
        facts: Sequence[Facts],
        options: MedicalOptions,  # noqa: ARG002
    ) -> Sequence[str]:
        return tuple(doubts(result, facts))

    def render(self, result: Report, facts: Sequence[Facts], options: MedicalOptions) -> Panel:
        rows = tuple(map(_cells, result.findings))
        urgency = Badge(result.urgency, _TONES[result.urgency])
        return Panel(
            badges=(*_windows(facts, options), urgency),
            parts=(
                Table("Findings", ("What", "Where", "Side of image", "Size", "Certainty"), rows),
                Row("Texture", result.texture),
                Row("Impression", result.impression),
                Row("Recommendation", result.recommendation),
            ),
        )


def _windows(facts: Sequence[Facts], options: MedicalOptions) -> tuple[Badge, ...]:
    """The windows that the images were shown by."""
    shown = dict.fromkeys(words for one in facts if (words := _window_words(one, options)))
    return tuple(map(Badge, shown))


def _cells(finding: Finding) -> tuple[str, ...]:
    side = "–" if finding.side == "none" else finding.side
    return (finding.what, finding.where, side, finding.size or "–", finding.certainty)


def _is_hounsfield(facts: Facts) -> bool:
    return facts.values.get("unit") == "HU"


def _windowed(image: Image, window: Window) -> Image:
    from glm4v_tui import windowed

    return windowed(image, window.center, window.width)


def _montage(image: Image) -> Image:
    """The same picture by three windows, side by side."""
    import PIL.Image

    sheet = PIL.Image.new("L", (len(MONTAGE) * image.width, image.height))
    for place, name in enumerate(MONTAGE):
        sheet.paste(_windowed(image, PRESETS[name]), (place * image.width, 0))
    return sheet


def _window_words(facts: Facts, options: MedicalOptions) -> str:
    if _is_hounsfield(facts) and options.window != "auto":
        return ", ".join(_named(name) for name in _names(options.window))
    window = facts.values.get("window")
    return f"window {Window(*window).words}" if window else ""


def _names(window: str) -> Iterator[str]:
    yield from MONTAGE if window == "montage" else (window,)


def _named(name: str) -> str:
    return f"{name} {PRESETS[name].words}"
