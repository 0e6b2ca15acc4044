"""The words that a document shares with an evaluation item, as places in both texts, to show them side by side.

Words are those of the normal form, so places differ from a plain search: case, accents and width may differ.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.duplicates.evaluation_sets import EvaluationSets
from tamis.analytics.duplicates.idf_overlap import SHORT
from tamis.analytics.duplicates.shingles import units_of
from tamis.analytics.text.block import utf8_buffers
from tamis.analytics.text.characters import UNSPACED, character_classes
from tamis.analytics.text.normal_form import Convention, normalise

_TOKEN = re.compile(r"\S+")
Place = tuple[int, int]


@dataclass(frozen=True, eq=False)
class WordPlaces:
    """The words of a text.

    Attributes:
        units: uint64 (w,), hash of each word.
        begin, end: int64 (w,), where it stands, in code points.
    """

    units: NDArray[np.uint64]
    begin: NDArray[np.int64]
    end: NDArray[np.int64]

    @classmethod
    def of(cls, text: str, convention: Convention) -> WordPlaces:
        """Return the words of a text; words that cannot be told apart share the place of their token."""
        tokens = [match.span() for match in _TOKEN.finditer(text)]
        units, counts = _words([text[a:b] for a, b in tokens], convention)
        if (counts > 1).any():
            pieces = [[token] if count < 2 else _split(text, *token, convention)
                      for token, count in zip(tokens, counts.tolist(), strict=True)]  # fmt: skip
            tokens = [piece for split in pieces for piece in split]
            units, counts = _words([text[a:b] for a, b in tokens], convention)
        places = np.array(tokens, dtype=np.int64).reshape(-1, 2).repeat(counts, axis=0)
        return cls(units, places[:, 0], places[:, 1])


@dataclass(frozen=True)
class SharedWords:
    """What a passage of a document shares with a text of an item.

    Attributes:
        passage: where the passage begins and ends in the document.
        document: places of shared words in the document, inside the passage; neighbours are one place.
        item: places of shared words in the item's text.
        share: of the weight of the item's distinct words, in [0, 1].
    """

    passage: Place
    document: tuple[Place, ...]
    item: tuple[Place, ...]
    share: float


def shared_words(document: str, item: str, sets: EvaluationSets) -> SharedWords:
    """Return the words that the best passage of a document shares with an item's text, as ``IdfIndex`` weighs them.

    Of equal passages the first counts, from its first shared word to its last; of short items that stand in the
    document word by word, their first occurrence.
    """
    left, right = WordPlaces.of(document, sets.convention), WordPlaces.of(item, sets.convention)
    weights = _weights(np.unique(right.units), sets)
    begin, end, most = _best_passage(left.units, weights, len(right.units) + len(right.units) // 4)
    if 0 < len(right.units) < SHORT and (exact := _exact_run(left.units, right.units)) is not None:
        begin, end = exact, exact + len(right.units)
    inside = [k for k in range(begin, end) if int(left.units[k]) in weights]
    held = {int(left.units[k]) for k in inside}
    also = [k for k, unit in enumerate(right.units.tolist()) if unit in held]
    total = sum(weights.values())
    passage = (int(left.begin[inside[0]]), int(left.end[inside[-1]])) if inside else (0, 0)
    return SharedWords(
        passage, _joined(left, inside, document), _joined(right, also, item), most / total if total else 0.0
    )


def _weights(words: NDArray[np.uint64], sets: EvaluationSets) -> dict[int, int]:
    places = np.minimum(np.searchsorted(sets.vocabulary, words), max(len(sets.vocabulary) - 1, 0))
    known = sets.vocabulary[places] == words if len(sets.vocabulary) else np.zeros(len(words), dtype=bool)
    return dict(zip(words[known].tolist(), sets.weights[places[known]].tolist(), strict=True))


def _exact_run(units: NDArray[np.uint64], item: NDArray[np.uint64]) -> int | None:
    """Return where the words of an item first stand in their order, None when they do not."""
    starts = range(len(units) - len(item) + 1)
    return next((k for k in starts if units[k] == item[0] and np.array_equal(units[k : k + len(item)], item)), None)


def _best_passage(units: NDArray[np.uint64], weights: dict[int, int], length: int) -> tuple[int, int, int]:
    """Return begin, end and weight of the first heaviest run of ``length`` words."""
    inside: dict[int, int] = {}
    words = units.tolist()
    held, best = 0, (0, 0, 0)
    for k, word in enumerate(words):
        if word in weights:
            inside[word] = inside.get(word, 0) + 1
            held += weights[word] if inside[word] == 1 else 0
        if k >= length and (gone := words[k - length]) in weights:
            inside[gone] -= 1
            held -= weights[gone] if inside[gone] == 0 else 0
        if held > best[2]:
            best = (max(0, k - length + 1), k + 1, held)
    return best


def _joined(words: WordPlaces, chosen: list[int], text: str) -> tuple[Place, ...]:
    """Return the places of chosen words; neighbours with nothing but white space between them are one place."""
    found: list[Place] = []
    for k in chosen:
        begin, end = int(words.begin[k]), int(words.end[k])
        if found and (begin <= found[-1][1] or text[found[-1][1] : begin].isspace()):
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((begin, end))
    return tuple(found)


def _words(texts: list[str], convention: Convention) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the word hashes of texts, and the number of words of each: 0 for one that consists of marks."""
    normal = normalise(*utf8_buffers(pa.array(texts, pa.large_string())), convention)
    units, starts = units_of(normal, "word")
    counts = normal.words.astype(np.int64)
    return units[np.repeat(counts > 0, np.diff(starts))], counts


def _split(text: str, begin: int, end: int, convention: Convention) -> list[Place]:
    """Return the places of the words of a token: letters of scripts without spaces apart, others between marks."""
    _, counts = _words(list(text[begin:end]), convention)
    alone = (character_classes()[[ord(mark) for mark in text[begin:end]]] & np.uint32(UNSPACED)) != 0
    found: list[Place] = []
    opened = False
    for k, (count, single) in enumerate(zip(counts.tolist(), alone.tolist(), strict=True), start=begin):
        if single or (count and not opened):
            found.append((k, k + 1))
        elif count:
            found[-1] = (found[-1][0], k + 1)
        opened = bool(count) and not single
    return found
