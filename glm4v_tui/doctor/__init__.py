"""Is this machine fit to chat, and if not, what to do about it.

Nothing here imports a model library or asks the terminal anything. The network is used only for a
model that was named and is not on this host: then the hub is asked for it.
"""

from glm4v_tui.doctor.checks import Check, run_checks, stream_checks
from glm4v_tui.doctor.finding import (
    DoctorReport,
    Finding,
    Status,
    as_json,
    as_text,
    exit_code,
    verdict,
)

__all__ = [
    "Check",
    "DoctorReport",
    "Finding",
    "Status",
    "as_json",
    "as_text",
    "exit_code",
    "run_checks",
    "stream_checks",
    "verdict",
]
