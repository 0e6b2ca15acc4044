"""A block of documents, decoded once into code points and their classes for all kernels.

Arrow holds text as UTF-8 bytes and offsets. A block decodes a few megabytes of it into flat arrays, so positions are
code points (as in Python strings) and kernels need no UTF-8 decoder. Blocks bound the memory of a pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.text.characters import character_classes

BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Block:
    """Consecutive documents as code points.

    Attributes:
        points: int32 (c,), the concatenated code points of all documents.
        classes: uint32 (c,), their bits of ``characters.character_classes``.
        starts: int64 (n + 1,), where each document begins in ``points``.
    """

    points: NDArray[np.int32]
    classes: NDArray[np.uint32]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    @classmethod
    def of(cls, texts: pa.Array) -> Block:
        """Decode an Arrow string array; NULL becomes an empty document."""
        offsets, data = utf8_buffers(texts)
        return cls.decode(offsets, data)

    @classmethod
    def decode(cls, offsets: NDArray[np.int64], data: NDArray[np.uint8]) -> Block:
        """Decode UTF-8 bytes; a byte that is not valid UTF-8 becomes U+FFFD."""
        size = int(offsets[-1] - offsets[0])
        points = np.empty(size, dtype=np.int32)
        classes = np.empty(size, dtype=np.uint32)
        starts = np.empty(len(offsets), dtype=np.int64)
        count = _decode(offsets, data, character_classes(), points, classes, starts)
        return cls(points[:count], classes[:count], starts)

    def text(self, document: int) -> str:
        """Return one document as a Python string."""
        first, end = self.starts[document], self.starts[document + 1]
        return self.points[first:end].astype("<u4").tobytes().decode("utf-32-le", "replace")


def utf8_buffers(texts: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return the offsets int64 (n + 1,) and UTF-8 bytes uint8 of a string array, without copying the bytes.

    A NULL must take no bytes, as Arrow writers ensure; this function enforces it.
    """
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
        texts = texts.chunk(0) if isinstance(texts, pa.ChunkedArray) else texts
    if texts.type != pa.large_string():
        texts = texts.cast(pa.large_string())
    if texts.null_count:
        texts = texts.fill_null("")
    buffers = texts.buffers()
    first, count = texts.offset, len(texts)
    if count == 0:
        return np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.uint8)
    offsets = np.frombuffer(buffers[1], dtype=np.int64)[first : first + count + 1]
    data = np.frombuffer(buffers[2], dtype=np.uint8) if buffers[2] is not None else np.empty(0, dtype=np.uint8)
    return offsets, data


def block_ranges(offsets: NDArray[np.int64], *, size: int = BLOCK_BYTES) -> Iterator[tuple[int, int]]:
    """Yield (first, end) document ranges of about ``size`` bytes, each at least one document."""
    count = len(offsets) - 1
    first = 0
    while first < count:
        end = int(np.searchsorted(offsets, offsets[first] + size, side="right")) - 1
        end = min(max(end, first + 1), count)
        yield first, end
        first = end


@njit(cache=True, nogil=True)
def _decode(offsets, data, table, points, classes, starts):  # type: ignore[no-untyped-def]
    out = 0
    for document in range(len(offsets) - 1):
        starts[document] = out
        i, end = offsets[document], offsets[document + 1]
        while i < end:
            byte = data[i]
            point, width = np.int64(0xFFFD), 1
            if byte < 0x80:
                point = np.int64(byte)
            else:
                need = 1 if byte < 0xE0 else (2 if byte < 0xF0 else 3)
                if byte >= 0xC2 and byte < 0xF5 and i + need < end:
                    value = np.int64(byte) & (0x3F >> need)
                    good = True
                    for k in range(1, need + 1):
                        follow = np.int64(data[i + k])
                        good = good and (follow & 0xC0) == 0x80
                        value = (value << 6) | (follow & 0x3F)
                    lowest = 0x80 if need == 1 else (0x800 if need == 2 else 0x10000)
                    if good and value >= lowest and value < 0x110000 and not (0xD800 <= value < 0xE000):
                        point, width = value, need + 1
            points[out] = point
            classes[out] = table[point]
            out += 1
            i += width
    starts[len(offsets) - 1] = out
    return out
