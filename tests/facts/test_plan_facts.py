"""The facts table answers from memory, in id order, to any number of threads at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest
from synthetic import synthetic_facts, synthetic_table

import tamis.analytics.study.standard_analysis  # noqa: F401 - declares the columns of every step
from tamis.analytics.facts.database import Memo
from tamis.analytics.facts.facts import ColumnInfo, Facts
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.plan import row_masks
from tamis.analytics.steps.facts_step import assemble
from tamis.data.errors import RecipeError, SettingError, StoreError
from tamis.data.hashing import key64

FACTS = synthetic_facts(2_500, seed=1, threads=2)


def test_ids_ascend_and_rows_count_them() -> None:
    ids = FACTS.ids.to_pylist()
    assert ids == sorted(set(ids))
    assert FACTS.table(["row"]).column("row").to_pylist() == list(range(FACTS.n))
    assert np.array_equal(FACTS.keys, key64(ids))


@pytest.mark.parametrize("ids", [["b", "a"], ["a", "a"], ["a", None]])
def test_unsorted_or_repeated_ids_are_refused(ids: list[str]) -> None:
    with pytest.raises(StoreError, match="sorted by unique ids"):
        Facts.from_table(pa.table({"id": pa.array(ids, pa.string())}), digest="bad")


def test_ids_sort_by_their_bytes() -> None:
    ids = sorted(["é", "e", "z", "Z", "10", "9", "ﬃ", "𝄞", ""], key=lambda text: text.encode())
    assert Facts.from_table(pa.table({"id": ids}), digest="bytes").ids.to_pylist() == ids


def test_missing_id_column_is_named() -> None:
    with pytest.raises(StoreError, match="id column"):
        Facts.from_table(pa.table({"name": ["a"]}), digest="bad")


def test_a_part_of_a_table_is_the_same_part_of_the_whole_in_the_order_asked_for() -> None:
    whole = np.arange(2_500)
    for rows in (np.array([3, 17, 2_499]), whole, whole[1:-1], np.array([9, 2, 9, 0]), whole[::-1], whole[:0]):
        part = FACTS.table(["id", "n_words", "source", "row"], rows)
        assert part.equals(FACTS.table(["id", "n_words", "source", "row"]).take(pa.array(rows)))


def test_unknown_column_is_named_with_the_known_ones() -> None:
    with pytest.raises(RecipeError, match=r"Unknown column.*n_words"):
        FACTS.table(["nothing"])


def test_columns_are_described() -> None:
    assert FACTS.info("n_tokens").unit == "tokens"
    assert FACTS.info("source").role == "source"
    assert FACTS.info("meta_year").title == "Year"
    assert FACTS.info("cluster").origin == FACTS.digest
    assert {info.name for info in FACTS.named(numeric=True)} >= {"n_words", "x", "bytes"}
    assert all(info.type == "category" for info in FACTS.named(role="language"))


def test_an_added_column_joins_row_by_row_and_leaves_the_original_alone() -> None:
    values = pa.array(np.arange(FACTS.n)[::-1].astype(np.int32))
    wider = FACTS.with_column(ColumnInfo("backwards", "integer"), values)
    assert "backwards" not in FACTS.columns
    source = wider.source(["backwards", "n_words"], also={"odd": np.arange(FACTS.n) % 2})
    found = wider.query(
        f"SELECT row, backwards, odd FROM {source} WHERE n_words > 100 AND odd = 1 ORDER BY row", source
    )
    rows = found.column("row").to_numpy()
    assert np.array_equal(rows, np.flatnonzero((FACTS.numbers("n_words") > 100) & (np.arange(FACTS.n) % 2 == 1)))
    assert np.array_equal(found.column("backwards").to_numpy(), FACTS.n - 1 - rows)
    with pytest.raises(RecipeError, match="one value per document"):
        FACTS.with_column(ColumnInfo("short", "integer"), values.slice(1))
    with pytest.raises(RecipeError, match="exists already"):
        FACTS.with_column(ColumnInfo("n_words", "integer"), values)


def test_many_threads_get_whole_answers() -> None:
    words = FACTS.numbers("n_words")

    def ask(threshold: int) -> bool:
        source = FACTS.source(["n_words"], also={"flag": np.arange(FACTS.n) % 3})
        found = FACTS.query(f"SELECT count(*) AS n FROM {source} WHERE n_words > {threshold} AND flag = 0", source)
        return found.column("n")[0].as_py() == np.count_nonzero((words > threshold) & (np.arange(FACTS.n) % 3 == 0))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(0, 400, 2)))


def test_no_documents_are_facts_too() -> None:
    empty = Facts.from_table(synthetic_table(0), digest="empty")
    assert (empty.n, len(empty.keys), empty.whole("n_tokens").sum()) == (0, 0, 0)


def test_assembly_makes_nan_null_and_refuses_what_does_not_fit() -> None:
    documents = _Documents(["a", "b"])
    good = _Artifact({"x": np.array([1.5, np.nan]), "y": np.array([0.0, 1.0], np.float16)})
    columns, made_by = assemble(documents, {"map": good})  # type: ignore[arg-type,dict-item]
    assert columns["x"].to_pylist() == [1.5, None]
    assert columns["y"].type == pa.float32()
    assert made_by == {"id": "documents", "bytes": "documents", "x": "map", "y": "map"}
    bad = _Artifact({"x": np.zeros(3), "y": np.zeros(3)})
    with pytest.raises(StoreError, match="3 values for 2 documents"):
        assemble(documents, {"map": bad})  # type: ignore[arg-type,dict-item]


class _Documents:
    """As much of documents as assembly reads."""

    def __init__(self, ids: list[str]) -> None:
        self.ids, self.n, self.bytes = pa.array(ids), len(ids), np.zeros(len(ids), dtype=np.int64)


class _Artifact:
    """As much of an artifact as assembly reads."""

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self._arrays = arrays

    def parts(self, prefix: str = "") -> tuple[str, ...]:
        return tuple(name for name in self._arrays if name.startswith(prefix))

    def array(self, name: str) -> np.ndarray:
        return self._arrays[name]


def test_memory_of_computed_values_is_bounded() -> None:
    memo = Memo(max_bytes=100)
    for key in range(10):
        memo.put(key, key, size=30)
    assert [key for key in range(10) if key in memo] == [7, 8, 9]
    assert memo.get(7) == 7
    memo.put(10, 10, size=30)
    assert [key for key in range(11) if key in memo] == [7, 9, 10]
    memo.put(11, 11, size=1_000)
    assert 11 not in memo
    assert memo.through(9, lambda: 0, size=lambda _: 1) == 9


def test_a_value_put_again_weighs_once_and_counts_as_used() -> None:
    memo = Memo(max_bytes=100)
    for key, size in (("a", 40), ("b", 40), ("a", 60)):
        memo.put(key, size, size=size)
    assert "a" in memo and "b" in memo and memo.get("a") == 60
    memo.put("c", 1, size=1)
    assert "b" not in memo and "a" in memo and "c" in memo


def test_parts_make_the_same_facts_as_the_whole() -> None:
    table = synthetic_table(1_000, 3)
    whole = Facts.from_table(table, digest="whole")
    parts = Facts.from_parts([table.slice(0, 1), table.slice(1, 600), table.slice(601)], digest="parts")
    names = ["row", *whole.columns]
    assert parts.table(names).equals(whole.table(names))
    with pytest.raises(StoreError, match="sorted by unique ids"):
        Facts.from_parts([table.slice(0, 5), table.slice(4)], digest="overlap")


def test_answers_of_many_threads_come_in_row_order() -> None:
    big = synthetic_facts(400_000, seed=2, threads=4)
    words = big.numbers("n_words")
    for beside in ({}, {"flag": np.arange(big.n, dtype=np.int32)}):
        source = big.source(["n_words"], also=beside)
        found = big.query(f"SELECT n_words > 100 AS long, row FROM {source}", source)
        assert np.array_equal(found.column("row").to_numpy(), np.arange(big.n))
        assert np.array_equal(found.column("long").combine_chunks().to_numpy(zero_copy_only=False), words > 100)
    rules = [OPERATORS.build("signal_range", {"signal": "n_words", "min": bound}) for bound in (50, 100, 500)]
    for rule, mask in zip(rules, row_masks(big, rules), strict=True):
        assert np.array_equal(mask, words >= rule.min)


def test_facts_larger_than_the_memory_allowed_lie_on_disk_and_answer_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(facts: Facts) -> list[object]:
        ordered = facts.query("SELECT id FROM facts ORDER BY id DESC LIMIT 3 OFFSET 150000").column("id").to_pylist()
        mask = row_masks(facts, [OPERATORS.build("signal_range", {"signal": "n_words", "min": 50})])[0]
        return [*ordered, int(mask.sum()), facts.ids.slice(100_000, 2).to_pylist()]

    table = synthetic_table(200_000, seed=2)
    usual = asked(Facts.from_table(table, digest="usual", threads=2))
    monkeypatch.setenv("TAMIS_MEMORY", "40MB")
    small = Facts.from_table(table, digest="small", threads=2)
    assert small.spilled > 1_000_000
    assert asked(small) == usual


@pytest.mark.parametrize("limit", ["4", "4 GB", "-1GB", "0GB", "4GB; SELECT 1", "lots"])
def test_a_limit_that_is_no_size_is_refused(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAMIS_MEMORY", limit)
    with pytest.raises(SettingError, match="500MB, 4GB"):
        synthetic_facts(10, seed=1)
