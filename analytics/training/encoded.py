"""Tokens of texts, and what a tokenizer must do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Encoded:
    """Tokens of texts.

    Attributes:
        ids: uint32 (t,).
        starts: uint32 (t,), byte of its text where each token begins.
        offsets: int64 (n + 1,), the first token of each text.
    """

    ids: NDArray[np.uint32]
    starts: NDArray[np.uint32]
    offsets: NDArray[np.int64]


class Tokenizer(Protocol):
    """Gives ids.

    Attributes:
        name: as people gave it.
        sha256: of the file that defines it.
        vocabulary: all ids are smaller.
        end, begin, pad: the special tokens that it has for these, by text; None where it has none.
        template: its chat template, None where it has none.
    """

    name: str
    sha256: str
    vocabulary: int
    end: str | None
    begin: str | None
    pad: str | None
    template: str | None

    def id_of(self, token: str) -> int | None:
        """Return the id of a special token, None if there is none."""

    def encode(self, texts: pa.Array, *, special: bool = False) -> Encoded:
        """Return the tokens of texts.

        Args:
            texts: large_string (n,) without NULL.
            special: whether the texts of special tokens become those tokens.
        """

    def decode(self, ids: NDArray[np.uint32]) -> str:
        """Return the text of tokens, uint32 (t,), as far as they still have it; broken UTF-8 becomes U+FFFD."""
