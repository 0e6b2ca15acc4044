"""Tokenizers that give ids, and where in the text each token begins.

``bytes`` is the text itself, one token per byte, and two special ones. ``minilm-wordpiece`` is the package's
vocabulary of 30,522 word pieces, lower-cased: good for plans and tests, but texts cannot be read back from it. Any
other is a ``tokenizer.json``, its folder, a name in the local Hugging Face cache, or ``tiktoken:`` and a name or a file
of ranks. What looks like a special token inside a document is plain text, and never becomes one; in a rendered
conversation, the marks of the template do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.signals.token_counter import BYTES as COUNTED_BYTES
from tamis.analytics.signals.token_counter import WORDPIECE, tokenizer_path
from tamis.analytics.text.block import utf8_buffers
from tamis.analytics.text.chunk_table import ChunkTable
from tamis.analytics.text.token_cuts import token_cuts
from tamis.analytics.training.encoded import Encoded, Tokenizer
from tamis.analytics.training.rank_tokenizer import TIKTOKEN, RankTokenizer
from tamis.analytics.training.token_chunks import spread_chunks
from tamis.data.errors import SettingError
from tamis.data.hashing import file_sha256

RAW = "bytes"
ALLOWED = (
    f"{RAW}, {WORDPIECE}, a tokenizer.json, its folder, a name in the local Hugging Face cache, or {TIKTOKEN} and a"
    " name or a file of ranks"
)
_ENDS = ("<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<|im_end|>", "[SEP]")
_BEGINS = ("<|begin_of_text|>", "<s>", "<bos>", "<|endoftext|>", "[CLS]")
_PADS = ("<pad>", "<|pad|>", "<|finetune_right_pad_id|>", "[PAD]")
_TOKENS = 1 << 15
"""Chunks whose tokens are asked for at once."""


@lru_cache(maxsize=4)
def load_tokenizer(name: str) -> Tokenizer:
    """Return a tokenizer by its name.

    Raises:
        SettingError: unknown, unreadable, or a library is missing; the message says what to do.
    """
    if name == RAW:
        return ByteTokenizer()
    if name == COUNTED_BYTES:
        raise SettingError(
            "This tokenizer counts and gives no ids", value=name, allowed=ALLOWED, fix=f"choose {WORDPIECE} or {RAW}"
        )
    if name.startswith(TIKTOKEN):
        return RankTokenizer.load(name)
    try:
        path = tokenizer_path(name)
    except SettingError:
        raise SettingError("No such tokenizer", value=name, allowed=ALLOWED) from None
    return FileTokenizer(name, path)


class ByteTokenizer:
    """One token per byte of UTF-8."""

    name, vocabulary = RAW, 258
    template: str | None = None
    end: str | None = "<end>"
    begin: str | None = "<end>"
    pad: str | None = "<pad>"
    sha256 = sha256(b"bytes 1: 256 <end>, 257 <pad>").hexdigest()

    def id_of(self, token: str) -> int | None:
        """Return the id of ``<end>`` or ``<pad>``."""
        return {"<end>": 256, "<pad>": 257}.get(token)

    def encode(self, texts: pa.Array, *, special: bool = False) -> Encoded:
        """Return the bytes of texts; there are no special tokens in texts."""
        offsets, data = utf8_buffers(texts)
        own = data[offsets[0] : offsets[-1]]
        starts = np.arange(len(own)) - np.repeat(offsets[:-1] - offsets[0], np.diff(offsets))
        return Encoded(own.astype(np.uint32), starts.astype(np.uint32), offsets - offsets[0])

    def decode(self, ids: NDArray[np.uint32]) -> str:
        """Return the text of bytes; the two special tokens have none."""
        return ids[ids < 256].astype(np.uint8).tobytes().decode("utf-8", "replace")


class FileTokenizer:
    """A ``tokenizer.json``.

    Args:
        name: as people gave it.
        path: of the file.
    """

    def __init__(self, name: str, path: Path) -> None:
        # Late: tokenizers.
        from tokenizers import Tokenizer as Library

        try:
            about = json.loads(path.read_text("utf-8"))
            self._library = Library.from_file(str(path))
        # The library reports every unreadable file as a bare Exception.
        except Exception as error:
            raise SettingError("Tokenizer cannot be read", value=str(path), fix="name a tokenizer.json") from error
        self._library.no_padding()
        self._library.no_truncation()
        self.name, self.sha256 = name, file_sha256(path)
        self.vocabulary = max(self._library.get_vocab(with_added_tokens=True).values(), default=-1) + 1
        self._special = {
            token.content: number for number, token in self._library.get_added_tokens_decoder().items() if token.special
        }
        config = _config(path.with_name("tokenizer_config.json"))
        self.end = self._named(config.get("eos_token"), _ENDS)
        self.begin = self._named(config.get("bos_token"), _BEGINS)
        self.pad = self._named(config.get("pad_token"), _PADS)
        self.template = _template(path.parent, config)
        cuts = token_cuts(about)
        self._chunks = None if cuts is None else ChunkTable(cuts)
        self._held = Encoded(np.zeros(0, np.uint32), np.zeros(0, np.uint32), np.zeros(1, np.int64))
        self._lock = Lock()

    def _named(self, given: Any, usual: Sequence[str]) -> str | None:
        stated = given.get("content") if isinstance(given, Mapping) else given
        if isinstance(stated, str) and self.id_of(stated) is not None:
            return stated
        return next((token for token in usual if token in self._special), None)

    def id_of(self, token: str) -> int | None:
        """Return the id of a token of the vocabulary."""
        number = self._library.token_to_id(token)
        return None if number is None else int(number)

    def encode(self, texts: pa.Array, *, special: bool = False) -> Encoded:
        """Return the tokens of texts; distinct chunks are read once where the tokenizer surely parts texts there."""
        with self._lock:
            if special or self._chunks is None:
                self._library.encode_special_tokens = not special
                return self._of_texts(texts.to_pylist())
            self._library.encode_special_tokens = True
            offsets, data = utf8_buffers(texts)
            if self._chunks.is_full:
                self._chunks.clear()
                self._held = Encoded(np.zeros(0, np.uint32), np.zeros(0, np.uint32), np.zeros(1, np.int64))
            read = self._chunks.read(data, offsets[:-1], offsets[1:])
            self._learn(self._chunks)
            long = self._of_texts([data[begin:end].tobytes().decode() for begin, end in read.long.tolist()])
            held = (self._held.offsets, self._held.ids, self._held.starts, long.offsets, long.ids, long.starts)
            kinds = self._chunks.cuts.kinds
            return Encoded(
                *spread_chunks(data, offsets, kinds, self._chunks.starts, read.numbers, read.firsts, read.long, *held)
            )

    def decode(self, ids: NDArray[np.uint32]) -> str:
        """Return the text of tokens, those of special ones among it."""
        return str(self._library.decode(ids.tolist(), skip_special_tokens=False))

    def _learn(self, chunks: ChunkTable) -> None:
        """Find the tokens of chunks that are new in the table."""
        parts = [self._held]
        fresh = chunks.texts(len(self._held.offsets) - 1)
        for first in range(0, len(fresh), _TOKENS):
            parts.append(self._of_texts(fresh.slice(first, _TOKENS).to_pylist()))
        if len(parts) > 1:
            self._held = _joined(parts)

    def _of_texts(self, texts: Sequence[str]) -> Encoded:
        found = self._library.encode_batch(list(texts), add_special_tokens=False) if texts else []
        offsets = np.concatenate([[0], np.cumsum([len(one) for one in found], dtype=np.int64)]).astype(np.int64)
        ids = np.fromiter((number for one in found for number in one.ids), np.uint32, int(offsets[-1]))
        starts = np.fromiter((begin for one in found for begin, _ in one.offsets), np.int64, int(offsets[-1]))
        for row, text in enumerate(texts):
            if not text.isascii():
                own = slice(offsets[row], offsets[row + 1])
                starts[own] = _byte_places(text)[starts[own]]
        return Encoded(ids, starts.astype(np.uint32), offsets)


def _byte_places(text: str) -> NDArray[np.int64]:
    """Return the byte where each character begins, and the end, int64 (characters + 1,)."""
    points = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
    widths = 1 + (points > 0x7F).astype(np.int64) + (points > 0x7FF) + (points > 0xFFFF)
    return np.concatenate([[0], np.cumsum(widths)])


def _joined(parts: Sequence[Encoded]) -> Encoded:
    sizes = np.cumsum([0, *(int(part.offsets[-1]) for part in parts)])
    offsets = [part.offsets[1:] + size for part, size in zip(parts, sizes, strict=False)]
    return Encoded(
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.starts for part in parts]),
        np.concatenate([np.zeros(1, dtype=np.int64), *offsets]),
    )


def _config(path: Path) -> Mapping[str, Any]:
    """Return the settings beside a tokenizer, nothing where there are none."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, Mapping) else {}


def _template(folder: Path, config: Mapping[str, Any]) -> str | None:
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text("utf-8")
    held = config.get("chat_template")
    if isinstance(held, list):
        held = {item.get("name"): item.get("template") for item in held if isinstance(item, Mapping)}.get("default")
    return held if isinstance(held, str) and held else None
