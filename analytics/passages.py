"""Lines and paragraphs of texts: where they are, and a hash of each that ignores case, white space and punctuation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.normal import normalise
from tamis.analytics.siphash import hash_slices
from tamis.analytics.text_block import utf8_buffers

Passage = Literal["line", "paragraph"]


@dataclass(frozen=True, eq=False)
class Passages:
    """The lines or paragraphs of consecutive texts.

    Attributes:
        data: uint8, the UTF-8 bytes of the texts.
        edges: int64 (p + 1,), where each passage begins in ``data``; its line feeds belong to it, so that all of
            them side by side are the texts.
        starts: int64 (n + 1,), which passages belong to each text.
        hashes: uint64 (p,), of the normalised passage.
        words: int32 (p,), words of the normalised passage, 0 for a passage without letters, digits and symbols.
    """

    data: NDArray[np.uint8]
    edges: NDArray[np.int64]
    starts: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    words: NDArray[np.int32]

    @classmethod
    def of(cls, texts: pa.Array, *, unit: Passage) -> Passages:
        """Cut texts into lines, or into paragraphs: runs of lines between lines without any visible character."""
        offsets, data = utf8_buffers(texts)
        first, end = (int(offsets[0]), int(offsets[-1])) if len(texts) else (0, 0)
        edges = np.empty(end - first + len(texts) + 1, dtype=np.int64)
        starts = np.zeros(len(texts) + 1, dtype=np.int64)
        count = _cut(offsets, data, unit == "paragraph", edges, starts)
        edges = edges[: count + 1]
        normal = normalise(edges, data)
        return cls(data, edges, starts, hash_slices(normal.data, normal.offsets)[:, 0], normal.words)

    def __len__(self) -> int:
        return len(self.edges) - 1

    @property
    def owners(self) -> NDArray[np.int64]:
        """Return the text each passage belongs to, int64 (p,)."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Return the bytes of each passage, line feeds included, int64 (p,)."""
        return np.diff(self.edges)

    def text(self, passage: int) -> str:
        """Return one passage without the white space around it."""
        return self.data[self.edges[passage] : self.edges[passage + 1]].tobytes().decode("utf-8", "replace").strip()


def passage_hash(passage: str) -> int:
    """Return the hash that ``Passages.hashes`` holds for a passage."""
    data = np.frombuffer(passage.encode("utf-8"), dtype=np.uint8)
    normal = normalise(np.array([0, len(data)]), data)
    return int(hash_slices(normal.data, normal.offsets)[0, 0])


@njit(cache=True, nogil=True)
def _cut(offsets, data, paragraphs, edges, starts):  # type: ignore[no-untyped-def]
    count = 0
    edges[0] = offsets[0]
    for n in range(len(offsets) - 1):
        begin, end = offsets[n], offsets[n + 1]
        i, gap, seen = begin, False, False
        while i < end:
            line, visible = i, False
            while i < end and data[i] != 10:
                visible = visible or data[i] > 32
                i += 1
            i += 1
            if line > begin and (not paragraphs or (visible and gap and seen)):
                count += 1
                edges[count] = line
            gap, seen = not visible, seen or visible
        if end > begin:
            count += 1
            edges[count] = end
        starts[n + 1] = count
    return count
