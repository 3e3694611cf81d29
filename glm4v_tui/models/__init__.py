"""Which models there are to choose from, and what each takes on this machine.

For the screen and for the chat without one: no Textual in here, and no model library. Whatever
reads a disk or a driver says that it blocks, and is called in a thread. What takes how much is
the memory plan's (:mod:`glm4v_tui.plan`).
"""

from glm4v_tui.models.desk import ModelDesk
from glm4v_tui.models.gathering import Gathered, gather
from glm4v_tui.models.looks import Look, look_at, require_again, require_loadable
from glm4v_tui.models.machine import Machine, read_machine
from glm4v_tui.models.offers import Offer, Origin
from glm4v_tui.models.outlook import Choice, Outlook
from glm4v_tui.models.recent import remember
from glm4v_tui.models.selection import Selection

__all__ = [
    "Choice",
    "Gathered",
    "Look",
    "Machine",
    "ModelDesk",
    "Offer",
    "Origin",
    "Outlook",
    "Selection",
    "gather",
    "look_at",
    "read_machine",
    "remember",
    "require_again",
    "require_loadable",
]
