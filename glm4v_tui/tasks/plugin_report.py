"""What became of a plugin: how it is, why, and what it brings."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from glm4v_tui.plain import plain_line

OWN = "glm4v-tui"
"""The distribution whose plugins are bundled."""


class PluginState(StrEnum):
    OK = "ok"
    WARNED = "warned"
    """It works, and there is something to say about it."""
    FAILED = "failed"
    INCOMPATIBLE = "incompatible"
    DISABLED = "disabled"


@dataclass
class PluginReport:
    """What became of a plugin."""

    name: str
    distribution: str = ""
    version: str = ""
    module: str = ""
    state: PluginState = PluginState.OK
    reasons: list[str] = field(default_factory=list)
    seconds: float = 0.0
    """Taken by its import."""
    tasks: list[str] = field(default_factory=list)
    readers: list[str] = field(default_factory=list)
    exporters: list[str] = field(default_factory=list)

    @property
    def is_bundled(self) -> bool:
        return self.distribution == OWN

    @property
    def notice(self) -> str | None:
        """One line for the user where there is something to say; None where all is well."""
        if not self.reasons or self.state is PluginState.DISABLED:
            return None
        return plain_line(f"Plugin {self.name}: {'; '.join(self.reasons)}")

    def fail(self, reason: str, state: PluginState = PluginState.FAILED) -> None:
        self.state = state
        self.reasons.append(reason)

    def warn(self, reason: str) -> None:
        if self.state is PluginState.OK:
            self.state = PluginState.WARNED
        self.reasons.append(reason)
