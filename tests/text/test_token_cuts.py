"""A tokenizer that surely parts texts counts each piece once, and as the library counts the text as a whole."""

from __future__ import annotations

import json
import string
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from docstrings import docstrings
from hypothesis import given
from tokenizers import AddedToken, Tokenizer, normalizers
from tokenizers.models import BPE, WordLevel, WordPiece
from tokenizers.normalizers import NFC, NFKC, BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer, ByteLevel, Metaspace, Whitespace
from vocabularies import BYTE_LEVEL, TEXTS, WORDS, by_split, trained

from tamis.analytics.signals.token_counter import BYTES, TokenCounter, count, is_by_chunk, tokenizer_path
from tamis.analytics.signals.token_encoders import TokenizersEncoder
from tamis.analytics.text.token_cuts import token_cuts


def counter(tokenizer: Tokenizer, *, unknown: str | None = None) -> TokenCounter:
    """Return the counter of a tokenizer, with cuts where its file tells them."""
    cuts = token_cuts(json.loads(tokenizer.to_str()))
    number = None if unknown is None else tokenizer.token_to_id(unknown)
    return TokenCounter(TokenizersEncoder(tokenizer, number, cuts), cuts)


@cache
def counter_of(name: str) -> TokenCounter:
    """Return the counter of a trained vocabulary, which remembers its chunks from call to call."""
    return counter(trained(name))


def whole(tokenizer: Tokenizer, texts: list[str]) -> list[int]:
    """Return how many pieces the library makes of whole texts."""
    return [len(one) for one in tokenizer.encode_batch(texts, add_special_tokens=False)]


@pytest.mark.parametrize("name", BYTE_LEVEL)
@given(texts=TEXTS)
def test_a_byte_level_vocabulary_counts_as_the_library_does(name: str, texts: list[str]) -> None:
    by_chunk = counter_of(name)
    assert by_chunk.chunks is not None
    assert by_chunk.counts(pa.array(texts, pa.large_string()))[:, 0].tolist() == whole(trained(name), texts)


@pytest.mark.parametrize("name", BYTE_LEVEL)
def test_every_character_between_letters_spaces_and_line_feeds_parts_as_in_the_library(name: str) -> None:
    points = [point for point in range(1, 0x3100) if not 0xD800 <= point < 0xE000]
    texts = [
        f"a{chr(point)} b{chr(point)}\n{chr(point)}c{chr(point)}.{chr(point)}'s 1{chr(point)}2" for point in points
    ]
    assert counter_of(name).counts(pa.array(texts))[:, 0].tolist() == whole(trained(name), texts)


@given(texts=TEXTS)
def test_the_bert_vocabulary_counts_as_the_library_does(texts: list[str]) -> None:
    bert = Tokenizer.from_file(str(tokenizer_path(BYTES)))
    bert.no_truncation()
    bert.no_padding()
    found = count(pa.array(texts, pa.large_string()), BYTES)
    assert (found.known + found.unknown).tolist() == whole(bert, texts)


def bert_like(**normal: Any) -> Tokenizer:
    """Return a small WordPiece vocabulary with a BERT normalizer of these settings."""
    pieces = [
        "[UNK]",
        "[MASK]",
        *string.ascii_letters,
        *string.punctuation,
        "é",
        "中",
        "##a",
        "##b",
        "##\u0301",
        "\u0301",
    ]
    tokenizer = Tokenizer(WordPiece({piece: k for k, piece in enumerate(dict.fromkeys(pieces))}, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(**normal)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.add_special_tokens(["[MASK]"])
    return tokenizer


BERTS = {
    "uncased": {"lowercase": True},
    "cased": {"lowercase": False, "strip_accents": False},
    "marks": {"lowercase": True, "strip_accents": False},
    "han": {"lowercase": True, "handle_chinese_chars": False},
}


@pytest.mark.parametrize("name", BERTS)
def test_every_character_is_a_word_of_its_own_or_not_as_in_the_library(name: str) -> None:
    tokenizer = bert_like(**BERTS[name])
    by_chunk = counter(tokenizer, unknown="[UNK]")
    assert by_chunk.chunks is not None
    points = [*range(1, 0x3400), *range(0x3400, 0xD800, 7), *range(0xE000, 0x10000, 3), *range(0x20000, 0x2A700, 97)]
    texts = [f"a{chr(point)}b {chr(point)}\u0301 a{chr(point)}{chr(point)}" for point in points]
    pieces = [one.tokens for one in tokenizer.encode_batch(texts, add_special_tokens=False)]
    expected = [(sum(piece != "[UNK]" for piece in one), one.count("[UNK]")) for one in pieces]
    assert by_chunk.counts(pa.array(texts))[:, :2].tolist() == [list(pair) for pair in expected]


def unknown_bytes(tokenizer: Tokenizer, text: str) -> int:
    """Return the bytes of a text in unknown pieces."""
    one = tokenizer.encode(text, add_special_tokens=False)
    spans = (span for span, piece in zip(one.offsets, one.tokens, strict=True) if piece == "[UNK]")
    return sum(len(text[begin:end].encode()) for begin, end in spans)


@given(texts=TEXTS)
def test_unknown_bytes_are_those_of_the_library_s_places(texts: list[str]) -> None:
    tokenizer = bert_like(lowercase=True)
    found = counter(tokenizer, unknown="[UNK]").counts(pa.array(texts, pa.large_string()))
    assert found[:, 2].tolist() == [unknown_bytes(tokenizer, text) for text in texts]


def others() -> Iterator[Tokenizer]:
    """Yield tokenizers for which no cuts are known."""
    words = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    words.pre_tokenizer = Whitespace()
    yield words
    for change in ("normalizer", "spaces", "pattern", "whole", "dropout", "strip", "blank"):
        tokenizer = Tokenizer.from_str(trained("plain").to_str())
        match change:
            case "normalizer":
                tokenizer.normalizer = normalizers.Sequence([NFC(), NFKC()])
            case "spaces":
                tokenizer.pre_tokenizer = Metaspace()
            case "pattern":
                tokenizer.pre_tokenizer = by_split(r"\p{L}+ ?|[^\p{L}]+")
            case "whole":
                tokenizer.pre_tokenizer = ByteLevel(use_regex=False)
            case "dropout":
                tokenizer.model = BPE(vocab={"a": 0}, merges=[], dropout=0.5)
            case "strip":
                tokenizer.add_special_tokens([AddedToken("<mask>", rstrip=True)])
            case _:
                tokenizer.add_tokens([AddedToken("two words", normalized=False)])
        yield tokenizer


def test_tokenizers_that_are_not_known_to_part_texts_read_them_whole() -> None:
    assert [token_cuts(json.loads(tokenizer.to_str())) for tokenizer in others()] == [None] * 8


def test_an_added_token_may_lie_anywhere_in_a_text() -> None:
    tokenizer = Tokenizer.from_str(trained("plain").to_str())
    tokenizer.add_special_tokens([AddedToken("-:-"), AddedToken("(x")])
    texts = ["a-:-b", "a -:- b", "abc(xyz", "a-:", "7-:-7 (x)", "f(x)"]
    assert counter(tokenizer).chunks is not None
    assert counter(tokenizer).counts(pa.array(texts))[:, 0].tolist() == whole(tokenizer, texts)


def test_batches_threads_and_forgetting_change_no_count(tmp_path: Path) -> None:
    texts = pa.array(
        [*docstrings()["text"].drop_null().to_pylist()[:1_500], *WORDS, "é" * 300, "中文" * 300], pa.large_string()
    )
    path = tmp_path / "tokenizer.json"
    trained("cl100k").save(str(path))
    for tokenizer in (BYTES, str(path)):
        assert is_by_chunk(tokenizer)
        found = count(texts, tokenizer)
        for size, threads in ((len(texts), 3), (97, 2)):
            parts = [count(texts.slice(k, size), tokenizer, threads=threads) for k in range(0, len(texts), size)]
            for name in ("known", "unknown", "unknown_bytes"):
                assert np.array_equal(np.concatenate([getattr(part, name) for part in parts]), getattr(found, name))
    library = trained("cl100k")
    cuts = token_cuts(json.loads(library.to_str()))
    forgetful = TokenCounter(TokenizersEncoder(library, None, cuts), cuts, most=5)
    parts = [forgetful.counts(texts.slice(k, 50)) for k in range(0, len(texts), 50)]
    assert np.concatenate(parts)[:, 0].tolist() == whole(library, texts.to_pylist())
    assert forgetful.chunks is not None
    assert len(forgetful.chunks) < 1_000
