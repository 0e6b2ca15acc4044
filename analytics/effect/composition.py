"""The composition of a selection, before and after: shares by group, copies left, effective tokens.

Coverage and diversity of selections among embeddings.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.effect.bench import Bench, training_set
from tamis.analytics.effect.verdict import Difference, compare
from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.budget import effective_tokens
from tamis.analytics.recipe.plan import row_masks
from tamis.analytics.study.issues import find_issues
from tamis.analytics.study.scene import Scene, as_condition
from tamis.data.hashing import mix_keys

MOST_GROUPS = 40
CAUTION, DANGER = 4, 16
"""Copies of one document above which repetition loses value, and above which it is nearly worthless."""


@dataclass(frozen=True)
class Shift:
    """Shares of one group.

    Attributes:
        group: value of the column, empty for documents without one.
        documents, tokens: before.
        kept_documents: distinct documents after.
        kept_tokens: tokens after, copies counted.
        share_before, share_after: of all tokens.
    """

    group: str
    documents: int
    tokens: int
    kept_documents: int
    kept_tokens: int
    share_before: float
    share_after: float


@dataclass(frozen=True)
class Composition:
    """Shares by the values of one column, the largest before first.

    Attributes:
        column: the column.
        shifts: at most ``MOST_GROUPS``; ``other`` values sum up the rest.
        distance: total variation between the shares of tokens before and after, in [0, 1].
    """

    column: str
    shifts: tuple[Shift, ...]
    distance: float


@dataclass(frozen=True)
class Repetition:
    """Repeats in a selection.

    Attributes:
        tokens: of distinct documents.
        trained_tokens: copies counted.
        effective_tokens: D', the trained tokens discounted for repetition.
        mean_copies: per kept document.
        max_copies: largest number of copies of one document.
        duplicates_left: share of kept documents that have another kept document with the same normalised text.
        warning: ``none``, ``caution`` (above 4 copies) or ``danger`` (above 16).
    """

    tokens: int
    trained_tokens: int
    effective_tokens: float
    mean_copies: float
    max_copies: int
    duplicates_left: float
    warning: str


def sizes_of(facts: Facts) -> NDArray[np.int64]:
    """Return the size of each document, int64 (n,): tokens, else bytes; every picture counts as one."""
    if "megapixels" in facts.columns:
        return np.ones(facts.n, dtype=np.int64)
    return facts.whole("n_tokens" if "n_tokens" in facts.columns else "bytes")


def composition(facts: Facts, copies: NDArray[np.int32], column: str) -> Composition:
    """Return how the shares of a column's values change.

    Raises:
        RecipeError: there is no such column.
    """
    encoded = facts.array(column).cast(pa.string()).fill_null("").dictionary_encode()
    codes = np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.int64)
    names = [str(name) for name in encoded.dictionary.to_pylist()]
    tokens = sizes_of(facts)

    def total(weights: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.bincount(codes, weights=weights, minlength=len(names)).astype(np.float64)

    before, after = total(tokens), total(tokens * copies)
    documents, kept = total(np.ones(facts.n, dtype=np.int64)), total((copies > 0).astype(np.int64))
    shares = [part / max(float(part.sum()), 1.0) for part in (before, after)]
    order = sorted(range(len(names)), key=lambda k: (-before[k], names[k]))

    def shift(group: str, members: list[int]) -> Shift:
        return Shift(
            group,
            documents=int(documents[members].sum()),
            tokens=int(before[members].sum()),
            kept_documents=int(kept[members].sum()),
            kept_tokens=int(after[members].sum()),
            share_before=float(shares[0][members].sum()),
            share_after=float(shares[1][members].sum()),
        )

    shown = [shift(names[k], [k]) for k in order[:MOST_GROUPS]]
    if len(order) > MOST_GROUPS:
        shown.append(shift(f"{len(order) - MOST_GROUPS} other values", order[MOST_GROUPS:]))
    return Composition(column, tuple(shown), float(0.5 * np.abs(shares[0] - shares[1]).sum()))


def repetition(facts: Facts, copies: NDArray[np.int32]) -> Repetition:
    """Return how much a selection repeats itself."""
    tokens = sizes_of(facts)
    kept = np.flatnonzero(copies > 0)
    most = int(copies.max(initial=0))
    left = 0.0
    if "norm_group" in facts.columns and len(kept):
        group = facts.whole("norm_group")[kept]
        members = group[group >= 0]
        _, places, sizes = np.unique(members, return_inverse=True, return_counts=True)
        left = float(np.count_nonzero(sizes[places] > 1)) / len(kept)
    return Repetition(
        tokens=int(tokens[kept].sum()),
        trained_tokens=int((tokens * copies).sum()),
        effective_tokens=effective_tokens(tokens.astype(np.float64), copies),
        mean_copies=float(copies[kept].mean()) if len(kept) else 0.0,
        max_copies=most,
        duplicates_left=left,
        warning="danger" if most > DANGER else "caution" if most > CAUTION else "none",
    )


@dataclass(frozen=True)
class IssueShift:
    """Frequency of an issue before and after.

    Attributes:
        name, title: of the issue.
        before, after: share of documents.
    """

    name: str
    title: str
    before: float
    after: float


def issue_shifts(facts: Facts, copies: NDArray[np.int32]) -> tuple[IssueShift, ...]:
    """Return the share of every issue of a corpus before and after, the most frequent before first."""
    kept = copies > 0
    found = []
    for issue in find_issues(Scene(facts)):
        masks = row_masks(facts, [as_condition(rule) for rule in issue.rules])
        there = np.logical_and.reduce(masks)
        after = float(there[kept].mean()) if kept.any() else 0.0
        found.append(IssueShift(issue.name, issue.title, float(there.mean()), after))
    return tuple(found)


FRACTIONS = (0.05, 0.1, 0.25, 0.5)
MOST_REFERENCES = 1_000
MOST_SELECTED = 20_000
VENDI_SAMPLE = 500


@dataclass(frozen=True)
class CoveragePoint:
    """Coverage of the references by a part of the corpus.

    Attributes:
        fraction: bytes of the part as a share of the training candidates' bytes.
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
        points: by fraction of the corpus, up to all that the recipe keeps.
        sampled: upper limit of compared documents of a part.
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
        bench: training candidates, seeds and draws.
        vectors: (n, d), unit rows, all documents.
        references: (r, d), unit rows; rows of zeros are left out.
        copies: int32 (n,), the selection.
        of: name of the references.
        budget: bytes of the sets that the difference compares.
    """
    wanted = np.asarray(references, dtype=np.float32)
    wanted = wanted[wanted.any(axis=1)][:MOST_REFERENCES]
    if not len(wanted):
        return None
    everything = bench.allowed.astype(np.int32)

    def reach(selection: NDArray[np.int32], size: int, seed: int) -> NDArray[np.float64]:
        rows = training_set(bench, selection, budget=size, seed=seed, salt="training set").rows
        if len(rows) > MOST_SELECTED:
            order = np.lexsort((rows, mix_keys(bench.keys[rows], seed=seed, salt="coverage")))
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
            order = np.lexsort((rows, mix_keys(bench.keys[rows], seed=seed, salt="vendi")))
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
