"""Predicates that people type can compare facts columns, and can do nothing else."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import synthetic_facts

from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.operators.predicate import number, parse_predicate
from tamis.analytics.recipe.plan import evaluate
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.evidence import GivenEvidence
from tamis.data.errors import PredicateError, RecipeError

FACTS = synthetic_facts(500, seed=2, threads=2)

ATTACKS = [
    "read_text('{file}') = 'x'",
    "(SELECT content FROM read_text('{file}')) = 'x'",
    "id IN (SELECT content FROM read_text('{file}'))",
    "EXISTS (SELECT 1 FROM glob('/*'))",
    "glob('/*') IS NOT NULL",
    "n_words > (SELECT count(*) FROM read_csv('{file}'))",
    "n_words > ALL (SELECT 1)",
    "n_words = ANY ([1, 2])",
    "1 = 1; COPY (SELECT 1) TO '{out}'",
    "1 = 1; DROP TABLE facts",
    "COPY facts TO '{out}'",
    "EXPORT DATABASE '{out}'",
    "ATTACH '{out}' AS other",
    "INSTALL httpfs",
    "LOAD httpfs",
    "PRAGMA database_list",
    "SET memory_limit = '1TB'",
    "CALL pragma_version()",
    "EXPLAIN SELECT 1",
    "CREATE TABLE x AS SELECT 1",
    "DELETE FROM facts",
    "UPDATE facts SET id = 'x'",
    "INSERT INTO facts SELECT * FROM facts",
    "SELECT 1",
    "VALUES (1)",
    "WITH x AS (SELECT 1) SELECT * FROM x",
    "TRUE UNION SELECT 1",
    "n_words > 1 ORDER BY (SELECT 1)",
    "n_words > 1 LIMIT 1",
    "query('SELECT 1') IS NULL",
    "query_table('facts') IS NULL",
    "getenv('HOME') = 'x'",
    "current_setting('memory_limit') = 'x'",
    "version() = 'x'",
    "pg_sleep(10) IS NULL",
    "repeat('a', 2000000000) = 'x'",
    "lpad(id, 2000000000, 'x') = 'x'",
    "levenshtein(id, source) > 1",
    "format('{{}}', id) = 'x'",
    "list_aggregate(range(1000000000), 'sum') > 1",
    "len(range(1000000000)) > 1",
    "random() < 0.5",
    "now() > '2020-01-01'",
    "uuid() = id",
    "nextval('s') > 1",
    "facts.n_words > 1",
    "main.facts.n_words > 1",
    "information_schema.tables.table_name = 'x'",
    "COLUMNS('.*') IS NULL",
    "COLUMNS(*) > 1",
    "sum(n_words) OVER () > 1",
    "count(*) > 1",
    "max(n_words) > 1",
    "list_transform([1], lambda x: x) IS NULL",
    "x -> x",
    "{{'a': n_words}} IS NULL",
    "[n_words] IS NULL",
    "n_words[1] > 1",
    "id COLLATE nocase = 'x'",
    "id = $1",
    "id = ?",
    "id = :name",
    "id LIKE id",
    "regexp_matches(id, source)",
    "regexp_matches(id, '(a', 'x')",
    "id SIMILAR TO 'x'",
    "id GLOB 'x*'",
    "id LIKE '%a%a%a%a%a%a%a%a%a%a%b'",
    "CAST(id AS BLOB) IS NULL",
    "CAST(id AS STRUCT(a INT)) IS NULL",
    "id || repeat('x', 9) = 'x'",
    "n_words ** 99 > 1",
    "DATE '2020-01-01' < id",
    "INTERVAL 1 DAY IS NULL",
    "E'\\\\x41' = id",
    "n_words > 1 -- ; DROP TABLE facts\n; DROP TABLE facts",
    "n_words > 1e999",
    "n_words + 1",
    "'text'",
    "",
    "   ",
    "n_words >",
    "(n_words > 1",
    "n_words > 1)",
    "a" * 5_000,
    " AND ".join(["n_words > 1"] * 400),
    "(" * 200 + "n_words > 1" + ")" * 200,
    "NOT " * 500 + "n_words > 1",
    "- " * 300 + "n_words > 1",
    "n_words > 1\x00",
]


@pytest.mark.parametrize("text", ATTACKS)
def test_attack_is_refused_and_touches_no_file(text: str, tmp_path: Path) -> None:
    secret, out = tmp_path / "secret.txt", tmp_path / "out"
    secret.write_text("hidden words")
    filled = text.format(file=secret, out=out) if "{" in text else text
    with pytest.raises(RecipeError) as caught:
        predicate = parse_predicate(filled)
        for name in predicate.columns:
            FACTS.info(name)
    assert "hidden words" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["secret.txt"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n_words > 100", '("n_words" > (100))'),
        ("n_words /* no */ > 100 -- no", '("n_words" > (100))'),
        ("\"n_words\" = 'it''s'", "(\"n_words\" = 'it''s')"),
        ("digit_share > -0.1", '("digit_share" > (-0.1))'),
        ("n_words NOT IN (1, 2)", '(NOT ("n_words" IN ((1), (2))))'),
        ("lang NOT ILIKE 'E%'", "(\"lang\" NOT ILIKE 'E%')"),
        ("lang IS NOT NULL", '(NOT ("lang" IS NULL))'),
    ],
)
def test_predicate_is_rebuilt_from_its_parts(text: str, expected: str) -> None:
    assert parse_predicate(text).sql == expected


NUMBERS = {name: FACTS.numbers(name) for name in ("n_words", "digit_share", "upper_share", "mean_word_length")}
LANG = np.array(FACTS.array("lang").to_pylist())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n_words BETWEEN 100 AND 200", (NUMBERS["n_words"] >= 100) & (NUMBERS["n_words"] <= 200)),
        ("n_words / 0 > 1", np.zeros(500, bool)),
        ("n_words % 7 = 3", NUMBERS["n_words"] % 7 == 3),
        ("n_words * 1e308 * 10 > 1", np.zeros(500, bool)),
        ("sqrt(n_words) >= 10", NUMBERS["n_words"] >= 100),
        ("ln(n_words - n_words) IS NULL", np.ones(500, bool)),
        ("sqrt(-n_words) = 0", np.ones(500, bool)),
        ("digit_share IS NULL", np.isnan(NUMBERS["digit_share"])),
        ("coalesce(digit_share, 9) = 9", np.isnan(NUMBERS["digit_share"])),
        ("lang = 'en' OR lang LIKE 'z_'", (LANG == "en") | (LANG == "zh")),
        ("CASE WHEN lang = 'en' THEN n_words ELSE 0 END > 100", (LANG == "en") & (NUMBERS["n_words"] > 100)),
        ("if(lang = 'en', TRUE, FALSE) IS TRUE", LANG == "en"),
        ("starts_with(lang, 'e') AND length(upper(lang)) = 2", np.char.startswith(LANG, "e")),
        ("regexp_matches(lang, '^(en|de)$')", np.isin(LANG, ["en", "de"])),
        ("greatest(n_words, 100) = 100", NUMBERS["n_words"] <= 100),
        ("round(mean_word_length) = 5", np.round(NUMBERS["mean_word_length"]) == 5),
        ("CAST(lang AS DOUBLE) IS NULL", np.ones(500, bool)),
        ("lang::VARCHAR = 'en'", LANG == "en"),
        ("abs(n_words - 100) <= 5", np.abs(NUMBERS["n_words"] - 100) <= 5),
        ("lang IS NOT DISTINCT FROM 'en'", LANG == "en"),
    ],
)
def test_predicate_means_what_it_says(text: str, expected: np.ndarray) -> None:
    operator = OPERATORS.build("sql_predicate", {"predicate": text, "missing": "drop"})
    outcome = evaluate(Recipe().with_operator(operator), FACTS, GivenEvidence())
    assert np.array_equal(outcome.kept, expected)


def test_comparing_text_with_a_number_names_the_step() -> None:
    recipe = Recipe().with_operator(OPERATORS.build("sql_predicate", {"predicate": "lang > 5"}))
    recipe = recipe.with_operator(OPERATORS.build("signal_range", {"signal": "n_words", "min": 1}))
    with pytest.raises(RecipeError, match="Step sql-predicate cannot be evaluated"):
        evaluate(recipe, FACTS, GivenEvidence())


def test_unknown_column_names_the_step_and_the_columns() -> None:
    recipe = Recipe().with_operator(OPERATORS.build("sql_predicate", {"predicate": "nothing > 5"}))
    with pytest.raises(RecipeError, match=r"sql-predicate.*nothing.*n_words"):
        evaluate(recipe, FACTS, GivenEvidence())


def test_offending_part_is_shown() -> None:
    with pytest.raises(PredicateError, match="READ_TEXT"):
        parse_predicate("n_words > 1 AND read_text('x') = 'y'")


@given(st.decimals(-1000, 1000, places=4).map(float))
def test_a_float_equals_the_decimal_it_was_made_from(value: float) -> None:
    stored = pa.table({"id": ["a"], "narrow": pa.array([value], pa.float32()), "wide": pa.array([value], pa.float64())})
    facts = Facts.from_table(stored, digest="one", threads=1)
    found = facts.query(f"SELECT narrow = {number(value)} AS a, wide = {number(value)} AS b FROM facts")
    assert found.to_pylist() == [{"a": True, "b": True}]


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_equals_its_own_value_written_out(value: float) -> None:
    stored = pa.table({"id": ["a"], "narrow": pa.array([value], pa.float32())})
    facts = Facts.from_table(stored, digest="one", threads=1)
    assert facts.query(f"SELECT narrow = {number(value)} AS a FROM facts").column("a")[0].as_py()


def test_facts_themselves_cannot_reach_files(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("hidden words")
    for statement in (
        f"SELECT * FROM read_text('{secret}')",
        f"COPY facts TO '{tmp_path / 'out'}'",
        "SELECT * FROM NUMBERS",
    ):
        with pytest.raises(duckdb.Error):
            FACTS.query(statement)
    assert [path.name for path in tmp_path.iterdir()] == ["secret.txt"]
