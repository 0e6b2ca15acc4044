"""JSON arrays, objects that hold one and single objects give the rows that JSON Lines would give."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tamis.data.corpus import Corpus
from tamis.data.errors import CorpusError, RoleError
from tamis.data.json_stream import JsonStream
from tamis.data.open_corpus import open_corpus

ROWS = [
    {"id": f"d{k}", "text": f"Document {k} says “né” {'wörd ' * (k % 7)}", "n": k, "tags": ["a"] * (k % 3)}
    for k in range(300)
]

LAYOUTS: dict[str, Callable[[Sequence[Any]], str]] = {
    "compact": lambda rows: json.dumps(rows),
    "pretty": lambda rows: json.dumps(rows, indent=2, ensure_ascii=False),
    "one record a line": lambda rows: "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n",
    "under a key": lambda rows: json.dumps({"version": "1.0", "data": rows}),
    "under a key, pretty": lambda rows: json.dumps({"data": rows, "version": "1.0"}, indent=4),
    "beside a smaller array": lambda rows: json.dumps({"authors": [{"name": "a"}], "rows": rows, "z": [{"name": "b"}]}),
    "with a byte order mark": lambda rows: "\ufeff" + json.dumps(rows),
}


def rows_of(corpus: Corpus) -> list[dict[str, Any]]:
    """Return all rows, without keys that are NULL."""
    found = [row for shard in corpus.shards() for batch in corpus.batches(shard) for row in batch.to_pylist()]
    return [{key: value for key, value in row.items() if value is not None} for row in found]


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every element cross the end of what is held."""
    monkeypatch.setattr("tamis.data.json_stream.HELD_BYTES", 97)
    monkeypatch.setattr("tamis.data.json_stream.BLOCK_BYTES", 97)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.usefixtures("small_blocks")
def test_every_layout_gives_the_rows_of_json_lines(tmp_path: Path, layout: str) -> None:
    (tmp_path / "a.json").write_text(LAYOUTS[layout](ROWS), encoding="utf-8")
    corpus = open_corpus(tmp_path / "a.json")
    assert (corpus.files[0].format, corpus.rows) == ("json", 300)
    assert rows_of(corpus) == ROWS
    assert len(corpus._opened[0].probe.marks) > 30
    wanted = [299, 0, 150, 150, 7]
    assert corpus.take(wanted).column("text").to_pylist() == [ROWS[k]["text"] for k in wanted]
    corpus.verify()


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("a.json.gz", gzip.compress),
        ("a.json.zst", zstandard.compress),
        ("a.json.bz2", bz2.compress),
        ("a.json.xz", lzma.compress),
        ("a.json", gzip.compress),
    ],
)
@pytest.mark.usefixtures("small_blocks")
def test_packed_arrays_are_read_as_plain_ones(tmp_path: Path, name: str, pack: Callable[[bytes], bytes]) -> None:
    (tmp_path / name).write_bytes(pack(LAYOUTS["pretty"](ROWS).encode()))
    corpus = open_corpus(tmp_path)
    assert rows_of(corpus) == ROWS
    assert corpus.take([250, 3]).column("id").to_pylist() == ["d250", "d3"]


@pytest.mark.parametrize(
    ("text", "kind", "rows"),
    [
        ('{"text": "one"}\n{"text": "two"}\n', "jsonl", 2),
        ('{"text": "the only line"}', "jsonl", 1),
        ('{"text": "one", "spans": [{"at": 1}]}\n', "jsonl", 1),
        ('{"spans": [{"at": 1}], "text": "one"}\n{"text": "two"}', "jsonl", 2),
        ('{"spans": [{"at": 1}], "comment": "one two three"}\n{"comment": "one two three"}', "jsonl", 2),
        ('{\n"text": "one",\n"spans": [{"at": 1}]}\n', "json", 1),
        ('{\n"meta": {"a": [{"b": 1}]},\n"text": "one"}\n', "json", 1),
        ('{"rows": [{"text": "one"}]}', "json", 1),
        ('[{"text": "one"}]', "json", 1),
    ],
)
def test_content_says_whether_a_json_file_holds_lines(tmp_path: Path, text: str, kind: str, rows: int) -> None:
    (tmp_path / "a.json").write_text(text)
    corpus = open_corpus(tmp_path)
    assert (corpus.files[0].format, corpus.rows) == (kind, rows)


def test_a_json_file_of_lines_keeps_the_fingerprint_of_json_lines(tmp_path: Path) -> None:
    for folder, name in (("a", "a.json"), ("b", "b.jsonl")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    assert open_corpus(tmp_path / "a").fingerprint == open_corpus(tmp_path / "b").fingerprint


def test_the_key_that_holds_the_records_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(LAYOUTS["beside a smaller array"](ROWS))
    assert open_corpus(tmp_path).notes == ("a.json: its records are the elements of rows; authors, z is not read",)


BROKEN: dict[str, tuple[str, int, str]] = {
    "inside a string": ('[\n{"text": "one"},\n{"text": "two"},\n{"text": "thr', 2, "breaks off in line 4, after 2"),
    "inside a number": ('[{"text": "one", "n": 1}, {"text": "two", "n": 1', 1, "breaks off in line 1, after 1 whole"),
    "inside an escape": ('[{"text": "one"}, {"text": "tw\\u00', 1, "breaks off in line 1, after 1 whole record "),
    "before the end": ('[{"text": "one"}, {"text": "two"}', 2, r"breaks off in line 1, after 2 whole records"),
    "in the middle": (
        '[{"text": "one"},\n{"text": tru},\n{"text": "two"}]' + " " * 99,
        1,
        "is not JSON from line 2 on",
    ),
    "under a key": ('{"v": 1, "data": [{"text": "one"}, {"te', 1, "breaks off in line 1, after 1 whole record "),
    "too deep": ('[{"text": "one"},\n{"text": ' + "[" * 200_000, 1, "is not JSON from line 2 on, after 1 whole record"),
    "a long number": ('[{"text": "one"}, {"n": ' + "1" * 5000 + "}]", 1, "is not JSON from line 1 on"),
    "more behind it": (
        '[{"text": "one"}]\n[{"text": "two"}]',
        1,
        "is not JSON from line 2 on, after 1 .*something follows",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_refused_with_its_count_or_read_up_to_there(tmp_path: Path, case: str) -> None:
    text, rows, says = BROKEN[case]
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(CorpusError, match=rf"a\.json {says}.*--skip-bad-files"):
        open_corpus(tmp_path)
    corpus = open_corpus(tmp_path, on_bad_file="skip")
    assert [row["text"] for row in rows_of(corpus)] == ["one", "two"][:rows]
    assert corpus.left_out[0].file == "a.json"
    assert "the rest of the file is left out" in " ".join(corpus.notes)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("[", r"breaks off in line 1, after 0 whole records"),
        ("{\n", r"line 2 is not JSON"),
        ('{\n"text": "cut off', r"line 2 is not JSON"),
        ('{\n"text": "one", "spans": [{"at": 1}, {"a', r"line 2 is not JSON"),
        ("[1, 2]", r"line 1 holds element 1, which is not an object but of type int"),
        ('["one"]', r"line 1 holds element 1, which is not an object but of type str"),
    ],
)
def test_without_a_whole_record_a_file_is_bad(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "a.json").write_text(text)
    (tmp_path / "good.json").write_text('[{"text": "one"}]')
    with pytest.raises(CorpusError, match=says):
        open_corpus(tmp_path)
    corpus = open_corpus(tmp_path, on_bad_file="skip")
    assert [file.name for file in corpus.files] == ["good.json"]


def test_elements_that_are_no_objects_are_left_out_when_asked(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"text": "one"},\n7,\n{"text": "two"}, null]')
    with pytest.raises(CorpusError, match=r"line 2 holds element 2, which is not an object but of type int"):
        open_corpus(tmp_path)
    corpus = open_corpus(tmp_path, on_bad_line="skip")
    assert [row["text"] for row in rows_of(corpus)] == ["one", "two"]
    assert [(item.line, item.reason.split(",")[0]) for item in corpus.left_out] == [
        (2, "holds element 2"),
        (3, "holds element 4"),
    ]


def test_strange_values_are_read_as_json_lines_reads_them(tmp_path: Path) -> None:
    lines = [
        '{"text": "a lone \\ud83d surrogate", "x": NaN, "k\\ud83d": 1}',
        '{"text": "first", "text": "last of equal keys", "x": Infinity}',
        '{"text": "' + "ten megabytes " * 800_000 + '", "x": -Infinity}',
    ]
    raw = [line.encode() for line in lines] + [b'{"text": "broken \xff byte", "x": 1.5}']
    (tmp_path / "array.json").write_bytes(b"[" + b",\n".join(raw) + b"]")
    (tmp_path / "lines.jsonl").write_bytes(b"\n".join(raw))
    array, other = open_corpus(tmp_path / "array.json"), open_corpus(tmp_path / "lines.jsonl")
    assert array.schema == other.schema
    assert repr(rows_of(array)) == repr(rows_of(other))


def test_an_array_named_as_json_lines_is_refused_with_the_name_it_needs(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('[{"text": "one"}]')
    with pytest.raises(CorpusError, match=r"line 1 is not a JSON object.*its name must end in \.json"):
        open_corpus(tmp_path)


def test_an_array_without_elements_has_no_rows(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[ ]")
    with pytest.raises((CorpusError, RoleError)):
        open_corpus(tmp_path)


def test_no_more_is_held_than_a_value_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tamis.data.json_stream.HELD_BYTES", 1_000)
    monkeypatch.setattr("tamis.data.json_stream.BLOCK_BYTES", 1_000)
    stream = JsonStream(io.BytesIO(b'{"data": [' + b",".join([b'{"text": "' + b"x" * 300 + b'"}'] * 9_000) + b"]}"))
    assert next(stream.members()) == "data"
    most = 0
    for block in stream.elements():
        most = max(most, len(stream._text), sum(len(value["text"]) for value in block.values))
    assert most < 3_000


KEYS = st.text(alphabet='abc\\"é 😀', min_size=1, max_size=4)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
RECORDS = st.lists(st.dictionaries(KEYS, VALUES, max_size=4).map(lambda row: {**row, "text": "some words"}), min_size=1)


@given(records=RECORDS, indent=st.none() | st.integers(0, 3), ascii_only=st.booleans(), held=st.integers(1, 60))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_array_gives_what_its_lines_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, records: list[Any], indent: int | None, ascii_only: bool, held: int
) -> None:
    monkeypatch.setattr("tamis.data.json_stream.HELD_BYTES", held)
    (tmp_path / "a.json").write_text(json.dumps(records, indent=indent, ensure_ascii=ascii_only), encoding="utf-8")
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in records), encoding="utf-8")
    array, lines = (open_corpus(tmp_path / name, roles={"text": "text"}) for name in ("a.json", "a.jsonl"))
    assert array.schema == lines.schema
    assert rows_of(array) == rows_of(lines)
