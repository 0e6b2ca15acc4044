"""What one long document costs beside a short one and beside the same bytes in many: cost grows with bytes.

    python benchmarks/bench_long_document.py [--megabytes 4] [--times 4]

Every part of the analysis and every text step reads one document of some shape, and one that is ``times`` as long; the
ratio of processor seconds is ``times`` where the cost grows with bytes, and its square where it grows with the square.
The last table is the wall time of the steps that may start processes, on a corpus of one long document.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tamis.analytics.duplicates.exact import TextHashes
from tamis.analytics.duplicates.near_passes import NearParams, sign
from tamis.analytics.operators.text import (
    LABELS,
    clean_c4_lines,
    drop_repeats,
    normalize_text,
    redact_pii,
    repair_mojibake,
)
from tamis.analytics.signals.language import language_columns, language_step
from tamis.analytics.signals.measure import measure
from tamis.analytics.signals.pii import KINDS
from tamis.analytics.signals.tokens import count_tokens, tokens_step
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.pipeline import analyze
from tamis.analytics.text.word_stream import WordHashes
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

LEAST_SECONDS = 0.02


def words(size: int, *, line: int = 0) -> str:
    """Return about ``size`` characters of made-up words, ``line`` of them in a line; 0 for a single line."""
    draw = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    vocabulary = ["".join(draw.choice(letters, length)) for length in draw.integers(2, 10, 5000)]
    chosen = [vocabulary[k] for k in draw.integers(0, len(vocabulary), size // 6)]
    if not line:
        return " ".join(chosen)
    return "\n".join(" ".join(chosen[start : start + line]) for start in range(0, len(chosen), line))


SHAPES: Mapping[str, Callable[[int], str]] = {
    "lines of 12 words": partial(words, line=12),
    "one line": words,
    "one word": lambda size: "x" * size,
    "Chinese, no spaces": lambda size: "中文" * (size // 6),
    "full stops": lambda size: ". " * (size // 2),
    "one line again and again": lambda size: "the cat sat here.\n" * (size // 18),
    "empty lines": lambda size: "\n" * (size - 1) + "a",
}


def _texts(text: str) -> pa.Array:
    return pa.array([text], pa.large_string())


PARTS: Mapping[str, Callable[[str], object]] = {
    "signals": lambda text: measure(_texts(text)),
    "tokens": lambda text: count_tokens(_texts(text)),
    "language": lambda text: language_columns(_texts(text)),
    "exact duplicates": lambda text: TextHashes.of(_texts(text)),
    "near-duplicates": lambda text: sign(_texts(text), NearParams()),
    "words": lambda text: WordHashes.of(_texts(text)),
    "c4_lines": lambda text: clean_c4_lines(_texts(text)),
    "unicode_normalization": normalize_text,
    "mojibake_repair": repair_mojibake,
    "pii_redaction": lambda text: redact_pii(text, kinds=KINDS, replacements=LABELS),
    "repeat_removal": drop_repeats,
}


def seconds(work: Callable[[], object]) -> float:
    """Return the processor seconds of a call."""
    began = time.process_time()
    work()
    return max(time.process_time() - began, LEAST_SECONDS)


def print_ratios(size: int, times: int) -> None:
    """Print the ratio of a long to a shorter document for every part and shape; the worst shape in the last column."""
    print(f"Processor seconds of {times * size / 1e6:g} MB over those of {size / 1e6:g} MB:\n")
    print("| part | " + " | ".join(SHAPES) + " |")
    print("|---" * (1 + len(SHAPES)) + "|")
    for name, part in PARTS.items():
        part(words(20_000, line=12) + "é 中")
        ratios = [
            seconds(partial(part, shape(times * size))) / seconds(partial(part, shape(size)))
            for shape in SHAPES.values()
        ]
        print(f"| {name} | " + " | ".join(f"{ratio:.1f}" for ratio in ratios) + " |", flush=True)


def print_steps(size: int) -> None:
    """Print the wall time of the steps that may start processes, on three rows of which one is long."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "corpus").mkdir()
        rows = ["hello world", "another one", words(size, line=12)]
        pq.write_table(pa.table({"text": rows}), folder / "corpus" / "long.parquet")
        corpus, workspace = open_corpus(folder / "corpus"), Workspace(folder / "workspace")
        analyze(corpus, workspace, steps=(documents_step(),))
        print(f"\n| step, one document of {size / 1e6:g} MB | seconds |\n|---|---|")
        for step in (language_step(), tokens_step()):
            began = time.perf_counter()
            analyze(corpus, workspace, steps=(documents_step(), step))
            print(f"| {step.name} | {time.perf_counter() - began:.1f} |", flush=True)


def main() -> None:
    """Read the options and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=4.0)
    parser.add_argument("--times", type=int, default=4)
    given = parser.parse_args()
    size = int(given.megabytes * 1e6)
    print_ratios(size, given.times)
    print_steps(5 * size)


if __name__ == "__main__":
    main()
