"""Speed and memory of the data layer on a synthetic corpus: ``python -m benchmarks.bench_data [documents]``."""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from tamis.data.corpus import Corpus
from tamis.data.curated import curated_schema, kept_batches, write_sorted
from tamis.data.documents import Documents
from tamis.data.identification import IDENTIFICATION_VERSION, identify
from tamis.data.open_corpus import open_corpus
from tamis.data.progress import NullProgress
from tamis.data.store import ArtifactKey, Store

T = TypeVar("T")


@dataclass(frozen=True)
class Figure:
    """One measurement.

    Attributes:
        what: what was done.
        seconds: wall time.
        per_second: documents per second.
        peak: largest resident memory meanwhile, bytes.
    """

    what: str
    seconds: float
    per_second: float
    peak: int


@contextmanager
def peak_memory() -> Iterator[list[int]]:
    """Sample the resident memory of this process; the list's only item is the largest value."""
    process, peak, stop = psutil.Process(), [0], threading.Event()

    def sample() -> None:
        while not stop.wait(0.01):
            peak[0] = max(peak[0], process.memory_info().rss)

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()


def timed(what: str, documents: int, work: Callable[[], T], figures: list[Figure]) -> T:
    """Do the work, note its time and memory, return its result."""
    with peak_memory() as peak:
        start = time.perf_counter()
        result = work()
        seconds = time.perf_counter() - start
    figures.append(Figure(what, seconds, documents / seconds, peak[0]))
    return result


def write_corpus(folder: Path, documents: int, *, twins: float = 0.2, words: int = 15) -> pa.Table:
    """Write a corpus of random words as five Parquet files and return it; a share of the documents are exact twins."""
    chance = np.random.default_rng(0)
    vocabulary = np.array(["".join(chance.choice(list("abcdefghijklmnop"), 6)) for _ in range(5000)])
    fresh = max(1, int(documents * (1 - twins)))
    texts = [
        " ".join(vocabulary[chance.integers(0, 5000, chance.integers(words // 2, 2 * words))]) for _ in range(fresh)
    ]
    picked = np.concatenate([np.arange(fresh), chance.integers(0, fresh, documents - fresh)])
    table = pa.table(
        {
            "text": pa.array(texts, pa.large_string()).take(pa.array(picked)),
            "source": pa.array([f"s{n % 17}" for n in range(documents)]),
            "number": np.arange(documents),
        }
    )
    for part in range(5):
        first, last = documents * part // 5, documents * (part + 1) // 5
        pq.write_table(table.slice(first, last - first), folder / f"{part}.parquet", row_group_size=50_000)
    return table


def identified(corpus: Corpus, folder: Path) -> Documents:
    """Identify the documents of a corpus in a fresh store."""
    key = ArtifactKey("documents", IDENTIFICATION_VERSION, corpus.text_fingerprint)
    with Store(folder).writer(key) as out:
        return Documents.read(identify(corpus, out, NullProgress()))


def measure(documents: int, folder: Path) -> list[Figure]:
    """Measure every pass of the data layer over ``documents`` short documents."""
    figures: list[Figure] = []
    (folder / "parquet").mkdir()
    (folder / "jsonl").mkdir()
    table = write_corpus(folder / "parquet", documents)
    with (folder / "jsonl" / "a.jsonl").open("w") as out:
        for batch in table.to_batches(8192):
            out.writelines(json.dumps(row) + "\n" for row in batch.to_pylist())
    for name in ("parquet", "jsonl"):
        corpus = timed(f"{name}: open and hash", documents, lambda: open_corpus(folder / name), figures)  # noqa: B023
        found = timed(f"{name}: ids", documents, lambda: identified(corpus, folder / f"store-{name}"), figures)  # noqa: B023
        timed(f"{name}: stream texts", documents, lambda: _stream(corpus), figures)  # noqa: B023
        rows = np.random.default_rng(1).integers(0, found.n, 20)
        timed(f"{name}: fetch 20 rows, cold", 20, lambda: corpus.fetch(found, rows), figures)  # noqa: B023
        timed(f"{name}: fetch 20 rows, warm", 20, lambda: corpus.fetch(found, rows), figures)  # noqa: B023
        timed(f"{name}: curated output", documents, lambda: _curate(corpus, found, folder / f"out-{name}"), figures)  # noqa: B023
    return figures


def _stream(corpus: Corpus) -> int:
    return sum(len(texts) for shard in corpus.shards() for texts in corpus.document_texts(shard))


def _curate(corpus: Corpus, documents: Documents, out: Path) -> None:
    batches = kept_batches(corpus, documents, np.ones(documents.n, dtype=np.int32))
    write_sorted(batches, out, rows=documents.n, schema=curated_schema(corpus))


def main() -> None:
    """Print the figures as a table."""
    documents = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(documents, Path(folder))
    print(f"| {documents:,} documents | seconds | documents/s | peak MB |\n|---|---|---|---|")
    for figure in figures:
        print(f"| {figure.what} | {figure.seconds:.2f} | {figure.per_second:,.0f} | {figure.peak / 1e6:.0f} |")


if __name__ == "__main__":
    main()
