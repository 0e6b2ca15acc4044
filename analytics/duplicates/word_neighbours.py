"""Nearest documents by the words they share: cosine of tf-idf, exact inside blocks of documents.

Documents can be compared only within the groups of a category, for example within each label. A group of more than
``BLOCK`` documents is cut into equal blocks by keyed hash of the ids, and documents are compared inside their block:
the work grows linearly with the documents, and the blocks do not depend on their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.signals.word_numbers import NAME as WORDS
from tamis.analytics.signals.word_numbers import WordTable, words_step
from tamis.analytics.steps.facts_step import columns_of, step_of
from tamis.analytics.steps.measures import MEASURES, SUPPORTING, Measure, MeasureKind, Pairs, step_name
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.analytics.text.tfidf import Features, inverse_frequencies
from tamis.data.errors import RecipeError
from tamis.data.hashing import key64, mix_keys

KIND = "word_neighbours"
BLOCK = 4096
"""Most documents that are compared with each other."""

THREADS = 2


@dataclass(frozen=True)
class NeighbourParams:
    """How neighbours are found.

    Attributes:
        neighbours: nearest documents kept for each one.
        within: category whose groups are compared separately, or None.
        seed: of the keyed hash that cuts large groups.
    """

    neighbours: int = 15
    within: str | None = None
    seed: int = 0

    @property
    def measure(self) -> Measure:
        """Return the measure by words with these parameters."""
        return self.measure_by(KIND)

    def measure_by(self, kind: str) -> Measure:
        """Return the measure of a kind with these parameters."""
        return Measure(kind, (("neighbours", self.neighbours), ("seed", self.seed), ("within", self.within)))


def word_neighbours(
    features: Features,
    codes: NDArray[np.int64],
    keys: NDArray[np.uint64],
    *,
    neighbours: int = 15,
    seed: int = 0,
    check: Callable[[], None] = lambda: None,
) -> Pairs:
    """Return the pairs of every document with its nearest ones, each pair once, ``left < right``, sorted.

    Args:
        features: unit rows of n documents; a document without words has no neighbours.
        codes: int64 (n,), group of each document; only documents of one group are compared.
        keys: uint64 (n,), of the ids.
        neighbours: pairs for each document at most; ties go to the smaller row.
        seed: of the keyed hash that cuts large groups.
        check: called between blocks, may raise.
    """

    def compare(rows: NDArray[np.int64]) -> Found:
        check()
        near = np.full((len(rows), neighbours), -1, dtype=np.int64)
        values = np.zeros((len(rows), neighbours), dtype=np.float32)
        _nearest(features.columns, features.values, features.starts, rows, near, values)
        found = near >= 0
        one = np.repeat(rows, found.sum(axis=1))
        other = rows[near[found]]
        return np.minimum(one, other), np.maximum(one, other), values[found]

    with ThreadPoolExecutor(THREADS) as pool:
        return sorted_pairs(pool.map(compare, cut_blocks(codes, keys, seed)))


Found = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]
"""Smaller and larger row of pairs, and how similar they are."""


def sorted_pairs(parts: Iterable[Found]) -> Pairs:
    """Return the pairs of several blocks, each pair once, sorted."""
    empty = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
    left, right, values = (np.concatenate(columns) for columns in zip(empty, *parts, strict=True))
    order = np.lexsort((right, left))
    left, right, values = left[order], right[order], values[order]
    new = np.r_[True, (left[1:] != left[:-1]) | (right[1:] != right[:-1])] if len(left) else np.zeros(0, dtype=bool)
    return Pairs(left[new], right[new], values[new])


def cut_blocks(codes: NDArray[np.int64], keys: NDArray[np.uint64], seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield the rows that are compared with each other, ascending."""
    order = np.lexsort((np.arange(len(codes)), mix_keys(keys, seed=seed, salt=KIND), codes))
    for group in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
        for block in np.array_split(group, max(1, -(-len(group) // BLOCK))):
            yield np.sort(block)


@njit(cache=True, nogil=True)
def _nearest(columns, values, starts, rows, near, found):  # type: ignore[no-untyped-def]
    """Fill the nearest places of each row of a block, most similar first, by an inverted index of its words."""
    count, wide = near.shape
    highest = 0
    for place in range(count):
        for k in range(starts[rows[place]], starts[rows[place] + 1]):
            highest = max(highest, columns[k])
    first = np.zeros(highest + 2, dtype=np.int64)
    for place in range(count):
        for k in range(starts[rows[place]], starts[rows[place] + 1]):
            first[columns[k] + 1] += 1
    first = np.cumsum(first)
    fill = first[:-1].copy()
    owner = np.empty(first[-1], dtype=np.int32)
    weight = np.empty(first[-1], dtype=np.float32)
    for place in range(count):
        for k in range(starts[rows[place]], starts[rows[place] + 1]):
            owner[fill[columns[k]]], weight[fill[columns[k]]] = place, values[k]
            fill[columns[k]] += 1
    product = np.zeros(count, dtype=np.float64)
    for place in range(count):
        product[:] = 0.0
        for k in range(starts[rows[place]], starts[rows[place] + 1]):
            for at in range(first[columns[k]], first[columns[k] + 1]):
                product[owner[at]] += np.float64(values[k]) * weight[at]
        product[place] = 0.0
        for other in range(count):
            value = np.float32(min(product[other], 1.0))
            if value <= found[place, wide - 1]:
                continue
            at = wide - 1
            while at > 0 and value > found[place, at - 1]:
                found[place, at], near[place, at] = found[place, at - 1], near[place, at - 1]
                at -= 1
            found[place, at], near[place, at] = value, other


def maker_of(within: str | None) -> str | None:
    """Return the step that makes the column within whose groups documents are compared, None for all together.

    Raises:
        RecipeError: the category is not a column that one step of the analysis makes.
    """
    made_by = step_of(within) if within else None
    if within and made_by is None:
        raise RecipeError(
            "Neighbours cannot be found within this column",
            value=within,
            allowed=["source", "language", "label", "lang", "cluster", "concept", "meta_..."],
        )
    return made_by


def group_codes_of(context: StepContext, within: str | None, made_by: str | None) -> NDArray[np.int64]:
    """Return the group of each document, int64 (n,)."""
    if not (within and made_by):
        return np.zeros(context.documents.n, dtype=np.int64)
    column = columns_of(made_by, context.inputs[made_by], context.documents)[within]
    codes = pa.array(column.cast(pa.string()).fill_null("")).dictionary_encode().indices
    return np.asarray(codes.to_numpy(), dtype=np.int64)


def store_pairs(context: StepContext, found: Pairs) -> None:
    """Write pairs of neighbours and commit."""
    for name in ("left", "right", "similarity"):
        context.out.write_array(name, getattr(found, name))
    context.progress.advance(context.corpus.rows)
    context.out.commit(rows=context.documents.n, facts={"pairs": len(found.left), "block": BLOCK})


def neighbours_step(measure: Measure) -> StepSpec:
    """Return the step that finds the neighbours; its artifact holds the arrays ``left``, ``right``, ``similarity``.

    Raises:
        RecipeError: the category is not a column that one step of the analysis makes.
    """
    params = NeighbourParams(**dict(measure.params))
    made_by = maker_of(params.within)

    def run(context: StepContext) -> None:
        if not context.corpus.shape.has_texts:
            raise RecipeError(
                "Pictures without captions share no words", value="by words", allowed="by: vectors",
                fix="compare them by their vectors: by: vectors",
            )  # fmt: skip
        stream = WordTable(context.inputs[WORDS], context.documents).take(np.arange(context.documents.n))
        found = word_neighbours(
            Features.of(stream, inverse_frequencies(stream)),
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
        upstream=("documents", WORDS, *([made_by] if made_by else [])),
        params=dict(measure.params),
        title="Comparing documents by their words",
        estimate=lambda size: Estimate(1.0 + size.bytes / 1.5e6, size.documents * 240),
        run=run,
    )


SUPPORTING[WORDS] = words_step
MEASURES.register(MeasureKind(KIND, "Nearest documents by shared words", step=neighbours_step))
