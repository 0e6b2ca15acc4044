"""Byte-level vocabularies, small and trained here, and texts that are hard to part."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import cache
from pathlib import Path

from docstrings import docstrings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, decoders
from tokenizers.models import BPE
from tokenizers.normalizers import NFC
from tokenizers.pre_tokenizers import ByteLevel, Digits, PreTokenizer, Sequence, Split
from tokenizers.trainers import BpeTrainer

from tamis.analytics.text.token_cuts import PATTERNS

END = "<|end|>"
SPACES = "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2003\u200a\u2028\u2029\u202f\u205f\u3000"
WORDS = (
    *(
        "don't",
        "we'LL",
        "x's",
        "'s",
        "''s",
        "--'s",
        "Déjà",
        "vu",
        "ABC",
        "camelCase",
        "_x_",
        "a/b",
        "/",
        "//\n",
        "1234567",
    ),
    *(
        "3.14",
        "v2",
        "½",
        "٣٤",
        "¿qué?",
        "…",
        "—",
        "e\u0301",
        "\u0301",
        "=\u0338",
        "中文字",
        "かな",
        "한글",
        "ไทย",
        "नमस्ते",
        "😀",
        "👩‍👩‍👧",
    ),
    *("[MASK]", "<|end|>", "x<|end|>y", "\ufffd", "\x00", "\u00ad", "\u200b", "x" * 120, "İ", "ß", "ﬁ", "Σς", "\u037e"),
    *("\n", "\r\n", "\n\n", "  ", "   ", "\t", ".\n", "!\n\n/", ",", "(", ")", '"', *SPACES),
)
TEXTS = st.lists(
    st.text(max_size=40)
    | st.lists(st.sampled_from(WORDS), max_size=14).map("".join)
    | st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join)
    | st.text(" \n\ta1.'é中-_/", max_size=24),
    max_size=6,
)


def by_split(pattern: str) -> PreTokenizer:
    """Return a pre-tokenizer as those of later vocabularies are."""
    return Sequence([Split(Regex(pattern), "isolated"), ByteLevel(add_prefix_space=False, use_regex=False)])


BYTE_LEVEL: dict[str, Callable[[], PreTokenizer]] = {
    "plain": lambda: ByteLevel(add_prefix_space=False),
    "prefix": lambda: ByteLevel(add_prefix_space=True),
    "digits": lambda: Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False)]),
    **{name: lambda pattern=pattern: by_split(pattern) for name, pattern in PATTERNS.items()},
}


@cache
def trained(name: str) -> Tokenizer:
    """Return a byte-level vocabulary of 1,500 pieces, trained on the documentation of this environment."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = BYTE_LEVEL[name]()
    tokenizer.decoder = decoders.ByteLevel()
    if name in ("qwen2", "plain"):
        tokenizer.normalizer = NFC()
    trainer = BpeTrainer(
        vocab_size=1_500, initial_alphabet=ByteLevel.alphabet(), special_tokens=[END], show_progress=False
    )
    texts = [*docstrings()["text"].drop_null().to_pylist()[:600], *WORDS, " ".join(WORDS), "\n".join(WORDS)]
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _bytes() -> dict[str, int]:
    """Return the byte that each character of a byte-level vocabulary stands for."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return {**{chr(byte): byte for byte in plain}, **{chr(256 + k): byte for k, byte in enumerate(others)}}


def write_ranks(tokenizer: Tokenizer, path: Path) -> None:
    """Write the pieces of a trained vocabulary as a file of tiktoken."""
    table = _bytes()
    pieces = sorted(tokenizer.get_vocab(with_added_tokens=False).items(), key=lambda pair: pair[1])
    rows = [bytes(table[character] for character in piece) for piece, _ in pieces if piece != END]
    path.write_bytes(b"".join(b"%s %d\n" % (base64.b64encode(row), rank) for rank, row in enumerate(rows)))
