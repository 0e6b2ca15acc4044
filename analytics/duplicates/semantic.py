"""Semantic duplicates: pairs of documents whose embeddings are close, found exactly inside k-means clusters.

Documents with the same normalised text or the same vector count as one. Documents are clustered; inside a cluster every
pair is compared. Similarities are computed in double precision in a fixed order, so with the same vectors every machine
decides a pair on the threshold alike. Pairs across clusters are not found (one or two in a hundred of those above 0.95
on real text). Source: Abbas et al. 2023, "SemDeDup", arXiv 2303.09540.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.duplicates.exact import duplicate_groups, exact_step
from tamis.analytics.embedding.kmeans import rescale_rows, side_by_side, spherical_kmeans
from tamis.analytics.embedding.stored_vectors import PRECISE, load_vectors
from tamis.analytics.steps.engine import Part, PieceInput, Work
from tamis.analytics.steps.measures import MEASURES, SUPPORTING, Measure, MeasureKind, Pairs, step_name
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.analytics.text.siphash import hash_slices
from tamis.data.artifact import Artifact
from tamis.data.documents import Documents, load_column
from tamis.data.errors import RecipeError

KIND = "semantic_pairs"
THREADS = 2
LARGEST = 20_000
"""Most documents of a cluster whose pairs are all compared; a larger cluster is clustered again."""

_TILE = 1024
_TOGETHER = 1 << 28
"""Approximate number of comparisons of a piece of work."""

_MARGIN = np.float32(1e-3)
Vectors = Literal["precise", "analysis"]


@dataclass(frozen=True)
class SemanticParams:
    """How closeness is measured.

    Attributes:
        vectors: ``precise`` makes precise vectors for this measure; ``analysis`` takes those of map and clusters.
        allow_static: whether static vectors are accepted.
        documents_per_cluster: k is the number of documents over this.
        seed: of the first centroids.
        floor: pairs with a smaller cosine are not kept.
    """

    vectors: Vectors = "precise"
    allow_static: bool = False
    documents_per_cluster: int = 500
    seed: int = 0
    floor: float = 0.85

    @property
    def measure(self) -> Measure:
        """Return the measure with these parameters."""
        return Measure(KIND, tuple(sorted(asdict(self).items())))


@dataclass(frozen=True, eq=False)
class Closeness:
    """Close documents.

    Attributes:
        pairs: documents and their cosines, ``left < right``, sorted.
        first: int64 (n,), the smallest document with the same text or vector.
        cluster: int32 (n,), -1 for documents without a vector.
        distance: float32 (n,), 1 - cosine to the centroid, NaN for documents without a vector.
        cut: clusters that could not be made small enough and were cut.
    """

    pairs: Pairs
    first: NDArray[np.int64]
    cluster: NDArray[np.int32]
    distance: NDArray[np.float32]
    cut: int


def closeness(
    vectors: NDArray[np.float16],
    same: NDArray[np.int64],
    params: SemanticParams,
    *,
    threads: int = THREADS,
    check: Callable[[], None] = lambda: None,
) -> Closeness:
    """Compare documents by their vectors.

    Args:
        vectors: float16 (n, d), unit rows, zeros for documents without one.
        same: int64 (n,), a smaller document with the same text, or the document itself.
        params: how closeness is measured.
        threads: changes no bit.
        check: called between pieces of work, may raise.
    """
    found = group_documents(vectors, same, params, threads=threads, check=check)
    return found.closeness(_compare([(rows, vectors[rows]) for rows in found.blocks], params.floor, threads, check))


@dataclass(frozen=True, eq=False)
class Grouped:
    """Documents in blocks; only documents of the same block are compared.

    Attributes:
        blocks: int64 each, ascending documents, at most ``LARGEST``.
        first, cluster, distance, cut: see ``Closeness``.
    """

    blocks: list[NDArray[np.int64]]
    first: NDArray[np.int64]
    cluster: NDArray[np.int32]
    distance: NDArray[np.float32]
    cut: int

    def closeness(self, found: Sequence[Pairs]) -> Closeness:
        """Return the result, given the pairs of all blocks in any order."""
        none = Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
        left, right, values = (np.concatenate([getattr(part, name) for part in (none, *found)]) for name in _COLUMNS)
        order = np.lexsort((right, left))
        pairs = Pairs(left[order], right[order], values[order])
        return Closeness(pairs, self.first, self.cluster, self.distance, self.cut)


def group_documents(
    vectors: NDArray[np.float16],
    same: NDArray[np.int64],
    params: SemanticParams,
    *,
    threads: int = THREADS,
    check: Callable[[], None] = lambda: None,
) -> Grouped:
    """Cluster documents and cut clusters into blocks; arguments as for ``closeness``."""
    first = _first(vectors, same)
    alone = np.flatnonzero((first == np.arange(len(first))) & vectors.any(axis=1))
    cluster = np.full(len(vectors), -1, dtype=np.int32)
    distance = np.full(len(vectors), np.nan, dtype=np.float32)
    blocks: list[NDArray[np.int64]] = []
    cut = 0
    if len(alone):
        k = -(-len(alone) // params.documents_per_cluster)
        sample = 200 * k
        fitted = spherical_kmeans(vectors, k, rows=alone, seed=params.seed, sample=sample, threads=threads, check=check)
        cluster[alone], distance[alone] = fitted.labels[alone], 1 - fitted.cosine[alone]
        blocks, cut = _blocks(vectors, alone, fitted.labels[alone], params, check)
    return Grouped(blocks, first, cluster[first], distance[first], cut)


_COLUMNS = ("left", "right", "similarity")


def _first(vectors: NDArray[np.float16], same: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the smallest document with the same text or, among the first documents of each text, the same vector."""
    texts = np.flatnonzero(same == np.arange(len(same)))
    data = np.ascontiguousarray(vectors[texts]).view(np.uint8).ravel()
    width = 2 * vectors.shape[1]
    group, _ = duplicate_groups(hash_slices(data, np.arange(len(texts) + 1, dtype=np.int64) * width))
    alone = (group < 0) | ~vectors[texts].any(axis=1)
    first = np.arange(len(same))
    first[texts] = texts[np.where(alone, np.arange(len(texts)), group)]
    return first[same]


def _blocks(
    vectors: NDArray[np.float16],
    rows: NDArray[np.int64],
    labels: NDArray[np.int32],
    params: SemanticParams,
    check: Callable[[], None],
) -> tuple[list[NDArray[np.int64]], int]:
    """Return blocks of at most ``LARGEST`` documents, each ascending, and the number of clusters that were cut."""
    blocks, cut = [], 0
    waiting = [(part, 0) for part in _split(rows, labels)]
    while waiting:
        part, depth = waiting.pop()
        if len(part) <= LARGEST:
            blocks.append(part)
        elif depth < 3:
            k = -(-len(part) // params.documents_per_cluster)
            again = spherical_kmeans(vectors, k, rows=part, seed=params.seed + depth + 1, sample=200 * k, check=check)
            waiting += [(piece, depth + 1) for piece in _split(part, again.labels[part])]
        else:
            blocks += np.array_split(part, -(-len(part) // LARGEST))
            cut += 1
    return blocks, cut


def _split(rows: NDArray[np.int64], labels: NDArray[np.int32]) -> Iterator[NDArray[np.int64]]:
    order = np.lexsort((rows, labels))
    yield from np.split(rows[order], np.flatnonzero(np.diff(labels[order])) + 1)


Block = tuple[NDArray[np.int64], NDArray[np.float16]]
"""Documents and their vectors."""


def _compare(blocks: Sequence[Block], floor: float, threads: int, check: Callable[[], None]) -> list[Pairs]:
    """Return the pairs inside blocks."""
    found: list[Pairs | None] = [None] * len(blocks)

    def one(place: int) -> None:
        check()
        found[place] = _pairs_of(*blocks[place], floor)

    with side_by_side(threads) as each:
        each(one, range(len(blocks)))
    return [pairs for pairs in found if pairs is not None]


def _pairs_of(rows: NDArray[np.int64], own: NDArray[np.float16], floor: float) -> Pairs:
    """Return the pairs of one block whose cosine is at least ``floor``."""
    unit, plain = rescale_rows(own), own.astype(np.float32)
    lefts, rights = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    for i in range(0, len(rows), _TILE):
        for j in range(i, len(rows), _TILE):
            near = unit[i : i + _TILE] @ unit[j : j + _TILE].T >= np.float32(floor) - _MARGIN
            one, two = np.nonzero(near)
            ahead = one + i < two + j
            lefts.append(one[ahead] + i)
            rights.append(two[ahead] + j)
    left, right = np.concatenate(lefts), np.concatenate(rights)
    values = np.empty(len(left), dtype=np.float32)
    _cosines(plain, left, right, values)
    keep = values >= np.float32(floor)
    return Pairs(rows[left[keep]], rows[right[keep]], values[keep])


def exact_cosines(
    vectors: NDArray[np.float16], left: NDArray[np.int64], right: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return the cosines of pairs of rows that are not zero, float32 (m,), the same on every machine."""
    values = np.empty(len(left), dtype=np.float32)
    rows, places = np.unique(np.concatenate([left, right]), return_inverse=True)
    _cosines(vectors[rows].astype(np.float32), places[: len(left)], places[len(left) :], values)
    return values


@njit(cache=True, nogil=True)
def _cosines(vectors, left, right, values):  # type: ignore[no-untyped-def]
    """Compute cosines in double precision, one addition after the other."""
    for k in range(len(left)):
        both = one = two = 0.0
        for j in range(vectors.shape[1]):
            a, b = np.float64(vectors[left[k], j]), np.float64(vectors[right[k], j])
            both += a * b
            one += a * a
            two += b * b
        values[k] = np.float32(min(1.0, both / np.sqrt(one * two)))


def semantic_step(measure: Measure) -> StepSpec:
    """Return the step that measures closeness.

    Its artifact holds the arrays ``left``, ``right``, ``similarity``, ``first``, ``cluster`` and ``distance`` of
    ``Closeness``.

    Raises, when it runs:
        RecipeError: the vectors are static, and ``allow_static`` is False.
    """
    params = SemanticParams(**dict(measure.params))
    upstream = PRECISE if params.vectors == "precise" else "embeddings"

    def run(context: StepContext) -> None:
        embeddings = context.inputs[upstream]
        _refuse_static(embeddings, params)
        group = np.asarray(load_column(context.inputs["exact"], context.documents, "norm_group"))
        same = np.where(group < 0, np.arange(len(group)), group)
        vectors = load_vectors(embeddings, context.documents)
        blocks = group_documents(vectors, same, params, check=context.progress.check)
        work = _comparing(vectors, blocks.blocks, params.floor)
        context.fill(work)
        tables = [context.out.read_table(_pair_part(piece)) for piece in work.pieces]
        found = blocks.closeness([Pairs(*(table.column(name).to_numpy() for name in _COLUMNS)) for table in tables])
        for piece in work.pieces:
            context.out.drop_part(_pair_part(piece))
        arrays = {name: getattr(found.pairs, name) for name in _COLUMNS}
        arrays |= {"first": found.first, "cluster": found.cluster, "distance": found.distance}
        for name, array in arrays.items():
            context.out.write_array(name, array)
        context.progress.advance(context.corpus.rows)
        about = {"tier": embeddings.facts["tier"], "space": embeddings.facts["space"]}
        context.out.commit(
            rows=context.documents.n, facts={**about, "pairs": len(found.pairs.left), "cut_clusters": found.cut}
        )

    return StepSpec(
        name=step_name(measure),
        version=1,
        upstream=("documents", "exact", upstream),
        params=asdict(params),
        title="Comparing documents by meaning",
        estimate=lambda size: Estimate(1.0 + size.documents * 2e-4, size.documents * 60),
        run=run,
    )


def _pair_part(piece: tuple[int, int]) -> str:
    return f"pairs-{piece[0]:06d}"


def _comparing(
    vectors: NDArray[np.float16], blocks: Sequence[NDArray[np.int64]], floor: float
) -> Work[tuple[int, int]]:
    """Return the work of comparing blocks, neighbouring ones together; a piece is (first block, end)."""
    sizes = np.array([len(rows) for rows in blocks], dtype=np.int64)
    starts = np.unique(np.cumsum(sizes**2) // _TOGETHER, return_index=True)[1].tolist()
    pieces = list(zip(starts, [*starts[1:], len(blocks)], strict=False))

    def make(piece: tuple[int, int], given: PieceInput) -> dict[str, Part]:
        found = _compare(given.own, floor, given.threads, given.check)
        columns = {name: np.concatenate([getattr(part, name) for part in found]) for name in _COLUMNS}
        return {_pair_part(piece): pa.table(columns)}

    def own(piece: tuple[int, int]) -> list[Block]:
        return [(rows, vectors[rows]) for rows in blocks[slice(*piece)]]

    return Work(pieces, lambda piece: (_pair_part(piece),), make, own=own, threads=THREADS)


def _refuse_static(embeddings: Artifact, params: SemanticParams) -> None:
    if embeddings.facts["tier"] in ("fast", "tuned") and not params.allow_static:
        raise RecipeError(
            "Static vectors cannot decide semantic duplicates: their neighbours differ from those of a precise model",
            value=embeddings.facts["tier"],
            allowed="precise or given vectors",
            fix="choose precise vectors, or allow static ones and check what is dropped",
        )


def _read(artifact: Artifact, documents: Documents, name: str) -> NDArray[np.generic]:
    return artifact.array(name)


SUPPORTING["exact"] = exact_step
MEASURES.register(MeasureKind(KIND, "Documents with similar meaning", step=semantic_step, read=_read))
