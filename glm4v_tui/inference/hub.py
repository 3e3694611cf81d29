"""Fetches a checkpoint from the hub into huggingface_hub's cache, telling how far it is.

The library's own settings count: ``HF_HOME``, ``HF_ENDPOINT`` (a mirror), ``HF_TOKEN``,
``HF_HUB_OFFLINE``. An interrupted download goes on where it stopped.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

from glm4v_tui.checkpoint.source import UNWANTED, WANTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    OnBytes = Callable[[int, int], None]


def fetch_checkpoint(hub_id: str, on_bytes: OnBytes) -> str:
    """Download what is not there yet; return the folder.

    Args:
        hub_id: ``owner/name``.
        on_bytes: Told (bytes here, bytes in all), from several threads.

    Raises:
        Exception: whatever huggingface_hub raises; ``failures`` puts it into words.
    """
    from huggingface_hub import snapshot_download

    fetch = partial(
        snapshot_download, hub_id, allow_patterns=list(WANTED), ignore_patterns=list(UNWANTED)
    )
    plan: Any = fetch(dry_run=True)
    total = sum(file.file_size for file in plan)
    here = sum(file.file_size for file in plan if not file.will_download)

    class ByteCounter(_Bar):
        """Of the bars that ``snapshot_download`` makes, the one of bytes written to disk."""

        def report(self) -> None:
            if self.unit == "B" and not self.desc.startswith("Downloading"):
                on_bytes(min(total, here + int(self.n)), total)

    on_bytes(here, total)
    return str(fetch(tqdm_class=cast("Any", ByteCounter)))


class _Bar:
    """As much of tqdm's interface as huggingface_hub uses."""

    _lock: ClassVar[Any] = threading.RLock()

    def __init__(
        self,
        iterable: Iterable[Any] = (),
        *,
        desc: str = "",
        total: float | None = None,
        initial: float = 0,
        unit: str = "it",
        **_: Any,
    ) -> None:
        self.iterable = iterable
        self.desc = desc
        self.total = total
        self.n = initial
        self.unit = unit
        self.format_dict: dict[str, Any] = {"rate": None}

    @classmethod
    def get_lock(cls) -> Any:
        return cls._lock

    @classmethod
    def set_lock(cls, lock: Any) -> None:
        cls._lock = lock

    def report(self) -> None:
        """Told after every change."""

    def update(self, n: float | None = 1) -> None:
        with self._lock:
            self.n += n or 0
            self.report()

    def refresh(self, *_: Any, **__: Any) -> None:
        self.report()

    def set_description(self, desc: str = "", **_: Any) -> None:
        self.desc = desc

    set_description_str = set_description

    def set_postfix_str(self, *_: Any, **__: Any) -> None:
        pass

    def close(self) -> None:
        pass

    def __iter__(self) -> Any:
        for item in self.iterable:
            yield item
            self.update()

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
