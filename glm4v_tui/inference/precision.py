"""The rules of precisions, which the memory plan shares: see :mod:`glm4v_tui.precision`."""

from glm4v_tui.precision import (
    PRECISIONS,
    Format,
    Part,
    Place,
    Rule,
    all_precisions,
    bytes_of_linear,
    computes_in,
    format_of,
    is_quantized,
    rules_of,
)

__all__ = [
    "PRECISIONS",
    "Format",
    "Part",
    "Place",
    "Rule",
    "all_precisions",
    "bytes_of_linear",
    "computes_in",
    "format_of",
    "is_quantized",
    "rules_of",
]
