"""A headless run from ten thousand to ten million documents: time, memory and disk of every step.

    python -m benchmarks.bench_scale [SIZE ...] [--texts FOLDER] [--scratch FOLDER] [--keep]

Sizes are numbers of documents; 10000 and 100000 when none is given. Texts are made from real ones, those of the demo
corpus (the documentation this environment carries) or the column ``text`` of the Parquet files in FOLDER, by edits that
are pure functions of a document's number. 80% of the documents are a sentence and one or two consecutive others from
elsewhere, with every eighth word, on average, exchanged for a word from anywhere in the source; 15% are such a document
with one or two words deleted, one doubled, or two neighbours swapped; 5% are such a document as it is. So ten million
documents differ from each other as those of a large corpus do, and its duplicates lie anywhere.

Each size runs in a fresh process. Memory is the largest resident set of that process and its children, mapped files
counted; it is sampled twenty times a second for the steps.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tamis.analytics.export.run import run_bundle
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.data.demo import build_demo
from tamis.data.hashing import mix_keys
from tamis.data.parquet import parquet_writer
from tamis.data.progress import NullProgress
from tamis.data.workspace import Workspace

FILES = 8
ROWS = 50_000
BLOCK = 20
FRESH = 16
"""Of each ``BLOCK`` documents so many are their own, the last is an exact copy, the others near copies."""
MIN_WORDS, MAX_WORDS = 8, 40
EXCHANGED = 8
SCHEMA = pa.schema([("text", pa.large_string()), ("source", pa.string())])
SIZES = (10_000, 100_000)


def hashed(numbers: NDArray[np.int64], use: str, below: int) -> NDArray[np.int64]:
    """Return a keyed hash of each number, int64 in [0, below)."""
    drawn = mix_keys(numbers.astype(np.uint64), seed=0, salt=f"scale {use}")
    return ((drawn >> np.uint64(11)) % np.uint64(below)).astype(np.int64)


def ranges(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the owner and the place within its owner of each of ``counts.sum()`` items."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)


@dataclass(frozen=True, eq=False)
class Sentences:
    """Real sentences, word by word.

    Attributes:
        vocabulary: string (v,), the distinct words.
        words: int64 (w,), the words of all sentences, numbers in the vocabulary.
        starts: int64 (s + 1,), where each sentence begins.
    """

    vocabulary: pa.Array
    words: NDArray[np.int64]
    starts: NDArray[np.int64]

    @classmethod
    def read(cls, files: Sequence[Path]) -> Sentences:
        """Cut the texts of Parquet files at full stops and blank lines; too short or too long pieces are left out."""
        numbers: dict[str, int] = {}
        words, starts = [], [0]
        for path in files:
            for text in pq.read_table(path, columns=["text"]).column("text").to_pylist():
                for sentence in re.split(r"(?<=[.!?])\s+|\n\s*\n", text or ""):
                    found = sentence.split()
                    if MIN_WORDS <= len(found) <= MAX_WORDS:
                        words += [numbers.setdefault(word, len(numbers)) for word in found]
                        starts.append(len(words))
        return cls(pa.array(list(numbers), pa.string()), np.array(words, dtype=np.int64), np.array(starts))

    def texts(self, numbers: NDArray[np.int64], total: int) -> pa.Array:
        """Return the documents of these numbers, large_string, of a corpus of ``total`` documents."""
        kind = numbers % BLOCK
        drawn = hashed(numbers, "root", max(1, total // BLOCK) * FRESH)
        root = np.where(kind < FRESH, numbers, drawn // FRESH * BLOCK + drawn % FRESH)
        counts, words = self._fresh(root)
        near = np.flatnonzero((kind >= FRESH) & (kind < BLOCK - 1))
        counts, words = self._edited(numbers, near, counts, words)
        offsets = np.append(0, np.cumsum(counts))
        taken = self.vocabulary.take(pa.array(words)).cast(pa.large_string())
        return pc.binary_join(
            pa.LargeListArray.from_arrays(pa.array(offsets), taken), pa.scalar(" ", pa.large_string())
        )

    def _fresh(self, roots: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return how many words each document has, and all the words."""
        sentences = 2 + hashed(roots, "length", 2)
        owner, place = ranges(sentences)
        chosen = hashed(roots[owner] * 8 + np.minimum(place, 1), "sentence", len(self.starts) - 4) + np.maximum(
            place - 1, 0
        )
        lengths = np.diff(self.starts)[chosen]
        within, position = ranges(lengths)
        words = self.words[self.starts[chosen[within]] + position]
        counts = np.bincount(owner, weights=lengths, minlength=len(roots)).astype(np.int64)
        document, position = ranges(counts)
        key = roots[document] * 1024 + position
        other = self.words[hashed(key, "word", len(self.words))]
        return counts, np.where(hashed(key, "exchange", EXCHANGED) == 0, other, words)

    @staticmethod
    def _edited(
        numbers: NDArray[np.int64], near: NDArray[np.int64], counts: NDArray[np.int64], words: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Delete, double or swap a few words of the documents at ``near``."""
        ends = np.cumsum(counts)
        times = np.ones(len(words), dtype=np.int64)
        words = words.copy()
        at = ends[near] - counts[near] + hashed(numbers[near], "first", 1 << 30) % (counts[near] - 1)
        edit = hashed(numbers[near], "edit", 4)
        times[at[edit == 0]] = 0
        times[np.concatenate([at[edit == 1], at[edit == 1] + 1])] = 0
        times[at[edit == 2]] = 2
        swapped = at[edit == 3]
        words[swapped], words[swapped + 1] = words[swapped + 1], words[swapped].copy()
        owner = np.repeat(np.arange(len(counts)), counts)
        return np.bincount(owner, weights=times, minlength=len(counts)).astype(np.int64), np.repeat(words, times)


def write_corpus(folder: Path, total: int, sentences: Sentences) -> None:
    """Write ``total`` documents as Parquet files, a row group at a time."""
    folder.mkdir(parents=True)
    for file in range(FILES):
        first, last = total * file // FILES, total * (file + 1) // FILES
        with parquet_writer(folder / f"{file}.parquet", SCHEMA) as writer:
            for start in range(first, last, ROWS):
                numbers = np.arange(start, min(start + ROWS, last))
                source = pa.array([f"source {k}" for k in hashed(numbers, "source", 17)], pa.string())
                writer.write_table(pa.table([sentences.texts(numbers, total), source], schema=SCHEMA))


def recipe(total: int) -> Recipe:
    """Return a recipe with a rule of every common kind."""
    made = Recipe(title="Scale")
    for name, params in (
        ("language", {"languages": ["en"], "min_confidence": 0.3}),
        ("signal_range", {"signal": "n_words", "min": 20, "max": 200}),
        ("signal_range", {"signal": "mean_word_length", "min": 3, "max": 12}),
        ("regex", {"pattern": "(?i)lorem ipsum|deprecated"}),
        ("exact_dedup", {}),
        ("near_dedup", {"threshold": 0.7}),
        ("random_sample", {"share": 0.9, "seed": 3}),
        ("token_budget", {"amount": total * 40}),
    ):
        made = made.with_operator(OPERATORS.build(name, params))
    return made


@dataclass
class Spent:
    """What a step took: seconds, CPU seconds, largest resident bytes of the process and its children, bytes on disk."""

    step: str
    wall: float
    cpu: float
    peak: int = 0
    disk: int = 0


class Watch(NullProgress):
    """Progress that notes time, memory and disk by step."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.spent: list[Spent] = []
        self._folders, self._process = folders, psutil.Process()
        self._disk = 0
        self.step("opening", 0)
        threading.Thread(target=self._sample, daemon=True).start()

    def step(self, name: str, total: int, unit: str = "documents") -> None:
        """Close the running step and begin another."""
        self.close()
        self.spent.append(Spent(name, time.perf_counter(), time.process_time()))

    def close(self) -> None:
        """Turn the beginnings of the running step into what it took."""
        if self.spent:
            last, disk = self.spent[-1], sum(_size(folder) for folder in self._folders)
            last.wall, last.cpu = time.perf_counter() - last.wall, time.process_time() - last.cpu
            last.disk, self._disk = disk - self._disk, disk

    def _sample(self) -> None:
        while True:
            found = 0
            for process in (self._process, *self._process.children(recursive=True)):
                try:
                    found += process.memory_info().rss
                except psutil.Error:
                    continue
            self.spent[-1].peak = max(self.spent[-1].peak, found)
            time.sleep(0.05)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.exists() else 0


def run_child(folder: Path) -> None:
    """Run the recipe on the corpus in ``folder`` and write what it took beside it."""
    watch = Watch((folder / "home", folder / "out", folder / ".out.partial"))
    run = run_bundle(
        folder / "recipe.yaml", folder / "corpus", folder / "out", workspace=Workspace(folder / "home"), progress=watch
    )
    watch.close()
    result = {
        "steps": [vars(spent) for spent in watch.spent],
        "selection": run.selection,
        "kept": run.counts[-1].documents,
        "files": {file.name: file.sha256 for file in run.files},
    }
    (folder / "result.json").write_text(json.dumps(result), "utf-8")


def measure(total: int, sentences: Sentences, scratch: Path, *, keep: bool) -> dict[str, object]:
    """Make a corpus, run the recipe on it in a process of its own, and print what it took."""
    folder = scratch / f"scale-{total}"
    shutil.rmtree(folder / "home", ignore_errors=True)
    shutil.rmtree(folder / "out", ignore_errors=True)
    if not (folder / "corpus" / f"{FILES - 1}.parquet").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        write_corpus(folder / "corpus", total, sentences)
    (folder / "recipe.yaml").write_text(recipe(total).to_yaml(), "utf-8")
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-m", "benchmarks.bench_scale", "--child", str(folder)], check=True)
    wall = time.perf_counter() - begun
    result = json.loads((folder / "result.json").read_text("utf-8"))
    steps = [Spent(**spent) for spent in result["steps"]]
    print(f"\n{total:,} documents, {_size(folder / 'corpus') / 1e6:,.0f} MB of Parquet, {result['kept']:,} kept,")
    print(f"selection {result['selection'][:16]}\n")
    print("| step | seconds | CPU s | peak MB | disk MB |\n|---|---|---|---|---|")
    for spent in steps:
        print(
            f"| {spent.step} | {spent.wall:.1f} | {spent.cpu:.1f} | {spent.peak / 1e6:,.0f} | {spent.disk / 1e6:,.0f} |"
        )
    print(flush=True)
    if not keep:
        shutil.rmtree(folder)
    return {
        "documents": total,
        "wall": wall,
        "cpu": sum(spent.cpu for spent in steps),
        "peak": max(spent.peak for spent in steps),
        "disk": sum(spent.disk for spent in steps),
    }


def main() -> int:
    """Print a table per size, and one over all sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES)
    parser.add_argument("--texts", type=Path, default=os.environ.get("TAMIS_BENCH_DATA"))
    parser.add_argument("--scratch", type=Path, help="where corpora and results go; a temporary folder otherwise")
    parser.add_argument("--keep", action="store_true", help="leave corpora and results in the scratch folder")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        run_child(chosen.child)
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        scratch = chosen.scratch or Path(temporary)
        texts = chosen.texts or scratch / "demo"
        if chosen.texts is None:
            build_demo(texts)
        sentences = Sentences.read(sorted(Path(texts).glob("*.parquet")))
        print(f"{len(sentences.starts) - 1:,} sentences, {len(sentences.vocabulary):,} words")
        rows = [measure(total, sentences, scratch, keep=chosen.keep) for total in chosen.sizes]
    print("| documents | seconds | CPU s | peak GB | disk GB | documents/s |\n|---|---|---|---|---|---|")
    for row in rows:
        n, wall = int(str(row["documents"])), float(str(row["wall"]))
        cpu, peak, disk = (float(str(row[name])) for name in ("cpu", "peak", "disk"))
        print(f"| {n:,} | {wall:.0f} | {cpu:.0f} | {peak / 1e9:.2f} | {disk / 1e9:.2f} | {n / wall:,.0f} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
