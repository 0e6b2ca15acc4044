"""What Embedding Atlas has nearest to a search by meaning, run by a Python that has it.

``peers_meaning.py vectors.npy neighbours.npy K QUESTIONS``: its stored nearest neighbours, as its command line makes
them, and their look-up by its server's database, as its page asks for them. Prints one JSON line with the seconds
before the first answer and of each answer; the neighbours go into a file, int64 (n, K + 1). ``bench_recall.py`` judges.

Its page searches by sentence only where a program around its component brings a search of its own (``vectorSearch``);
the application that its package installs brings none, and finds words.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version

import numpy as np


def main() -> None:
    """Find the neighbours of all documents, then ask for those of some."""
    import pandas as pd
    from embedding_atlas.server import make_duckdb_connection
    from umap.umap_ import nearest_neighbors

    source, target, k, questions = sys.argv[1:]
    vectors, count = np.load(source).astype(np.float32), int(k) + 1
    # Compiles what is compiled on the first call.
    nearest_neighbors(vectors[:5000], 16, "cosine", None, False, None)
    begun = time.perf_counter()
    # The call of ``embedding_atlas.projection``, with more neighbours than its 15.
    found = nearest_neighbors(
        vectors, n_neighbors=count, metric="cosine", metric_kwds=None, angular=False, random_state=None
    )
    frame = pd.DataFrame(
        {"row": range(len(vectors)), "near": [{"ids": a, "distances": b} for a, b in zip(*found[:2], strict=True)]}
    )
    connection = make_duckdb_connection(frame)
    before = time.perf_counter() - begun
    spent = []
    for row in json.loads(questions):
        begun = time.perf_counter()
        with connection.cursor() as cursor:
            cursor.sql(f"SELECT near AS knn FROM dataset WHERE row = {int(row)}").df()
        spent.append(time.perf_counter() - begun)
    np.save(target, found[0].astype(np.int64))
    print(json.dumps({"version": version("embedding-atlas"), "before": before, "seconds": spent}))


if __name__ == "__main__":
    main()
