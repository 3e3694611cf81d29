"""All failures that this program knows by their words, the most specific first.

The numbered rows are what users of GLM-4V-9B and its successors have met and reported.
"""

from __future__ import annotations

from glm4v_tui.diagnosis.checkpoint_rows import CHECKPOINT_ROWS
from glm4v_tui.diagnosis.gpu_rows import GPU_ROWS
from glm4v_tui.diagnosis.hub_rows import HUB_ROWS
from glm4v_tui.diagnosis.original_rows import ORIGINAL_ROWS
from glm4v_tui.diagnosis.package_rows import PACKAGE_ROWS
from glm4v_tui.diagnosis.prompt_rows import PROMPT_ROWS
from glm4v_tui.diagnosis.quantizing_rows import QUANTIZING_ROWS

TABLE = (
    *ORIGINAL_ROWS,
    *PACKAGE_ROWS,
    *QUANTIZING_ROWS,
    *GPU_ROWS,
    *PROMPT_ROWS,
    *CHECKPOINT_ROWS,
    *HUB_ROWS,
)
