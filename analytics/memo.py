"""A bounded store of computed values: what makes an edit of a late step cheap."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, TypeVar

Value = TypeVar("Value")


class Memo:
    """Values by content key, the least recently used dropped first, safe to share between threads.

    Every key must describe its value completely, so a value never goes stale.

    Args:
        max_bytes: how much the values may weigh together, by the sizes their makers state.
    """

    def __init__(self, max_bytes: int = 512 << 20) -> None:
        self.max_bytes = max_bytes
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._kept: dict[Hashable, Any] = {}
        self._bytes = 0
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._values or key in self._kept

    def keep(self, key: Hashable, value: Value) -> Value:
        """Remember ``value`` for good, outside the limit, and return it."""
        self._kept[key] = value
        return value

    def get(self, key: Hashable) -> Any | None:
        """Return the value under ``key``, or None."""
        if key in self._kept:
            return self._kept[key]
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, key: Hashable, value: Value, *, size: int) -> Value:
        """Remember ``value``, which weighs ``size`` bytes, and return it; a value above the limit is not kept."""
        if size > self.max_bytes:
            return value
        with self._lock:
            if key in self._values:
                self._bytes -= self._values.pop(key)[1]
            self._values[key] = (value, size)
            self._bytes += size
            while self._bytes > self.max_bytes:
                _, (_, freed) = self._values.popitem(last=False)
                self._bytes -= freed
        return value

    def through(self, key: Hashable, make: Callable[[], Value], *, size: Callable[[Value], int]) -> Value:
        """Return the value under ``key``, making and remembering it first when it is not there."""
        found = self.get(key)
        if found is not None:
            return found
        value = make()
        return self.put(key, value, size=size(value))
