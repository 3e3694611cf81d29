"""The contract of a task. Version 1."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import msgspec

from glm4v_tui.tasks.panel import Panel, Region, plain_panel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from PIL.Image import Image

    from glm4v_tui.images import Facts

TASK_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
"""What a task may be called: it is a word of a command line, a key in TOML, and after ``/``."""
API = 1
"""Grows when a task written for the version before would not work any more."""


class Language(StrEnum):
    EN = "en"
    ZH = "zh"


class Words(msgspec.Struct, frozen=True):
    """A text in the languages that tasks are asked in."""

    en: str
    zh: str = ""
    """Empty where there is none: the English text serves."""

    def in_language(self, language: Language) -> str:
        return (self.zh if language is Language.ZH else self.en) or self.en


class Label(msgspec.Struct, frozen=True):
    """A verdict that a reviewer may give."""

    name: str
    """As it is stored and exported: ``pass``."""
    key: str = ""
    """The key that gives it; empty for the next free digit."""
    title: str = ""
    """As it is shown; the name when empty."""
    answer: str = ""
    """What the model says to ``Task.label_question`` where this label fits; empty for a label that
    only a reviewer gives."""


class Generation(msgspec.Struct, frozen=True):
    """How results are decoded. None leaves a value to the user's settings."""

    max_new_tokens: int | None = None
    """Of the result; ``reasoning_tokens`` come on top."""
    temperature: float | None = None
    """0 is greedy: always the most probable token."""
    top_p: float | None = None


class NoOptions(msgspec.Struct, frozen=True):
    """Of a task that nothing can be set for."""


R = TypeVar("R")
O = TypeVar("O", bound=msgspec.Struct)  # noqa: E741 - named as R is


class Task(Generic[R, O]):
    """Subclass it, set the class variables, override the methods you need, and offer an instance
    from the hook ``glm4v_tui_tasks``. One instance serves all questions, so keep no state in it.

    ``R`` is the type of results, ``O`` that of the options. Methods run in a thread of the
    interface's process: import what is heavy inside of them, and never a model library.
    """

    name: ClassVar[str]
    """Short and unique: lower-case letters, digits, ``-`` and ``_``."""
    title: ClassVar[str]
    """As the task chooser shows it."""
    summary: ClassVar[str]
    """One sentence: what it does."""
    question: ClassVar[Words]
    """What is asked about the image."""
    result_type: ClassVar[Any]
    """A ``msgspec.Struct``, or a JSON Schema as a dict. Answers are bound to it while they are
    decoded, so it must have an end: no value of any kind, no type that holds itself. Texts, lists
    and numbers that say no limit get one (see ``bounds``). Fields without a default are always
    written; those with one may be left out."""
    version: ClassVar[str] = "1"
    """Change it when the same answer would mean something else."""
    api: ClassVar[int] = API
    """The version of this contract that the task was written for."""
    system_prompt: ClassVar[Words] = Words("")
    """Who the model is to be. The form of the result is described to it after this text."""
    labels: ClassVar[tuple[Label, ...]] = ()
    label_question: ClassVar[Words] = Words("")
    """Asked about the image by itself to learn how sure the model is: how probable the ``answer``
    of each label is after it. Empty where the model is not asked."""
    generation: ClassVar[Generation] = Generation(max_new_tokens=1024, temperature=0)
    options_type: ClassVar[type[msgspec.Struct]] = NoOptions
    """A frozen ``msgspec.Struct`` whose fields all have defaults: ``[tasks.NAME]`` in
    ``config.toml``."""
    reasoning_tokens: ClassVar[int] = 0
    """Tokens of free text that the model may write before the result."""
    notice: ClassVar[str] = ""
    """Always on the screen and in every export with a result: ``Not for diagnosis.``"""
    is_single: ClassVar[bool] = False
    """True: a question is about one image; several are refused before they are opened."""
    is_private: ClassVar[bool] = False
    """True: images do not leave this host, and their paths are not stored or exported."""

    @property
    def prepares(self) -> bool:
        """Whether the task changes what the model sees."""
        return type(self).prepare is not Task.prepare

    @property
    def examines(self) -> bool:
        """Whether the task looks for facts in the picture itself."""
        return type(self).examine is not Task.examine

    def choose(self, count: int, options: O) -> Sequence[int]:  # noqa: ARG002
        """Which images of a series to ask about, counted from 0 in its order.

        Args:
            count: Images in the series, at least one.
        """
        return (count // 2,)

    def prepare(self, image: Image, facts: Facts, options: O) -> Image | None:  # noqa: ARG002
        """What the model is to see in place of the picture; None to leave it as it is.

        Args:
            image: Upright, as its reader gave it: 16-bit and float values are not scaled yet.
            facts: What the reader says of it.
        """
        return None

    def examine(self, image: Image, facts: Facts, options: O) -> Mapping[str, Any]:  # noqa: ARG002
        """Facts to be found in the picture without the model, such as a barcode; JSON values.

        Args:
            image: Upright 8-bit RGB at its full size, before ``prepare``.
        """
        return {}

    def ask(self, facts: Sequence[Facts], options: O, language: Language) -> str:  # noqa: ARG002
        """The question, for these images."""
        return self.question.in_language(language)

    def form(self, options: O) -> Any:  # noqa: ARG002
        """The form that answers are bound to under these options: a type or a JSON Schema, as
        ``result_type``. Every value of it is one of ``result_type``, which still reads the answer;
        what an engine that binds nothing may write beyond it is for ``check`` to tell.
        """
        return self.result_type

    def check(self, result: R, facts: Sequence[Facts], options: O) -> Sequence[str]:  # noqa: ARG002
        """What is doubtful about a result, in words; shown beside it."""
        return ()

    def render(self, result: R, facts: Sequence[Facts], options: O) -> Panel:  # noqa: ARG002
        """How a result looks, and what was found in the picture beside it."""
        return plain_panel(msgspec.to_builtins(result))

    def label_of(self, result: R, options: O) -> str | None:  # noqa: ARG002
        """The name of the label that a result speaks for; None where it speaks for none."""
        return None

    def regions(self, result: R, facts: Facts) -> Sequence[Region]:  # noqa: ARG002
        """Places to draw on the picture, in its own pixels (see ``pixel_box``)."""
        return ()
