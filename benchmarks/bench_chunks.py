"""Token counts and languages beside those of an older commit: seconds, processor seconds, equal values.

    python -m benchmarks.bench_chunks [--former FOLDER] [--texts FILE] [--rows 100000] [--turns 2] [--scratch FOLDER]

``FOLDER`` holds a checkout of the older commit; without it only this one is measured. Texts are those of the demo
corpus or the column ``text`` of a Parquet file, taken again from the beginning if there are too few: as they are, then
joined to texts of about 1,600 characters, a tenth as many. The two sides take turns, each time in a fresh process and
workspace; a row is the least of its turns. The documents step is not counted, reading the texts is.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pyarrow.parquet as pq

from tamis.data.demo import build_demo
from tamis.data.parquet import parquet_writer

ROOT = Path(__file__).parents[1]
LONG = 1_600
GROUP = 50_000
PROGRAM = """
import hashlib, json, resource, sys, time
from pathlib import Path
import pyarrow as pa
from tamis.analytics.signals.language import language_columns, language_step
from tamis.analytics.signals.tokens import token_columns, tokens_step
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.pipeline import analyze
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

def used():
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))

corpus, workspace = open_corpus(Path(sys.argv[1])), Workspace(Path(sys.argv[2]))
warm = pa.array(["So that compiling is not measured.", "\\u4e2d\\u6587", "long" * 99], pa.large_string())
token_columns(warm, "minilm-bytes"), language_columns(warm)
analyze(corpus, workspace, steps=(documents_step(),))
found = {}
for step in (tokens_step(), language_step()):
    wall, cpu = time.perf_counter(), used()
    artifact = analyze(corpus, workspace, steps=(documents_step(), step)).artifacts[step.name]
    times = time.perf_counter() - wall, used() - cpu
    digest = hashlib.sha256()
    for path in sorted(artifact.path.iterdir()):
        if path.name != "manifest.json":
            digest.update(path.read_bytes())
    found[step.name] = (*times, artifact.digest, digest.hexdigest())
print(json.dumps(found))
"""


def texts(file: Path) -> Iterator[str]:
    """Yield the texts of a file, again and again."""
    while True:
        for batch in pq.ParquetFile(file).iter_batches(columns=["text"]):
            yield from (text for text in batch.column(0).to_pylist() if text)


def joined(found: Iterator[str]) -> Iterator[str]:
    """Yield texts of at least ``LONG`` characters, each of consecutive ones."""
    while True:
        parts, size = [], 0
        while size < LONG:
            parts.append(next(found))
            size += len(parts[-1]) + 1
        yield "\n".join(parts)


def write(found: Iterator[str], rows: int, path: Path) -> int:
    """Write texts as a corpus; return their bytes."""
    import pyarrow as pa  # Late: only where a corpus is written.

    schema, size = pa.schema([("text", pa.large_string())]), 0
    with parquet_writer(path, schema) as writer:
        for first in range(0, rows, GROUP):
            part = list(islice(found, min(GROUP, rows - first)))
            size += sum(len(text.encode()) for text in part)
            writer.write_table(pa.table([part], schema=schema))
    return size


def measure(root: Path, corpus: Path, scratch: Path) -> dict[str, list[float | str]]:
    """Run both steps of a checkout in a fresh process and workspace."""
    home = Path(tempfile.mkdtemp(dir=scratch))
    environment = {**os.environ, "PYTHONPATH": str(root / ".typing")}
    command = [sys.executable, "-c", PROGRAM, str(corpus), str(home)]
    done = subprocess.run(command, env=environment, cwd=root, check=True, capture_output=True, text=True)
    shutil.rmtree(home)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def compare(corpus: Path, former: Path | None, turns: int, scratch: Path) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the table for one corpus."""
    sides = {"this": ROOT, **({"former": former} if former else {})}
    found: dict[str, list[dict[str, list[float | str]]]] = {side: [] for side in sides}
    for _ in range(turns):
        for side, root in reversed(sides.items()):
            found[side].append(measure(root, corpus, scratch))
    for step in ("tokens", "language"):
        best = {side: [min(float(run[step][k]) for run in runs) for k in (0, 1)] for side, runs in found.items()}
        now = f"{best['this'][0]:.2f}", f"{best['this'][1]:.2f}"
        if former is None:
            yield step, *now
            continue
        same = len({str(run[step][2:]) for runs in found.values() for run in runs}) == 1
        then = f"{best['former'][0]:.2f}", f"{best['former'][1]:.2f}"
        ratio = (f"{best['former'][k] / best['this'][k]:.1f}" for k in (0, 1))
        yield step, *then, *now, *ratio, "yes" if same else "NO"


def main() -> None:
    """Print one table for both corpora."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--former", type=Path)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--scratch", type=Path)
    given = parser.parse_args()
    former = None if given.former is None else given.former.resolve()
    heads = ["texts", "step", *(["former s", "former CPU s"] if former else []), "s", "CPU s"]
    heads += ["times", "times by CPU", "same bytes"] if former else []
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}", flush=True)
    with tempfile.TemporaryDirectory(dir=given.scratch) as folder:
        scratch = Path(folder)
        file = given.texts
        if file is None:
            build_demo(scratch / "demo")
            file = next((scratch / "demo").rglob("*.parquet"))
        for name, found, rows in (
            ("short", texts(file), given.rows),
            ("long", joined(texts(file)), given.rows // 10),
        ):
            path = scratch / name / "texts.parquet"
            path.parent.mkdir()
            size = write(found, rows, path)
            for row in compare(path.parent, former, given.turns, scratch):
                print(f"| {rows:,} of {size // rows:,} bytes | {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
