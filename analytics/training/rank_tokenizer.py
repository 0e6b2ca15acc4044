"""Tokenizers of the tiktoken library: by name, which the library downloads once, or from a file of ranks."""

from __future__ import annotations

from base64 import b64decode
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.text.token_cuts import PATTERNS
from tamis.analytics.training.encoded import Encoded
from tamis.data.errors import SettingError

TIKTOKEN = "tiktoken:"
KNOWN: dict[str, tuple[str, dict[str, int]]] = {
    "gpt2": ("gpt2", {"<|endoftext|>": 50256}),
    "r50k_base": ("gpt2", {"<|endoftext|>": 50256}),
    "cl100k_base": (
        "cl100k",
        {
            "<|endoftext|>": 100257,
            "<|fim_prefix|>": 100258,
            "<|fim_middle|>": 100259,
            "<|fim_suffix|>": 100260,
            "<|endofprompt|>": 100276,
        },
    ),
    "o200k_base": ("o200k", {"<|endoftext|>": 199999, "<|endofprompt|>": 200018}),
}
"""Pattern and special tokens of the encodings that a file of ranks may hold, by its name without the ending."""


def _read_ranks(path: Path) -> dict[bytes, int]:
    """Return the ranks of a file: a line for each, its bytes in base64 and its number.

    The library's own reader answers from its cache where a file of this name was read before, whatever it holds now.
    """
    found = (line.split() for line in path.read_bytes().splitlines() if line.strip())
    return {b64decode(token, validate=True): int(rank) for token, rank in found}


class RankTokenizer:
    """An encoding of the tiktoken library.

    Args:
        name: as people gave it.
        encoding: of the library.
    """

    template: str | None = None
    pad: str | None = None

    def __init__(self, name: str, encoding: Any) -> None:
        self._encoding, self.name = encoding, name
        self.vocabulary = int(encoding.n_vocab)
        self._sizes = np.zeros(self.vocabulary, dtype=np.int64)
        state = sha256(encoding._pat_str.encode())
        for number in range(self.vocabulary):
            try:
                token = encoding.decode_single_token_bytes(number)
            except KeyError:  # Some encodings leave numbers out.
                continue
            self._sizes[number] = len(token)
            state.update(number.to_bytes(4, "little") + len(token).to_bytes(4, "little") + token)
        self.sha256 = state.hexdigest()
        self.end = self.begin = "<|endoftext|>" if "<|endoftext|>" in encoding.special_tokens_set else None

    @classmethod
    def load(cls, name: str) -> RankTokenizer:
        """Return the tokenizer that a name such as ``tiktoken:cl100k_base`` or ``tiktoken:FILE`` states.

        Raises:
            SettingError: the library is missing, the name is unknown, or the file cannot be read.
        """
        try:
            # Late: tiktoken.
            import tiktoken
        except ImportError:
            raise SettingError(
                "This tokenizer needs the library tiktoken", value=name, fix="pip install 'tamis[training]'"
            ) from None
        given = name.removeprefix(TIKTOKEN)
        path = Path(given).expanduser()
        try:
            if not path.is_file():
                return cls(name, tiktoken.get_encoding(given))
            if path.stem not in KNOWN:
                raise SettingError(
                    "A file of ranks does not say how texts are parted; its name must", value=path.name,
                    allowed=[f"{known}.tiktoken" for known in KNOWN],
                )  # fmt: skip
            pattern, special = KNOWN[path.stem]
            ranks = _read_ranks(path)
            return cls(
                name,
                tiktoken.Encoding(path.stem, pat_str=PATTERNS[pattern], mergeable_ranks=ranks, special_tokens=special),
            )
        except (OSError, ValueError, KeyError) as error:
            raise SettingError(
                "Tokenizer cannot be loaded", value=f"{name}: {error}", fix="name a file of ranks on this machine"
            ) from error

    def id_of(self, token: str) -> int | None:
        """Return the id of a special token."""
        try:
            return int(self._encoding.encode_single_token(token))
        except KeyError:
            return None

    def encode(self, texts: pa.Array, *, special: bool = False) -> Encoded:
        """Return the tokens of texts."""
        given = texts.to_pylist()
        found = (
            self._encoding.encode_batch(given, allowed_special="all")
            if special
            else self._encoding.encode_ordinary_batch(given)
        )
        offsets = np.cumsum([0, *map(len, found)], dtype=np.int64)
        ids = np.fromiter((number for one in found for number in one), np.uint32, int(offsets[-1]))
        return Encoded(ids, self._starts(ids, offsets), offsets)

    def decode(self, ids: NDArray[np.uint32]) -> str:
        """Return the text of tokens."""
        return str(self._encoding.decode(ids.tolist()))

    def _starts(self, ids: NDArray[np.uint32], offsets: NDArray[np.int64]) -> NDArray[np.uint32]:
        """Return the byte of its text where each token begins: tokens are its bytes, one after the other."""
        ends = np.concatenate([[0], np.cumsum(self._sizes[ids])])
        return (ends[:-1] - np.repeat(ends[offsets[:-1]], np.diff(offsets))).astype(np.uint32)
