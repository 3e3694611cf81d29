"""The beginning of a stranger's plugin: a small distribution that is complete, or one task file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import PurePosixPath
from string import Template

from glm4v_tui.errors import UsageError
from glm4v_tui.plain import plain_line

_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
_PREFIX = "glm4v-tui-"
_LONGEST = 40


@dataclass(frozen=True)
class Names:
    """What a plugin and its parts are called: all of it follows from one word."""

    name: str
    """Of the task and of the entry point: ``bottle-caps``."""

    @property
    def distribution(self) -> str:
        return _PREFIX + self.name.replace("_", "-")

    @property
    def module(self) -> str:
        return self.distribution.replace("-", "_")

    @property
    def title(self) -> str:
        return re.sub(r"[-_]", " ", self.name).capitalize()

    @property
    def stem(self) -> str:
        """The beginning of class names: ``BottleCaps``."""
        return "".join(part.capitalize() for part in re.split(r"[-_]", self.name))


def names_of(word: str) -> Names:
    """The names that follow from what the user calls the plugin.

    Raises:
        UsageError: the word cannot name a task; says which one could.
    """
    name = word.removeprefix(_PREFIX)
    if _NAME.fullmatch(name) and len(name) <= _LONGEST:
        return Names(name)
    near = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")[:_LONGEST].strip("-")
    raise UsageError(
        f"{plain_line(word)!r} cannot name a plugin",
        f"A name is lower-case letters and digits with single - or _ between them, begins with a "
        f"letter and has at most {_LONGEST} characters.",
        f"Take {near}, for example." if near else "",
    )


def project_files(names: Names) -> dict[PurePosixPath, str]:
    """The files of a distribution with one task, by their place in its folder."""
    test = f"test_{names.name.replace('-', '_')}.py"
    kinds = {
        "pyproject.toml": "pyproject.toml",
        f"{names.module}/__init__.py": "module.py",
        f"{names.module}/py.typed": "py.typed",
        f"tests/{test}": "test.py",
        "README.md": "README.md",
        ".gitignore": "gitignore",
    }
    return {PurePosixPath(place): _filled(kind, names) for place, kind in kinds.items()}


def task_file(names: Names) -> str:
    """The text of a task file."""
    return _filled("task.toml", names)


def _filled(kind: str, names: Names) -> str:
    template = Template((files(__name__) / f"{kind}.in").read_text("utf-8"))
    return template.substitute(
        name=names.name,
        distribution=names.distribution,
        module=names.module,
        title=names.title,
        task_class=f"{names.stem}Task",
    )
