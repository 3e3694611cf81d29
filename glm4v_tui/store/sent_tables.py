"""Tables of what was sent to other hosts, of who allowed it, and of what must not leave."""

from __future__ import annotations

SENT_TABLES: tuple[str, ...] = (
    """
    CREATE TABLE sent (  -- every image that has left this machine; append-only
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at REAL NOT NULL,  -- seconds since 1970
        host TEXT NOT NULL,
        engine TEXT NOT NULL,  -- its name in the settings
        model TEXT NOT NULL,
        source TEXT NOT NULL,  -- SHA-256 of the file that the pixels are from, hexadecimal
        digest TEXT NOT NULL,  -- SHA-256 of the bytes that were sent
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        bytes INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE INDEX sent_of ON sent (source)",
    """
    CREATE TABLE consents (  -- hosts that may be sent images, as the user has said when asked
        host TEXT PRIMARY KEY,
        at REAL NOT NULL
    ) WITHOUT ROWID, STRICT
    """,
    """
    CREATE TABLE private_images (  -- a private task was asked about them
        digest TEXT PRIMARY KEY,  -- SHA-256 of the file, hexadecimal
        task TEXT NOT NULL
    ) WITHOUT ROWID, STRICT
    """,
)
