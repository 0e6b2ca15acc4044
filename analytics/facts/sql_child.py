"""The process of the SQL sandbox: runs one SELECT over a copy of the facts, without access to anything else.

Facts come in as an Arrow stream on standard input, the answer goes out on standard output. Before it
parses the statement, the process limits file writes, memory and time, and DuckDB loses its file systems, extensions and
settings.
"""

from __future__ import annotations

import json
import resource
import sys

import duckdb
import pyarrow as pa

REFUSED = 3
_LOCKED = (
    "SET disabled_filesystems = 'LocalFileSystem'",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


def main(arguments: list[str]) -> int:
    """Answer one statement; the arguments are the statement and the limits as JSON."""
    limits = json.loads(arguments[1])
    with pa.ipc.open_stream(sys.stdin.buffer) as stream:
        facts = stream.read_all()
    connection = duckdb.connect(
        ":memory:",
        config={
            "python_enable_replacements": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "memory_limit": f"{limits['memory'] // 2}B",
            "max_temp_directory_size": "0B",
            "temp_directory": "",
            "threads": "2",
        },
    )
    connection.register("given", facts)
    connection.execute("CREATE TABLE facts AS SELECT * FROM given")
    connection.unregister("given")
    del facts
    for statement in _LOCKED:
        connection.execute(statement)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (limits["seconds"] * 2, limits["seconds"] * 2))
    resource.setrlimit(resource.RLIMIT_AS, (limits["memory"] + _address_space(), -1))
    try:
        answer = _answer(connection, arguments[0], limits["rows"])
    except (duckdb.Error, MemoryError, pa.ArrowException) as error:
        sys.stderr.write(str(error).splitlines()[0] if str(error) else type(error).__name__)
        return REFUSED
    with pa.ipc.new_stream(sys.stdout.buffer, answer.schema) as out:
        out.write_table(answer)
    return 0


def _answer(connection: duckdb.DuckDBPyConnection, sql: str, rows: int) -> pa.Table:
    """Return the first rows of the answer, one more than ``rows`` if there are more."""
    statements = connection.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise duckdb.InvalidInputException("Only one SELECT is allowed")
    reader: pa.RecordBatchReader = connection.execute(statements[0]).to_arrow_reader(min(rows + 1, 2048))
    batches, count = [], 0
    for batch in reader:
        batches.append(batch.slice(0, rows + 1 - count))
        count += batches[-1].num_rows
        if count > rows:
            break
    return pa.Table.from_batches(batches, reader.schema)


def _address_space() -> int:
    """Return the bytes of address space in use now."""
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        return int(file.read().split()[0]) * resource.getpagesize()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
