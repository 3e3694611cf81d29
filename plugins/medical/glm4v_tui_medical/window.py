"""How gray values are shown: the presets, the file's own windows, its tables and curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from glm4v_tui_medical.tables import looked_up

if TYPE_CHECKING:
    import numpy as np

    from glm4v_tui_medical.header import Header
    from glm4v_tui_medical.values import Values

_FRAME_WINDOW = "FrameVOILUTSequence"


class Window(NamedTuple):
    """In the unit of the values."""

    center: float
    width: float

    @property
    def words(self) -> str:
        """As radiologists write it."""
        return f"W {self.width:g} L {self.center:g}"


PRESETS = {
    "soft tissue": Window(40, 400),
    "lung": Window(-600, 1500),
    "liver": Window(90, 150),
    "bone": Window(480, 2500),
    "brain": Window(40, 80),
}
"""For CT, in Hounsfield units: the presets of the OHIF viewer."""
MONTAGE = ("lung", "soft tissue", "bone")
"""The three windows of a montage, from left to right."""


@dataclass(frozen=True)
class Shown:
    """Gray values with the window to show them by."""

    array: np.ndarray[Any, Any]
    """(rows, columns), float32."""
    window: Window | None
    """None scales them by their own range."""
    note: str = ""


def shown(values: Values, header: Header) -> Shown:
    """The way the file wants its values to be shown.

    Hounsfield units stay what they are, so that any window can be laid on them; of others a table
    or a curve of the file is applied, and its window is then the range of what comes out.
    """
    windows = file_windows(header)
    if values.is_hounsfield:
        if windows:
            return Shown(values.array, windows[0], f"the file's window {windows[0].words}")
        preset = PRESETS["soft tissue"]
        return Shown(values.array, preset, f"soft tissue window {preset.words}")
    table = header.sequence("VOILUTSequence", _FRAME_WINDOW)
    if table is not None:
        array, bits = looked_up(values.array, table, header)
        return Shown(array, Window(2 ** (bits - 1), 2**bits), "by a table in the file")
    if not windows:
        return Shown(values.array, None)
    if _function(header) == "SIGMOID":
        return Shown(_sigmoid(values.array, windows[0]), Window(128, 256), "by the file's curve")
    return Shown(values.array, windows[0], f"the file's window {windows[0].words}")


def file_windows(header: Header) -> tuple[Window, ...]:
    """All windows in the file that can be used, as if of the function LINEAR.

    LINEAR_EXACT, (x - c) / w + 0.5, is LINEAR with c + 0.5 and w + 1 (PS3.3 C.11.2.1.3.2).
    """
    centers = header.numbers("WindowCenter", _FRAME_WINDOW)
    widths = header.numbers("WindowWidth", _FRAME_WINDOW)
    pairs = [Window(*pair) for pair in zip(centers, widths, strict=False)]
    if _function(header) == "LINEAR_EXACT":
        return tuple(Window(pair.center + 0.5, pair.width + 1) for pair in pairs if pair.width > 0)
    return tuple(pair for pair in pairs if pair.width >= 1)


def _function(header: Header) -> str:
    return header.code("VOILUTFunction", _FRAME_WINDOW)


def _sigmoid(values: np.ndarray[Any, Any], window: Window) -> np.ndarray[Any, Any]:
    """255 / (1 + exp(-4 (x - c) / w)), as PS3.3 C.11.2.1.3.1 has it."""
    import numpy as np

    steep = np.clip(-4 * (values.astype(np.float64) - window.center) / window.width, -60, 60)
    curve: np.ndarray[Any, Any] = (255 / (1 + np.exp(steep))).astype(np.float32)
    return curve
