"""Texts as rows of chunk numbers: equal chunks have one number, and the rows give the chunks back."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.analytics.text.block import utf8_buffers
from tamis.analytics.text.chunk_table import GAP, LONGEST, Chunked, ChunkTable, Cuts

ORDINARY, MARK = 1, 2


def cuts() -> Cuts:
    """Return cuts at spaces and zeros, and around full stops and Han characters."""
    kinds = np.full(0x110000, ORDINARY, dtype=np.uint8)
    kinds[[0, 0x20]] = GAP
    kinds[ord(".")] = kinds[0x4E00:0xA000] = MARK
    return Cuts.of(kinds, [(MARK, MARK), (MARK, ORDINARY), (ORDINARY, MARK)])


def plain(text: str) -> list[str]:
    """Return the chunks of a text."""
    return re.findall("[.\u4e00-\u9fff]|[^ \x00.\u4e00-\u9fff]+", text)


def read(table: ChunkTable, texts: list[str], *, threads: int = 1) -> tuple[Chunked, list[list[str]]]:
    """Read texts and return their rows, and the chunks that these name."""
    array = pa.array(["before", *texts, "after"], pa.large_string()).slice(1, len(texts))
    offsets, data = utf8_buffers(array)
    found = table.read(data, offsets[:-1], offsets[1:], threads=threads)
    kept = table.texts().to_pylist()
    names = [
        kept[number] if number >= 0 else data[slice(*found.long[-1 - number])].tobytes().decode()
        for number in found.numbers.tolist()
    ]
    return found, [names[first:end] for first, end in zip(found.firsts[:-1], found.firsts[1:], strict=True)]


TEXTS = st.lists(st.text(max_size=40) | st.text("ab. \x00é中\U0001f600", max_size=200), max_size=8)


@given(st.lists(TEXTS, max_size=3))
def test_rows_give_the_chunks_of_every_text(batches: list[list[str]]) -> None:
    table = ChunkTable(cuts())
    for texts in batches:
        _, rows = read(table, texts)
        assert rows == [plain(text) for text in texts]
    kept = table.texts().to_pylist()
    assert len(table) == len(kept) == len(set(kept))
    assert set(kept) == {
        chunk for texts in batches for text in texts for chunk in plain(text) if len(chunk.encode()) <= LONGEST
    }


def test_a_chunk_keeps_its_number_while_the_table_grows() -> None:
    table = ChunkTable(cuts())
    words = [f"word{k:x}" for k in range(50_000)]
    first, _ = read(table, [" ".join(words[:10])])
    read(table, [" ".join(words)])
    again, _ = read(table, [" ".join(reversed(words[:10]))])
    assert again.numbers.tolist() == first.numbers.tolist()[::-1]
    assert len(table) == len(words)


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_no_number(threads: int) -> None:
    texts = [f"{'x' * (k % 200)} word{k % 977}. 中{k}" * 9 for k in range(20_000)]
    one, _ = read(ChunkTable(cuts()), texts)
    several, _ = read(ChunkTable(cuts()), texts, threads=threads)
    assert one.numbers.tolist() == several.numbers.tolist()
    assert one.firsts.tolist() == several.firsts.tolist()
    assert one.long.tolist() == several.long.tolist()


def test_long_chunks_are_not_kept() -> None:
    table = ChunkTable(cuts())
    found, rows = read(table, ["x" * LONGEST, f"a {'y' * (LONGEST + 1)} a", "é" * LONGEST])
    assert rows == [["x" * LONGEST], ["a", "y" * (LONGEST + 1), "a"], ["é" * LONGEST]]
    assert found.numbers.tolist() == [0, 1, -1, 1, -2]
    assert len(table) == 2


@given(st.lists(st.text("\x00\x01a", min_size=1, max_size=9), min_size=1, max_size=12))
def test_chunks_that_are_given_are_numbered_once_by_their_bytes(chunks: list[str]) -> None:
    table = ChunkTable(cuts())
    encoded = [chunk.encode() for chunk in chunks]
    table.add(np.frombuffer(b"".join(encoded), dtype=np.uint8), np.cumsum([0, *map(len, encoded)]))
    assert table.texts().to_pylist() == list(dict.fromkeys(chunks))


def test_a_full_table_says_so_and_starts_anew() -> None:
    table = ChunkTable(cuts(), most=3)
    read(table, ["a b"])
    assert not table.is_full
    read(table, ["c d"])
    assert table.is_full
    table.clear()
    assert not table.is_full
    assert read(table, ["d c"])[1] == [["d", "c"]]
