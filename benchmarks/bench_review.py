"""Browser sessions that review at once while a server is killed: decisions lost and doubled, and how quick a key is.

Usage: ``python -m benchmarks.bench_review [--people 8] [--decisions 40]``. Half of the people are on each of two
servers of one workspace; one server gets kill -9 when half of the decisions are made and is started again.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from dashboard import small_corpus, tamis
from reviewing import review_together


def main() -> int:
    """Review, print what came of it, and return 1 if a decision was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--decisions", type=int, default=40)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        corpus = small_corpus(Path(folder) / "corpus")
        tamis("analyze", str(corpus), "--name", "corpus", home=home)
        found = review_together(home, people=chosen.people, decisions=chosen.decisions, corpus="corpus")
    seconds = np.array([second for person in found.reviewers for second in person.seconds])
    interrupted = sum(person.interrupted for person in found.reviewers)
    print(f"{chosen.people} sessions x {chosen.decisions} decisions on 2 servers, one killed: {found.seconds:.0f} s")
    print(f"stored {found.stored}, lost {found.lost}, doubled {found.doubled}, keys interrupted {interrupted}")
    print(f"key to count: median {np.median(seconds):.2f} s, p95 {np.quantile(seconds, 0.95):.2f} s")
    wrong = found.lost or found.doubled or found.stored != chosen.people * chosen.decisions
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
