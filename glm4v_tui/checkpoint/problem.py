"""What can be wrong with a model folder."""

from __future__ import annotations

import msgspec

COPY_AGAIN = "Copy or download this file again."


class Problem(msgspec.Struct, frozen=True):
    """Something that keeps a checkpoint from loading or from chatting."""

    title: str
    body: str
    remedy: str
