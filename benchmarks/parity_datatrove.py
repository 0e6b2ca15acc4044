"""Rule sets against datatrove's own filters on whole corpora: verdict, first reason, value.

    python -m benchmarks.parity_datatrove [FILE.parquet ...] [--every N] [--processes 2]

Without files the documents of the demo corpus are compared. Each file needs a column ``text``. Both ways: our words
given to datatrove, and datatrove's own words (spaCy) as our convention. Needs the test extra. Ends with 1 when a
difference has no known reason.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq

WAYS = (("unicode", True), ("spacy", False))
CHUNK = 400


@dataclass
class Total:
    """The comparison of one rule set, summed."""

    documents: int = 0
    dropped: int = 0
    values: int = 0
    explained: int = 0
    unexplained: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


def explained(text: str, words: str) -> bool:
    """Say whether a difference on this text is one of ``deviations.DEVIATIONS``."""
    return words == "spacy" and ("IS_ALPHA" in text or any(len(chunk) > 2_000 for chunk in text.split()))


def part(texts: list[str], words: str, injected: bool) -> dict[str, Total]:
    """Compare some texts."""
    from parity import compare

    found = {}
    for name, parity in compare(texts, words=words, injected=injected).items():
        known = sum(explained(text, words) for text, _, _ in parity.differences)
        for text, theirs, ours in parity.differences:
            if not explained(text, words):
                print(f"{name}, {words}: {theirs!r} against {ours!r} on {text[:200]!r}", file=sys.stderr)
        unknown = len(parity.differences) - known
        found[name] = Total(parity.documents, parity.dropped, parity.values, known, unknown, parity.reasons)
    return found


def compare_all(texts: list[str], words: str, injected: bool, processes: int) -> dict[str, Total]:
    """Compare all texts, some at a time in several processes."""
    totals: dict[str, Total] = {}
    chunks = [texts[first : first + CHUNK] for first in range(0, len(texts), CHUNK)]
    with ProcessPoolExecutor(processes) as pool:
        for found in pool.map(part, chunks, [words] * len(chunks), [injected] * len(chunks)):
            for name, one in found.items():
                total = totals.setdefault(name, Total())
                for key in ("documents", "dropped", "values", "explained", "unexplained"):
                    setattr(total, key, getattr(total, key) + getattr(one, key))
                total.reasons += one.reasons
    return totals


def demo_texts() -> list[str]:
    """Return the documents of the demo corpus."""
    from tamis.data.demo import build_demo

    with tempfile.TemporaryDirectory() as folder:
        build_demo(Path(folder))
        return [t for path in sorted(Path(folder).rglob("*.parquet")) for t in texts_of(path)]


def texts_of(path: Path) -> list[str]:
    """Return the texts of a file."""
    return [text for text in pq.read_table(path, columns=["text"]).column("text").to_pylist() if text is not None]


def main() -> int:
    """Print one table per corpus."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every n-th document")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    corpora = {path.name: texts_of(path) for path in options.files} or {"demo": demo_texts()}
    unexplained = 0
    for name, texts in corpora.items():
        chosen = texts[:: options.every]
        print(f"\n{name}: {len(chosen):,} documents\n")
        print("| words | rule set | dropped | reasons seen | values compared | known deviations | unexplained |")
        print("|---|---|---|---|---|---|---|", flush=True)
        for words, injected in WAYS:
            started = time.perf_counter()
            for rules, total in compare_all(chosen, words, injected, options.processes).items():
                given = "ours, injected" if injected else "datatrove's (spaCy)"
                print(
                    f"| {given} | {rules} | {total.dropped:,} | {len(total.reasons) - ('' in total.reasons)} |"
                    f" {total.values:,} | {total.explained} | {total.unexplained} |"
                )
                unexplained += total.unexplained
            print(f"{time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    return 1 if unexplained else 0


if __name__ == "__main__":
    raise SystemExit(main())
