"""Bad input is refused with the file and the reason, never half read; other files go on only when asked."""

from __future__ import annotations

import gzip
import struct
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from tamis.data.corpus import Corpus
from tamis.data.errors import CorpusError
from tamis.data.open_corpus import open_corpus
from tamis.data.repair import Repairs

LINES = b"".join(b'{"text": "line %d of a good file"}\n' % n for n in range(2000))


def parquet_bytes(table: pa.Table, **options: object) -> bytes:
    """Return a table as Parquet."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **options)
    return sink.getvalue().to_pybytes()


GOOD = parquet_bytes(pa.table({"text": [f"row {n} of a good file" for n in range(2000)]}))


def double_columns() -> bytes:
    """Return Parquet with two columns of one name."""
    return parquet_bytes(pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"]))


BAD: dict[str, tuple[str, bytes, str]] = {
    "zero bytes, parquet": ("bad.parquet", b"", r"bad\.parquet is empty \(zero bytes\)"),
    "zero bytes, jsonl": ("bad.jsonl", b"", r"bad\.jsonl is empty \(zero bytes\)"),
    "zero bytes, csv": ("bad.csv", b"", r"bad\.csv is empty \(zero bytes\)"),
    "zero bytes, gz": ("bad.jsonl.gz", b"", r"bad\.jsonl\.gz is empty \(zero bytes\)"),
    "truncated parquet": ("bad.parquet", GOOD[:-200], r"bad\.parquet is not a sound Parquet file"),
    "first half of parquet": ("bad.parquet", GOOD[: len(GOOD) // 2], r"bad\.parquet is not a sound Parquet file"),
    "wrong magic": ("bad.parquet", b"PK\x03\x04" + GOOD[4:-4] + b"ZIP!", r"bad\.parquet is not a sound Parquet file"),
    "text, not parquet": ("bad.parquet", LINES, r"bad\.parquet is not a sound Parquet file"),
    "damaged footer": ("bad.parquet", GOOD[:-60] + b"\xff" * 30 + GOOD[-30:], r"bad\.parquet is not a sound"),
    "truncated gz": ("bad.jsonl.gz", gzip.compress(LINES, mtime=0)[:-100], r"bad\.jsonl\.gz cannot be read.*ended"),
    "not gz": ("bad.jsonl.gz", LINES, r"bad\.jsonl\.gz cannot be read.*gzip"),
    "damaged gz": ("bad.csv.gz", b"\x1f\x8b\x08" + b"\x00" * 7 + b"\xff" * 50, r"bad\.csv\.gz cannot be read"),
    "truncated zst": ("bad.jsonl.zst", zstandard.compress(LINES)[:-10], r"bad\.jsonl\.zst cannot be read.*ended"),
    "not zst": ("bad.jsonl.zst", LINES, r"bad\.jsonl\.zst cannot be read.*zstandard"),
    "truncated json": ("bad.jsonl", LINES[:-10], r"bad\.jsonl, line 2000 is not JSON"),
    "array of rows": ("bad.ndjson", b'[\n{"text": "a"}\n]\n', r"bad\.ndjson, line 1 is not JSON"),
    "numbers per line": ("bad.jsonl", b"1\n2\n", r"bad\.jsonl, line 1 is not a JSON object"),
    "deep nesting": ("bad.jsonl", b'{"text": ' + b"[" * 200_000 + b"\n", r"bad\.jsonl, line 1 is not JSON"),
    "binary as json": ("bad.jsonl", bytes(range(256)) * 4, r"bad\.jsonl, line 1 is not JSON"),
    "open quote": ("bad.csv", b'text,n\n"never closed,1\n', r"bad\.csv, line 2 is not CSV"),
    "ragged csv": ("bad.csv", b"text,n\na,1\nb\n", r"bad\.csv, line 3 has 1 cells but the header has 2"),
    "double columns, parquet": ("bad.parquet", double_columns(), r"bad\.parquet has several columns of the same name"),
    "double columns, csv": ("bad.csv", b"text,text\na,b\n", r"bad\.csv has several columns of the same name"),
    "nameless column": ("bad.csv", b"text,\na,b\n", r"bad\.csv has columns without a name"),
    "missing text column": ("bad.jsonl", b'{"title": "a"}\n', r"bad\.jsonl has no column text"),
    "text column of numbers": ("bad.jsonl", b'{"text": 1}\n', r"Column text of bad\.jsonl is not text.*int64"),
    "text column of lists": (
        "bad.parquet",
        parquet_bytes(pa.table({"text": [["a"], ["b"]]})),
        r"Column text of bad\.parquet is not text.*list",
    ),
    "text column of structs": (
        "bad.parquet",
        parquet_bytes(pa.table({"text": [{"text": "a"}]})),
        r"Column text of bad\.parquet is not text.*struct",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_file_is_named_with_its_reason(tmp_path: Path, case: str) -> None:
    name, data, says = BAD[case]
    (tmp_path / "good.jsonl").write_bytes(LINES)
    (tmp_path / name).write_bytes(data)
    with pytest.raises(CorpusError, match=says):
        open_corpus(tmp_path)


@pytest.mark.parametrize("case", BAD)
def test_other_files_go_on_when_asked_and_the_bad_one_is_noted(tmp_path: Path, case: str) -> None:
    name, data, says = BAD[case]
    (tmp_path / "good.jsonl").write_bytes(LINES)
    (tmp_path / name).write_bytes(data)
    corpus = open_corpus(tmp_path, on_bad_file="skip")
    assert corpus.rows == 2000
    assert [file.name for file in corpus.files] == ["good.jsonl"]
    with pytest.raises(CorpusError, match=says):
        raise CorpusError("\n".join(corpus.notes))


def test_nothing_but_bad_files_is_an_error_also_when_skipping(tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"")
    with pytest.raises(CorpusError, match=r"No file can be read.*bad\.parquet is empty"):
        open_corpus(tmp_path, on_bad_file="skip")


def checksummed() -> bytes:
    """Return Parquet with page checksums and without compression, so that only the checksum can see a changed byte."""
    table = pa.table({"text": [f"row {n} of a file with checksums" for n in range(500)]})
    return parquet_bytes(table, write_page_checksum=True, compression="none", use_dictionary=False)


def test_changed_byte_inside_a_page_is_found_by_its_checksum(tmp_path: Path) -> None:
    data = bytearray(checksummed())
    at = data.index(b"row 250 of")
    data[at] ^= 1
    (tmp_path / "bad.parquet").write_bytes(bytes(data))
    corpus = open_corpus(tmp_path / "bad.parquet")
    with pytest.raises(CorpusError, match=r"bad\.parquet is not a sound Parquet file"):
        list(corpus.texts(corpus.shards()[0]))
    with pytest.raises(CorpusError, match=r"bad\.parquet is not a sound Parquet file"):
        corpus.take([250])
    (tmp_path / "good.jsonl").write_bytes(LINES)
    assert open_corpus(tmp_path, on_bad_file="skip").rows == 2000


def test_no_flipped_bit_changes_a_text_unnoticed(tmp_path: Path) -> None:
    data = checksummed()
    expected = [f"row {n} of a file with checksums" for n in range(500)]
    refused = 0
    first, last = data.index(b"row 0 of"), data.index(b"row 499 of")
    for at in range(first, last, (last - first) // 25):
        changed = bytearray(data)
        changed[at] ^= 1 << (at % 8)
        (tmp_path / "bad.parquet").write_bytes(bytes(changed))
        corpus = open_corpus(tmp_path / "bad.parquet")
        try:
            assert [text for texts in corpus.texts(corpus.shards()[0]) for text in texts.to_pylist()] == expected
        except CorpusError as error:
            assert "not a sound Parquet file" in str(error)
            refused += 1
    assert refused >= 20


def test_changed_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(LINES)
    corpus = open_corpus(path)
    path.write_bytes(LINES + b'{"text": "one more"}\n')
    for read in (lambda: list(corpus.texts(corpus.shards()[0])), lambda: corpus.take([0]), corpus.verify):
        with pytest.raises(CorpusError, match=r"a\.jsonl was changed since the corpus was opened"):
            read()
    path.unlink()
    with pytest.raises(CorpusError, match=r"a\.jsonl is no longer there"):
        corpus.take([0])


def test_file_swapped_with_same_size_and_time_is_found_by_verify(tmp_path: Path) -> None:
    import os

    path = tmp_path / "a.jsonl"
    path.write_bytes(LINES)
    corpus = open_corpus(path)
    stat = path.stat()
    with path.open("r+b") as file:
        file.write(LINES.replace(b"line 7 ", b"LINE 7 "))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    corpus.take([0])
    with pytest.raises(CorpusError, match=r"a\.jsonl was changed"):
        corpus.verify()
    assert open_corpus(path).fingerprint != corpus.fingerprint


@pytest.mark.parametrize("path", ["nothing-here", "nothing/*.parquet"])
def test_nothing_to_open_is_said(tmp_path: Path, path: str) -> None:
    with pytest.raises(CorpusError, match="nothing to open"):
        open_corpus(tmp_path / path)
    with pytest.raises(CorpusError, match=r"no file in this folder.*holds data"):
        open_corpus(tmp_path)
    (tmp_path / "a.docx").write_text("x")
    with pytest.raises(CorpusError, match=r"No file has a known format.*a\.docx.*\.parquet"):
        open_corpus(tmp_path)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.parquet", parquet_bytes(pa.table({"text": pa.array([], pa.string())}))),
        ("a.jsonl", b"\n\n"),
        ("a.csv", b"text\n"),
    ],
)
def test_zero_rows_are_an_error_alone_and_nothing_beside_others(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(CorpusError, match=r"no rows|No column can be recognised"):
        open_corpus(tmp_path)
    (tmp_path / "good.jsonl").write_bytes(LINES)
    assert open_corpus(tmp_path).rows == 2000


def repaired(path: Path) -> tuple[list[str | None], Counter[str], Corpus]:
    """Return texts as read and the repairs counted."""
    corpus = open_corpus(path)
    repairs = Repairs()
    texts = [
        row["text"]
        for s in corpus.shards()
        for batch in corpus.batches(s, repairs=repairs)
        for row in batch.to_pylist()
    ]
    return texts, repairs, corpus


def test_bytes_that_are_not_utf8_become_replacement_characters_in_every_format(tmp_path: Path) -> None:
    raw = [b"caf\xe9 ol\xe9", "fine é".encode(), b"\xed\xa0\x80 lone", None]
    expected = ["caf� ol�", "fine é", "��� lone", None]
    binary = pa.array(raw, pa.binary())
    string = pa.StringArray.from_buffers(4, binary.buffers()[1], binary.buffers()[2], binary.buffers()[0], 1)
    pq.write_table(pa.table({"text": string}), tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "%s"}\n{"text": "%s"}\n{"text": "%s"}\n{"text": null}' % (*raw[:3],))
    for name in ("a.parquet", "a.jsonl"):
        texts, repairs, _ = repaired(tmp_path / name)
        assert texts == expected
        assert repairs == {"text": 2}
    (tmp_path / "a.csv").write_bytes(b"text,n\n%s,1\n%s,2\n%s,3\n" % (*raw[:3],))
    texts, repairs, _ = repaired(tmp_path / "a.csv")
    assert texts == expected[:3]
    assert repairs == {"text": 2}


def test_lone_surrogates_in_json_become_replacement_characters(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        '{"text": "half \\ud83d pair", "m": {"k": ["\\udc00"]}}\n{"text": "whole \\ud83c\\udf88 pair"}\n'
    )
    texts, repairs, _ = repaired(tmp_path / "a.jsonl")
    assert texts == ["half � pair", "whole 🎈 pair"]
    assert repairs == {"text": 1, "m": 1}


def test_broken_text_inside_structs_and_lists_is_repaired(tmp_path: Path) -> None:
    bad = pa.array([b"ok", b"b\xffd"], pa.binary())
    string = pa.StringArray.from_buffers(2, bad.buffers()[1], bad.buffers()[2])
    struct = pa.StructArray.from_arrays([string], names=["s"], mask=pa.array([False, False]))
    lists = pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), string)
    pq.write_table(pa.table({"text": ["a", "b"], "m": struct, "l": lists}), tmp_path / "a.parquet")
    corpus = open_corpus(tmp_path / "a.parquet")
    assert corpus.take([1]).to_pylist() == [{"l": ["b�d"], "m": {"s": "b�d"}, "text": "b"}]


def test_broken_names_of_columns_and_fields_are_repaired(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(
        b'{"text": "a", "k\xff": 1}\n{"text": "b", "m": {"\\ud800": "\\ud83c\\udf88"}}\n'
    )
    corpus = open_corpus(tmp_path / "a.jsonl")
    assert corpus.schema.names == ["k�", "m", "text"]
    assert corpus.take([1]).to_pylist() == [{"k�": None, "m": {"�": "🎈"}, "text": "b"}]


def test_nul_characters_are_kept(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a\x00b"]}), tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_text('{"text": "a\\u0000b"}')
    (tmp_path / "a.csv").write_bytes(b"text\na\x00b\n")
    for name in ("a.parquet", "a.jsonl", "a.csv"):
        assert repaired(tmp_path / name)[0] == ["a\x00b"]


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl", "a.csv"])
def test_cell_of_100_megabytes_is_read(tmp_path: Path, name: str) -> None:
    cell = "0123456789" * 10_000_000
    if name == "a.parquet":
        pq.write_table(pa.table({"text": ["small", cell, "last"]}), tmp_path / name)
    elif name == "a.jsonl":
        (tmp_path / name).write_text(f'{{"text": "small"}}\n{{"text": "{cell}"}}\n{{"text": "last"}}\n')
    else:
        (tmp_path / name).write_text(f"text,n\nsmall,1\n{cell},2\nlast,3\n")
    corpus = open_corpus(tmp_path / name)
    lengths = [len(text) for s in corpus.shards() for texts in corpus.texts(s) for text in texts.to_pylist()]
    assert lengths == [5, 100_000_000, 4]


def test_footer_of_another_length_is_refused(tmp_path: Path) -> None:
    length = struct.unpack("<I", GOOD[-8:-4])[0]
    for size in (length + 10_000_000, 2**32 - 1, 0):
        (tmp_path / "bad.parquet").write_bytes(GOOD[:-8] + struct.pack("<I", size) + b"PAR1")
        with pytest.raises(CorpusError, match="not a sound Parquet file"):
            open_corpus(tmp_path / "bad.parquet")
