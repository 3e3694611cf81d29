"""What a checkpoint will take and how fast it can be, before it is loaded.

No model library is imported and no weight is read: a ``config.json``, the headers of safetensors
files, and formulas whose constants are all in :mod:`glm4v_tui.plan.figures`.
"""

from glm4v_tui.plan.choosing import Deployment, choose, recommended, usual_load
from glm4v_tui.plan.known import KNOWN, known_shape
from glm4v_tui.plan.lacking import Lacking, find_lacking
from glm4v_tui.plan.memory import Load, Plan, plans
from glm4v_tui.plan.question import question_bytes
from glm4v_tui.plan.reading import shape_from, shape_of
from glm4v_tui.plan.rules import PRECISIONS, Precision
from glm4v_tui.plan.shape import Shape
from glm4v_tui.plan.split import Gpu, Split
from glm4v_tui.plan.weights import PartBytes, Tower
from glm4v_tui.precision import Part

__all__ = [
    "KNOWN",
    "PRECISIONS",
    "Deployment",
    "Gpu",
    "Lacking",
    "Load",
    "Part",
    "PartBytes",
    "Plan",
    "Precision",
    "Shape",
    "Split",
    "Tower",
    "choose",
    "find_lacking",
    "known_shape",
    "plans",
    "question_bytes",
    "recommended",
    "shape_from",
    "shape_of",
    "usual_load",
]
