"""Tables of what models said of images, and of the verdicts of reviewers."""

from __future__ import annotations

TRIAGE_TABLES: tuple[str, ...] = (
    """
    CREATE TABLE files (  -- what a file's content was when it was last read
        place BLOB PRIMARY KEY,  -- the bytes of its path; and its device and inode
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,  -- 0 where it was written to while it was read
        digest TEXT NOT NULL  -- SHA-256, hexadecimal
    ) WITHOUT ROWID, STRICT
    """,
    """
    CREATE TABLE results (
        image TEXT NOT NULL,  -- Attachment.key: content, frame, crop, what the task does to it
        asked TEXT NOT NULL,  -- digest of task, version, options, question and labels
        model TEXT NOT NULL,  -- digest of the checkpoint and of how it is run (precision)
        made_at REAL NOT NULL,  -- seconds since 1970
        raw TEXT,  -- the answer as the model wrote it; NULL where only labels were asked
        is_finished INTEGER NOT NULL DEFAULT 0,  -- it ended of itself, not at a limit
        facts TEXT,  -- JSON of what was known of the image beside its pixels; NULL as raw
        log_likelihoods TEXT,  -- JSON {label: [sum of its answer's, tokens]}; NULL: not asked
        seconds REAL NOT NULL,  -- that the model took for both
        PRIMARY KEY (image, asked, model)
    ) WITHOUT ROWID, STRICT
    """,
    """
    CREATE TABLE verdicts (  -- append-only: what was taken back is an event too
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at REAL NOT NULL,
        session TEXT NOT NULL,
        reviewer TEXT NOT NULL,
        task TEXT NOT NULL,
        digest TEXT NOT NULL,  -- SHA-256 of the file
        path BLOB,  -- its bytes; NULL for private tasks
        kind TEXT NOT NULL,  -- label | skip | flag | unflag | note | undo
        label TEXT,  -- of kind label
        note TEXT,  -- of kind note
        cancels INTEGER REFERENCES verdicts (id),  -- of kind undo
        model_label TEXT,  -- what the model said, when the reviewer saw it
        probability REAL,  -- of model_label
        is_automatic INTEGER NOT NULL DEFAULT 0,
        seconds REAL  -- that the image was on the screen
    ) STRICT
    """,
    "CREATE INDEX verdicts_of ON verdicts (task, digest)",
    # nothing is taken back twice, whoever else is at it
    "CREATE UNIQUE INDEX verdicts_undone ON verdicts (cancels) WHERE cancels IS NOT NULL",
)
