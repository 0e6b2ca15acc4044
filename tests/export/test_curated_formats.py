"""Curated files in every format: lines of JSON stay byte for byte, types stay types, nothing depends on the layout."""

from __future__ import annotations

import gzip
import io
import json
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from curating import Marked, SmallCorpus, Thinned
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.analytics.export import curated as curated_module
from tamis.analytics.export.curated import FORMATS, CuratedOptions, check_format
from tamis.data import curated as data_curated
from tamis.data.errors import CorpusError, SettingError, StoreError
from tamis.data.markers import Markers

scalars = st.none() | st.booleans() | st.integers(-(2**66), 2**66) | st.floats() | st.text(max_size=5)
nested = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
objects = st.fixed_dictionaries(
    {"text": st.text(alphabet="xy é😀\n", min_size=1, max_size=6)},
    optional={"n": nested, "m": nested, "deep": st.dictionaries(st.sampled_from("abc"), nested, max_size=3)},
)
styles = st.fixed_dictionaries({"ensure_ascii": st.booleans(), "separators": st.sampled_from([None, (",", ":")])})


def lines_of(folder: Path) -> list[bytes]:
    """Return the lines of the curated files of a run, in order."""
    found = []
    for path in sorted((folder / "curated").iterdir()):
        data = path.read_bytes()
        if path.suffix == ".zst":
            data = zstandard.ZstdDecompressor().decompress(data)
        assert data == b"" or data.endswith(b"\n")
        found += data.split(b"\n")[:-1]
    return found


def columns_of(folder: Path, name: str = "curated") -> pa.Table:
    """Return the rows of Parquet or Arrow files."""
    files = sorted(path for path in (folder / name).iterdir() if path.suffix in (".parquet", ".arrow"))
    return pa.concat_tables(
        [pq.read_table(path) if path.suffix == ".parquet" else pa.ipc.open_stream(path).read_all() for path in files]
    )


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(objects, styles), min_size=1, max_size=12), last=st.booleans(), crlf=st.booleans())
def test_kept_lines_are_the_lines_of_the_source_byte_for_byte(
    rows: list[tuple[dict[str, Any], dict[str, Any]]], last: bool, crlf: bool
) -> None:
    lines = [json.dumps(row, **style).encode() + (b"\r" if crlf else b"") for row, style in rows]
    blank = b"\n \n"
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "a.jsonl").write_bytes(b"\xef\xbb\xbf" + blank.join(lines) + (b"\n" if last else b""))
        small = SmallCorpus(root / "home", root / "a.jsonl")
        small.curate(root / "out", Thinned(), format="jsonl")
        kept = small.kept([Thinned()])
        assert lines_of(root / "out") == [lines[row] for row in kept]
        small.curate(root / "zst", Thinned(), format="jsonl.zst")
        assert lines_of(root / "zst") == lines_of(root / "out")
        table = pq.read_table(root / "out" / "lines.parquet")
        assert table.column("line").to_pylist() == list(range(1, len(kept) + 1))
        ids = dict(zip(small.documents.order.tolist(), small.documents.ids.to_pylist(), strict=True))
        assert table.column("document_id").to_pylist() == [ids[row] for row in kept]


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(objects, min_size=1, max_size=8), style=styles)
def test_an_edit_changes_the_text_of_its_line_and_nothing_else(
    rows: list[dict[str, Any]], style: dict[str, Any]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        lines = [json.dumps({"meta": row}, **style).encode() for row in rows]
        (root / "a.jsonl").write_bytes(b"\n".join(lines))
        try:
            small = SmallCorpus(root / "home", root / "a.jsonl", text="meta.text")
        except CorpusError:
            return  # An object with other keys at every row has no column.
        small.curate(root / "out", Marked(), format="jsonl")
        for row, line in zip(small.kept([]), lines_of(root / "out"), strict=True):
            text = rows[row]["text"]
            if "x" not in text:
                assert line == lines[row]
            wanted = {"meta": {**rows[row], "text": text.replace("x", "<é>")}}
            assert repr(json.loads(line)) == repr(wanted)


types = st.deferred(
    lambda: (
        st.sampled_from(
            [pa.string(), pa.large_string(), pa.int8(), pa.float32(), pa.bool_(), pa.date32(), pa.decimal128(9, 2)]
        )
        | st.builds(pa.list_, types)
        | st.builds(pa.large_list, types)
        | st.lists(types, min_size=1, max_size=3).map(
            lambda kinds: pa.struct([pa.field("zab"[at], kind) for at, kind in enumerate(kinds)])
        )
        | st.builds(lambda kind: pa.map_(pa.string(), kind), types)
    )
)


def values_of(kind: pa.DataType) -> st.SearchStrategy[Any]:
    """Return values of a type, NULL too."""
    is_ = pa.types
    if is_.is_struct(kind):
        found: st.SearchStrategy[Any] = st.fixed_dictionaries({field.name: values_of(field.type) for field in kind})
    elif is_.is_map(kind):
        found = st.lists(st.tuples(st.text(max_size=3), values_of(kind.item_type)), max_size=3)
    elif is_.is_list(kind) or is_.is_large_list(kind):
        found = st.lists(values_of(kind.value_type), max_size=3)
    elif is_.is_decimal(kind):
        found = st.decimals(min_value=-999, max_value=999, places=2)
    elif is_.is_date(kind):
        found = st.dates()
    elif is_.is_boolean(kind):
        found = st.booleans()
    elif is_.is_integer(kind):
        found = st.integers(-128, 127)
    elif is_.is_floating(kind):
        found = st.floats(width=32, allow_nan=False)
    else:
        found = st.text(max_size=4)
    return st.none() | found


@settings(max_examples=60, deadline=None)
@given(data=st.data(), kinds=st.lists(types, min_size=1, max_size=3))
@pytest.mark.parametrize("format", ["parquet", "arrow"])
def test_rows_with_types_come_back_equal_in_type_and_value(
    format: str, data: st.DataObject, kinds: list[pa.DataType]
) -> None:
    columns = {f"c{at}": kind for at, kind in enumerate(kinds)}
    row = st.fixed_dictionaries({name: values_of(kind) for name, kind in columns.items()})
    rows = data.draw(st.lists(row, min_size=1, max_size=8))
    schema = pa.schema([("z", pa.int32()), *columns.items(), ("text", pa.string())])
    source = pa.Table.from_pylist(
        [{"z": at, "text": f"text {at}", **row} for at, row in enumerate(rows)], schema=schema
    )
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        pq.write_table(source, root / "a.parquet", row_group_size=3)
        small = SmallCorpus(root / "home", root / "a.parquet")
        small.curate(root / "out", Thinned(), format=format)
        back = columns_of(root / "out")
        wanted = source.take(small.kept([Thinned()]))
        assert back.schema.names == [*schema.names, "document_id", "copies", "position", "weight"]
        assert back.select(schema.names).schema.equals(schema)
        assert back.select(schema.names).to_pylist() == wanted.to_pylist()


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return [
        {"z": n, "text": f"an x {n % 19}" if n % 2 else f"no {n}", "meta": {"b": [n], "a": None if n % 3 else "é"}}
        for n in range(60)
    ]


@pytest.fixture(autouse=True)
def _small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write files of sixteen rows, so that there are several."""
    monkeypatch.setattr(data_curated.write_sorted, "__kwdefaults__", {
        **(data_curated.write_sorted.__kwdefaults__ or {}), "shard_rows": 16, "group_rows": 4, "spill_bytes": 2_000,
    })  # fmt: skip
    monkeypatch.setattr(curated_module, "SHARD_ROWS", 16)


def written(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("source", ["jsonl", "parquet"])
def test_bytes_do_not_depend_on_the_layout_of_the_source(
    tmp_path: Path, rows: list[dict[str, Any]], source: str, format: str
) -> None:
    found = []
    schema = pa.Table.from_pylist(rows).schema
    for side, cuts in (("one", [0, 60]), ("two", [0, 7, 31, 60])):
        (tmp_path / side).mkdir()
        order = np.random.default_rng(len(cuts)).permutation(60)
        for first, last in pairwise(cuts):
            some = [rows[row] for row in order[first:last]]
            if source == "parquet":
                table = pa.Table.from_pylist(some, schema=schema)
                pq.write_table(table, tmp_path / side / f"{first}.parquet", row_group_size=5)
            else:
                data = "".join(json.dumps(row) + "\n" for row in some).encode()
                name = f"{first}.jsonl" + (".gz" if first else "")
                (tmp_path / side / name).write_bytes(gzip.compress(data) if first else data)
        small = SmallCorpus(tmp_path / f"home-{side}", tmp_path / side)
        files = small.curate(tmp_path / f"out-{side}", Thinned(), Marked(), format=format, repeat=True, ordered=True)
        assert [file.rows for file in files] == [16, 16, 16, sum(file.rows for file in files) - 48]
        found.append(written(tmp_path / f"out-{side}"))
    assert found[0] == found[1]
    assert not [name for name in found[0] if "/." in name]


@pytest.mark.parametrize("repeat", [False, True])
@pytest.mark.parametrize("ordered", [False, True])
def test_the_table_of_lines_says_of_each_line_what_parquet_says_of_its_row(
    tmp_path: Path, rows: list[dict[str, Any]], repeat: bool, ordered: bool
) -> None:
    for split, part in (("train", rows[:40]), ("test", rows[40:])):
        folder = tmp_path / "corpus" / "lang=de"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{split}-0.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    small = SmallCorpus(tmp_path / "home", tmp_path / "corpus", path_columns="all")
    options = {"repeat": repeat, "ordered": ordered, "origin": True}
    small.curate(tmp_path / "columns", Thinned(), **options)
    files = small.curate(tmp_path / "lines", Thinned(), **options, format="jsonl")
    columns = columns_of(tmp_path / "columns")
    table = pq.read_table(tmp_path / "lines" / "lines.parquet")
    assert table.schema.names[:5] == ["part", "line", "file", "lang", "split"]
    names = table.schema.names[2:]
    assert table.select(names).equals(columns.select(names))
    assert [json.loads(line)["z"] for line in lines_of(tmp_path / "lines")] == columns.column("z").to_pylist()
    places = [(file.name, line + 1) for file in files for line in range(file.rows)]
    assert list(zip(table.column("part").to_pylist(), table.column("line").to_pylist(), strict=True)) == places
    small.curate(tmp_path / "plain", format="jsonl")
    assert pq.read_schema(tmp_path / "plain" / "lines.parquet").names == [
        "part",
        "line",
        "lang",
        "document_id",
        "copies",
    ]


def test_rows_of_each_file_have_the_columns_of_that_file(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    pq.write_table(
        pa.table({"z": [1], "text": ["a parquet row"], "meta": [{"k": 1, "none": None}]}), corpus / "a.parquet"
    )
    (corpus / "b.csv").write_text('b,text,n\n,"a ""csv"" row",007\n')
    (corpus / "c.jsonl").write_text('{"text": "a line",   "only": {"here": null}}\n{"other": 1, "text": "one more"}')
    small = SmallCorpus(tmp_path / "home", corpus)
    small.curate(tmp_path / "out", format="jsonl")
    assert sorted(lines_of(tmp_path / "out")) == sorted(
        [
            b'{"z": 1, "text": "a parquet row", "meta": {"k": 1, "none": null}}',
            b'{"b": "", "text": "a \\"csv\\" row", "n": "007"}',
            b'{"text": "a line",   "only": {"here": null}}',
            b'{"other": 1, "text": "one more"}',
        ]
    )


def test_lines_that_are_left_out_or_are_not_unicode_move_no_other_line(tmp_path: Path) -> None:
    lines = [
        b'{"text": "one x", "n": 1.50}',
        b'{"text": "caf\xe9", "n": 2}',
        b"broken",
        b"{",
        b'\x0c{"text": 1}',
        b"[1]",
    ]
    lines += [b"\xc2\xa0", b'{"text": "\\ud800 x", "n": 1e2}', b'{"text": null, "n": 5}', b'{"text": "last"}']
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines))
    small = SmallCorpus(tmp_path / "home", tmp_path / "a.jsonl", on_bad_line="skip")
    assert small.documents.n == 4
    small.curate(tmp_path / "out", format="jsonl")
    assert sorted(lines_of(tmp_path / "out")) == sorted(lines[at] for at in (0, 1, 7, 9))
    small.curate(tmp_path / "edited", Marked(), format="jsonl")
    wanted = ['{"text": "one <é>", "n": 1.50}', '{"text": "\ufffd <é>", "n": 1e2}', '{"text": "last"}']
    assert sorted(lines_of(tmp_path / "edited")) == sorted([*(line.encode() for line in wanted), lines[1]])


@pytest.mark.parametrize("format", FORMATS)
def test_text_inside_structs_is_edited_in_place(tmp_path: Path, format: str) -> None:
    rows = [
        {"m": {"k": n, "in": {"body": f"x {n}" if n % 3 else None, "n": [n]}} if n % 5 else None} for n in range(20)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    small = SmallCorpus(tmp_path / "home", tmp_path / "a.parquet", text="m.in.body")
    small.curate(tmp_path / "out", Marked(), format=format)
    back = lines_of(tmp_path / "out") if format.startswith("jsonl") else columns_of(tmp_path / "out").to_pylist()
    found = [json.loads(row)["m"] if isinstance(row, bytes) else row["m"] for row in back]
    wanted = [rows[row]["m"] for row in small.kept([])]
    assert all(row is not None for row in wanted)
    for row in wanted:
        assert row is not None
        row["in"]["body"] = row["in"]["body"].replace("x", "<é>")  # type: ignore[index]
    assert found == wanted


def test_compressed_lines_are_one_frame_that_states_its_size(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    small = SmallCorpus(tmp_path / "home", tmp_path / "a.jsonl")
    small.curate(tmp_path / "plain", format="jsonl")
    for file in small.curate(tmp_path / "packed", format="jsonl.zst"):
        packed = (tmp_path / "packed" / "curated" / file.name).read_bytes()
        plain = (tmp_path / "plain" / "curated" / file.name.removesuffix(".zst")).read_bytes()
        head = zstandard.get_frame_parameters(packed)
        assert (head.content_size, head.has_checksum) == (len(plain), True)
        assert zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed)).read() == plain


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_kept_is_one_empty_file(tmp_path: Path, format: str) -> None:
    class Nothing(Thinned):
        """Keeps nothing."""

        def decide(self, view: Any) -> Any:
            return type(super().decide(view))(copies=np.zeros(len(view), dtype=np.int32))

    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n')
    small = SmallCorpus(tmp_path / "home", tmp_path / "a.jsonl")
    (file,) = small.curate(tmp_path / "out", Nothing(), format=format)
    assert file.rows == 0
    if format.startswith("jsonl"):
        assert lines_of(tmp_path / "out") == []
        assert pq.read_table(tmp_path / "out" / "lines.parquet").num_rows == 0
    else:
        assert columns_of(tmp_path / "out").schema.names == ["text", "document_id", "copies"]


@pytest.mark.parametrize("format", FORMATS)
def test_whole_files_of_a_stopped_run_stay_in_every_format(
    tmp_path: Path, rows: list[dict[str, Any]], format: str
) -> None:
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    small = SmallCorpus(tmp_path / "home", tmp_path / "a.jsonl")
    small.curate(tmp_path / "fresh", Marked(), format=format)
    markers = Markers(tmp_path / "out" / ".done", {"run": format})
    blocked = sorted((tmp_path / "fresh" / "curated").glob("*0000[23]*"))[0]
    blocked = tmp_path / "out" / "curated" / blocked.name.replace("00003.", "00002.")
    blocked.mkdir(parents=True)
    with pytest.raises(StoreError, match="Cannot write"):
        small.curate(tmp_path / "out", Marked(), format=format, markers=markers)
    blocked.rmdir()
    before = {path.name: path.stat().st_ino for path in blocked.parent.iterdir()}
    assert len(before) == 2
    small.curate(tmp_path / "out", Marked(), format=format, markers=markers)
    after = {path.name: path.stat().st_ino for path in blocked.parent.iterdir()}
    assert before.items() <= after.items()
    assert {name: data for name, data in written(tmp_path / "out").items() if ".done" not in name} == written(
        tmp_path / "fresh"
    )


@pytest.mark.parametrize("format", ["jsonl", "jsonl.zst"])
def test_a_source_that_changed_meanwhile_is_refused(tmp_path: Path, format: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one"}\n{"text": "two"}\n')
    small = SmallCorpus(tmp_path / "home", path)
    path.write_text('{"text": "six"}\n{"text": "two"}\n')
    with pytest.raises(CorpusError, match=r"a\.jsonl was changed since the corpus was opened"):
        small.curate(tmp_path / "out", format=format)
    assert not list((tmp_path / "out").rglob("part-*"))


def test_a_source_that_changes_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one"}\n{"text": "two"}\n')
    small = SmallCorpus(tmp_path / "home", path)
    (opened,) = small.corpus.opened
    read = type(opened).lines

    def meanwhile(self: Any, marks: Any) -> Any:
        path.write_text('{"text": "six"}\n{"text": "two"}\n')
        return read(self, marks)

    monkeypatch.setattr(type(opened), "lines", meanwhile)
    with pytest.raises(CorpusError, match="was changed since"):
        small.curate(tmp_path / "out", format="jsonl")


@pytest.mark.parametrize("name", ["json", "JSONL", "", "parquet.zst"])
def test_an_unknown_format_is_refused_and_the_known_ones_are_listed(name: str) -> None:
    with pytest.raises(
        SettingError, match=r"Unknown format .*arrow, folder, jsonl, jsonl\.zst, parquet, paths, webdataset"
    ):
        check_format(name)


def test_a_format_is_part_of_the_identity_only_where_it_is_not_parquet() -> None:
    assert "format" not in CuratedOptions().plain
    assert CuratedOptions(format="arrow").plain == {"repeat": False, "ordered": False, "format": "arrow"}
