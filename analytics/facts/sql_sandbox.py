"""Free SQL over the facts, for people with access to a corpus but not to the machine.

A statement runs in its own process on a copy of the columns it names: no files, no network, no settings, bounded memory
and time. A read-only connection is not enough: see docs/safety.md.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass

import pyarrow as pa

from tamis.analytics.facts.facts import Facts
from tamis.analytics.facts.sql_child import REFUSED
from tamis.data.errors import PredicateError, SettingError

SWITCH = "TAMIS_SQL"
"""Environment variable that switches free SQL on (1); off otherwise."""

LONGEST = 20_000
EXAMPLE = "SELECT id, n_words FROM facts WHERE n_words > 1000 ORDER BY n_words DESC"


@dataclass(frozen=True)
class SqlLimits:
    """Limits of a statement.

    Attributes:
        seconds: of wall time, then the process is killed.
        memory: bytes in addition to those at the start of the process.
        rows: of the answer.
    """

    seconds: int = 5
    memory: int = 1 << 30
    rows: int = 1000


@dataclass(frozen=True, eq=False)
class SqlAnswer:
    """The answer of a statement.

    Attributes:
        table: at most ``limits.rows`` rows.
        cut: whether there were more.
    """

    table: pa.Table
    cut: bool


def is_sql_enabled() -> bool:
    """Say whether free SQL is allowed on this server."""
    return os.environ.get(SWITCH, "") == "1"


def ask_sql(facts: Facts, sql: str, *, limits: SqlLimits | None = None) -> SqlAnswer:
    """Run one SELECT over a table ``facts`` and return its answer.

    Args:
        facts: the facts; only columns that the statement names are copied.
        sql: one SELECT.
        limits: limits of the statement.

    Raises:
        SettingError: free SQL is switched off.
        PredicateError: not one SELECT, a mistake in it, or more time or memory than allowed.
    """
    if not is_sql_enabled():
        raise SettingError("Free SQL is switched off", fix=f"set {SWITCH}=1 where the server starts")
    if not sql.strip() or len(sql) > LONGEST or "\0" in sql:
        raise PredicateError("Statement", value=sql[:100], allowed=f"1 to {LONGEST:,} characters without NUL")
    bounds = limits or SqlLimits()
    table = facts.table(_columns(facts, sql))
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as out:
        out.write_table(table)
    return _run(sql, sink.getbuffer(), bounds)


def _columns(facts: Facts, sql: str) -> list[str]:
    """Return the columns that a statement may read: those that it names, or all if it contains ``*``."""
    if "*" in re.sub(r"count\s*\(\s*\*\s*\)", "", sql, flags=re.IGNORECASE):
        return ["row", *facts.columns]
    words = {word.lower() for word in re.findall(r"\w+", sql)}
    return list(dict.fromkeys(["row", "id", *(name for name in facts.columns if name.lower() in words)]))


def _run(sql: str, data: memoryview, limits: SqlLimits) -> SqlAnswer:
    bounds = json.dumps({"seconds": limits.seconds, "memory": limits.memory, "rows": limits.rows})
    command = [sys.executable, "-m", "tamis.analytics.facts.sql_child", sql, bounds]
    known = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH") if name in os.environ}
    with tempfile.TemporaryDirectory(prefix="tamis-sql-") as empty:
        try:
            done = subprocess.run(
                command,
                input=data,
                capture_output=True,
                timeout=limits.seconds,
                check=False,
                cwd=empty,
                env={**known, "HOME": empty, "OMP_NUM_THREADS": "1"},
            )
        except subprocess.TimeoutExpired:
            raise PredicateError(
                f"The statement took more than {limits.seconds} s and was stopped", fix="ask for less at once"
            ) from None
    if done.returncode == REFUSED:
        raise PredicateError("The statement was refused", value=done.stderr.decode("utf-8", "replace")[:300])
    if done.returncode != 0:
        raise PredicateError("The statement used more time or memory than allowed", fix="ask for less at once")
    with pa.ipc.open_stream(done.stdout) as stream:
        table = stream.read_all()
    return SqlAnswer(table.slice(0, limits.rows), table.num_rows > limits.rows)
