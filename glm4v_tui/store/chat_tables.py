"""Tables of conversations.

The turns of a chat are a tree: each knows the turn before it, and the chat knows its last one. What
an edit, "again" or undo takes out of the conversation stays a branch of it.
"""

from __future__ import annotations

CHAT_TABLES: tuple[str, ...] = (
    """
    CREATE TABLE chats (
        number INTEGER PRIMARY KEY AUTOINCREMENT,  -- what users call it by
        id TEXT NOT NULL UNIQUE,
        made_at REAL NOT NULL,  -- seconds since 1970
        changed_at REAL NOT NULL,
        title TEXT NOT NULL,
        is_named INTEGER NOT NULL DEFAULT 0,  -- the title is the user's own
        head TEXT,  -- the last turn of the conversation; NULL: all were taken back
        owner TEXT,  -- the process that has it open
        deleted_at REAL  -- erased some days later
    ) STRICT
    """,
    "CREATE INDEX chats_by_change ON chats (changed_at)",
    """
    CREATE TABLE turns (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        chat TEXT NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
        parent TEXT,  -- the turn before it; NULL for a first one
        asked_at REAL NOT NULL,
        question TEXT NOT NULL,
        call TEXT,  -- what a task asks for, JSON
        is_private INTEGER NOT NULL,  -- of a task that must not tell where its images lie
        state TEXT NOT NULL,  -- of the session's TurnState, or interrupted
        raw TEXT NOT NULL,  -- the answer as the model wrote it
        details TEXT NOT NULL  -- JSON: usage, timing, error, model
    ) STRICT
    """,
    "CREATE INDEX turns_of ON turns (chat)",
    """
    CREATE TABLE attachments (
        turn TEXT NOT NULL REFERENCES turns (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        digest TEXT NOT NULL,  -- SHA-256 of the file
        path BLOB,  -- as the file system has it; NULL where a private task was asked about it
        facts TEXT NOT NULL,  -- the other fields of Attachment, JSON
        PRIMARY KEY (turn, position)
    ) WITHOUT ROWID, STRICT
    """,
    "CREATE INDEX attachments_of ON attachments (digest)",
    # Han letters stand apart in here (store.words), so that every one of them is a word. The
    # trigram tokenizer finds no words of two letters, which most Chinese words have.
    """
    CREATE VIRTUAL TABLE words USING fts5 (
        question, answer, names, tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3'
    )
    """,
    """
    CREATE TRIGGER words_go_with_turns AFTER DELETE ON turns
    BEGIN DELETE FROM words WHERE rowid = old.number; END
    """,
)
