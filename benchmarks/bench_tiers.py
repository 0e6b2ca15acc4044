"""Which share of the precise model's nearest neighbours do the static tiers find? One corpus, one run.

python -m benchmarks.bench_tiers CORPUS.parquet [--queries 2000] [--seconds 160]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tamis.analytics.embedding.embedder import fast_embedder, precise_embedder
from tamis.analytics.embedding.tuned_model import fit_tuned
from tamis.analytics.embedding.tuned_step import SAMPLE_SECONDS, sample_size
from tamis.analytics.steps.step import Size
from tamis.data.workspace import Workspace

NEIGHBOURS = 10


def nearest(vectors: NDArray[np.float16], queries: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the 10 nearest others of each query by cosine."""
    wide, found = vectors.astype(np.float32), []
    for first in range(0, len(queries), 500):
        rows = queries[first : first + 500]
        products = wide[rows] @ wide.T
        products[np.arange(len(rows)), rows] = -np.inf
        found.append(np.argpartition(-products, NEIGHBOURS, axis=1)[:, :NEIGHBOURS])
    return np.concatenate(found)


def recall(found: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """Return the share of true neighbours found."""
    return float((found[:, :, None] == truth[:, None, :]).any(axis=2).mean())


def main() -> None:
    """Embed with all tiers and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--queries", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=SAMPLE_SECONDS)
    given = parser.parse_args()
    texts = [text or "" for text in pq.read_table(given.corpus, columns=["text"])["text"].to_pylist()]
    random = np.random.default_rng(0)
    queries = np.sort(random.choice(len(texts), min(given.queries, len(texts)), replace=False))
    wanted = sample_size(Size(len(texts), sum(len(text.encode()) for text in texts)), seconds=given.seconds)
    sample = np.sort(random.choice(len(texts), wanted, replace=False))

    begun = time.perf_counter()
    precise = precise_embedder().encode(texts)
    print(f"precise: {len(texts) / (time.perf_counter() - begun):,.0f} texts/s, {len(texts):,} texts")
    truth = nearest(precise, queries)
    base = fast_embedder(Workspace.default().models)
    begun = time.perf_counter()
    fast = base.encode(texts)
    speed = len(texts) / (time.perf_counter() - begun)
    plain = recall(nearest(fast, queries), truth)
    print(f"fast:    {speed:,.0f} texts/s, recall@10 {plain:.3f} ({len(queries)} queries, seed 0)")
    begun = time.perf_counter()
    model = fit_tuned(base.model, [texts[row] for row in sample.tolist()], precise[sample])
    fitted = time.perf_counter()
    tuned = model.encode(texts)
    speed = len(texts) / (time.perf_counter() - fitted)
    share = recall(nearest(tuned, queries), truth)
    print(
        f"tuned:   {speed:,.0f} texts/s, recall@10 {share:.3f}, {share / plain:.2f} times fast "
        f"(sample {wanted:,}, seed 0; fit {fitted - begun:.0f} s)"
    )


if __name__ == "__main__":
    main()
