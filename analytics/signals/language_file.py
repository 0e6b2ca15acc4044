"""The file of a fastText classifier, as lid.176.ftz is: quantised vectors, a tree of labels.

fastText: Joulin et al. 2016, arXiv 1607.01759; quantised: arXiv 1612.03651. The file, version 12, has settings; words
and labels with their counts; the n-gram buckets that have a vector; the vectors as codes of a product quantiser; the
vectors of the tree's inner nodes. All numbers are little-endian.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from struct import Struct, error
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.data.errors import SettingError

# Kernels compile these values in: this line adds the file to the digest that names the folder of compiled kernels.
LABEL = b"__label__"
END = b"</s>"
"""The word that ends a text; the first of a model."""

_MAGIC, _VERSION = 793712314, 12
_ONE_WORD, _TREE, _CLASSIFIER = 1, 1, 3
_CENTROIDS = 256


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """A quantised fastText classifier.

    Attributes:
        labels: names of the classes without their prefix.
        words: those that have a vector of their own; the first ends a text.
        vectors: float32 (m, d), of the words, then of the n-gram buckets that are kept.
        buckets: number of n-gram buckets.
        kept: int32 (k, 2), bucket and row of ``vectors`` for each bucket that is kept.
        lengths: least and greatest length of an n-gram in characters.
        nodes: float32 (labels - 1, d), the inner nodes of the tree; the last is the root.
        children: int32 (labels - 1, 2), left and right child of each inner node: a label, or labels + an inner node.
    """

    labels: tuple[str, ...]
    words: tuple[bytes, ...]
    vectors: NDArray[np.float32]
    buckets: int
    kept: NDArray[np.int32]
    lengths: tuple[int, int]
    nodes: NDArray[np.float32]
    children: NDArray[np.int32]

    @classmethod
    def read(cls, path: Path) -> LanguageModel:
        """Read a model.

        Raises:
            SettingError: the file is no quantised classifier of single words with a tree of labels.
        """
        try:
            return cls._read(_ModelBytes(path.read_bytes()))
        except (error, ValueError) as problem:
            raise SettingError(
                "File is no fastText model of a known kind", value=str(path), allowed="quantised, hierarchical softmax"
            ) from problem

    @classmethod
    def _read(cls, file: _ModelBytes) -> LanguageModel:
        if file.numbers("ii") != (_MAGIC, _VERSION):
            raise ValueError("another kind of file")
        settings = file.numbers("12id")
        if settings[5:8] != (_ONE_WORD, _TREE, _CLASSIFIER):
            raise ValueError("another kind of model")
        size, n_words, _, _, n_kept = file.numbers("iiiqq")
        entries = [(file.name(), file.numbers("qb")[0]) for _ in range(size)]
        names = [name for name, _ in entries]
        kept = file.array("<i4", n_kept, 2).copy()
        kept[:, 1] += n_words
        if not file.numbers("?")[0] or names[:1] != [END]:
            raise ValueError("vectors that are not quantised, or no end of text")
        vectors = file.quantised()
        if file.numbers("?")[0]:
            raise ValueError("a quantised tree")
        return cls(
            labels=tuple(name.removeprefix(LABEL).decode() for name in names[n_words:]),
            words=tuple(names[:n_words]),
            vectors=vectors,
            buckets=settings[8],
            kept=kept,
            lengths=(settings[9], settings[10]),
            nodes=file.array("<f4", *file.numbers("qq"))[: size - n_words - 1],
            children=tree_of([count for _, count in entries[n_words:]]),
        )


class _ModelBytes:
    """The bytes of a file, read from the beginning."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def numbers(self, form: str) -> tuple[Any, ...]:
        """Return the next numbers, in the letters of ``struct``."""
        numbers = Struct(f"<{form}")
        found = numbers.unpack_from(self._content, self._at)
        self._at += numbers.size
        return found

    def name(self) -> bytes:
        """Return the bytes up to the next zero."""
        end = self._content.index(b"\0", self._at)
        found = self._content[self._at : end]
        self._at = end + 1
        return found

    def array(self, dtype: str, *shape: int) -> NDArray[Any]:
        """Return the next numbers as an array."""
        size = int(np.prod(shape))
        found = np.frombuffer(self._content, dtype, size, self._at).reshape(shape)
        self._at += found.nbytes
        return found

    def quantised(self) -> NDArray[np.float32]:
        """Return the next matrix, whose rows are codes of centroids, times a norm if the rows have any."""
        normed, rows, columns, size = self.numbers("?qqi")
        codes = self.array("u1", rows, size // max(rows, 1))
        matrix = self._decoded(codes)[:, :columns]
        if normed:
            norms = self.array("u1", rows, 1)
            matrix = self._decoded(norms) * matrix
        return np.ascontiguousarray(matrix, dtype=np.float32)

    def _decoded(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the rows (n, d) of codes (n, parts); the part that is read next has the centroids."""
        width, parts, step, last = self.numbers("4i")
        centroids = self.array("<f4", width * _CENTROIDS)
        out = np.empty((len(codes), width), dtype=np.float32)
        for part in range(parts):
            size = last if part == parts - 1 else step
            first = part * _CENTROIDS * step
            table = centroids[first : first + _CENTROIDS * size].reshape(_CENTROIDS, size)
            out[:, part * step : part * step + size] = table[codes[:, part]]
        return out


def tree_of(counts: Sequence[int]) -> NDArray[np.int32]:
    """Return the children of the Huffman tree of labels with these counts, most frequent first, int32 (n - 1, 2).

    Of the two lightest nodes the first is the left child; of equal weights the inner node comes first.
    """
    weights, children = [*counts], []
    leaf, inner = len(counts) - 1, len(counts)
    for _ in range(len(counts) - 1):
        pair = []
        for _ in range(2):
            if leaf >= 0 and (inner >= len(weights) or weights[leaf] < weights[inner]):
                pair.append(leaf)
                leaf -= 1
            else:
                pair.append(inner)
                inner += 1
        children.append(pair)
        weights.append(weights[pair[0]] + weights[pair[1]])
    return np.array(children, dtype=np.int32).reshape(-1, 2)
