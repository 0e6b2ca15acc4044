"""Near-duplicates by other tools, run by a Python that has them: ``peers_duplicates.py TOOL texts.parquet``.

Reads normalised texts, takes word 5-grams at a threshold of 0.8 as each tool documents it, and prints one JSON line:
seconds, and the numbers of the texts kept. ``bench_duplicates.py`` makes the environment and judges the result.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

N, THRESHOLD, PLACES = 5, 0.8, 128


def shingles(text: str) -> set[str]:
    """Return the word 5-grams of a text, all of it when it has fewer words."""
    words = text.split()
    return {" ".join(words[k : k + N]) for k in range(max(1, len(words) - N + 1))}


def by_datasketch(texts: list[str]) -> list[int]:
    """Keep each text for which MinHashLSH finds no kept one."""
    from datasketch import MinHash, MinHashLSH

    index, kept = MinHashLSH(threshold=THRESHOLD, num_perm=PLACES), []
    for number, text in enumerate(texts):
        signature = MinHash(num_perm=PLACES)
        signature.update_batch([gram.encode() for gram in shingles(text)])
        if not index.query(signature):
            index.insert(number, signature)
            kept.append(number)
    return kept


def by_rensa(texts: list[str]) -> list[int]:
    """Keep each text that RMinHashDeduplicator adds: 16 bands, then the similarity its signatures estimate."""
    from rensa import RMinHash, RMinHashDeduplicator

    index, kept = RMinHashDeduplicator(THRESHOLD, PLACES, True, 16, 42), []
    for first in range(0, len(texts), 1000):
        part = [sorted(shingles(text)) for text in texts[first : first + 1000]]
        for place, signature in enumerate(RMinHash.from_token_sets(part, PLACES, 42)):
            if index.add(str(first + place), signature):
                kept.append(first + place)
    return kept


def by_datatrove(texts: list[str]) -> list[int]:
    """Keep what the four MinHash stages of datatrove keep, with its defaults (14 x 8, clusters by connection)."""
    import numpy as np
    from datatrove.data import Document
    from datatrove.pipeline.dedup.minhash import (
        MinhashConfig,
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupSignature,
    )
    from loguru import logger

    logger.remove()
    config = MinhashConfig()
    with tempfile.TemporaryDirectory() as folder:
        documents = (Document(text=text, id=str(number)) for number, text in enumerate(texts))
        MinhashDedupSignature(f"{folder}/signatures", config).run(documents)
        for bucket in range(config.num_buckets):
            stage = MinhashDedupBuckets(f"{folder}/signatures", f"{folder}/buckets", config=config)
            stage.run(rank=bucket, world_size=config.num_buckets)
        MinhashDedupCluster(f"{folder}/buckets", f"{folder}/remove", config).run()
        removed = {int(k) for path in Path(f"{folder}/remove").glob("*.remove") for k in np.fromfile(path, "<u4")}
    return [number for number in range(len(texts)) if number not in removed]


TOOLS: dict[str, Callable[[list[str]], list[int]]] = {
    "datasketch": by_datasketch,
    "rensa": by_rensa,
    "datatrove": by_datatrove,
}


def main(tool: str, path: str) -> None:
    """Run one tool and print what it kept."""
    import pyarrow.parquet as pq

    texts: list[str] = pq.read_table(path).column("text").to_pylist()
    started = time.perf_counter()
    kept = TOOLS[tool](texts)
    print(json.dumps({"seconds": time.perf_counter() - started, "kept": kept}))


if __name__ == "__main__":
    main(*sys.argv[1:])
