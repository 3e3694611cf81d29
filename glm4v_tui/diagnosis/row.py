"""A row of the table of failures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from glm4v_tui.errors import EngineError, GlmError


@dataclass(frozen=True)
class Row:
    """A failure known by its words."""

    name: str
    """In the table's own terms, such as ``cuda-out-of-memory``; no two rows share one."""
    words: str
    """A regular expression over ``ClassName: text``, or over a whole log. A blank in it is any
    white space, because logs are wrapped. A group ``said`` is the failure itself where the rest is
    only what must stand near it."""
    title: str
    """What happened, in a few words."""
    meaning: str
    """Why it happens, in plain words."""
    remedy: str
    """What to do with this program."""
    error: type[GlmError] = EngineError
    """As what the model's process tells of it."""
    topic: str = ""
    is_general: bool = False
    """True where another row of the same topic, further down a chain of causes, says more."""
    says_all: bool = False
    """True where the library's own words say no more than ``meaning``."""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(self.words.replace(" ", r"\s+"), re.MULTILINE)


RAISED = r"^(?:E\s+)?(?:[\w.]+\.)?"
"""The start of a line that names an exception's class: bare, with its module, or by pytest."""
