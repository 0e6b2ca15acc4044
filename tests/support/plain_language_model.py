"""The trigram model once more, in plain Python and slowly: what the compiled one must agree with."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

SIZE, END = 65_536, 0


def plain_words(text: str) -> list[str]:
    """Split spaced text by the convention ``wordpunct-1``."""
    return [word.lower() for word in re.findall(r"\w+|[^\w\s]+", text)]


class PlainModel:
    """Witten-Bell trigrams over sequences of word numbers."""

    def __init__(self, documents: Sequence[Sequence[int]]) -> None:
        self.counts = [Counter[tuple[int, ...]]() for _ in range(3)]
        self.after: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        for document in documents:
            for u, v, w in triples(document):
                self.after[()][w] += 1
                self.after[(v,)][w] += 1
                self.after[(u, v)][w] += 1

    def probability(self, w: int, context: tuple[int, ...]) -> float:
        """Return P(w | context)."""
        lower = 1 / SIZE if not context else self.probability(w, context[1:])
        seen = self.after.get(context)
        if not seen:
            return lower
        return (seen[w] + len(seen) * lower) / (seen.total() + len(seen))

    def bits(self, document: Sequence[int]) -> float:
        """Return what a document costs."""
        return -sum(math.log2(self.probability(w, (u, v))) for u, v, w in triples(document))


def triples(document: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return every word, and the end, with the two before it."""
    padded = [END, END, *document, END]
    return list(zip(padded, padded[1:], padded[2:], strict=False))
