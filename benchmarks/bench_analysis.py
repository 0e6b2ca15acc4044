"""Documents per second and peak memory of every step of the analysis, raw files to named clusters.

    python -m benchmarks.bench_analysis [PATH] [--tier auto|fast|tuned|precise] [--keep FOLDER] [--json FILE]

Without a path the demo corpus is built from this environment; ``short_texts.py`` makes a million real short texts.
Everything runs in a fresh workspace; models are kept between runs. Steps compile on their first call, so a small
corpus is analysed before the measured one. With ``--keep`` the workspace stays, for ``bench_pages.py --home``.
``bench_builds.py`` runs this for two builds and reads the file that ``--json`` writes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

# As the command line does, before the libraries are loaded that read it: threads that wait by spinning slow others.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
from tamis.analytics.embedding.embedder import fast_embedder
from tamis.analytics.embedding.step import TUNED_MODEL
from tamis.analytics.map.options import MapOptions, write_options
from tamis.analytics.steps.pipeline import Analysis, analyze
from tamis.analytics.study.standard_analysis import analysis_steps
from tamis.data.demo import build_demo, installed_sources
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import CorpusEntry, Workspace


@dataclass
class Watch:
    """Progress that notes when each step began, and the processor time used until then."""

    began: list[tuple[str, float, float]] = field(default_factory=list)

    def plan(self, seconds: Mapping[str, float]) -> None:
        """Ignore the plan."""

    def step(self, name: str, total: int, unit: str = "documents") -> None:
        """Note a new step; the parts a step reports are its own."""
        if not self.began or self.began[-1][0] != name:
            self.began.append((name, time.perf_counter(), processor_seconds()))

    def advance(self, n: int = 1) -> None:
        """Ignore the advance."""

    def check(self) -> None:
        """Never cancelled."""

    def seconds(self) -> dict[str, tuple[float, float]]:
        """Return the seconds of each step and those of the processors, worker processes included, from the notes."""
        ends = [(wall, used) for _, wall, used in self.began[1:]] + [(time.perf_counter(), processor_seconds())]
        spent: dict[str, tuple[float, float]] = {}
        for (name, wall, used), (wall_end, used_end) in zip(self.began, ends, strict=True):
            before = spent.get(name, (0.0, 0.0))
            spent[name] = (before[0] + wall_end - wall, before[1] + used_end - used)
        return spent


def processor_seconds() -> float:
    """Return the processor time of this process and of those it has waited for."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


@contextmanager
def peak_memory() -> Iterator[list[float]]:
    """Yield a list that ends with the peak of this process' memory in MB."""
    process, stop, seen = psutil.Process(), threading.Event(), [0.0]

    def look() -> None:
        while not stop.wait(0.05):
            seen[0] = max(seen[0], process.memory_info().rss / 1e6)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def main() -> None:
    """Analyse and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", nargs="?", help="a corpus; the demo corpus by default")
    parser.add_argument("--tier", default="auto", help="embedding tier; auto is the default of the product")
    parser.add_argument("--keep", type=Path, help="a new folder for the workspace")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        models = Workspace.default().models
        path = Path(chosen.path) if chosen.path else root / "demo"
        if not chosen.path:
            build_demo(path)
        warm = [tree for tree in installed_sources() if tree.name == "numpy"]
        build_demo(root / "warm", sources=warm, workers=1)
        fast_embedder(models)
        run(root / "warm", root / "first", models, "fast")
        seconds, peak, analysis = run(path, chosen.keep or root / "second", models, chosen.tier)
    documents, size = analysis.documents.n, int(analysis.documents.bytes.sum())
    print(f"{documents:,} documents, {size / 1e6:.0f} MB of text, {os.cpu_count()} processors\n")
    print("| step | seconds | processor seconds | documents/s |\n|---|---:|---:|---:|")
    for name, (spent, used) in seconds.items():
        print(f"| {name} | {spent:.1f} | {used:.1f} | {documents / spent:,.0f} |")
    total, work = (sum(pair[place] for pair in seconds.values()) for place in (0, 1))
    print(
        f"| **all** | **{total:.1f}** | **{work:.1f}** | **{documents / total:,.0f}** |\n\nPeak memory {peak:,.0f} MB."
    )
    found = list(figures(analysis))
    print(*found, sep="\n")
    if chosen.json:
        parts = {
            f"{name}/{part.file}": part.sha256
            for name, artifact in analysis.artifacts.items()
            for part in artifact.manifest.parts
        }
        about = {"documents": documents, "seconds": seconds, "peak": peak, "figures": found, "parts": parts}
        chosen.json.write_text(json.dumps(about))


def figures(analysis: Analysis) -> Iterator[str]:
    """Yield what the artifacts state about embedding, graph, map and clusters."""
    facts = {name: artifact.facts for name, artifact in analysis.artifacts.items()}
    tier = f"Embedding: {facts['embeddings']['tier']} tier"
    if TUNED_MODEL in facts:
        model = facts[TUNED_MODEL]
        tier += f", recall@{model['neighbours']} {model['recall']:.3f} (plain static {model['recall_plain']:.3f};"
        tier += f" {model['held_out']:,} documents held out of a sample of {model['documents']:,})"
    yield f"{tier}."
    graph, quality = facts["knn"], facts["map"]["quality"]
    yield f"Graph: {graph['method']}, recall {graph['recall']:.3f} (n {graph['recall_rows']}, seed {graph['seed']})."
    yield (
        f"Map: neighbours kept {quality['preservation']:.3f}, trustworthiness {quality['trustworthiness']:.3f}"
        f" (n {quality['sample']}, k {quality['k']}, seed {facts['map']['seed']})."
    )
    clusters, concepts = facts["clusters"], facts["concepts"]
    unclustered = clusters["unclustered"] / max(analysis.documents.n, 1)
    yield f"Clusters: {clusters['clusters']}, unclustered {unclustered:.1%}; {concepts['k']} concepts."


def run(path: Path, home: Path, models: Path, tier: str) -> tuple[dict[str, tuple[float, float]], float, Analysis]:
    """Analyse a corpus in a fresh workspace; return both seconds by step, peak MB and the analysis."""
    workspace, watch = Workspace(home), Watch()
    shutil.copytree(models, workspace.models, dirs_exist_ok=True)
    with peak_memory() as peak:
        corpus = open_corpus(path)
        options = MapOptions(tier=tier)
        steps = analysis_steps(corpus, workspace, options=options)
        analysis = analyze(corpus, workspace, steps=steps, progress=watch)
    write_options(workspace, corpus, options)
    workspace.remember(CorpusEntry(path.stem, str(path.absolute()), fingerprint=corpus.fingerprint))
    return watch.seconds(), peak[0], analysis


if __name__ == "__main__":
    main()
