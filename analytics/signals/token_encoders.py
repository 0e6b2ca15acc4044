"""How many pieces a tokenizer makes of texts, asked of the library that the tokenizer belongs to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.signals.rank_file import encoding_of, rank_encoding
from tamis.analytics.text.chunk_table import GAP, Cuts
from tamis.analytics.text.token_cuts import rank_cuts, token_cuts
from tamis.data.errors import SettingError

_JOINED = 256
"""Chunks that are joined to one text: the library takes half as long for that."""
_WHITE_AT_ONCE = 900_000
"""Characters that tiktoken reads at once: a million of white space in a row break it."""


class Encoder(Protocol):
    """A tokenizer of some library; both functions return known, unknown pieces, unknown bytes, int32 (n, 3)."""

    def whole(self, texts: Sequence[str]) -> NDArray[np.int32]:
        """Return the numbers of texts of any kind."""
        ...

    def chunks(self, chunks: list[str]) -> NDArray[np.int32]:
        """Return the numbers of chunks that the tokenizer's cuts have made."""
        ...


class TokenizersEncoder:
    """A tokenizer of the library tokenizers.

    Args:
        encoder: the library's.
        unknown: id of the unknown piece, None if the tokenizer has none.
        cuts: where it parts every text; None where that is not known.
    """

    def __init__(self, encoder: Any, unknown: int | None, cuts: Cuts | None) -> None:
        self._encoder, self._unknown = encoder, unknown
        self._are_joined = cuts is not None and cuts.kinds[ord("\n")] == GAP

    def chunks(self, chunks: list[str]) -> NDArray[np.int32]:
        """Return what ``whole`` does, joined by line feeds if those part chunks and belong to none."""
        if not self._are_joined:
            return self.whole(chunks)
        groups = [chunks[first : first + _JOINED] for first in range(0, len(chunks), _JOINED)]
        encodings = self._encoder.encode_batch(["\n".join(group) for group in groups], add_special_tokens=False)
        return np.concatenate([self._parted(*pair) for pair in zip(groups, encodings, strict=True)])

    def _parted(self, chunks: list[str], encoding: Any) -> NDArray[np.int32]:
        """Return the numbers of each chunk, int32 (n, 3), from the pieces of all and their places."""
        found = np.zeros((len(chunks), 3), dtype=np.int32)
        starts = np.cumsum([0, *(len(chunk) + 1 for chunk in chunks[:-1])])
        spans, ids = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2), np.array(encoding.ids, dtype=np.int64)
        owner = np.searchsorted(starts, spans[:, 0], side="right") - 1
        strange = ids == self._unknown
        np.add.at(found, (owner, strange.astype(np.int64)), 1)
        for row, (begin, end) in zip(owner[strange].tolist(), spans[strange].tolist(), strict=True):
            found[row, 2] += len(chunks[row][begin - starts[row] : end - starts[row]].encode())
        return found

    def whole(self, texts: Sequence[str]) -> NDArray[np.int32]:
        """Return the numbers of whole texts, int32 (n, 3)."""
        found = np.zeros((len(texts), 3), dtype=np.int32)
        encodings = self._encoder.encode_batch_fast(texts, add_special_tokens=False)
        found[:, 0] = [len(one) for one in encodings]
        if self._unknown is None:
            return found
        strange = [row for row, one in enumerate(encodings) if self._unknown in one.ids]
        # Only these need places in the text, which take longer.
        again = self._encoder.encode_batch([texts[row] for row in strange], add_special_tokens=False)
        for row, encoding in zip(strange, again, strict=True):
            spans = (span for span, piece in zip(encoding.offsets, encoding.ids, strict=True) if piece == self._unknown)
            sizes = [len(texts[row][begin:end].encode()) for begin, end in spans]
            found[row] = len(encoding.ids) - len(sizes), len(sizes), sum(sizes)
        return found


class TiktokenEncoder:
    """An encoding of the library tiktoken; special tokens in a text count as the characters they are written with."""

    def __init__(self, encoding: Any) -> None:
        self._encoding = encoding

    def whole(self, texts: Sequence[str]) -> NDArray[np.int32]:
        """Return the numbers of texts, int32 (n, 3); no piece is unknown."""
        found = np.zeros((len(texts), 3), dtype=np.int32)
        # One by one is several times as fast as the library's batch, which hands each text to a thread.
        found[:, 0] = [self._size(text) for text in texts]
        return found

    chunks = whole

    def _size(self, text: str) -> int:
        if len(text) <= _WHITE_AT_ONCE:
            return len(self._encoding.encode_ordinary(text))
        parts = (text[first : first + _WHITE_AT_ONCE] for first in range(0, len(text), _WHITE_AT_ONCE))
        return sum(map(self._size, parts))


def load_encoder(path: Path) -> tuple[Encoder, Cuts | None]:
    """Return the tokenizer of a file, and where it surely parts texts, None where that is not known.

    Raises:
        SettingError: the file is none of a tokenizer, or its library is missing.
    """
    name = encoding_of(path)
    return _load_tokenizers(path) if name is None else (TiktokenEncoder(rank_encoding(path, name)), rank_cuts())


def _load_tokenizers(path: Path) -> tuple[Encoder, Cuts | None]:
    # Late: tokenizers.
    from tokenizers import Tokenizer

    # The library reports every unreadable file as a bare Exception, so the shape is checked first.
    try:
        text = path.read_text(encoding="utf-8")
        about = json.loads(text)
    except (OSError, ValueError) as error:
        raise SettingError("Tokenizer cannot be read", value=str(path), fix="name a tokenizer.json") from error
    if not (isinstance(about, dict) and isinstance(about.get("model"), dict)):
        raise SettingError("File is not a tokenizer.json", value=str(path), fix="save it with Tokenizer.save")
    encoder = Tokenizer.from_str(text)
    encoder.no_truncation()
    encoder.no_padding()
    model = about["model"]
    named = model.get("unk_token")
    unknown = model.get("unk_id") if named is None else encoder.token_to_id(named)
    cuts = token_cuts(about)
    return TokenizersEncoder(encoder, unknown, cuts), cuts
