"""What ``glm4v-tui ask`` asks, and how its answer is printed: the question in free words."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glm4v_tui.chat import Box
from glm4v_tui.engine.protocol import RgbImage
from glm4v_tui.errors import UsageError
from glm4v_tui.plain import plain_line, plain_text

if TYPE_CHECKING:
    from glm4v_tui.chat import Attachment
    from glm4v_tui.commands.ask_answer import AskResult
    from glm4v_tui.images import OpenedImage
    from glm4v_tui.session import Turn
    from glm4v_tui.tasks.call import TaskCall


@dataclass(frozen=True)
class Question:
    """A question with every image opened: a wrong file is told before the model is loaded."""

    text: str
    opened: tuple[OpenedImage, ...]

    @property
    def call(self) -> TaskCall | None:
        """What a turn needs to know of the task; None without one."""
        return None

    @property
    def attachments(self) -> list[Attachment]:
        return [one.attachment for one in self.opened]

    def pixels(self, attachment: Attachment) -> RgbImage:
        image = next(one.image for one in self.opened if one.attachment.key == attachment.key)
        return RgbImage(image.width, image.height, image.tobytes())

    def printed_so_far(self, turn: Turn) -> str:
        """What of a growing answer may be printed already."""
        return plain_text(turn.answer.text)

    def json(self, turn: Turn, answer: AskResult) -> AskResult:  # noqa: ARG002
        """The answer with what else ``--json`` tells of it."""
        return answer

    def print_rest(self, turn: Turn) -> None:
        """Print what :meth:`printed_so_far` did not give."""

    def close(self, turn: Turn, model: str) -> None:
        """After an answer that ended of itself or at its limit, when all is printed.

        Raises:
            GlmError: what was asked for is not what has come.
        """


def crop_of(wanted: str | None) -> Box | None:
    """``LEFT,TOP,RIGHT,BOTTOM``; what lies outside of an image is told when that is opened.

    Raises:
        UsageError: these are not four numbers.
    """
    if wanted is None:
        return None
    try:
        left, top, right, bottom = map(int, wanted.split(","))
    except ValueError as error:
        raise _not_understood(wanted) from error
    if left >= right or top >= bottom:
        raise _not_understood(f"{wanted}: left is not left of right, or top not above bottom.")
    return Box(left, top, right, bottom)


def _not_understood(what: str) -> UsageError:
    return UsageError(
        "The crop is not understood",
        plain_line(what),
        "Write LEFT,TOP,RIGHT,BOTTOM in pixels: --crop 0,0,640,480.",
    )


class Printer:
    """Prints a growing text as it comes."""

    def __init__(self) -> None:
        self.printed = ""

    def grow(self, text: str) -> None:
        if text.startswith(self.printed):
            sys.stdout.write(text[len(self.printed) :])
            sys.stdout.flush()
            self.printed = text
