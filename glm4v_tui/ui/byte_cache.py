"""The latest values up to a number of bytes, for threads that make the same thing at one time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

Value = TypeVar("Value")


class ByteCache(Generic[Value]):
    """The latest values up to a number of bytes, and at least one. Each is made by one thread."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._total = 0
        self._values: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(
        self, key: Hashable, make: Callable[[], Value], measure: Callable[[Value], int]
    ) -> Value:
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        try:
            with making:  # another thread may be at it: prefetched pictures are asked for
                value = self._find(key)
                if value is None:
                    value = make()
                    self._keep(key, value, measure(value))
        finally:
            with self._lock:
                self._making.pop(key, None)
        return value

    def kept(self, key: Hashable) -> Value | None:
        """The value, if it is there; makes nothing."""
        return self._find(key)

    def _find(self, key: Hashable) -> Value | None:
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def _keep(self, key: Hashable, value: Value, size: int) -> None:
        with self._lock:
            self._values[key] = value, size
            self._total += size
            while self._total > self._limit and len(self._values) > 1:
                _, (_, freed) = self._values.popitem(last=False)
                self._total -= freed
