"""Plain Python for IDF-weighted overlap with evaluation items: loops over words, exact fractions, no index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import log1p

from plain_duplicates import normal_text


def words_of(text: str) -> list[str]:
    """Return the words of a text in the convention ``words-1``; none of a text that consists of marks."""
    normal = normal_text(text)
    return [word for word in normal.split(" ") if word] if any(mark.isalnum() for mark in text) else []


def weights_of(texts: Sequence[Sequence[str]]) -> dict[str, int]:
    """Return the weight of each word among distinct texts, in 2**-20."""
    frequency: dict[str, int] = {}
    for text in texts:
        for word in set(text):
            frequency[word] = frequency.get(word, 0) + 1
    return {word: round((1 << 20) * log1p(len(texts) / count)) for word, count in frequency.items()}


def share_of(document: Sequence[str], item: Sequence[str], weights: Mapping[str, int]) -> Fraction:
    """Return the largest share of an item's weight in a run of as many words and a quarter more."""
    bag, length = set(item), len(item) + len(item) // 4
    whole = sum(weights[word] for word in bag)
    runs = (set(document[k : k + length]) & bag for k in range(max(1, len(document) - length + 1)))
    return max(Fraction(sum(weights[word] for word in run), whole) for run in runs)


def strength_of(document: Sequence[str], item: Sequence[str], weights: Mapping[str, int]) -> float:
    """Return the strength of an item in a document as the module's formula states it."""
    if len(item) < 20:
        starts = range(len(document) - len(item) + 1)
        return float(any(list(document[k : k + len(item)]) == list(item) for k in starts))
    share, f = share_of(document, item, weights), min(Fraction(len(item) - 20, 30), Fraction(1))
    if f == 0:
        return float(share == 1)
    return float(max(Fraction(0), 1 - (1 - share) / f))
