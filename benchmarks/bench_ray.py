"""One recipe of all kinds of rules on this machine alone and on Ray clusters, every byte compared.

    python -m benchmarks.bench_ray [--texts FOLDER] [--documents N]

The clusters are simulated: their nodes are processes of this machine, so times say what Ray costs, not what it gains.
The scaling table takes the measured seconds of every piece, one worker making it alone, and deals them out to workers,
longest first, one step after the other; what is done in the process that starts the run is added. It is a simulation,
too, without transfer between machines. Texts are those of the demo corpus, or the column ``text`` of the Parquet files
in a folder. The recipe is designed on the first of the corpus' files.
"""

from __future__ import annotations

import argparse
import heapq
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from test_ray_engine import STEPS, Losing, Shuffled, cluster, recipe_of_all_kinds, same

from tamis.analytics.embedding.embedder import fast_embedder
from tamis.analytics.export.bundle import export_bundle, needed_steps
from tamis.analytics.export.run import Run, run_bundle
from tamis.analytics.map.options import MapOptions, write_options
from tamis.analytics.steps.engine import Engine, K, LocalEngine, Part, Work
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.steps.ray_engine import RayEngine, connect
from tamis.analytics.study.standard_analysis import analysis_steps
from tamis.analytics.study.study import Study
from tamis.data import shards
from tamis.data.corpus import Corpus
from tamis.data.demo import build_demo
from tamis.data.open_corpus import open_corpus
from tamis.data.progress import Progress
from tamis.data.workspace import Workspace

FILES = 7
PIECE_ROWS = 10_000
# Nodes, partitions, pieces a task makes at once, and whether shards come shuffled and two steps lose a node.
SETTINGS = (
    *((1, 1, 2048, False), (1, 2, 17, False), (1, 7, 1, False)),
    *((2, 1, 17, False), (2, 2, 1, False), (2, 7, 2048, False)),
    *((3, 1, 1, False), (3, 2, 2048, False), (3, 7, 17, False), (3, None, 1, True)),
)


@dataclass
class Timed(LocalEngine):
    """Makes pieces on one thread of one process and notes the seconds of each, work by work."""

    seconds: list[list[float]] = field(default_factory=list)

    def made(
        self, work: Work[K], pieces: Sequence[K], corpus: Corpus, progress: Progress
    ) -> Iterator[tuple[K, Mapping[str, Part]]]:
        self.seconds.append([])
        made = super().made(replace(work, threads=1, processes=1), pieces, corpus, progress)
        while True:
            begun = time.perf_counter()
            item = next(made, None)
            if item is None:
                return
            self.seconds[-1].append(time.perf_counter() - begun)
            yield item


def write_corpus(folder: Path, texts: Path | None, documents: int) -> list[str | None]:
    """Write the texts as seven files of like size; return those of the first."""
    if texts is None:
        files = build_demo(folder.with_name("demo")).shards
    else:
        files = tuple(path for path in sorted(texts.glob("*.parquet")) if "text" in pq.read_schema(path).names)
    columns = [pq.read_table(path, columns=["text"]).column("text").cast(pa.large_string()) for path in files]
    whole = pa.chunked_array([chunk for column in columns for chunk in column.chunks])
    there = whole.filter(pc.is_valid(whole))
    drawn = np.random.default_rng(0).permutation(len(there))[:documents]
    table = pa.table({"text": there.take(pa.array(drawn))})
    folder.mkdir()
    for number in range(FILES):
        rows = range(number, table.num_rows, FILES)
        pq.write_table(table.take(pa.array(rows)), folder / f"{number}.parquet", row_group_size=2_500)
    first: list[str | None] = table.column("text").take(pa.array(range(0, table.num_rows, FILES))).to_pylist()
    return first


def design(root: Path, texts: list[str | None], tokens: int) -> None:
    """Make a recipe on the first file and export its bundle."""
    workspace = home(root, "design")
    corpus = open_corpus(root / "corpus" / "0.parquet")
    write_options(workspace, corpus, MapOptions(tier="fast"))
    steps = needed_steps(analysis_steps(corpus, workspace), STEPS)
    study = Study.open(corpus, workspace, steps=(*steps, facts_step(steps)))
    recipe = recipe_of_all_kinds(study, texts, tokens=tokens)
    study.measure(recipe)
    export_bundle(root / "bundle", study=study, recipe=recipe)


def home(root: Path, name: str) -> Workspace:
    """Return a fresh workspace that embeds the corpus by the fast tier."""
    made = Workspace(root / f"home-{name}")
    write_options(made, open_corpus(root / "corpus"), MapOptions(tier="fast"))
    return made


def scaling(works: Sequence[Sequence[float]], alone: float) -> None:
    """Print what more workers would give."""
    whole = alone + sum(map(sum, works))
    print("\n| workers (simulated) | seconds | times as fast |\n|---:|---:|---:|")
    for workers in (1, 2, 4, 8, 16):
        total = alone + sum(dealt(pieces, workers) for pieces in works)
        print(f"| {workers} | {total:.1f} | {whole / total:.1f} |")
    print(f"{alone:.1f} s of it in the process that starts the run")


def dealt(pieces: Sequence[float], workers: int) -> float:
    """Return when the last worker is done when each takes the longest piece left."""
    free = [0.0] * workers
    for spent in sorted(pieces, reverse=True):
        heapq.heappush(free, heapq.heappop(free) + spent)
    return max(free)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the recipe everywhere and compare every byte."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--documents", type=int, default=10_000)
    chosen = parser.parse_args(arguments)
    shards.SHARD_ROWS = PIECE_ROWS
    os.environ.setdefault("TAMIS_MODELS", str(Workspace.default().models))
    fast_embedder(Workspace.default().models)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        texts = write_corpus(root / "corpus", chosen.texts, chosen.documents)
        design(root, texts, tokens=chosen.documents * 30)
        corpus = open_corpus(root / "corpus")
        print(f"{corpus.rows:,} documents in {len(corpus.shards())} shards, {FILES} files\n")
        print(
            "| where | partitions | batch | seconds | kept | selection | every file |\n|---|---|---|---:|---:|---|---|"
        )
        timed = Timed()
        local, spent = run(root, "local", engine=timed)
        print(row("local, one thread", "", "", spent, local, ""), flush=True)
        again, usual = run(root, "usual")
        print(row("local", "", "", usual, again, verdict(again, local)), flush=True)
        equal = [compared(root, local, number, *setting) for number, setting in enumerate(SETTINGS)]
        scaling(timed.seconds, spent - sum(map(sum, timed.seconds)))
    return int(not all(equal))


def run(root: Path, name: str, *, engine: Engine | None = None, progress: Progress | None = None) -> tuple[Run, float]:
    """Run the bundle into a folder, in a fresh workspace; return how long it took, too."""
    begun = time.perf_counter()
    made = run_bundle(
        root / "bundle", root / "corpus", root / name, workspace=home(root, name), engine=engine, progress=progress
    )
    return made, time.perf_counter() - begun


def row(where: str, partitions: object, batch: object, seconds: float, made: Run, words: str) -> str:
    """Return a line of the table."""
    kept = made.counts[-1].documents
    return f"| {where} | {partitions} | {batch} | {seconds:.0f} | {kept:,} | {made.selection[:12]} | {words} |"


def verdict(made: Run, local: Run) -> str:
    """Say whether every byte is that of the local run."""
    return "equal" if same(made, local) else "DIFFERENT"


def compared(root: Path, local: Run, number: int, nodes: int, partitions: int | None, batch: int, hard: bool) -> bool:
    """Run on a cluster, print a row, and say whether every byte is that of the local run."""
    with cluster(nodes) as (simulated, address), connect(address, partitions=partitions, batch=batch) as engine:
        losing = Losing(simulated) if hard else None
        used: RayEngine = Shuffled(engine.partitions, engine.batch) if hard else engine
        made, spent = run(root, f"ray-{number}", engine=used, progress=losing)
    words = f"{nodes} node{'s' * (nodes > 1)}" + (f", shuffled, lost in {' and '.join(losing.lost)}" if losing else "")
    print(row(words, partitions or "one per piece", batch, spent, made, verdict(made, local)), flush=True)
    return same(made, local)


if __name__ == "__main__":
    raise SystemExit(main())
