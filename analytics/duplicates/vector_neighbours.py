"""Nearest documents by the cosine of their vectors, inside the same blocks as those by words.

Candidates come from a product in single precision; their cosines are computed again in double precision in a fixed
order, so with the same vectors every machine decides alike.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.duplicates.semantic import exact_cosines
from tamis.analytics.duplicates.word_neighbours import (
    THREADS,
    Found,
    NeighbourParams,
    cut_blocks,
    group_codes_of,
    maker_of,
    sorted_pairs,
    store_pairs,
)
from tamis.analytics.embedding.neighbours import nearest
from tamis.analytics.embedding.stored_vectors import load_vectors
from tamis.analytics.steps.measures import MEASURES, Measure, MeasureKind, Pairs, step_name
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.data.hashing import key64

KIND = "vector_neighbours"
_SPARE = 8
"""Candidates beyond those that are kept: the two precisions may order those at the end otherwise."""
_TILE = 256


def vector_neighbours(
    vectors: NDArray[np.float16],
    codes: NDArray[np.int64],
    keys: NDArray[np.uint64],
    *,
    neighbours: int = 15,
    seed: int = 0,
    check: Callable[[], None] = lambda: None,
) -> Pairs:
    """Return the pairs of every document with its nearest ones, each pair once, ``left < right``, sorted.

    Args:
        vectors: float16 (n, d), unit rows; rows of zeros have no neighbours.
        codes: int64 (n,), group of each document; only documents of one group are compared.
        keys: uint64 (n,), of the ids.
        neighbours: pairs for each document at most, with a cosine above 0; ties go to the smaller row.
        seed: of the keyed hash that cuts large groups.
        check: called between tiles, may raise.
    """
    there = np.asarray(vectors.any(axis=1), dtype=bool)

    def compare(block: NDArray[np.int64]) -> Found:
        rows = block[there[block]]
        parts = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))]
        for first in range(0, len(rows), _TILE):
            check()
            tile = rows[first : first + _TILE]
            near, _ = nearest(vectors, tile, rows, k=neighbours + _SPARE, omit_self=True)
            parts.append(_closest(vectors, tile, near.astype(np.int64), neighbours))
        left, right, values = (np.concatenate(column) for column in zip(*parts, strict=True))
        return left, right, values

    with ThreadPoolExecutor(THREADS) as pool:
        return sorted_pairs(pool.map(compare, cut_blocks(codes, keys, seed)))


def _closest(vectors: NDArray[np.float16], rows: NDArray[np.int64], near: NDArray[np.int64], count: int) -> Found:
    """Return the pairs of rows with the closest of their candidates, int64 (m, c), -1 for none."""
    found = near >= 0
    owner = np.repeat(np.arange(len(rows)), found.sum(axis=1))
    other = near[found]
    values = exact_cosines(vectors, rows[owner], other)
    order = np.lexsort((other, -values, owner))
    owner, other, values = owner[order], other[order], values[order]
    place = np.arange(len(owner)) - np.searchsorted(owner, owner)
    use = (place < count) & (values > 0)
    mine, other = rows[owner[use]], other[use]
    return np.minimum(mine, other), np.maximum(mine, other), values[use]


def vector_neighbours_step(measure: Measure) -> StepSpec:
    """Return the step that finds the neighbours; its artifact is like that of ``neighbours_step``.

    Raises:
        RecipeError: the category is not a column that one step of the analysis makes.
    """
    params = NeighbourParams(**dict(measure.params))
    made_by = maker_of(params.within)

    def run(context: StepContext) -> None:
        found = vector_neighbours(
            load_vectors(context.inputs["embeddings"], context.documents),
            group_codes_of(context, params.within, made_by),
            key64(context.documents.ids.to_pylist()),
            neighbours=params.neighbours,
            seed=params.seed,
            check=context.progress.check,
        )
        store_pairs(context, found)

    return StepSpec(
        name=step_name(measure),
        version=1,
        upstream=("documents", "embeddings", *([made_by] if made_by else [])),
        params=dict(measure.params),
        title="Comparing documents by their vectors",
        estimate=lambda size: Estimate(1.0 + size.documents * 5e-4, size.documents * 240),
        run=run,
    )


MEASURES.register(MeasureKind(KIND, "Nearest documents by their vectors", step=vector_neighbours_step))
