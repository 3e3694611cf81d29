"""What the command line decided before the screen starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from glm4v_tui.config import Settings
from glm4v_tui.engine.protocol import Sampling

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from glm4v_tui.engine.engine import Engine
    from glm4v_tui.engine.protocol import LoadModel
    from glm4v_tui.tasks.plugins import Plugins
    from glm4v_tui.ui.triage.plan import Plan


@dataclass(frozen=True)
class Launch:
    """Everything the screen is started with."""

    engine: Engine
    model: LoadModel
    is_embedded: bool = False
    """No model was named, so it is the small one that comes with the program."""
    images: tuple[Path, ...] = ()
    """Attached at the start."""
    folder: Path | None = None
    """Opened in the picker at the start."""
    settings: Settings = field(default_factory=Settings)
    sampling: Sampling = Sampling()
    is_remote: bool = False
    """The terminal is at the other end of a network."""
    notices: tuple[str, ...] = ()
    """Said once the screen is there: files that could not be read, and the like."""
    resume: bool = False
    """Go on with the last chat."""
    triage: Plan | None = None
    """Begins with this review in place of the chat."""
    place_of: Callable[[str], LoadModel | None] | None = None
    """What is to be loaded for a task, by its name (``ChatSession``)."""
    load_plugins: Callable[[], Plugins] | None = None
    """Brings the tasks; called in a thread after the first frame, and again on demand."""
