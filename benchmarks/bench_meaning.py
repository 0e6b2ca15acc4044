"""Times what the command bar and the search by meaning ask of a large corpus.

    python -m benchmarks.bench_meaning [--documents 1000000] [--dimensions 256]

The first time is that of a text that was not asked before, the others are those of the next texts.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
import pyarrow as pa
from synthetic import synthetic_facts

from benchmarks.bench_queries import table, timed
from tamis.analytics.facts.column_info import ColumnInfo
from tamis.analytics.operators.meaning import SimilarMeaning
from tamis.analytics.signals.likeness import cosines
from tamis.analytics.study.command import Reachable, read_command
from tamis.analytics.study.meaning import first_floor, floor_of, reach
from tamis.analytics.study.queries import documents_page
from tamis.analytics.study.scene import Scene
from tamis.data.hashing import digest

TILE = 10_000


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--dimensions", type=int, default=256)
    chosen = parser.parse_args()
    draw = np.random.default_rng(0)
    tile = draw.normal(size=(TILE, chosen.dimensions)).astype(np.float16)
    vectors = np.tile(tile, (-(-chosen.documents // TILE), 1))[: chosen.documents]
    example = draw.normal(size=chosen.dimensions)
    cosines(tile[:1], example)
    facts = synthetic_facts(chosen.documents, threads=2)
    rule = SimilarMeaning(model=digest("example"), target="a sentence", min_cosine=0.1, missing="drop")
    found = facts.with_column(ColumnInfo(rule.column, "number", role="measure"), pa.array(cosines(vectors, example)))
    scene, known, number = Scene(found), Reachable(facts), count()

    def reading(kind: str, text: str) -> Callable[[], Any]:
        return lambda: read_command(f"{text} {next(number)}", kind, known)

    def counted() -> Any:
        return reach(scene, rule=rule.model_copy(update={"min_cosine": 0.1 + next(number) / 1000}))

    timings = [
        timed("cosines of all documents and a sentence", lambda: cosines(vectors, example)),
        timed("how many lie above a floor", counted),
        timed("the floor of the nearest 1,000", lambda: floor_of(found, rule.column, documents=1_000)),
        timed("the first floor", lambda: first_floor(found, rule.column)),
        timed("the first page by similarity", lambda: documents_page(
            scene, columns=["source", rule.column], sort=rule.column, descending=True)),
        timed("all readings of a text", reading("auto", "words of a sentence")),
        timed("the document of an id", lambda: read_command(str(facts.ids[next(number)]), "id", known)),
    ]  # fmt: skip
    print(f"{chosen.documents:,} documents, {chosen.dimensions} dimensions, one thread for cosines\n")
    print(table(timings))


if __name__ == "__main__":
    main()
