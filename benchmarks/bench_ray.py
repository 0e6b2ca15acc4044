"""One recipe on this machine alone and on Ray clusters: ``bench_ray.py [--texts FOLDER] [--documents N]``

The clusters are simulated: their nodes are processes of this machine, so times say what Ray costs, not what it gains.
The scaling table takes the measured seconds of the pieces of each step and deals them out to workers, longest first; it
is a simulation too, without transfer between machines. Texts are those of the demo corpus, or the column ``text`` of
the Parquet files in a folder.
"""

from __future__ import annotations

import argparse
import heapq
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from test_ray_engine import Losing, Shuffled, cluster, same

from tamis.analytics.operator import OPERATORS
from tamis.analytics.ray_engine import RayEngine, connect
from tamis.analytics.recipe import Recipe
from tamis.analytics.run import run_bundle
from tamis.analytics.run_folder import Run
from tamis.data.corpus import open_corpus
from tamis.data.demo import build_demo
from tamis.data.progress import NullProgress
from tamis.data.workspace import Workspace

FILES = 7
RULES = (
    ("language", {"languages": ["en"], "min_confidence": 0.3}),
    ("signal_range", {"signal": "n_words", "min": 5}),
    ("regex", {"pattern": "(?i)deprecated"}),
    ("exact_dedup", {}),
    ("near_dedup", {}),
    ("random_sample", {"share": 0.9, "seed": 3}),
    ("token_budget", {"amount": 4_000_000}),
)
# Nodes, partitions, pieces a task makes at once, shuffled and with a node lost in each of two steps.
SETTINGS = ((1, 1, 2048, False), (1, 2, 17, False), (2, 7, 1, False), (3, None, 1, False), (3, 7, 17, True))


class Watch(NullProgress):
    """Remembers when each step begins."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, float]] = []

    def step(self, name: str, total: int, unit: str = "documents") -> None:
        self.begun.append((name, time.perf_counter()))

    def seconds(self) -> dict[str, float]:
        """Return the seconds of each step; the last one ends now."""
        ends = [*(at for _, at in self.begun[1:]), time.perf_counter()]
        found: dict[str, float] = {}
        for (name, at), end in zip(self.begun, ends, strict=True):
            found[name] = found.get(name, 0.0) + end - at
        return found


def write_corpus(folder: Path, texts: Path | None, documents: int) -> None:
    """Write the texts as seven files of like size."""
    if texts is None:
        shards = build_demo(folder.with_name("demo")).shards
    else:
        shards = tuple(path for path in sorted(texts.glob("*.parquet")) if "text" in pq.read_schema(path).names)
    columns = [pq.read_table(path, columns=["text"]).column("text").cast(pa.large_string()) for path in shards]
    whole = pa.chunked_array([chunk for column in columns for chunk in column.chunks])
    table = pa.table({"text": whole.filter(pc.is_valid(whole)).slice(0, documents)})
    folder.mkdir()
    for number in range(FILES):
        rows = range(number, table.num_rows, FILES)
        pq.write_table(table.take(pa.array(rows)), folder / f"{number}.parquet", row_group_size=2_500)


def scaling(seconds: dict[str, float], shards: int) -> None:
    """Print what more workers would give."""
    alone = ("recipe", "selection", "curated", "facts")
    serial = sum(spent for name, spent in seconds.items() if name.startswith(alone))
    spread = {name: spent for name, spent in seconds.items() if not name.startswith(alone)}
    print("\n| workers (simulated) | pieces a step | seconds | times as fast |\n|---:|---:|---:|---:|")
    whole = sum(seconds.values())
    for workers in (1, 2, 4, 8, 16, 64):
        pieces = max(shards, 4 * workers)
        total = serial + sum(dealt([spent / pieces] * pieces, workers) for spent in spread.values())
        print(f"| {workers} | {pieces} | {total:.1f} | {whole / total:.1f} |")


def dealt(pieces: Sequence[float], workers: int) -> float:
    """Return when the last worker is done when each takes the longest piece left."""
    free = [0.0] * workers
    for spent in sorted(pieces, reverse=True):
        heapq.heappush(free, heapq.heappop(free) + spent)
    return max(free)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the recipe everywhere and compare every byte."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--documents", type=int, default=10_000)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_corpus(root / "corpus", chosen.texts, chosen.documents)
        recipe = Recipe(title="On a cluster")
        for rule, params in RULES:
            recipe = recipe.with_operator(OPERATORS.build(rule, params))
        (root / "recipe.yaml").write_text(recipe.to_yaml())
        watch = Watch()
        local = timed(root, "local", watch=watch)
        seconds = watch.seconds()
        equal = [compared(root, local, number, *setting) for number, setting in enumerate(SETTINGS)]
        corpus = open_corpus(root / "corpus")
        print(f"\n{corpus.rows:,} documents in {len(corpus.shards())} shards; every byte equal: {all(equal)}")
        scaling(seconds, len(corpus.shards()))
    return int(not all(equal))


def timed(root: Path, name: str, *, engine: RayEngine | None = None, watch: NullProgress | None = None) -> Run:
    """Run the recipe into a folder, in a fresh workspace, and print how long it took."""
    begun = time.perf_counter()
    run = run_bundle(
        root / "recipe.yaml",
        root / "corpus",
        root / name,
        workspace=Workspace(root / f"home-{name}"),
        engine=engine,
        progress=watch,
    )
    if engine is None:
        print("| where | partitions | batch | seconds | kept | digest | every file |\n|---|---|---|---:|---:|---|---|")
        kept = run.counts[-1].documents
        print(f"| local | | | {time.perf_counter() - begun:.0f} | {kept:,} | {run.selection[:12]} | |", flush=True)
    return run


def compared(root: Path, local: Run, number: int, nodes: int, partitions: int | None, batch: int, hard: bool) -> bool:
    """Run on a cluster, print a row, and say whether every byte is that of the local run."""
    begun = time.perf_counter()
    with cluster(nodes) as (made, address), connect(address, partitions=partitions, batch=batch) as engine:
        losing = Losing(made) if hard else None
        used = Shuffled(engine.partitions, engine.batch) if hard else engine
        run = timed(root, f"ray-{number}", engine=used, watch=losing)
    equal = same(run, local)
    words = f"{nodes} nodes, shuffled, {len(losing.lost)} lost" if losing else f"{nodes} node{'s' * (nodes > 1)}"
    print(
        f"| {words} | {partitions or 'one per piece'} | {batch} | {time.perf_counter() - begun:.0f}"
        f" | {run.counts[-1].documents:,} | {run.selection[:12]} | {'equal' if equal else 'DIFFERENT'} |",
        flush=True,
    )
    return equal


if __name__ == "__main__":
    raise SystemExit(main())
