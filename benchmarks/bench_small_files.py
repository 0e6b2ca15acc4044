"""What many small files cost beside one file of the same rows: ``python -m benchmarks.bench_small_files [files]``.

The last column has one file of text for each row.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tamis.analytics.steps.pipeline import analyze
from tamis.analytics.study.standard_analysis import analysis_steps
from tamis.data.corpus import Corpus
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

ROWS = 2
"""Rows of a small file."""

STEPS = ("documents", "columns", "language", "signals", "tokens", "exact")


def rows(count: int) -> list[bytes]:
    """Return lines of JSON with texts of 40 words."""
    chance = np.random.default_rng(0)
    words = np.array([f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in ("n", "r", "st", "")])
    texts = (" ".join(words[chance.integers(0, len(words), 40)]) for _ in range(count))
    return [
        json.dumps({"id": f"d{k}", "text": text, "source": f"s{k % 5}"}).encode() + b"\n"
        for k, text in enumerate(texts)
    ]


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(folder: Path) -> dict[str, float]:
    """Return seconds by what is done with a folder, nothing known of it before."""
    workspace = Workspace(folder.with_name(f"{folder.name}-home"))
    found: list[Corpus] = []
    seconds = {
        what: timed(lambda: found.append(open_corpus(folder, probes=workspace.probes)))
        for what in ("open", "open again")
    }
    steps = {step.name: step for step in analysis_steps(found[0], workspace)}
    for name in STEPS:
        wanted = [steps[each] for each in dict.fromkeys(["documents", *steps[name].upstream, name])]
        seconds[name] = timed(lambda: analyze(found[0], workspace, steps=wanted))  # noqa: B023
    return seconds


def main(files: int) -> None:
    """Print a Markdown table."""
    lines = rows(files * ROWS)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for kind, count in (("warm", 2), ("one", 1), ("many", files)):
            (root / kind).mkdir()
            mine = lines if kind != "warm" else lines[:200]
            for number in range(count):
                part = mine[number * len(mine) // count : (number + 1) * len(mine) // count]
                (root / kind / f"{number:05d}.jsonl").write_bytes(b"".join(part))
        (root / "texts").mkdir()
        for number, line in enumerate(lines):
            (root / "texts" / f"{number:06d}.txt").write_text(json.loads(line)["text"])
        measure(root / "warm")
        one, many, texts = measure(root / "one"), measure(root / "many"), measure(root / "texts")
    print(f"| {files * ROWS:,} rows | one file, s | {files:,} files, s | ratio | {files * ROWS:,} texts, s | ratio |")
    print("|---|---|---|---|---|---|")
    for what in (*one, "all"):
        first, *others = [sum(each.values()) if what == "all" else each[what] for each in (one, many, texts)]
        shown = " | ".join(f"{seconds:.2f} | {seconds / first:.1f}" for seconds in others)
        print(f"| {what} | {first:.2f} | {shown} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5_000)
