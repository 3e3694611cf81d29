"""What a failure of the model libraries, the hub or the original's own code means to a user.

One table of data for all who ask: the model's process puts its exceptions into words with it, and
``glm4v-tui doctor --explain`` a log or a traceback from anywhere. Nothing here imports a library.
"""

from glm4v_tui.diagnosis.exceptions import chain_of, explain
from glm4v_tui.diagnosis.matching import Diagnosis, diagnose, first_row
from glm4v_tui.diagnosis.row import Row
from glm4v_tui.diagnosis.table import TABLE

__all__ = ["TABLE", "Diagnosis", "Row", "chain_of", "diagnose", "explain", "first_row"]
