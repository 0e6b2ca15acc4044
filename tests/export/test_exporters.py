"""Exports decide what the recipe decides, or say what they lose."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_juicer_conditions import passes_condition
from docstrings import docstrings
from generated_texts import generated_texts
from operator_examples import EXAMPLES, evidence
from planted_study import planted_study
from synthetic import synthetic_facts

from tamis.analytics.export.rule_export import Export, lost_steps, rule_part
from tamis.analytics.export.tools import export_rules, rule_columns
from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.operator import OPERATORS, RowOperator
from tamis.analytics.recipe.plan import attach, evaluate
from tamis.analytics.recipe.presets import with_rule_set
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.recipe.yaml_text import parse_yaml
from tamis.analytics.signals.measure import measure
from tamis.analytics.study.evidence import GivenEvidence
from tamis.data.errors import RecipeError

FACTS = synthetic_facts(1_200, seed=5, threads=2)
EVIDENCE = evidence(FACTS)
ROWS = [
    pytest.param(name, params, id=f"{name}-{place}")
    for name, examples in EXAMPLES.items()
    if issubclass(OPERATORS[name], RowOperator)
    for place, params in enumerate(examples)
]
MIXED = (
    Recipe(title="Mixed; DROP TABLE x --\n", why="two\nlines")
    .with_operator(OPERATORS.build("signal_range", {"signal": "n_words", "min": 60, "max": 400}))
    .with_operator(OPERATORS.build("exact_dedup", {}))
    .with_operator(OPERATORS.build("category", {"column": "label", "values": ["news"], "mode": "drop"}))
)


def _kept(recipe: Recipe, facts: Facts = FACTS) -> list[str]:
    outcome = evaluate(rule_part(recipe), facts, EVIDENCE if facts is FACTS else GivenEvidence())
    return [facts.ids[int(row)].as_py() for row in np.flatnonzero(outcome.kept)]


def _input(recipe: Recipe, export: Export) -> pa.Table:
    facts = attach(FACTS, recipe.measures(), EVIDENCE)
    return facts.table(["id", *export.columns])


@pytest.mark.parametrize(("name", "params"), ROWS)
def test_sql_selects_exactly_the_same_documents(name: str, params: Mapping[str, Any], tmp_path: Path) -> None:
    recipe = Recipe().with_operator(OPERATORS.build(name, params))
    export = export_rules(recipe, FACTS, "sql")
    assert export.losses == ()
    pq.write_table(_input(recipe, export), tmp_path / "documents.parquet")
    sql = export.text.replace("documents.parquet", str(tmp_path / "documents.parquet"))
    with duckdb.connect() as connection:
        found = [row[0] for row in connection.execute(sql).fetchall()]
    assert found == _kept(recipe)


def test_sql_of_several_rules_and_hostile_titles(tmp_path: Path) -> None:
    export = export_rules(MIXED, FACTS, "sql")
    assert [loss.step for loss in export.losses] == ["exact-dedup"] and export.losses[0].dropped
    pq.write_table(_input(MIXED, export), tmp_path / "documents.parquet")
    sql = export.text.replace("documents.parquet", str(tmp_path / "documents.parquet"))
    with duckdb.connect() as connection:
        statements = connection.extract_statements(sql)
        assert len(statements) == 1
        assert [row[0] for row in connection.execute(sql).fetchall()] == _kept(MIXED)


def _filters(export: Export) -> list[Any]:
    """Return the filters that a written pipeline defines, without running it."""
    space: dict[str, Any] = {"__name__": "exported"}
    exec(compile(export.text, "exported.py", "exec"), space)
    return list(space["FILTERS"])


def _passing(export: Export, table: pa.Table, texts: list[str]) -> list[str]:
    datatrove = pytest.importorskip("datatrove.data")
    filters = _filters(export)
    found = []
    for row, text in zip(table.to_pylist(), texts, strict=True):
        document = datatrove.Document(text=text, id=row["id"], metadata={k: v for k, v in row.items() if k != "id"})
        results = [item.filter(document) for item in filters]
        if all(result is True for result in results):
            found.append(row["id"])
    return found


@pytest.mark.parametrize(("name", "params"), ROWS)
def test_datatrove_decides_the_same_or_says_that_it_does_not(name: str, params: Mapping[str, Any]) -> None:
    pytest.importorskip("datatrove")
    recipe = Recipe().with_operator(OPERATORS.build(name, params))
    export = export_rules(recipe, FACTS, "datatrove")
    if any(loss.dropped for loss in export.losses):
        assert "FILTERS = [\n]" in export.text
        return
    if export.losses:
        return
    assert _passing(export, _input(recipe, export), [""] * FACTS.n) == _kept(recipe)


def test_forms_that_other_tools_can_say_are_said() -> None:
    said = set()
    for parameter in ROWS:
        name, params = parameter.values
        export = export_rules(Recipe().with_operator(OPERATORS.build(name, params)), FACTS, "datatrove")
        if not any(loss.dropped for loss in export.losses):
            said.add(name)
    assert {"signal_range", "language", "category", "regex", "all_of", "grouped_range", "id_list"} <= said


def test_datatroves_own_filters_keep_the_same_documents() -> None:
    pytest.importorskip("datatrove")
    texts = [text for text in docstrings(("json", "logging")).column("text").to_pylist() if text]
    texts = [text for text in [*texts[:150], *generated_texts(250)] if len(text.split()) > 3]
    names = sorted(
        {name for kind in ("gopher-quality", "gopher-repetition", "fineweb-quality")
         for name in with_rule_set(Recipe(), kind, words="spacy").columns()}
    )  # fmt: skip
    batch = measure(pa.array(texts, pa.large_string()), names)
    ids = pa.array([f"{k:04d}" for k in range(len(texts))])
    facts = Facts.from_table(
        pa.table({"id": ids, **dict(zip(batch.schema.names, batch.columns, strict=True))}), digest="docs"
    )
    for kind, native in (("gopher-quality", 8), ("gopher-repetition", 13), ("fineweb-quality", 4)):
        recipe = with_rule_set(Recipe(), kind, words="spacy")
        export = export_rules(recipe, facts, "datatrove")
        assert not any(loss.dropped for loss in export.losses)
        lambdas = sum(type(item).__name__ == "LambdaFilter" for item in _filters(export))
        assert len(recipe.active) - lambdas >= native
        kept = _kept(recipe, facts)
        assert 0 < len(kept) < len(texts), kind
        assert _passing(export, facts.table(["id", *export.columns]), texts) == kept


@pytest.mark.parametrize(("name", "params"), ROWS)
def test_data_juicer_decides_the_same_where_values_are_there(name: str, params: Mapping[str, Any]) -> None:
    if name == "all_of":
        params = {**params, "mode": "keep"}
    recipe = Recipe().with_operator(OPERATORS.build(name, params))
    export = export_rules(recipe, FACTS, "data-juicer")
    config = parse_yaml(export.text)
    assert config["text_keys"] == "text"
    if any(loss.dropped for loss in export.losses):
        assert config["process"] == []
        return
    [operator] = config["process"]
    condition = operator["general_field_filter"]["filter_condition"]
    rows = _input(recipe, export).to_pylist()
    known = {row["id"] for row in rows if all(value is not None for value in row.values())}
    found = {row["id"] for row in rows if passes_condition(condition, {k: _float(v) for k, v in row.items()})}
    assert found & known == set(_kept(recipe)) & known
    if any(not row.keys() or row["id"] not in known for row in rows) and found != set(_kept(recipe)):
        assert any("without a value" in loss.what for loss in export.losses)


def _float(value: Any) -> Any:
    return value if value is None or isinstance(value, (str, int)) else float(value)


def test_steps_that_are_not_rules_are_listed_as_losses() -> None:
    everything = Recipe()
    for name, examples in EXAMPLES.items():
        if not issubclass(OPERATORS[name], RowOperator):
            everything = everything.with_operator(OPERATORS.build(name, examples[0]))
    assert {loss.step for loss in lost_steps(everything)} == {step.id for step in everything.active}
    for tool in ("sql", "datatrove", "data-juicer"):
        export = export_rules(everything, FACTS, tool)  # type: ignore[arg-type]
        assert {loss.step for loss in export.losses} == {step.id for step in everything.active}
        assert all(loss.what in " ".join(export.text.replace("\n# ", " ").split()) for loss in export.losses[:1])


def test_unknown_tool_is_an_error() -> None:
    with pytest.raises(RecipeError, match="Unknown tool"):
        export_rules(Recipe(), FACTS, "spark")  # type: ignore[arg-type]


def test_columns_that_go_with_an_export_come_from_the_study(tmp_path: Path) -> None:
    study, _, _ = planted_study(tmp_path, documents=200, target=40)
    recipe = Recipe().with_operator(OPERATORS.build("regex", {"pattern": "a", "min_matches": 30}))
    recipe = recipe.with_operator(OPERATORS.build("signal_range", {"signal": "bytes", "min": 300}))
    study.measure(recipe)
    export = export_rules(recipe, study.facts, "datatrove")
    table = rule_columns(study, recipe, export)
    assert table.column_names == ["id", "bytes", "text"] and table.num_rows == 200
    texts = table.column("text").to_pylist()
    kept = [study.facts.ids[int(row)].as_py() for row in np.flatnonzero(study.evaluate(recipe).kept)]
    assert _passing(export, table.drop_columns(["text"]), texts) == kept
