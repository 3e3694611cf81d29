"""The schema, as the steps that lead to it. A step that was released is never changed."""

from __future__ import annotations

from glm4v_tui.store.chat_tables import CHAT_TABLES
from glm4v_tui.store.sent_tables import SENT_TABLES
from glm4v_tui.store.triage_tables import TRIAGE_TABLES

MIGRATIONS: tuple[tuple[str, ...], ...] = ((*CHAT_TABLES, *TRIAGE_TABLES), SENT_TABLES)
"""Statements from each version of the schema to the next; ``user_version`` counts them."""
