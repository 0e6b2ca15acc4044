"""Every column and every field has one path that leads back to it, whatever its name."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tamis.analytics.steps.corpus_columns import columns_step
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.steps.pipeline import analyze
from tamis.data.curated import curated_schema, kept_batches, write_sorted
from tamis.data.open_corpus import open_corpus
from tamis.data.paths import find_path, join_path, path_of, split_path, type_of, walk
from tamis.data.schema import at_path, paths
from tamis.data.workspace import Workspace

NAMES = st.one_of(st.text('ab."', max_size=5), st.text(max_size=4))
KINDS = st.recursive(
    st.sampled_from([pa.int64(), pa.large_string()]),
    lambda inner: st.dictionaries(NAMES, inner, min_size=1, max_size=3).map(
        lambda fields: pa.struct([pa.field(name, kind) for name, kind in fields.items()])
    ),
    max_leaves=6,
)
SCHEMAS = st.dictionaries(NAMES, KINDS, min_size=1, max_size=4).map(
    lambda fields: pa.schema([pa.field(name, kind) for name, kind in fields.items()])
)


@given(st.lists(NAMES, min_size=1, max_size=4))
def test_names_joined_are_split_into_the_same_names(names: list[str]) -> None:
    for quote_all in (False, True):
        parsed = split_path(join_path(names, quote_all=quote_all))
        assert parsed is not None
        assert list(parsed[0]) == names


@given(SCHEMAS)
def test_every_path_leads_back_to_its_own_column(schema: pa.Schema) -> None:
    places = dict(walk(schema))
    spelled = {names: path_of(schema, names) for names in places}
    assert len(set(spelled.values())) == len(places)
    assert {names: find_path(schema, path) for names, path in spelled.items()} == {names: names for names in places}
    assert paths(schema) == {spelled[names]: kind for names, kind in places.items()}


@given(SCHEMAS, st.text('ab."', max_size=8))
def test_a_path_is_read_as_a_column_that_is_there_or_as_none(schema: pa.Schema, path: str) -> None:
    found = find_path(schema, path)
    assert found is None or type_of(schema, found) is not None


@pytest.mark.parametrize(
    ("row", "path", "value"),
    [
        ({"meta": {"dc.title": 1}}, 'meta."dc.title"', 1),
        ({"meta": {"dc.title": 1, "dc": {"title": 2}}}, 'meta."dc.title"', 1),
        ({"meta": {"dc.title": 1, "dc": {"title": 2}}}, "meta.dc.title", 2),
        ({"meta.x": 1, "meta": {"x": 2}}, "meta.x", 1),
        ({"meta.x": 1, "meta": {"x": 2}}, '"meta"."x"', 2),
        ({"meta.x": {"y": 3}}, "meta.x.y", 3),
        ({"meta.x": {"y.z": 3}}, '"meta.x"."y.z"', 3),
        ({"a": {'say "hi"': 4}}, 'a."say ""hi"""', 4),
        ({'say "hi"': 4}, 'say "hi"', 4),
        ({"a": {"": 5}}, 'a.""', 5),
        ({"a": {"": 5}}, "a.", 5),
    ],
)
def test_a_path_names_one_value(row: dict[str, Any], path: str, value: int) -> None:
    assert at_path(pa.Table.from_pylist([row]), path).to_pylist() == [value]


ROWS = st.lists(
    st.fixed_dictionaries(
        {"text": st.just("some words")},
        optional={
            'a"b': st.integers(0, 9),
            "a.b": st.integers(0, 9),
            '"a"': st.integers(0, 9),
            "a": st.fixed_dictionaries({"b": st.integers(0, 9), '"c.d"': st.integers(0, 9), "": st.integers(0, 9)}),
            "": st.integers(0, 9),
            "\x00rank": st.integers(0, 9),
            "rank": st.integers(0, 9),
        },
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS, st.sampled_from(["a.jsonl", "a.parquet"]))
def test_every_value_is_read_by_its_path_and_written_under_its_name(
    tmp_path: Path, rows: list[dict[str, Any]], name: str
) -> None:
    folder = Path(mkdtemp(dir=tmp_path))
    filled = {key: value for row in rows for key, value in row.items()}
    table = pa.Table.from_pylist(rows, schema=pa.Table.from_pylist([filled]).schema)
    if name == "a.parquet":
        pq.write_table(table, folder / name)
    else:
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
    corpus, workspace = open_corpus(folder / name), Workspace(folder / "home")
    (shard,) = corpus.shards()
    for names, path in [(names, path_of(corpus.schema, names)) for names, _ in walk(corpus.schema)]:
        (batch,) = corpus.batches(shard, columns=[path])
        expected = table.column(names[0]).to_pylist()
        for field in names[1:]:
            expected = [None if value is None else value[field] for value in expected]
        assert _loose(batch.column(0).to_pylist()) == _loose(expected)
    documents = analyze(corpus, workspace, steps=(documents_step(),)).documents
    batches = kept_batches(corpus, documents, np.ones(documents.n, dtype=np.int32))
    write_sorted(batches, folder / "out", rows=documents.n, schema=curated_schema(corpus), spill_bytes=1)
    written = pq.read_table(folder / "out" / "part-00000.parquet")
    assert written.column_names == sorted(table.column_names)
    assert _loose(written.to_pylist()) == _loose([corpus.take([row]).to_pylist()[0] for row in documents.order])


def _loose(value: Any) -> Any:
    """Return a value with mappings as sorted pairs, so that the order of fields does not matter."""
    if isinstance(value, dict):
        return sorted((name, _loose(item)) for name, item in value.items())
    return [_loose(item) for item in value] if isinstance(value, list) else value


def test_a_dot_inside_a_key_ends_no_analysis(tmp_path: Path, workspace: Workspace) -> None:
    rows = [{"text": f"text {k}", "meta": {"dc.title": f"t{k}", 'a"b': k}, "x.y": k} for k in range(3)]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    corpus = open_corpus(path)
    steps = (documents_step(), columns_step(corpus))
    table = analyze(corpus, workspace, steps=(*steps, facts_step(steps))).facts().table(["meta_meta_dc_title"])
    assert sorted(table.column(0).to_pylist()) == ["t0", "t1", "t2"]
    assert open_corpus(path, roles={"source": 'meta."dc.title"'}).roles.source == 'meta."dc.title"'


def test_a_role_below_a_dotted_key_is_found_by_its_last_name(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": "a b c", "dc.terms": {"lang": "en"}, "meta": {"dc.source": "web"}}) + "\n")
    corpus = open_corpus(path)
    assert corpus.roles.language == "dc.terms.lang"
    assert corpus.roles.source == 'meta."dc.source"'
