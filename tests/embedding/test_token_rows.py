"""Rows of token ids: those of the tokenizer on whole texts, whatever was read before."""

from __future__ import annotations

import copy
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.analytics.embedding.static_model import MAX_CHARACTERS, MAX_TOKENS, StaticModel, load_plain_model
from tamis.analytics.embedding.token_rows import TokenRows

STRANGE = st.text(" \t\n\x00\x0b\x85\u00a0\u2028.,-'[]PADUNKaé中文ก\u0301\U0001f600", max_size=60)
TEXTS = st.lists(st.none() | STRANGE | st.text(max_size=30) | st.sampled_from(["word " * 700, "x" * 5000]), max_size=6)


@pytest.fixture(scope="module")
def model(models: Path) -> StaticModel:
    return load_plain_model(models)


@pytest.fixture(scope="module")
def whole(model: StaticModel) -> Any:
    """Return the library's tokenizer, which reads every text whole."""
    from tokenizers import Tokenizer

    encoder = Tokenizer.from_str(model.tokenizer)
    encoder.enable_truncation(MAX_TOKENS)
    return encoder


def rows_of(found: tuple[np.ndarray, np.ndarray]) -> list[list[int]]:
    ids, starts = found
    return [ids[first:end].tolist() for first, end in pairwise(starts)]


def expected(whole: Any, texts: list[str | None]) -> list[list[int]]:
    return [whole.encode((text or "")[:MAX_CHARACTERS], add_special_tokens=False).ids for text in texts]


@settings(deadline=None)
@given(batches=st.lists(TEXTS, max_size=3), most=st.sampled_from([1, 4, 1 << 20]))
def test_ids_are_those_of_whole_texts(
    model: StaticModel, whole: Any, batches: list[list[str | None]], most: int
) -> None:
    rows = TokenRows(model.tokenizer, most_characters=MAX_CHARACTERS, most_tokens=MAX_TOKENS, most_chunks=most)
    for texts in batches:
        assert rows_of(rows.read(pa.array(texts, pa.string()))) == expected(whole, texts)


def test_an_unknown_tokenizer_reads_whole_texts(model: StaticModel) -> None:
    from tokenizers import Tokenizer

    about = json.loads(model.tokenizer)
    about["normalizer"] = {"type": "Replace", "pattern": {"String": "a b"}, "content": "c"}
    tokenizer = json.dumps(about)
    rows = TokenRows(tokenizer, most_characters=100, most_tokens=5)
    texts: list[str | None] = ["a b a b word", None, "one two three four five six seven"]
    encoder = Tokenizer.from_str(tokenizer)
    whole = [encoder.encode(text or "", add_special_tokens=False).ids[:5] for text in texts]
    assert rows_of(rows.read(pa.array(texts, pa.string()))) == whole


def test_a_model_that_has_read_texts_goes_to_another_process(model: StaticModel) -> None:
    before = model.encode(["An editor for plain text."])
    there = copy.deepcopy(model)
    assert np.array_equal(there.encode(["An editor for plain text."]), before)
