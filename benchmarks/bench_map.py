"""The map beside umap-learn's and Embedding Atlas' on the same vectors, in one run.

    python -m benchmarks.bench_map TEXTS.parquet [--documents 100000] [--peers]

Texts are embedded with the fast tier; the time of a map begins at the vectors and includes the search for neighbours.
``--peers`` makes an environment with the other tools, each of which runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tamis.analytics.embedding.embedder import fast_embedder
from tamis.analytics.embedding.neighbours import KnnGraph, knn_graph
from tamis.analytics.map.layout import umap_layout
from tamis.analytics.map.steps import MapQuality, map_quality
from tamis.data.workspace import Workspace

HERE = Path(__file__).parent
PEERS = ("umap-learn", "embedding-atlas")
QUALITY_ROWS = 20_000


def python_with(packages: Sequence[str]) -> Path:
    """Return the Python of the peers' environment, made the first time."""
    home = Path(os.environ.get("TAMIS_BENCH_PEERS") or Path.home() / ".cache" / "tamis-bench-peers") / "map"
    python = home / "bin" / "python"
    if not python.is_file():
        venv.create(home, with_pip=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *packages], check=True)
    return python


def tamis_map(vectors: NDArray[np.float16]) -> tuple[float, KnnGraph, NDArray[np.float32]]:
    """Return seconds, the graph of neighbours and the map."""
    begun = time.perf_counter()
    graph = knn_graph(vectors)
    positions = umap_layout(vectors, graph)
    return time.perf_counter() - begun, graph, positions


def peer_map(tool: str, vectors: NDArray[np.float16], python: Path) -> tuple[float, NDArray[np.float32]]:
    """Return seconds and the map of another tool."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "vectors.npy", Path(folder) / "positions.npy"
        np.save(source, vectors)
        command = [str(python), str(HERE / "peers_map.py"), tool, str(source), str(target)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return float(json.loads(done.stdout.splitlines()[-1])["seconds"]), np.load(target)


def line(tool: str, seconds: float, base: float, quality: MapQuality) -> str:
    """Return one row of the table."""
    return (
        f"| {tool} | {seconds:.1f} s | {seconds / base:.1f} | {quality.preservation:.3f} | "
        f"{quality.trustworthiness:.3f} |"
    )


def compare(vectors: NDArray[np.float16], python: Path | None) -> dict[str, MapQuality]:
    """Print the table for these vectors and return the qualities."""
    tamis_map(vectors[:2000])
    base, graph, positions = tamis_map(vectors)
    found = {"tamis": map_quality(vectors, graph, positions)}
    print(f"\n{len(vectors):,} documents, quality on {found['tamis'].sample} of them (seed 0, k {found['tamis'].k})")
    print("| tool | time | times tamis | neighbours kept | trustworthiness |\n|---|---|---|---|---|")
    print(line("tamis", base, base, found["tamis"]), flush=True)
    for tool in PEERS if python else ():
        try:
            seconds, positions = peer_map(tool, vectors, python)
        except subprocess.CalledProcessError as error:
            print(f"| {tool} | failed: {error.stderr.strip().splitlines()[-1][:120]} |")
            continue
        found[tool] = map_quality(vectors, graph, positions)
        print(line(tool, seconds, base, found[tool]), flush=True)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare on 20,000 documents and on all of them; say whether the quality reaches 95% of umap-learn's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("texts", type=Path, nargs="?", default=os.environ.get("TAMIS_BENCH_TEXTS"))
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--peers", action="store_true")
    chosen = parser.parse_args(arguments)
    if chosen.texts is None:
        print("no texts: give a Parquet file with a column text")
        return 0
    texts = [text for text in pq.read_table(chosen.texts, columns=["text"])["text"].to_pylist() if text]
    rows = np.sort(np.random.default_rng(0).choice(len(texts), min(chosen.documents, len(texts)), replace=False))
    vectors = fast_embedder(Workspace.default().models).encode([texts[row] for row in rows.tolist()])
    vectors = vectors[vectors.any(axis=1)]
    python = python_with(["umap-learn", "embedding-atlas"]) if chosen.peers else None
    found = compare(vectors[:QUALITY_ROWS], python)
    if "umap-learn" in found:
        share = found["tamis"].preservation / found["umap-learn"].preservation
        trust = found["tamis"].trustworthiness / found["umap-learn"].trustworthiness
        met = min(share, trust) >= 0.95
        print(f"of umap-learn's quality: {share:.1%} of neighbours kept, {trust:.1%} of trustworthiness; met: {met}")
    if len(vectors) > QUALITY_ROWS:
        compare(vectors, python)
    print(f"\npeak memory of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
