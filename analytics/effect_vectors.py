"""Coverage and diversity of selections among embeddings."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.effect_bench import Bench, training_set
from tamis.analytics.verdict import Difference, compare
from tamis.data.hashing import salted

FRACTIONS = (0.05, 0.1, 0.25, 0.5)
MOST_REFERENCES = 1_000
MOST_SELECTED = 20_000
VENDI_SAMPLE = 500


@dataclass(frozen=True)
class CoveragePoint:
    """Coverage by a part of the corpus.

    Attributes:
        fraction: bytes of the part as a share of what may be trained on.
        recipe, random: mean over references of the largest cosine to the part.
        recipe_gap, random_gap: 95th percentile of 1 - largest cosine.
    """

    fraction: float
    recipe: float
    random: float
    recipe_gap: float
    random_gap: float


@dataclass(frozen=True)
class Coverage:
    """How well a selection covers references.

    Attributes:
        of: ``target`` or ``corpus``.
        references: how many reference documents.
        difference: mean largest cosine at the byte budget, recipe against random.
        points: by fraction of the corpus, as far as the recipe reaches, then what the recipe keeps.
        sampled: most documents of a part that were compared.
    """

    of: str
    references: int
    difference: Difference
    points: tuple[CoveragePoint, ...]
    sampled: int = MOST_SELECTED


@dataclass(frozen=True)
class Diversity:
    """Descriptive figures; more is not better by itself.

    Attributes:
        vendi_recipe, vendi_random: Vendi score of a sample, the effective number of different documents in it; None
            without embeddings.
        sample: documents in the sample.
        compression_recipe, compression_random: text bytes per byte of the compressed word stream, at the same budget.
    """

    vendi_recipe: float | None
    vendi_random: float | None
    sample: int
    compression_recipe: float
    compression_random: float


def largest_cosines(references: NDArray[np.float32], vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the largest cosine of each reference to any vector, float64 (r,); -1 when there are no vectors.

    Args:
        references: float32 (r, d), unit rows.
        vectors: (m, d), unit rows; rows of zeros count as cosine 0.
    """
    found = np.full(len(references), -1.0)
    for first in range(0, len(vectors), 4096):
        part = np.asarray(vectors[first : first + 4096], dtype=np.float32)
        np.maximum(found, (references @ part.T).max(axis=1), out=found)
    return found


def coverage(
    bench: Bench,
    vectors: NDArray[np.floating],
    references: NDArray[np.floating],
    copies: NDArray[np.int32],
    *,
    of: str,
    budget: int,
) -> Coverage | None:
    """Return how well a selection and random documents cover references, or None without any.

    Args:
        bench: who may be trained on, seeds and draws.
        vectors: (n, d), unit rows, all documents.
        references: (r, d), unit rows; rows of zeros are left out.
        copies: int32 (n,), the selection.
        of: what the references are.
        budget: bytes of the sets that the difference is measured on.
    """
    wanted = np.asarray(references, dtype=np.float32)
    wanted = wanted[wanted.any(axis=1)][:MOST_REFERENCES]
    if not len(wanted):
        return None
    everything = bench.allowed.astype(np.int32)

    def reach(selection: NDArray[np.int32], size: int, seed: int) -> NDArray[np.float64]:
        rows = training_set(bench, selection, budget=size, seed=seed, salt="training set").rows
        if len(rows) > MOST_SELECTED:
            order = np.lexsort((rows, salted(bench.keys[rows], seed=seed, salt="coverage")))
            rows = np.sort(rows[order[:MOST_SELECTED]])
        return largest_cosines(wanted, vectors[rows])

    seeds = [bench.protocol.seed * 1000 + number for number in range(bench.protocol.draws)]
    ours = [float(reach(copies, budget, seed).mean()) for seed in seeds]
    others = [float(reach(everything, budget, seed).mean()) for seed in seeds]
    total = int(bench.bytes[bench.allowed].sum())
    own = int((bench.bytes * np.minimum(copies, 1))[bench.allowed].sum())
    kept = own / max(total, 1)
    points = []
    for fraction in sorted({part for part in FRACTIONS if part < kept} | {kept}):
        pair = [reach(np.minimum(part, 1), int(fraction * total), seeds[0]) for part in (copies, everything)]
        means = [float(item.mean()) for item in pair]
        gaps = [float(np.quantile(1.0 - item, 0.95)) for item in pair]
        points.append(CoveragePoint(fraction, means[0], means[1], gaps[0], gaps[1]))
    difference = compare(
        f"coverage of the {of}",
        "random",
        ours,
        others,
        lower_is_better=False,
        proxy="cosine of embeddings, not what a model learns",
    )
    return Coverage(of, len(wanted), difference, tuple(points))


def diversity(
    bench: Bench, vectors: NDArray[np.floating] | None, copies: NDArray[np.int32], *, budget: int
) -> Diversity:
    """Return Vendi scores of samples of the same size and compression ratios at the same budget.

    Sources: Friedman and Dieng 2023, arXiv 2210.02410 (Vendi score); Shaib et al. 2024, arXiv 2403.00553 (compression).
    """
    seed = bench.protocol.seed * 1000
    sets = [
        training_set(bench, selection, budget=budget, seed=seed, salt="training set").rows
        for selection in (copies, bench.allowed.astype(np.int32))
    ]
    size = min(VENDI_SAMPLE, *(len(rows) for rows in sets))
    scores: list[float | None] = [None, None]
    if vectors is not None and size > 1:
        for place, rows in enumerate(sets):
            order = np.lexsort((rows, salted(bench.keys[rows], seed=seed, salt="vendi")))
            scores[place] = vendi(vectors[rows[order[:size]]])
    ratios = [_compression(bench, rows) for rows in sets]
    return Diversity(scores[0], scores[1], size, ratios[0], ratios[1])


def vendi(vectors: NDArray[np.floating]) -> float:
    """Return exp of the entropy of the eigenvalues of the cosine matrix divided by its size, in [1, n]."""
    rows = np.asarray(vectors, dtype=np.float64)
    rows = rows[rows.any(axis=1)]
    if not len(rows):
        return 0.0
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    values = np.linalg.eigvalsh(rows @ rows.T / len(rows))
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()))


def _compression(bench: Bench, rows: NDArray[np.int64]) -> float:
    stream = bench.words.take(rows)
    packed = zlib.compress(stream.words.astype("<u2").tobytes(), 6)
    return float(stream.bytes.sum()) / max(len(packed), 1)
