"""Tables of conversations."""

from __future__ import annotations

CHAT_TABLES: tuple[str, ...] = ()
