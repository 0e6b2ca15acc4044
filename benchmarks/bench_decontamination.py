"""Decontamination: recall on planted items and documents a second, of both rules on the same texts.

    python -m benchmarks.bench_decontamination [--data FOLDER] [--items 3000] [--planted 1000]

FOLDER (or TAMIS_BENCH_DATA) holds ``debian_descriptions_en.parquet`` and ``banking77.parquet``; without it the texts
are the docstrings of this Python. Items are drawn from the texts by keyed hash and taken out of them; what is found in
the others as they are resembles an item: near-duplicates, and phrases that many share.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tamis.analytics.duplicates.evaluation_items import ITEMS, PARTS
from tamis.analytics.duplicates.evaluation_sets import DEFAULT, EvaluationSets
from tamis.analytics.duplicates.idf_overlap import IdfIndex
from tamis.analytics.duplicates.planted_items import EDITS, LENGTHS, RecallReport, planted_recall
from tamis.analytics.duplicates.reference_search import GramIndex
from tamis.analytics.duplicates.references import Reference
from tamis.analytics.study.extrapolation import wilson
from tamis.data.hashing import key64, uniform

FILES = ("debian_descriptions_en", "banking77")


def corpora(folder: Path | None) -> Iterator[tuple[str, list[str]]]:
    """Yield name and distinct texts of each corpus."""
    if folder is None:
        from docstrings import docstrings

        yield "docstrings", sorted({text for text in docstrings().column("text").to_pylist() if text})
        return
    for name in FILES:
        texts = pq.read_table(folder / f"{name}.parquet", columns=["text"]).column("text").to_pylist()
        yield name, sorted({text for text in texts if text})


def items_of(texts: Sequence[str]) -> pa.Table:
    """Return texts as items of one part."""
    rows = [
        {"set": "items", "file": "", "row": k, **dict.fromkeys(PARTS), "whole": text} for k, text in enumerate(texts)
    ]
    return pa.Table.from_pylist(rows, schema=ITEMS)


def speeds(items: Sequence[str], documents: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Return documents and megabytes a second of processor time of each rule on one thread, compiled before."""
    grams = GramIndex(Reference.of_texts(items, convention=DEFAULT))
    words = IdfIndex(EvaluationSets.of(items_of(items)))
    texts = pa.array(list(documents), pa.large_string())
    found = {}
    for name, work in (("decontaminate", grams.overlap), ("idf_decontaminate", words.hits)):
        work(texts.slice(0, 10))
        started = time.process_time()
        work(texts)
        seconds = time.process_time() - started
        found[name] = (len(documents) / seconds, texts.nbytes / seconds / 1e6)
    return found


def print_recall(report: RecallReport) -> None:
    """Print recall by edit and length of the item, with its 95% Wilson interval."""
    print(f"| rule | words | {' | '.join(EDITS)} |\n|---|---|{'---|' * len(EDITS)}")
    rows = {(row.method, row.words, row.edit): row for row in report.rows}
    for method in report.unplanted:
        for words, _, _ in LENGTHS:
            cells = []
            for edit in EDITS:
                row = rows[method, words, edit]
                near = wilson(row.found, row.planted)
                cells.append(f"{near.share:.3f} ({near.low:.3f} to {near.high:.3f})" if row.planted else "none")
            print(f"| `{method}` | {words}, {row.planted} items | {' | '.join(cells)} |")
    print()


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("TAMIS_BENCH_DATA"))
    parser.add_argument("--items", type=int, default=3_000)
    parser.add_argument("--planted", type=int, default=1_000)
    chosen = parser.parse_args()
    for name, texts in corpora(chosen.data):
        order = np.argsort(uniform(key64(texts), seed=0, salt="benchmark items"), kind="stable").tolist()
        items = [texts[k] for k in order[: min(chosen.items, len(texts) // 4)]]
        documents = [texts[k] for k in order[len(items) :]]
        report = planted_recall(items_of(items), documents, most=chosen.planted)
        print(f"\n## {name}: {len(items):,} items, {len(documents):,} documents, seed {report.seed}\n")
        print("| rule | documents a processor second | MB | found as they are |\n|---|---|---|---|")
        for rule, (rate, size) in speeds(items, documents).items():
            print(f"| `{rule}` | {rate:,.0f} | {size:.1f} | {report.unplanted[rule]:,} |")  # type: ignore[index]
        print()
        print_recall(report)


if __name__ == "__main__":
    main()
