"""A small real corpus for tests: docstrings of the standard library, read with ``ast``."""

from __future__ import annotations

import ast
import sysconfig
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

PACKAGES = ("json", "email", "logging", "collections")


def docstrings(packages: tuple[str, ...] = PACKAGES) -> pa.Table:
    """Return ``text``, ``source`` and ``path`` of every docstring, some planted twins and rows without text."""
    library = Path(sysconfig.get_paths()["stdlib"])
    rows = []
    for package in packages:
        for path in sorted((library / package).rglob("*.py")):
            tree = ast.parse(path.read_text("utf-8"))
            for node in ast.walk(tree):
                if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                    text = ast.get_docstring(node)
                    if text:
                        rows.append(
                            {"text": text, "source": package, "path": f"{path.stem}.{getattr(node, 'name', '')}"}
                        )
    rows += [{**row, "path": row["path"] + " copy"} for row in rows[::9]]
    rows += [{**row, "text": row["text"].upper(), "path": row["path"] + " upper"} for row in rows[::23]]
    rows += [{"text": None, "source": "nowhere", "path": f"empty {k}"} for k in range(3)]
    return pa.Table.from_pylist(rows)


def write_corpus(folder: Path, table: pa.Table, *, files: int = 1, seed: int | None = None) -> Path:
    """Write a table as Parquet files, its rows shuffled when a seed is given."""
    folder.mkdir(parents=True, exist_ok=True)
    if seed is not None:
        table = table.take(pa.array(np.random.default_rng(seed).permutation(table.num_rows)))
    cuts = np.linspace(0, table.num_rows, files + 1).astype(int)
    for number in range(files):
        part = table.slice(cuts[number], cuts[number + 1] - cuts[number])
        pq.write_table(part, folder / f"file-{number}.parquet", row_group_size=64 + 50 * number)
    return folder
