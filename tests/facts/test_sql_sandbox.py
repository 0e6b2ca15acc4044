"""Free SQL stays in its sandbox: no file is read or written, nothing runs for ever, the server goes on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from synthetic import synthetic_facts

from tamis.analytics.facts.sql_sandbox import SWITCH, SqlLimits, ask_sql
from tamis.data.errors import PredicateError, SettingError

FACTS = synthetic_facts(2_000)
SECRET = "the secret of the file"

FILES = [
    "SELECT * FROM read_text('{secret}')",
    "SELECT * FROM read_blob('{secret}')",
    "SELECT * FROM read_csv('{secret}', header = false)",
    "SELECT * FROM read_csv_auto('{secret}')",
    "SELECT * FROM read_json('{secret}')",
    "SELECT * FROM read_json_auto('{secret}')",
    "SELECT * FROM read_ndjson('{secret}')",
    "SELECT * FROM read_parquet('{folder}/*.parquet')",
    "SELECT * FROM parquet_metadata('{folder}/a.parquet')",
    "SELECT * FROM parquet_schema('{folder}/a.parquet')",
    "SELECT * FROM '{secret}'",
    "SELECT * FROM '{folder}/a.parquet'",
    'SELECT * FROM "{secret}"',
    "SELECT * FROM read_text('{folder}/../{name}/secret.txt')",
    "SELECT * FROM read_text('{link}')",
    "SELECT * FROM read_text('file://{secret}')",
    "SELECT * FROM read_text(['{secret}'])",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_text('/proc/self/environ')",
    "SELECT * FROM glob('{folder}/*')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT (SELECT content FROM read_text('{secret}'))",
    "WITH x AS (SELECT * FROM read_text('{secret}')) SELECT * FROM x",
    "SELECT * FROM facts WHERE id IN (SELECT content FROM read_text('{secret}'))",
    "SELECT * FROM query('SELECT * FROM read_text(''{secret}'')')",
    "SELECT * FROM query_table('{secret}')",
    "SELECT * FROM sniff_csv('{secret}')",
    "SELECT * FROM sqlite_scan('{folder}/a.db', 't')",
    "SELECT * FROM 'https://example.invalid/x.parquet'",
    "SELECT * FROM read_text('s3://bucket/key')",
    "SELECT getenv('HOME')",
    "COPY facts TO '{target}'",
    "COPY (SELECT 1) TO '{target}' (FORMAT parquet)",
    "COPY facts FROM '{secret}'",
    "EXPORT DATABASE '{target}'",
    "IMPORT DATABASE '{folder}'",
    "ATTACH '{target}' AS other",
    "ATTACH ':memory:' AS other",
    "INSTALL httpfs",
    "LOAD httpfs",
    "FORCE INSTALL spatial FROM 'https://example.invalid'",
    "SET enable_external_access = true",
    "SET memory_limit = '100GB'",
    "SET disabled_filesystems = ''",
    "RESET lock_configuration",
    "PRAGMA database_list",
    "PRAGMA enable_profiling",
    "CALL pragma_version()",
    "CREATE TABLE other AS SELECT 1",
    "CREATE SECRET (TYPE s3, KEY_ID 'a', SECRET 'b')",
    "DROP TABLE facts",
    "DELETE FROM facts",
    "UPDATE facts SET row = 0",
    "INSERT INTO facts SELECT * FROM facts",
    "SELECT 1; COPY facts TO '{target}'",
    "SELECT 1; SELECT 2",
    "PREPARE x AS SELECT 1",
    "EXPLAIN ANALYZE COPY facts TO '{target}'",
    "VACUUM",
    "CHECKPOINT",
    "SELECT * FROM FACTS_OF_PYTHON",
    "",
]

ENDLESS = [
    "SELECT count(*) FROM facts a, facts b, facts c, facts d WHERE hash(a.row, b.row, c.row, d.row) % 7 = 3",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t",
    "SELECT length(repeat('a', 2000000000))",
    "SELECT length(lpad('a', 2000000000, 'b'))",
    "SELECT levenshtein(repeat('a', 200000), repeat('b', 200000))",
    "SELECT len(range(2000000000))",
    "SELECT sum(len(list_transform(range(20000000), lambda x: x * 2))) FROM range(1000)",
]


@pytest.fixture(autouse=True)
def switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "1")


def _refused(sql: str, limits: SqlLimits | None = None) -> str:
    with pytest.raises(PredicateError) as caught:
        ask_sql(FACTS, sql, limits=limits)
    return str(caught.value)


def test_one_select_is_answered_and_says_when_it_was_cut() -> None:
    found = ask_sql(FACTS, "SELECT lang, count(*) AS n FROM facts GROUP BY lang ORDER BY n DESC, lang")
    assert sum(found.table.column("n").to_pylist()) == 2_000 and not found.cut
    found = ask_sql(FACTS, "SELECT id, n_words FROM facts ORDER BY row", limits=SqlLimits(rows=10))
    assert found.table.column("id").to_pylist() == FACTS.ids.slice(0, 10).to_pylist() and found.cut
    assert ask_sql(FACTS, "FROM facts SELECT *", limits=SqlLimits(rows=3)).table.num_columns > 20


def test_no_statement_reads_or_writes_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET)
    (tmp_path / "link.txt").symlink_to(secret)
    names = {"secret": secret, "folder": tmp_path, "name": tmp_path.name, "link": tmp_path / "link.txt",
             "target": tmp_path / "written"}  # fmt: skip
    before = sorted(tmp_path.iterdir())
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(_refused, [sql.format(**names) for sql in FILES]))
    assert not any(SECRET in message for message in said) and sorted(tmp_path.iterdir()) == before


def test_what_never_ends_or_eats_memory_is_stopped_while_others_go_on() -> None:
    limits = SqlLimits(seconds=4, memory=400_000_000)
    with ThreadPoolExecutor(4) as pool:
        stuck = {sql: pool.submit(_refused, sql, limits) for sql in ENDLESS}
        assert ask_sql(FACTS, "SELECT count(*) AS n FROM facts").table.column("n").to_pylist() == [2_000]
        for sql, each in stuck.items():
            assert "than allowed" in (said := each.result(timeout=60)) or "stopped" in said or "refused" in said, sql


def test_free_sql_is_off_unless_it_is_switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SWITCH)
    with pytest.raises(SettingError, match="switched off"):
        ask_sql(FACTS, "SELECT 1")


def test_a_mistake_is_told_in_one_line() -> None:
    assert "nowhere" in _refused("SELECT nowhere FROM facts")
    assert "Only one SELECT" in _refused("SELECT 1; SELECT 2")
