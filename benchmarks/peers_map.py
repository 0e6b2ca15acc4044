"""Maps by other tools, run by a Python that has them: ``peers_map.py TOOL vectors.npy positions.npy``.

Prints one JSON line with the seconds; the positions go into a file. ``bench_map.py`` judges them.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time

import numpy as np


def by_umap_learn(vectors: np.ndarray) -> np.ndarray:
    """Return umap-learn's map with its defaults, cosine distance."""
    import umap

    return umap.UMAP(metric="cosine").fit_transform(vectors)


def by_embedding_atlas(vectors: np.ndarray) -> np.ndarray:
    """Return Embedding Atlas' projection of given vectors with its defaults."""
    import pandas as pd
    from embedding_atlas.projection import compute_projection

    frame = pd.DataFrame({"vector": list(vectors)})
    with tempfile.TemporaryDirectory() as folder:
        made = compute_projection(frame, inputs="vector", modality="vector", x="x", y="y", cache_root=folder)
    return made[["x", "y"]].to_numpy()


def main() -> None:
    """Make one map."""
    tool, source, target = sys.argv[1:]
    vectors = np.load(source).astype(np.float32)
    begun = time.perf_counter()
    positions = {"umap-learn": by_umap_learn, "embedding-atlas": by_embedding_atlas}[tool](vectors)
    seconds = time.perf_counter() - begun
    np.save(target, np.asarray(positions, dtype=np.float32))
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
