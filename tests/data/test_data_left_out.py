"""Bad files and bad lines are left out only when asked, and each is named with its place and reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.data import csv_reader, jsonl_reader
from tamis.data.corpus import Corpus
from tamis.data.errors import CorpusError
from tamis.data.open_corpus import open_corpus
from tamis.data.opening import OnBad

JSONL = b'{"text": "one"}\n{"text": broken}\n\n[1]\n{"text": "two"}\n'
CSV = b'text,n\none,1\nbroken\n"a"b,2\n"two\nlines",3\n'


def texts(corpus: Corpus) -> list[str]:
    """Return all texts in source order."""
    return [text for shard in corpus.shards() for found in corpus.texts(shard) for text in found.to_pylist()]


@pytest.mark.parametrize(
    ("name", "data", "lines", "read"),
    [
        ("a.jsonl", JSONL, [(2, "is not JSON"), (4, "is not a JSON object but of type list")], ["one", "two"]),
        ("a.csv", CSV, [(3, "has 1 cells but the header has 2"), (4, "is not CSV")], ["one", "two\nlines"]),
    ],
)
def test_bad_lines_are_left_out_one_by_one_and_named(
    tmp_path: Path, name: str, data: bytes, lines: list[tuple[int, str]], read: list[str]
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(CorpusError, match=r"--skip-bad-lines or the file with --skip-bad-files") as error:
        open_corpus(tmp_path)
    assert "on_bad" not in str(error.value)
    corpus = open_corpus(tmp_path, on_bad_line="skip", probes=tmp_path / "probes")
    assert texts(corpus) == read
    assert corpus.take([1, 0]).column("text").to_pylist() == read[::-1]
    assert [(item.file, item.line) for item in corpus.left_out] == [(name, line) for line, _ in lines]
    assert all(says in item.reason for item, (_, says) in zip(corpus.left_out, lines, strict=True))
    assert any(f"left out: 2 lines of {name}, the first is line {lines[0][0]}" in note for note in corpus.notes)
    again = open_corpus(tmp_path, on_bad_line="skip", probes=tmp_path / "probes")
    assert (again.left_out, again.fingerprint, texts(again)) == (corpus.left_out, corpus.fingerprint, read)
    with pytest.raises(CorpusError):
        open_corpus(tmp_path, probes=tmp_path / "probes")


def test_a_reason_quotes_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "fine"}\n"my secret"\n{"text": "my secret}\n')
    corpus = open_corpus(tmp_path, on_bad_line="skip")
    assert len(corpus.left_out) == 2
    assert "secret" not in repr(corpus.left_out) + repr(corpus.notes)


def test_bad_files_are_named_with_their_reason(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "one"}\n')
    (tmp_path / "b.jsonl").write_bytes(JSONL)
    (tmp_path / "c.parquet").write_bytes(b"")
    corpus = open_corpus(tmp_path, on_bad_file="skip")
    assert [(item.file, item.line) for item in corpus.left_out] == [("b.jsonl", None), ("c.parquet", None)]
    assert corpus.left_out[1].reason == "c.parquet is empty (zero bytes)."
    both = open_corpus(tmp_path, on_bad_file="skip", on_bad_line="skip")
    assert [(item.file, item.line) for item in both.left_out] == [("b.jsonl", 2), ("b.jsonl", 4), ("c.parquet", None)]
    assert both.rows == 3


@pytest.mark.parametrize("bad", [("b.parquet", b"PAR1 no footer PAR1"), ("b.jsonl", b'{"text": 1}\n')])
def test_the_error_of_one_file_among_others_names_the_option_that_leaves_it_out(
    tmp_path: Path, bad: tuple[str, bytes]
) -> None:
    (tmp_path / bad[0]).write_bytes(bad[1])
    with pytest.raises(CorpusError) as alone:
        open_corpus(tmp_path)
    assert "--skip-bad-files" not in str(alone.value)
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "one"}\n')
    with pytest.raises(CorpusError, match=r"--skip-bad-files\.$"):
        open_corpus(tmp_path)
    corpus = open_corpus(tmp_path, on_bad_file="skip")
    assert "--skip-bad-files" not in repr(corpus.left_out)


def test_a_file_whose_text_is_no_text_is_left_out_whole_with_its_lines(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "one"}\n')
    (tmp_path / "b.jsonl").write_bytes(b'{"text": 1}\nbroken\n')
    corpus = open_corpus(tmp_path, on_bad_file="skip", on_bad_line="skip")
    assert [(item.file, item.line) for item in corpus.left_out] == [("b.jsonl", None)]


def test_a_file_of_another_format_is_no_file_of_bad_lines(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"\x00\x01\n" * 50)
    with pytest.raises(CorpusError, match=r"a\.jsonl has no line that can be read: line 1 is not JSON"):
        open_corpus(tmp_path, on_bad_line="skip")
    (tmp_path / "a.jsonl").unlink()
    (tmp_path / "b.csv").write_bytes(b'text,n\none,1\n"never closed,2\nthree,3\n')
    with pytest.raises(CorpusError, match=r"b\.csv, line 3 opens a quote that never closes"):
        open_corpus(tmp_path, on_bad_line="skip")


def test_too_many_bad_lines_end_the_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tamis.data.formats.MAX_BAD_LINES", 3)
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "one"}\n' + b"x\n" * 4)
    with pytest.raises(CorpusError, match="more than 3 lines that cannot be read"):
        open_corpus(tmp_path, on_bad_line="skip")


LINE = st.one_of(
    st.text(max_size=12).map(lambda text: (json.dumps({"text": text}), text)),
    st.sampled_from(["{", "[1]", "1", '{"text": ', "nul"]).map(lambda line: (line, None)),
    st.sampled_from(["", "  "]).map(lambda line: (line, "")),
)


@settings(max_examples=60, deadline=None)
@given(lines=st.lists(LINE, max_size=30), block=st.integers(1, 8))
def test_good_lines_are_read_and_bad_ones_named_whatever_the_blocks(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, str | None]], block: int
) -> None:
    lines = [('{"text": "first"}', "first"), *lines]
    path = tmp_path_factory.mktemp("lines") / "a.jsonl"
    path.write_bytes("".join(f"{line}\n" for line, _ in lines).encode("utf-8", "surrogatepass"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonl_reader, "BLOCK_ROWS", block)
        corpus = open_corpus(path, on_bad_line="skip")
    blank = {"", "  "}
    assert len(texts(corpus)) == sum(text is not None and line not in blank for line, text in lines)
    assert [item.line for item in corpus.left_out] == [k for k, (_, text) in enumerate(lines, 1) if text is None]


CELLS = st.sampled_from(["plain", '"quoted"', '"two\nlines"', '"bad"x', "a,b", "", '"a\r\nb"'])


@settings(max_examples=80, deadline=None)
@given(cells=st.lists(CELLS, max_size=25), block=st.integers(1, 6))
def test_records_of_csv_are_read_again_as_the_probe_saw_them(
    tmp_path_factory: pytest.TempPathFactory, cells: list[str], block: int
) -> None:
    path = tmp_path_factory.mktemp("cells") / "a.csv"
    path.write_bytes(("text,n\nfirst,0\n" + "".join(f"{cell},1\n" for cell in cells)).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_reader, "BLOCK_ROWS", block)
        corpus = open_corpus(path, on_bad_line="skip")
    bad = sum(cell in ('"bad"x', "a,b") for cell in cells)
    assert len(texts(corpus)) == corpus.rows == 1 + len(cells) - bad
    assert len(corpus.left_out) == bad


def test_pandas_own_csv_is_read_with_a_name_made_for_its_index(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b",text,label\n0,one,x\n1,two,y\n")
    corpus = open_corpus(tmp_path)
    assert corpus.schema.names == ["Unnamed: 0", "label", "text"]
    assert corpus.take([1]).to_pylist() == [{"Unnamed: 0": 1, "label": "y", "text": "two"}]
    assert corpus.notes == ("a.csv: the first column has no name and is read as Unnamed: 0",)
    for header in (b"text,,n\n", b",Unnamed: 0,text\n"):
        (tmp_path / "a.csv").write_bytes(header + b"1,2,3\n")
        with pytest.raises(CorpusError, match="columns without a name"):
            open_corpus(tmp_path)


@pytest.mark.parametrize("option", ["fail", "skip"])
def test_a_block_of_blank_lines_between_rows_is_no_gap(tmp_path: Path, option: OnBad) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n' + "\n" * 20_000 + '{"text": "two"}\n')
    corpus = open_corpus(tmp_path, on_bad_line=option)
    assert texts(corpus) == ["one", "two"]
    assert corpus.take([1]).column("text").to_pylist() == ["two"]
