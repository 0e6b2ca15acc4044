"""Coverage of the intervals that extrapolate duplicates from a sample: how often the truth lies inside.

Invented corpora with two kinds of likeness: groups in which all documents are alike (same text), and stars whose
members are alike only to the middle one (the worst case of similarity). Group sizes: nearly all single, all pairs, a
mixture, a heavy tail, few huge families. 95% nominal, samples of 2%, 10% and 30% of 20,000 documents, 200 seeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.study.extrapolation import DedupGroups, Expected, groups_kept

DOCUMENTS, SEEDS = 20_000, 200
SHARES = (0.02, 0.1, 0.3)


@dataclass(frozen=True)
class Coverage:
    """How often the truth was inside.

    Attributes:
        corpus: which sizes of groups.
        likeness: groups or stars.
        part: share of the documents drawn.
        truth: share of documents kept in the whole.
        inside: share of seeds with the truth inside the interval.
        width: mean width of the interval, as a share of all documents.
        error: mean of the guess minus the truth, as a share of all documents.
    """

    corpus: str
    likeness: str
    part: float
    truth: float
    inside: float
    width: float
    error: float


def sizes_of_groups(documents: int = DOCUMENTS) -> Mapping[str, NDArray[np.int64]]:
    """Return sizes of groups by name of the corpus, each adding up to about ``documents``."""
    random = np.random.default_rng(7)
    tail = np.minimum(random.zipf(2.0, size=documents), documents // 20)
    return {
        "nearly all single": np.repeat([1, 2], [documents * 98 // 100, documents // 100]),
        "all pairs": np.repeat([2], [documents // 2]),
        "mixture": np.repeat([1, 2, 5, 40], [documents // 2, documents // 8, documents // 40, documents // 320]),
        "heavy tail": tail[np.cumsum(tail) <= documents],
        "few huge families": np.repeat([1, documents // 10], [documents // 2, 5]),
    }


def deduplicated(group: NDArray[np.int64], middle: NDArray[np.bool_], *, star: bool) -> DedupGroups:
    """Return what keeping one of each group does to drawn documents.

    Args:
        group: int64 (n,), group of each drawn document.
        middle: bool (n,), whether it is the middle of its group.
        star: whether documents are alike only to the middle one.
    """
    numbers, place, sizes = np.unique(group, return_inverse=True, return_counts=True)
    if not star:
        squares = int(((sizes - 1) ** 2).sum())
        return DedupGroups(len(group), len(numbers), int((sizes == 1).sum()), int((sizes == 2).sum()), squares)
    there = np.zeros(len(numbers), dtype=bool)
    there[place[middle]] = True
    kept = int(there.sum() + sizes[~there].sum())
    single = int((there & (sizes == 1)).sum() + sizes[~there].sum())
    double, squares = int((there & (sizes == 2)).sum()), int(((sizes[there] - 1) ** 2).sum())
    return DedupGroups(len(group), kept, single, double, squares)


def measure(*, seeds: int = SEEDS, documents: int = DOCUMENTS) -> list[Coverage]:
    """Return the coverage for every corpus, likeness and share."""
    rows = []
    for name, sizes in sizes_of_groups(documents).items():
        group = np.repeat(np.arange(len(sizes)), sizes)
        middle = np.concatenate([[True], group[1:] != group[:-1]])
        for likeness in ("groups", "stars"):
            for part in SHARES:
                rows.append(_row(name, likeness, part, group, middle, seeds))
    return rows


def _row(
    name: str, likeness: str, part: float, group: NDArray[np.int64], middle: NDArray[np.bool_], seeds: int
) -> Coverage:
    n, truth = len(group), int(group[-1] + 1)
    found = []
    for seed in range(seeds):
        drawn = np.random.default_rng(seed).permutation(n)[: round(n * part)]
        seen = deduplicated(group[drawn], middle[drawn], star=likeness == "stars")
        found.append(groups_kept(Expected.exactly(n), seen, alike=likeness == "groups"))
    inside = np.mean([each.low <= truth <= each.high for each in found])
    width = np.mean([each.high - each.low for each in found]) / n
    error = np.mean([each.middle - truth for each in found]) / n
    return Coverage(name, likeness, part, truth / n, float(inside), float(width), float(error))


def main() -> None:
    """Print the table."""
    print("| group sizes | alike | drawn | kept of the whole | truth inside | mean width | mean error of the guess |")
    print("|---|---|---|---|---|---|---|")
    for row in measure():
        print(
            f"| {row.corpus} | {row.likeness} | {row.part:.0%} | {row.truth:.1%} | {row.inside:.1%} | "
            f"{row.width:.1%} | {row.error:+.1%} |"
        )


if __name__ == "__main__":
    main()
