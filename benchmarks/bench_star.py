"""The greedy star over very many pairs: ``python -m benchmarks.bench_star [PAIRS ...]``

Pairs are drawn by keyed hash among a fifth as many documents, within windows of a thousand, so that a document has ten
on average. Deciding needs everything at once and runs in one process; this states what that costs.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Sequence

import numpy as np

from tamis.analytics.duplicates.greedy_star import PairGraph, greedy_star
from tamis.analytics.steps.measures import Pairs
from tamis.data.hashing import mix_keys

WINDOW = 1_000


def drawn(count: int) -> tuple[int, Pairs]:
    """Return the number of documents and ``count`` pairs between them."""
    documents = max(count // 5, WINDOW + 1)
    keys = np.arange(count, dtype=np.uint64)
    left = (mix_keys(keys, seed=0, salt="left") % np.uint64(documents - WINDOW)).astype(np.int64)
    right = left + 1 + (mix_keys(keys, seed=0, salt="right") % np.uint64(WINDOW - 1)).astype(np.int64)
    similarity = 0.7 + 0.3 * (mix_keys(keys, seed=0, salt="similarity") >> np.uint64(11)).astype(np.float32) / 2**53
    return documents, Pairs(left, right, similarity.astype(np.float32))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a row for each number of pairs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pairs", type=int, nargs="*", default=[1_000_000, 10_000_000])
    _decided(*drawn(1_000))
    print("| pairs | documents | connecting | deciding | kept | peak memory |\n|---:|---:|---:|---:|---:|---:|")
    for count in parser.parse_args(arguments).pairs:
        documents, pairs = drawn(count)
        connecting, deciding, kept = _decided(documents, pairs)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"| {count:,} | {documents:,} | {connecting:.1f} s | {deciding:.1f} s | {kept:.0%} | {peak:.1f} GB |")
    return 0


def _decided(documents: int, pairs: Pairs) -> tuple[float, float, float]:
    """Return the seconds of both parts and the share of documents kept."""
    begun = time.perf_counter()
    graph = PairGraph.of(documents, pairs)
    connected = time.perf_counter()
    rows = np.arange(documents)
    star = greedy_star(graph, rows, rows, threshold=0.8, copies=np.ones(documents, dtype=np.int32))
    return connected - begun, time.perf_counter() - connected, float(star.kept.mean())


if __name__ == "__main__":
    raise SystemExit(main())
