"""Our own Parquet is deterministic; curated rows come out sorted, whole, and with the same bytes whatever the input."""

from __future__ import annotations

import hashlib
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.data.corpus import Corpus
from tamis.data.curated import RankedBatch, curated_schema, kept_batches, write_sorted, written_schema
from tamis.data.documents import Documents
from tamis.data.errors import Cancelled, StoreError
from tamis.data.identification import identify
from tamis.data.markers import Markers, WrittenFile
from tamis.data.open_corpus import open_corpus
from tamis.data.parquet import atomic_write, read_parquet, write_parquet
from tamis.data.progress import NullProgress
from tamis.data.store import ArtifactKey, Store

tables = st.lists(
    st.tuples(st.text(max_size=8), st.none() | st.integers(-5, 5), st.lists(st.floats(allow_nan=False), max_size=2)),
    max_size=30,
).map(
    lambda rows: pa.table(
        {
            "text": pa.array([row[0] for row in rows], pa.large_string()),
            "n": pa.array([row[1] for row in rows], pa.int64()),
            "xs": pa.array([row[2] for row in rows], pa.list_(pa.float64())),
        }
    )
)


def rechunked(table: pa.Table, cuts: list[int]) -> pa.Table:
    """Return the same rows in other chunks, as views into a larger allocation, with metadata."""
    bounds = sorted({0, table.num_rows, *(cut % (table.num_rows + 1) for cut in cuts)})
    pieces = [table.slice(start, stop - start) for start, stop in pairwise(bounds)]
    joined = pa.concat_tables([table.slice(0, 0), *pieces])
    return joined.replace_schema_metadata({"made": "by chance"})


@settings(max_examples=40, deadline=None)
@given(table=tables, cuts=st.lists(st.integers(0, 40), max_size=5), rows=st.integers(1, 12))
def test_equal_tables_give_equal_bytes(table: pa.Table, cuts: list[int], rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        one, two = Path(folder) / "one.parquet", Path(folder) / "two.parquet"
        write_parquet(table, one, row_group_rows=rows)
        write_parquet(rechunked(table, cuts), two, row_group_rows=rows)
        assert one.read_bytes() == two.read_bytes()
        assert read_parquet(one).equals(table)
        assert pq.ParquetFile(one).metadata.num_row_groups == -(-table.num_rows // rows)


def test_a_table_without_metadata_keeps_the_bytes_it_always_had(tmp_path: Path) -> None:
    # Tables are named by these bytes; they hold only as long as the library writes them, which its version says.
    table = pa.table({"id": pa.array(["a", "b"]), "n": pa.array([1, None], pa.int64())})
    write_parquet(table, tmp_path / "a.parquet")
    assert pq.read_schema(tmp_path / "a.parquet").metadata is None
    if pa.__version__ == "26.0.1":
        found = hashlib.sha256((tmp_path / "a.parquet").read_bytes()).hexdigest()
        assert found == "f2d312e81b97103aa907529069e7bcbdbd2551f6f17f39d86c5ac89de51c4f1f"


def test_changed_byte_of_a_page_is_refused_on_reading(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_parquet(pa.table({"x": np.arange(10_000)}), path)
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(StoreError, match=r"Cannot read .*a\.parquet"):
        read_parquet(path)


def test_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_write(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["a.txt"]


def identified(path: Path) -> tuple[Corpus, Documents]:
    """Open a corpus and identify its documents."""
    corpus = open_corpus(path)
    with Store(path.with_name(f"{path.name}-store")).writer(ArtifactKey("documents", 1, corpus.fingerprint)) as out:
        return corpus, Documents.read(identify(corpus, out, NullProgress()))


def digests(files: tuple[WrittenFile, ...], folder: Path) -> list[str]:
    """Return the checksums of the files as they are on disk."""
    found = [hashlib.sha256((folder / file.name).read_bytes()).hexdigest() for file in files]
    assert found == [file.sha256 for file in files]
    return found


def rows_of(n: int) -> list[dict[str, Any]]:
    """Return rows with twins, NULL texts, nested and missing values."""
    return [
        {
            "text": None if number % 17 == 3 else f"document {number % 23}",
            "n": number,
            "meta": {"deep": [number] * (number % 3), "s": None if number % 2 else f"s{number}"},
        }
        for number in range(n)
    ]


@settings(max_examples=15, deadline=None)
@given(
    order=st.permutations(range(60)),
    cut=st.integers(1, 59),
    keep=st.lists(st.integers(0, 3), min_size=57, max_size=57),
    spill=st.sampled_from([1, 3000, 1 << 20]),
)
def test_curated_bytes_do_not_depend_on_the_input_layout(
    order: list[int], cut: int, keep: list[int], spill: int
) -> None:
    rows = rows_of(60)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for side in ("one", "two"):
            (root / side).mkdir()
        schema = pa.Table.from_pylist(rows).schema
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), root / "one" / "a.parquet")
        for number, part in enumerate((order[:cut], order[cut:])):
            table = pa.Table.from_pylist([rows[row] for row in part], schema=schema)
            pq.write_table(table, root / "two" / f"{number}.parquet", row_group_size=7)
        found = []
        for side, limit in (("one", 1 << 30), ("two", spill)):
            corpus, documents = identified(root / side)
            assert documents.n == 56
            copies = np.array(keep[:56], dtype=np.int32)
            extra = {"doc": documents.ids}
            out = root / f"out-{side}"
            files = write_sorted(
                kept_batches(corpus, documents, copies, extra=extra),
                out,
                rows=int(copies.sum()),
                schema=curated_schema(corpus, {"doc": pa.string()}),
                shard_rows=20,
                group_rows=5,
                spill_bytes=limit,
            )
            found.append(digests(files, out))
            assert sorted(path.name for path in out.iterdir()) == [file.name for file in files]
            written = pa.concat_tables([read_parquet(out / file.name) for file in files])
            assert written["doc"].to_pylist() == np.repeat(documents.ids.to_pylist(), copies).tolist()
            assert written.column_names == ["meta", "n", "text", "doc"]
            back = {row["n"]: row for row in rows}
            assert all(back[row["n"]]["text"] == row["text"] for row in written.to_pylist())
        assert found[0] == found[1]


def test_nothing_kept_gives_one_file_without_rows(tmp_path: Path) -> None:
    schema = pa.schema([("text", pa.large_string())])
    (file,) = write_sorted([], tmp_path / "out", rows=0, schema=schema)
    assert (file.name, file.rows) == ("part-00000.parquet", 0)
    assert read_parquet(tmp_path / "out" / file.name).schema == schema


@pytest.mark.parametrize("ranks", [[0, 1], [0, 1, 1], [0, 1, 3], [0, 2, 1, 1]])
def test_missing_and_doubled_ranks_are_refused(tmp_path: Path, ranks: list[int]) -> None:
    schema = pa.schema([("x", pa.int64())])
    batch = pa.RecordBatch.from_arrays([pa.array(ranks)], schema=schema)
    ranked = RankedBatch(np.array(ranks, dtype=np.int64), batch)
    with pytest.raises(StoreError, match="do not occur exactly once"):
        write_sorted([ranked], tmp_path, rows=3, schema=schema, shard_rows=4, group_rows=4)
    assert not list(tmp_path.glob("*.parquet"))


@pytest.mark.parametrize("rank", [-1, 3, 4, 100])
def test_a_rank_outside_the_rows_is_refused_wherever_it_lies(tmp_path: Path, rank: int) -> None:
    ranks = [0, 1, 2, rank]
    for spill in (1, 1 << 20):
        batch = pa.RecordBatch.from_pydict({"x": pa.array(ranks, pa.int64())})
        ranked = RankedBatch(np.array(ranks, dtype=np.int64), batch)
        with pytest.raises(StoreError, match=rf"do not occur exactly once: .*got {rank}"):
            write_sorted([ranked], tmp_path, rows=3, schema=batch.schema, shard_rows=2, group_rows=2, spill_bytes=spill)
        assert not list(tmp_path.glob("*"))


def test_added_column_with_a_source_name_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"], "position": [1]}), tmp_path / "a.parquet")
    with pytest.raises(StoreError, match=r"name of a source column.*position"):
        curated_schema(open_corpus(tmp_path / "a.parquet"), {"position": pa.int64()})


def test_cancelled_pass_leaves_no_file(tmp_path: Path) -> None:
    class Stopped(NullProgress):
        def check(self) -> None:
            raise Cancelled("The work was stopped")

    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "a.parquet")
    corpus, documents = identified(tmp_path / "a.parquet")
    batches = kept_batches(corpus, documents, np.ones(1, dtype=np.int32), progress=Stopped())
    with pytest.raises(Cancelled):
        write_sorted(batches, tmp_path / "out", rows=1, schema=curated_schema(corpus))
    assert not list((tmp_path / "out").glob("*"))


class Stopping:
    """Batches of the numbers below twelve, whole or until a person stops the work."""

    schema = pa.schema([("x", pa.int64())])

    def __init__(self, *, add: int = 0) -> None:
        self.add = add

    def write(self, folder: Path, made_for: str, *, files: int = 3) -> tuple[WrittenFile, ...]:
        """Write files of four rows, stopped before the one numbered ``files``."""
        ranks = np.random.default_rng(0).permutation(12)
        batches = [
            RankedBatch(some, pa.RecordBatch.from_arrays([pa.array(some + self.add)], schema=self.schema))
            for some in np.split(ranks, 4)
        ]
        markers = Markers(folder / ".done", {"recipe": made_for})
        if files < 3:
            (folder / f"part-{files:05d}.parquet").mkdir(parents=True)
        return write_sorted(batches, folder, rows=12, schema=self.schema, shard_rows=4, group_rows=2, markers=markers)


def test_whole_files_of_a_stopped_run_stay_and_the_rest_is_made(tmp_path: Path) -> None:
    fresh = Stopping().write(tmp_path / "fresh", "a")
    out = tmp_path / "out"
    with pytest.raises(StoreError):
        Stopping().write(out, "a", files=2)
    (out / "part-00002.parquet").rmdir()
    before = {path.name: path.stat().st_ino for path in out.glob("*.parquet")}
    assert len(before) == 2
    assert Stopping().write(out, "a") == fresh
    after = {path.name: path.stat().st_ino for path in out.glob("*.parquet")}
    assert len(after) == 3
    assert before.items() <= after.items()


def test_a_whole_file_of_another_recipe_is_written_anew(tmp_path: Path) -> None:
    fresh = Stopping(add=100).write(tmp_path / "fresh", "b")
    Stopping().write(tmp_path / "out", "a")
    assert Stopping(add=100).write(tmp_path / "out", "b") == fresh
    assert digests(fresh, tmp_path / "out") == digests(fresh, tmp_path / "fresh")


@pytest.mark.parametrize("damage", ["file", "marker", "rows"])
def test_a_damaged_file_or_marker_is_written_anew(tmp_path: Path, damage: str) -> None:
    fresh = Stopping().write(tmp_path, "a")
    marker = tmp_path / ".done" / "part-00001.parquet.json"
    if damage == "file":
        (tmp_path / "part-00001.parquet").write_bytes(b"half")
    elif damage == "marker":
        marker.write_text("{")
    else:
        marker.write_text(marker.read_text().replace('"rows": 4', '"rows": "4"'))
    assert Stopping().write(tmp_path, "a") == fresh
    assert digests(fresh, tmp_path) == [file.sha256 for file in fresh]


def numbered(ranks: list[int], name: str = "x") -> RankedBatch:
    """Return rows that hold their ranks."""
    return RankedBatch(np.array(ranks, dtype=np.int64), pa.RecordBatch.from_pydict({name: pa.array(ranks, pa.int64())}))


def test_files_hold_four_row_groups_of_16384_rows(tmp_path: Path) -> None:
    batch = numbered(list(range(4 * 16_384 + 16_384 + 3)))
    files = write_sorted([batch], tmp_path, rows=len(batch.ranks), schema=batch.batch.schema)
    assert [(file.name, file.rows) for file in files] == [
        ("part-00000.parquet", 65_536),
        ("part-00001.parquet", 16_387),
    ]
    groups = [pq.ParquetFile(tmp_path / file.name).metadata for file in files]
    assert [[each.row_group(k).num_rows for k in range(each.num_row_groups)] for each in groups] == [
        [16_384] * 4,
        [16_384, 3],
    ]
    assert pa.concat_tables([read_parquet(tmp_path / file.name) for file in files])["x"].to_pylist() == list(
        batch.ranks
    )


@pytest.mark.parametrize("limit", [31, 32, 63, 64, 95, 96])
def test_rows_are_spilled_when_they_are_more_than_the_limit(tmp_path: Path, limit: int) -> None:
    # A row is 16 bytes: its number and its rank. Two come at a time, and what is spilled is held no longer.
    spilled: list[int] = []

    def batches() -> Any:
        for first in range(0, 12, 2):
            yield numbered([11 - first, 10 - first])
            spilled.append(sum(1 for _ in (tmp_path / ".spill").glob("*")))

    files = write_sorted(
        batches(), tmp_path, rows=12, schema=numbered([0]).batch.schema, shard_rows=4, group_rows=4, spill_bytes=limit
    )
    held, groups, wanted = 0, set(), []
    pending: list[int] = []
    for first in range(0, 12, 2):
        pending += [(11 - first) // 4, (10 - first) // 4]
        held += 32
        if held > limit:
            groups |= set(pending)
            held, pending = 0, []
        wanted.append(len(groups))
    assert spilled == wanted
    assert [read_parquet(tmp_path / file.name)["x"].to_pylist() for file in files] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9, 10, 11],
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == [file.name for file in files]


@pytest.mark.parametrize("name", ["rank", "rank_", "a longer name than that"])
def test_a_column_may_have_the_name_of_the_rank(tmp_path: Path, name: str) -> None:
    batches = [numbered([3, 1], name), numbered([], name), numbered([0, 2], name)]
    (file,) = write_sorted(batches, tmp_path, rows=4, schema=batches[0].batch.schema, spill_bytes=1)
    assert read_parquet(tmp_path / file.name).to_pydict() == {name: [0, 1, 2, 3]}


def test_what_an_interrupted_run_left_is_removed(tmp_path: Path) -> None:
    stale = [tmp_path / ".part-00007.parquet.1-1.tmp", tmp_path / ".spill" / "000000.arrows"]
    stale[1].parent.mkdir()
    for path in stale:
        path.write_bytes(b"half a row")
    write_sorted([numbered([1, 0])], tmp_path, rows=2, schema=numbered([0]).batch.schema, spill_bytes=1)
    assert [path.name for path in tmp_path.iterdir()] == ["part-00000.parquet"]


def test_the_pass_is_checked_and_told_shard_by_shard(tmp_path: Path) -> None:
    class Watch(NullProgress):
        def __init__(self) -> None:
            self.told: list[object] = []

        def check(self) -> None:
            self.told.append("check")

        def advance(self, amount: int = 1) -> None:
            self.told.append(amount)

    (tmp_path / "corpus").mkdir()
    for name, texts in (("a", ["one", "two", None]), ("b", ["six", "one"])):
        pq.write_table(pa.table({"text": pa.array(texts, pa.string())}), tmp_path / "corpus" / f"{name}.parquet")
    corpus, documents = identified(tmp_path / "corpus")
    watch, copies = Watch(), np.array([2, 0, 3, 1], dtype=np.int32)
    extra = {"doc": documents.ids}
    found = list(kept_batches(corpus, documents, copies, extra=extra, progress=watch))
    assert watch.told == [step for shard in corpus.shards() for step in ("check", shard.rows)]
    rows = {}
    for ranked in found:
        rows |= dict(zip(ranked.ranks.tolist(), ranked.batch.to_pylist(), strict=True))
    texts = corpus.fetch(documents, np.arange(4)).column("text").to_pylist()
    ids = documents.ids.to_pylist()
    assert [rows[rank] for rank in range(6)] == [{"text": texts[k], "doc": ids[k]} for k in (0, 0, 2, 2, 2, 3)]
    nothing = kept_batches(corpus, documents, np.zeros(4, dtype=np.int32))
    assert list(nothing) == []


def test_some_rows_of_a_batch_keep_their_places() -> None:
    batch = numbered([4, 2, 7])
    some = batch.chosen(np.array([True, False, True]))
    assert (some.ranks.tolist(), some.batch["x"].to_pylist()) == ([4, 7], [4, 7])
    assert batch.chosen(np.ones(3, dtype=bool)) is batch


def test_the_schema_lists_source_columns_by_name_and_then_the_added_ones(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"], "b": [1], "a": [2.0]}), tmp_path / "a.parquet")
    corpus = open_corpus(tmp_path / "a.parquet")
    added = {"z": pa.string(), "c": pa.int32()}
    assert curated_schema(corpus, added).names == ["a", "b", "text", "z", "c"]
    assert curated_schema(corpus).names == ["a", "b", "text"]
    assert written_schema(corpus, added).names == ["text", "b", "a", "z", "c"]
    assert written_schema(corpus).names == ["text", "b", "a"]
