"""Near-duplicates: recall, precision, speed and memory, and the same figures of other tools on the same texts.

    python -m benchmarks.bench_duplicates [--data FOLDER] [--peers] [--documents 1000000]

FOLDER (or TAMIS_BENCH_DATA) holds ``neardup_synth.parquet`` and ``debian_descriptions_en.parquet``; without it the
comparison with exact all-pairs similarity runs on docstrings of this Python only. ``--peers`` makes an environment with
datasketch, rensa and datatrove under the cache folder the first time. The truth is computed by plain Python sets and a
sparse matrix product: nothing of the measured code but the normalised text.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import tempfile
import time
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tamis.analytics.duplicates.greedy_star import PairGraph, greedy_star
from tamis.analytics.duplicates.near import near_pairs, near_step
from tamis.analytics.duplicates.near_passes import NearParams
from tamis.analytics.operators.duplicates import NearDedup
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.steps.measures import Pairs
from tamis.analytics.steps.pipeline import analyze
from tamis.analytics.study.duplicate_groups import look
from tamis.analytics.study.study import Study
from tamis.analytics.text.normal_form import normalise_strings
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

HERE = Path(__file__).parent
PEERS = ("datasketch==2.0.0", "rensa==0.5.0", "datatrove==0.10.1", "spacy", "regex", "xxhash<4", "pyarrow")
PARAMS = NearParams()
THRESHOLD = 0.8


@dataclass(frozen=True, eq=False)
class Truth:
    """Exact similarity of all pairs of distinct texts.

    Attributes:
        sets: per text, numbers of its shingles.
        left, right: int64 (m,), text numbers of pairs at 0.5 or above.
        similarity: float64 (m,), Jaccard.
    """

    sets: list[frozenset[int]]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    similarity: NDArray[np.float64]

    @classmethod
    def of(cls, texts: list[str], *, n: int = 5, floor: float = 0.5) -> Truth:
        """Compare all texts (normalised) with all."""
        from scipy.sparse import csr_matrix

        numbers: dict[tuple[str, ...], int] = {}
        sets = []
        for text in texts:
            words = text.split()
            grams = {tuple(words[k : k + n]) for k in range(max(1, len(words) - n + 1))}
            sets.append(frozenset(numbers.setdefault(gram, len(numbers)) for gram in grams))
        counts = np.array([len(item) for item in sets])
        places = np.fromiter((k for item in sets for k in item), dtype=np.int64, count=int(counts.sum()))
        matrix = csr_matrix((np.ones(len(places), np.int32), places, np.append(0, np.cumsum(counts))))
        parts = []
        for first in range(0, len(texts), 1000):
            both = (matrix[first : first + 1000] @ matrix.T).tocoo()
            row, column = both.row.astype(np.int64) + first, both.col.astype(np.int64)
            value = both.data / (counts[row] + counts[column] - both.data)
            near = (row < column) & (value >= floor)
            parts.append(np.column_stack([row[near], column[near], value[near]]))
        found = np.concatenate(parts)
        return cls(sets, found[:, 0].astype(np.int64), found[:, 1].astype(np.int64), found[:, 2])

    def jaccard(self, one: int, two: int) -> float:
        """Return the similarity of two texts."""
        both = len(self.sets[one] & self.sets[two])
        return both / (len(self.sets[one]) + len(self.sets[two]) - both)


@dataclass(frozen=True)
class Verdict:
    """How well a tool did.

    Attributes:
        tool: its name.
        seconds: for all texts on one thread.
        dropped: texts dropped.
        wrong: dropped texts that are below the threshold to every kept one.
        left: pairs at the threshold or above of which both are kept.
    """

    tool: str
    seconds: float
    dropped: int
    wrong: int
    left: int


def judge(tool: str, truth: Truth, kept: NDArray[np.bool_], seconds: float) -> Verdict:
    """Compare what a tool kept with the truth."""
    near = truth.similarity >= THRESHOLD
    left, right = truth.left[near], truth.right[near]
    saved = np.zeros(len(kept), dtype=bool)
    saved[left[kept[right]]] = True
    saved[right[kept[left]]] = True
    wrong = int(np.count_nonzero(~kept & ~saved))
    return Verdict(tool, seconds, int((~kept).sum()), wrong, int(np.count_nonzero(kept[left] & kept[right])))


def ours(texts: pa.Array, truth: Truth) -> tuple[Verdict, dict[float, float]]:
    """Return the verdict of Tamis, every drop checked against its own twin, and recall of pairs by similarity."""
    near_pairs(texts.slice(0, 200), PARAMS)
    started = time.perf_counter()
    pairs, first = near_pairs(texts, PARAMS)
    near = pairs.similarity >= np.float32(THRESHOLD)
    graph = PairGraph.of(len(first), Pairs(pairs.left[near], pairs.right[near], pairs.similarity[near]))
    order = np.arange(len(first))
    star = greedy_star(graph, first, order, threshold=THRESHOLD, copies=np.ones(len(first), np.int32))
    seconds = time.perf_counter() - started
    for row in np.flatnonzero(~star.kept):
        exact = truth.jaccard(int(row), int(star.twin[row]))
        if exact < THRESHOLD or np.float32(exact) != star.similarity[row] or not star.kept[star.twin[row]]:
            raise SystemExit(f"text {row} was dropped for {star.twin[row]} at {exact}")
    code = set((pairs.left << 32 | pairs.right).tolist())
    alone = first == np.arange(len(first))
    between = alone[truth.left] & alone[truth.right]
    known = np.array([k in code for k in (truth.left << 32 | truth.right)[between].tolist()])
    recall = {
        level: float(known[truth.similarity[between] >= level].mean())
        for level in (0.5, 0.6, 0.7, 0.8, 0.9)
        if (truth.similarity[between] >= level).any()
    }
    return judge("tamis (20 x 4, verified)", truth, star.kept, seconds), recall


def peers(plain: list[str], truth: Truth, python: Path) -> Iterator[Verdict]:
    """Run the other tools on normalised texts."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texts.parquet"
        pq.write_table(pa.table({"text": plain}), path)
        for tool in ("datasketch", "rensa", "datatrove"):
            command = [str(python), str(HERE / "peers_duplicates.py"), tool, str(path)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"{tool} failed: {done.stderr.strip().splitlines()[-1]}")
                continue
            found = json.loads(done.stdout.strip().splitlines()[-1])
            kept = np.zeros(len(plain), dtype=bool)
            kept[found["kept"]] = True
            yield judge(tool, truth, kept, found["seconds"])


def peers_python() -> Path:
    """Return the Python of the peers' environment, made the first time."""
    home = Path(os.environ.get("TAMIS_BENCH_PEERS") or Path.home() / ".cache" / "tamis-bench-peers")
    python = home / "bin" / "python"
    if not python.is_file():
        print(f"making {home} with {', '.join(PEERS)}", flush=True)
        venv.create(home, with_pip=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PEERS], check=True)
    return python


def table(title: str, count: int, rows: list[Verdict]) -> None:
    """Print verdicts side by side."""
    print(f"\n{title}: {count:,} texts, word 5-grams, Jaccard >= {THRESHOLD}, one thread")
    print("| tool | documents/s | dropped | wrong drops | true pairs left |")
    print("|---|---|---|---|---|")
    for row in rows:
        share = f"{row.wrong} ({100 * row.wrong / max(row.dropped, 1):.1f}%)"
        speed = count / row.seconds
        print(f"| {row.tool} | {speed:,.0f} | {row.dropped:,} | {share} | {row.left:,} |")


def compare(title: str, texts: pa.Array, python: Path | None) -> None:
    """Print recall and the comparison on one set of texts."""
    plain = normalise_strings(texts)
    truth = Truth.of(plain)
    verdict, recall = ours(texts, truth)
    rows = [verdict, *(peers(plain, truth, python) if python else ())]
    table(title, len(texts), rows)
    shown = ", ".join(f"{level}: {value:.4f}" for level, value in recall.items())
    print(f"recall of pairs at or above: {shown}; every drop is within {THRESHOLD} of its kept twin")


def docstrings() -> list[str]:
    """Return the docstrings of this Python's standard library, sorted."""
    from docstrings import docstrings as collected

    found = collected(("email", "logging", "json", "asyncio", "concurrent", "unittest", "http", "xml", "importlib"))
    return sorted({text for text in found.column("text").to_pylist() if text})


def sentences(texts: list[str]) -> list[str]:
    """Return the distinct lines of texts that have some words."""
    return sorted({line.strip() for text in texts for line in text.splitlines() if len(line.split()) > 4})


def long_documents(count: int) -> list[str]:
    """Return documents of about 1.4 kB from drawn lines; one in five is an edited copy of another."""
    random, lines = np.random.default_rng(0), sentences(docstrings())
    found: list[str] = []
    for number in range(count):
        if number % 5 == 4:
            words = found[int(random.integers(len(found)))].split(" ")
            for place in random.integers(len(words), size=3):
                words[place] = f"edit{number}"
            found.append(" ".join(words))
        else:
            found.append("\n".join(lines[k] for k in random.integers(len(lines), size=26)))
    return found


def short_documents(count: int) -> pa.Table:
    """Return documents of about 120 characters: two drawn lines, some lines drawn far more often than others."""
    random, lines = np.random.default_rng(1), sentences(docstrings())
    one = random.integers(len(lines), size=count)
    two = (random.random(count) ** 3 * len(lines)).astype(np.int64)
    return pa.table({"text": [f"{lines[i]} {lines[j]}" for i, j in zip(one, two, strict=True)]})


def speed(name: str, texts: pa.Table, *, threads: int) -> None:
    """Print documents per second and memory of the whole step, reading, writing and deciding included."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "corpus.parquet"
        pq.write_table(texts, path, row_group_size=25_000)
        size = sum(len(text.encode()) for text in texts.column("text").to_pylist())
        corpus, home = open_corpus(path), Workspace(Path(folder) / "home")
        rule = OPERATORS.build("near_dedup", {})
        assert isinstance(rule, NearDedup)
        steps = (documents_step(), facts_step([documents_step()]))
        study = Study.open(corpus, home, steps=steps)
        spec = near_step(rule.params.measure, threads=threads)
        near_pairs(texts.column("text").combine_chunks().slice(0, 100), PARAMS)
        started, cpu = time.perf_counter(), time.process_time()
        analyze(corpus, home, steps=[documents_step(), spec])
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        started = time.perf_counter()
        found = look(study.facts, study.evidence, rule)
        decided = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    count = texts.num_rows
    print(
        f"| {name} | {count:,} | {size / count:,.0f} B | {threads} | {seconds:.1f} s | {count / seconds:,.0f} |"
        f" {count / cpu:,.0f} | {decided * 1000:.0f} ms | {len(found.dropped):,} | {peak:,.1f} GB |",
        flush=True,
    )


def main() -> int:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("TAMIS_BENCH_DATA", ""), help="folder of the test files")
    parser.add_argument("--peers", action="store_true", help="also run datasketch, rensa and datatrove")
    parser.add_argument("--documents", type=int, default=1_000_000, help="short documents for the memory figure")
    options = parser.parse_args()
    python = peers_python() if options.peers else None
    files = {"neardup_synth": None, "debian_descriptions_en": 30_000}
    there = {name: Path(options.data) / f"{name}.parquet" for name in files} if options.data else {}
    if not there or not all(path.is_file() for path in there.values()):
        print("test files are not there: the comparison runs on docstrings only (see --help)")
        compare("docstrings", pa.array(docstrings(), pa.large_string()), python)
    for name, path in there.items():
        if path.is_file():
            texts = pq.read_table(path, columns=["text"]).column("text").combine_chunks().cast(pa.large_string())
            compare(name, texts.slice(0, files[name]), python)
    print("\nthe whole step (pairs above 0.5): read, signed, paired, compared, written; then one decision")
    print("| texts | documents | size | threads | time | documents/s | per core | deciding | dropped | peak memory |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    speed("long texts", pa.table({"text": long_documents(40_000)}), threads=1)
    speed("short texts", short_documents(options.documents), threads=2)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
