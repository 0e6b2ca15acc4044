"""Conversations, pairs and records go out in the shape in which they came in, edited turn by turn."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from curating import SmallCorpus, Thinned
from layouts import LAYOUTS, Layout

from tamis.analytics.operators.operator import TextOperator

OPENED = [layout for layout in LAYOUTS if layout.shape]


class Replaced(TextOperator):
    """Writes another word for a word."""

    name: ClassVar[str] = "replaced"
    before: str = ""
    after: str = ""

    def edit(self, texts: pa.LargeStringArray) -> pa.LargeStringArray:
        return pc.replace_substring(texts, self.before, self.after)


def word_of(layout: Layout) -> str:
    """Return a word of the first part of the first row."""
    text = layout.parts[0][2] if layout.parts else "return"
    return next(word for word in sorted(text.split(), key=len, reverse=True) if word.isalpha())


def lines_in(folder: Path) -> list[bytes]:
    return (folder / "curated" / "part-00000.jsonl").read_bytes().split(b"\n")[:-1]


def json_text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


@pytest.mark.parametrize("layout", OPENED, ids=lambda layout: layout.name)
def test_lines_of_every_layout_stay_byte_for_byte(tmp_path: Path, layout: Layout) -> None:
    lines = [json.dumps(row, separators=(",", ":") if at % 2 else None).encode() for at, row in enumerate(layout.rows)]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines))
    small = SmallCorpus(tmp_path / "home", tmp_path / "a.jsonl", text=None)
    assert small.corpus.shape.kind == layout.shape
    small.curate(tmp_path / "out", Thinned(), format="jsonl")
    assert lines_in(tmp_path / "out") == [lines[row] for row in small.kept([Thinned()])]
    nothing = Replaced(before="a word that is nowhere", after="")
    small.curate(tmp_path / "same", nothing, format="jsonl")
    assert sorted(lines_in(tmp_path / "same")) == sorted(lines)
    assert pq.read_table(tmp_path / "same" / "edits.parquet").num_rows == 0


@pytest.mark.parametrize("layout", OPENED, ids=lambda layout: layout.name)
@pytest.mark.parametrize("kind", ["array", "pretty", "held"])
def test_the_elements_of_an_array_become_lines_with_their_own_keys(tmp_path: Path, layout: Layout, kind: str) -> None:
    rows: Any = list(layout.rows)
    text = json.dumps({"data": rows} if kind == "held" else rows, indent=2 if kind == "pretty" else None)
    (tmp_path / "a.json").write_text(text)
    small = SmallCorpus(tmp_path / "home", tmp_path / "a.json", text=None)
    small.curate(tmp_path / "out", format="jsonl")
    found = lines_in(tmp_path / "out")
    assert sorted(map(json_text, map(json.loads, found))) == sorted(map(json_text, layout.rows))
    assert [list(json.loads(line)) for line in found] == [list(layout.rows[row]) for row in small.kept([])]
    if kind != "pretty":
        assert sorted(found) == sorted(json.dumps(row).encode() for row in layout.rows)


@pytest.mark.parametrize("layout", OPENED, ids=lambda layout: layout.name)
@pytest.mark.parametrize("source", ["jsonl", "json", "parquet"])
def test_an_edit_of_turns_gives_the_same_rows_in_every_format(tmp_path: Path, layout: Layout, source: str) -> None:
    word = word_of(layout)
    edit = Replaced(before=word, after="\u00e9<x>")
    path = tmp_path / f"a.{source}"
    if source == "parquet":
        pq.write_table(pa.Table.from_pylist(list(layout.rows)), path)
    else:
        path.write_text(json.dumps(layout.rows) if source == "json" else "\n".join(map(json.dumps, layout.rows)))
    small = SmallCorpus(tmp_path / "home", path, text=None)
    small.curate(tmp_path / "lines", edit, format="jsonl")
    small.curate(tmp_path / "columns", edit, format="parquet")
    small.curate(tmp_path / "arrow", edit, format="arrow")
    rows = [json.loads(line) for line in lines_in(tmp_path / "lines")]
    table = pq.read_table(tmp_path / "columns" / "curated")
    assert table.drop_columns(["document_id", "copies"]).schema.equals(small.corpus.source_schema)
    with pa.ipc.open_stream(tmp_path / "arrow" / "curated" / "data-00000-of-00001.arrow") as stream:
        assert stream.read_all().equals(table)
    edits = [pq.read_table(tmp_path / name / "edits.parquet") for name in ("lines", "columns", "arrow")]
    assert edits[0].equals(edits[1])
    assert edits[0].equals(edits[2])
    assert edits[0].num_rows >= 1
    before = [layout.rows[row] for row in small.kept([])]
    assert all(json_text(row) in {json_text(old), json_text(replaced(old, word))} or "<x>" in json_text(row)
               for row, old in zip(rows, before, strict=True))  # fmt: skip
    assert any("<x>" in json_text(row) for row in rows)
    # Without the edit the rows are those of the source: nothing else changed.
    back = [json.loads(json.dumps(row).replace("\\u00e9<x>", word).replace("\\\\u00e9<x>", word)) for row in rows]
    assert list(map(json_text, back)) == list(
        map(json_text, full(before, table.schema if source == "parquet" else None))
    )


def replaced(row: Any, word: str) -> Any:
    return json.loads(json.dumps(row).replace(word, "\\u00e9<x>"))


def full(rows: list[Any], schema: pa.Schema | None) -> list[Any]:
    """Return rows as Parquet states them, with the keys of all rows; without a schema as they are."""
    if schema is None:
        return rows
    names = [name for name in schema.names if name not in ("document_id", "copies")]
    return pa.Table.from_pylist(
        copy.deepcopy(rows), schema=pa.schema([schema.field(name) for name in names])
    ).to_pylist()


def test_the_edits_of_a_conversation_count_the_turns_that_changed(tmp_path: Path) -> None:
    turns = [
        {"role": "user", "content": "ab ab"},
        {"role": "assistant", "content": "ab"},
        {"role": "user", "content": "no"},
    ]
    rows = [
        {"messages": turns},
        {"messages": [{"role": "user", "content": "none"}, {"role": "assistant", "content": "x"}]},
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    small = SmallCorpus(tmp_path / "home", tmp_path / "a.jsonl", text=None)
    small.curate(tmp_path / "out", Replaced(before="ab", after="abc"), Replaced(before="abc", after=""), format="jsonl")
    (one, two) = pq.read_table(tmp_path / "out" / "edits.parquet").to_pylist()
    assert (one["step"], one["bytes_before"], one["bytes_after"]) == ("step-0", 7, 10)
    assert (two["step"], two["bytes_before"], two["bytes_after"]) == ("step-1", 10, 1)
    assert one["id"] == two["id"]
    assert b'{"messages": [{"role": "user", "content": " "}, {"role": "assistant", "content": ""}, ' in b"".join(
        lines_in(tmp_path / "out")
    )


def test_turns_that_are_not_unicode_stay_unless_they_are_edited(tmp_path: Path) -> None:
    line = (
        b'{"messages": [{"role": "user", "content": "\\ud800 one"}, {"role": "assistant", "content": "caf\xe9 two"}]}'
    )
    other = b'{"messages": [{"role": "user", "content": "three"}, {"role": "assistant", "content": "four"}]}'
    (tmp_path / "a.jsonl").write_bytes(line + b"\n" + other)
    small = SmallCorpus(tmp_path / "home", tmp_path / "a.jsonl", text=None)
    small.curate(tmp_path / "same", Replaced(before="four", after="5"), format="jsonl")
    assert sorted(lines_in(tmp_path / "same")) == sorted([line, other.replace(b"four", b"5")])
    small.curate(tmp_path / "out", Replaced(before="two", after="2"), format="jsonl")
    wanted = line.replace(b"caf\xe9 two", "caf\ufffd 2".encode())
    assert sorted(lines_in(tmp_path / "out")) == sorted([wanted, other])
