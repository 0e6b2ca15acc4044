"""No column, whatever its type or name, ends an analysis: it is compared as what it is, or left out with a reason."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.analytics.embedding.own_vectors import column_vectors_step, given_map_step
from tamis.analytics.operators.rows import Category, SignalRange, SqlPredicate
from tamis.analytics.operators.sampling import last_if_absent, ranks_within, standardise, strata
from tamis.analytics.recipe.plan import row_masks
from tamis.analytics.steps.corpus_columns import columns_step, facts_names
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.steps.pipeline import analyze
from tamis.analytics.study.design_sample import draw, roles_of_sample
from tamis.analytics.study.numbers import extent, histogram
from tamis.analytics.study.scene import Scene
from tamis.analytics.study.study import Study
from tamis.app.dashboard.open_corpus import notes_of
from tamis.data.corpus import Corpus
from tamis.data.errors import CorpusError, RecipeError
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

HUGE = [0, 2**53 + 1, 2**63, 2**64 - 1]


def study_of(path: Path, workspace: Workspace, **options: Any) -> Study:
    """Open and analyse a corpus as far as its own columns go."""
    corpus = open_corpus(path, **options)
    steps = (documents_step(), columns_step(corpus))
    whole = (*steps, facts_step(steps))
    return Study.of(analyze(corpus, workspace, steps=whole), workspace, whole)


def study_with(tmp_path: Path, workspace: Workspace, **columns: pa.Array) -> Study:
    """Analyse a corpus of a few texts, ids in the order of the rows, with these columns beside them."""
    rows = max(map(len, columns.values()))
    table = {"id": [f"{k:03d}" for k in range(rows)], "text": [f"text {k}" for k in range(rows)], **columns}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    return study_of(tmp_path / "a.parquet", workspace)


def left_out(study: Study, workspace: Workspace) -> dict[str, str]:
    """Return why columns are not in the facts."""
    steps = (documents_step(), columns_step(study.corpus))
    found: dict[str, str] = analyze(study.corpus, workspace, steps=steps).artifacts["columns"].facts["left_out"]
    return found


def kept(study: Study, operator: Any) -> list[int]:
    """Return the rows that a rule keeps."""
    (mask,) = row_masks(study.facts, [operator])
    return np.flatnonzero(mask).tolist()


def test_large_unsigned_numbers_stay_exact_and_are_compared_as_unsigned(tmp_path: Path, workspace: Workspace) -> None:
    study = study_with(tmp_path, workspace, h=pa.array(HUGE, pa.uint64()))
    assert study.facts.array("meta_h").to_pylist() == HUGE
    assert study.facts.info("meta_h").type == "integer"
    assert kept(study, SqlPredicate(predicate=f"meta_h = {2**53 + 1}")) == [1]
    assert kept(study, SqlPredicate(predicate=f"meta_h > {2**63 - 1}")) == [2, 3]
    assert kept(study, SqlPredicate(predicate="meta_h > -1 AND meta_h < 0.5")) == [0]
    assert kept(study, SignalRange(signal="meta_h", min=1e19)) == [3]
    assert kept(study, Category(column="meta_h", values=(str(2**64 - 1),))) == [3]
    assert study.facts.numbers("meta_h").tolist() == [float(value) for value in HUGE]


def test_a_hash_column_of_duckdb_is_a_column_like_others(tmp_path: Path, workspace: Workspace) -> None:
    path = tmp_path / "a.parquet"
    duckdb.sql(f"COPY (SELECT 'text ' || i AS text, hash(i) AS h FROM range(20) t(i)) TO '{path}'")
    expected = sorted(row[0] for row in duckdb.sql("SELECT hash(i) FROM range(20) t(i)").fetchall())
    assert sorted(study_of(path, workspace).facts.array("meta_h").to_pylist()) == expected


KINDS: dict[str, pa.Array] = {
    **{f"i{kind}": pa.array([1, None], kind) for kind in (pa.int8(), pa.int16(), pa.int32(), pa.int64())},
    **{f"u{kind}": pa.array([1, None], kind) for kind in (pa.uint8(), pa.uint16(), pa.uint32())},
    "large": pa.array([2**64 - 1, None], pa.uint64()),
    "far": pa.array([-(2**63), 2**63 - 1], pa.int64()),
    "half": pa.array([1.5, None], pa.float16()),
    "infinite": pa.array([float("inf"), float("nan")]),
    "decimal": pa.array([Decimal("1." + "1" * 37), None], pa.decimal128(38, 37)),
    "wide": pa.array([Decimal("1" * 70), None], pa.decimal256(76, 0)),
    "flag": pa.array([True, None]),
    "none": pa.nulls(2),
    "day": pa.array([dt.date(2020, 1, 1), None]),
    "clock": pa.array([1, None], pa.time64("ns")),
    "nanos": pa.array([2**62 + 1, None], pa.timestamp("ns")),
    "beyond": pa.array([2**62, None], pa.timestamp("us")),
    "zoned": pa.array([1, None], pa.timestamp("us", "Europe/Berlin")),
    "nowhere": pa.array([1, None], pa.timestamp("us", "Nowhere/Bad")),
    "span": pa.array([1, None], pa.duration("us")),
    "bytes": pa.array([b"\xff\x00", None]),
    "fixed": pa.array([b"\x01\x02", None], pa.binary(2)),
    "code": pa.array([uuid.UUID(int=5).bytes, None], pa.uuid()),
    "dictionary": pa.array(["a", None]).dictionary_encode(),
    "view": pa.array(["a", None], pa.string_view()),
    "list": pa.array([[1], None]),
    "large_list": pa.array([["a"], None], pa.large_list(pa.string())),
    "pair": pa.array([[1, 2], None], pa.list_(pa.int32(), 2)),
    "map": pa.array([[("a", b"\xff")], None], pa.map_(pa.string(), pa.binary())),
    "ids": pa.MapArray.from_arrays(
        [0, 1, 1], pa.array(["a"]), pa.array([uuid.UUID(int=5).bytes], pa.uuid()), mask=pa.array([False, True])
    ),
    "struct": pa.array([{"a": 1, "b": [b"x"], "c": {"d": 2**62}}, None]),
    "twice": pa.StructArray.from_arrays([pa.array([1, 2]), pa.array([3, 4])], names=["a", "a"]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_no_type_of_column_ends_an_analysis(tmp_path: Path, workspace: Workspace, kind: str) -> None:
    # The same text twice: twins are told apart by their whole rows.
    pq.write_table(pa.table({"text": ["same", "same"], kind: KINDS[kind]}), tmp_path / "a.parquet")
    study = study_of(tmp_path / "a.parquet", workspace)
    assert study.facts.n == 2
    paths = {name.split(".")[0] for name in left_out(study, workspace)}
    told = {info.name for info in study.facts.columns.values() if info.name.startswith(f"meta_{kind.lower()}")}
    assert told or kind in paths
    assert not (told and kind in paths) or kind == "struct"


def test_a_column_that_is_left_out_is_named_with_the_reason(tmp_path: Path, workspace: Workspace) -> None:
    study = study_with(
        tmp_path,
        workspace,
        nowhere=pa.array([1], pa.timestamp("us", "Nowhere/Bad")),
        tags=pa.array([["a"]]),
        body=pa.array(["x" * 101]),
        meta=pa.array([{"ok": 1, "dc.list": [1]}]),
    )
    assert left_out(study, workspace) == {
        "nowhere": "its values of type timestamp[us, tz=Nowhere/Bad] cannot be read",
        "tags": "lists are not compared",
        "body": "text longer than 100 bytes is not a property to filter by",
        'meta."dc.list"': "lists are not compared",
    }


def test_coordinates_and_vectors_of_large_whole_numbers_are_read(tmp_path: Path, workspace: Workspace) -> None:
    large, vectors = [2**40 + 1, 3], [[2**30 + 1, 0], [0, 1]]
    pq.write_table(pa.table({"text": ["a", "b"], "x": large, "y": large, "v": vectors}), tmp_path / "a.parquet")
    corpus = open_corpus(tmp_path / "a.parquet")
    steps = (documents_step(), given_map_step(corpus, "x", "y"), column_vectors_step(corpus, "v"))
    found = analyze(corpus, workspace, steps=steps).artifacts
    assert sorted(found["map"].array("x").tolist()) == [3.0, float(np.float32(2**40 + 1))]
    assert found["embeddings"].facts["no_embedding"] == 0


def test_what_is_left_out_and_ids_that_are_none_are_said_after_an_analysis(
    tmp_path: Path, workspace: Workspace
) -> None:
    table = pa.table({"id": ["a", "a"], "text": ["one", "two"], "tags": [["x"], ["y"]]})
    pq.write_table(table, tmp_path / "a.parquet")
    study = study_of(tmp_path / "a.parquet", workspace)
    assert notes_of(workspace, study.corpus) == (
        "column id is not used as id: 2 documents share 1 values",
        "column tags is not in the facts: lists are not compared",
    )


def test_columns_whose_names_fold_to_one_keep_apart(tmp_path: Path, workspace: Workspace) -> None:
    study = study_with(
        tmp_path,
        workspace,
        **{"Score": pa.array([1, 2]), "score": pa.array([20, 10]), "other": pa.array([5, 6]), "得分": pa.array([7, 8])},
    )
    names = facts_names(["Score", "score"])
    assert len(set(names.values())) == 2
    assert study.facts.array(names["Score"]).to_pylist() == [1, 2]
    assert study.facts.array(names["score"]).to_pylist() == [20, 10]
    assert [study.facts.info(name).title for name in names.values()] == ["Score", "score"]
    with pytest.raises(RecipeError, match=rf"did you mean .*{names['score']}"):
        study.facts.info("meta_score")
    with pytest.raises(RecipeError, match=r"did you mean meta_other\?"):
        study.facts.info("other")
    assert kept(study, SqlPredicate(predicate="meta_得分 > 7")) == [1]
    assert study.facts.info("meta_得分").title == "得分"
    assert study.facts.info("meta_得分").help == "Column 得分 of the corpus."


def test_every_name_becomes_a_name_of_its_own() -> None:
    paths = ["a b", "a.b", "A_B", "a", "", "%", "🎈", "Größe", "größe", "得分", "得分2", "x" * 300, "x" * 301, "Ä", "ä"]
    names = facts_names(paths)
    assert len(set(names.values())) == len(paths)
    assert all(name.startswith("meta_") and len(name) < 200 for name in names.values())
    assert facts_names(["a b"]) == {"a b": "meta_a_b"}
    assert facts_names(["meta.Lang-Code"]) == {"meta.Lang-Code": "meta_meta_lang_code"}
    # A column keeps its name whatever other columns share it.
    assert facts_names(["a b", "a.b"])["a b"] == names["a b"]


@given(st.lists(st.tuples(st.sampled_from([0.0, -0.0, 1.0, 2.5, np.inf, -np.inf, np.nan]), st.integers(0, 2))))
def test_ranks_are_by_group_then_score_then_row(drawn: list[tuple[float, int]]) -> None:
    scores, codes = np.array([each[0] for each in drawn]), np.array([each[1] for each in drawn], dtype=np.int64)
    rows = np.arange(len(drawn), dtype=np.int64) * 3
    for groups in (codes, np.zeros_like(codes)):
        expected = np.lexsort((rows, last_if_absent(-scores), groups))
        assert ranks_within(scores, rows, groups)[0].tolist() == expected.tolist()
    backwards = ranks_within(scores, rows[::-1].copy(), np.zeros_like(codes))[0]
    assert backwards.tolist() == np.lexsort((rows[::-1], last_if_absent(-scores))).tolist()


def test_top_shares_and_keep_policies_rank_infinite_scores_before_all_and_absent_ones_last() -> None:
    scores = np.array([1.0, np.inf, -np.inf, np.nan, 2.0])
    rows, whole = np.arange(5), np.zeros(5, dtype=np.int64)
    assert ranks_within(scores, rows, whole)[0].tolist() == [1, 4, 0, 2, 3]
    assert ranks_within(-scores, rows, whole)[0].tolist() == [2, 0, 4, 1, 3]
    assert np.argsort(last_if_absent(scores), kind="stable").tolist() == [2, 0, 4, 1, 3]
    assert standardise(scores).tolist()[1:3] == [np.inf, -np.inf]
    assert strata(scores, 4).tolist() == [0, 3, 0, -1, 3]
    assert np.isnan(standardise(np.array([np.nan, 1.0, np.inf]))).tolist() == [True, False, False]


def test_a_histogram_spans_the_finite_scores_and_counts_the_others(tmp_path: Path, workspace: Workspace) -> None:
    scores = pa.array([*map(float, range(50)), *[float("inf")] * 50, None])
    study = study_with(tmp_path, workspace, score=scores)
    reach = extent(study.facts, "meta_score")
    assert (reach.low, reach.high, reach.documents, reach.missing) == (0.0, 49.0, 100, 1)
    drawn = histogram(Scene.build(study.facts, study.evidence), "meta_score")
    assert (drawn.all.sum(), drawn.above, drawn.missing) == (50, 50, 1)


def test_infinite_scores_are_ordered_as_infinity(tmp_path: Path, workspace: Workspace) -> None:
    scores = pa.array([1.0, float("inf"), float("-inf"), float("nan"), None])
    study = study_with(tmp_path, workspace, score=scores)
    assert study.facts.array("meta_score").to_pylist() == [1.0, float("inf"), float("-inf"), None, None]
    assert kept(study, SignalRange(signal="meta_score", min=1, missing="drop")) == [0, 1]
    assert kept(study, SignalRange(signal="meta_score", max=0, missing="drop")) == [2]


def labelled(path: Path, names: list[str], values: list[int | None]) -> None:
    """Write a file with class labels as the library datasets does."""
    features = {"text": {"dtype": "string", "_type": "Value"}, "label": {"names": names, "_type": "ClassLabel"}}
    table = pa.table({"text": [f"{path.stem} {k}" for k in range(len(values))], "label": values, "grade": values})
    features["grade"] = features["label"]
    block = json.dumps({"info": {"features": features}})
    pq.write_table(table.replace_schema_metadata({"huggingface": block}), path)


def test_class_labels_are_shown_by_their_names(tmp_path: Path, workspace: Workspace) -> None:
    labelled(tmp_path / "a.parquet", ["world", "sports"], [0, 1, None, -1, 7])
    study = study_of(tmp_path / "a.parquet", workspace)
    named = ["world", "sports", None, None, "7"]
    assert sorted(study.facts.array("label").to_pylist(), key=str) == sorted(named, key=str)
    assert sorted(study.facts.array("meta_grade").to_pylist(), key=str) == sorted(named, key=str)
    assert study.corpus.take([1]).column("label").to_pylist() == [1]


def test_label_names_that_differ_between_files_are_said_and_not_used(tmp_path: Path, workspace: Workspace) -> None:
    labelled(tmp_path / "a.parquet", ["world", "sports"], [0, 1])
    labelled(tmp_path / "b.parquet", ["sports", "world"], [0, 1])
    study = study_of(tmp_path, workspace)
    assert set(study.facts.array("label").to_pylist()) == {"0", "1"}
    assert any("label names" in note and "label" in note for note in study.corpus.notes)


def test_a_sample_has_the_labels_of_the_whole_and_ids_beside_any_column(tmp_path: Path, workspace: Workspace) -> None:
    labelled(tmp_path / "a.parquet", ["world", "sports"], [0, 1, None, 1])
    table = pq.read_table(tmp_path / "a.parquet")
    pq.write_table(table.append_column("tamis_id", pa.array(["x"] * 4)), tmp_path / "a.parquet")
    corpus = open_corpus(tmp_path / "a.parquet")
    drawn = draw(corpus, workspace, "4")
    sample = open_corpus(drawn.path, roles=roles_of_sample(corpus))
    assert sample.roles.id == "tamis_id_"
    assert sorted(sample.take(range(4)).column("label").to_pylist(), key=str) == [None, "sports", "sports", "world"]
    assert set(sample.take(range(4)).column("tamis_id").to_pylist()) == {"x"}


@pytest.mark.parametrize("block", [b"", b"[]", b"{}", b'{"info": {"features": {"label": {"_type": "ClassLabel"}}}}'])
def test_metadata_that_names_no_labels_changes_nothing(tmp_path: Path, workspace: Workspace, block: bytes) -> None:
    table = pa.table({"text": ["a", "b"], "label": [0, 1]}).replace_schema_metadata({"huggingface": block})
    pq.write_table(table, tmp_path / "a.parquet")
    assert set(study_of(tmp_path / "a.parquet", workspace).facts.array("label").to_pylist()) == {"0", "1"}


def test_variants_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    duckdb.sql(f"COPY (SELECT 'text' AS text, {{'a': 1}}::VARIANT AS extra) TO '{path}'")
    with pytest.raises(CorpusError, match=r"VARIANT.*extra.*JSON"):
        open_corpus(path)


def test_uuids_are_ids_of_36_characters_and_uuids_again_in_the_output(tmp_path: Path, workspace: Workspace) -> None:
    path, ids = tmp_path / "a.parquet", [uuid.UUID(int=k * 2**100 + k) for k in (3, 1, 2)]
    table = pa.table({"id": pa.array([each.bytes for each in ids], pa.uuid()), "text": ["c", "a", "b"]})
    pq.write_table(table, path)
    study = study_of(path, workspace)
    assert study.documents.id_source == "column"
    assert study.facts.ids.to_pylist() == sorted(map(str, ids))


def plain_corpus(path: Path) -> Corpus:
    """Write and open a corpus of types that every version read alike."""
    pq.write_table(pa.table({"text": ["a"], "source": ["b"], "n": [1]}), path)
    return open_corpus(path)


def test_the_step_keeps_its_version_where_nothing_is_read_otherwise(tmp_path: Path) -> None:
    step = columns_step(plain_corpus(tmp_path / "a.parquet"))
    assert (step.version, step.params) == (1, {"columns": {"meta_n": "n", "source": "source"}})
    pq.write_table(pa.table({"text": ["a"], "score": [1.0]}), tmp_path / "b.parquet")
    assert columns_step(open_corpus(tmp_path / "b.parquet")).version == 2
