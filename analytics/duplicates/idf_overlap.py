"""How much of an evaluation item stands in one passage of a document, words weighted by their inverse frequency.

With w(x) the weight of a word (``evaluation_sets``), L the words of an item's text and a passage of L + L // 4 words:

    share    = largest sum of w over the distinct words of the text that a passage of the document has
               / sum of w over all distinct words of the text
    f        = 1 from L = 50 on, (L - 20) / 30 between, 0 below L = 20
    strength = 1 - (1 - share) / f, at least 0; where f = 0, 1 for share 1 and else 0

So strength >= t is share >= t for long texts, share >= 1 - (1 - t) f between: at t = 0.8 the share that is asked for
rises from 0.8 at 50 words to 1.0 at 20. Below 20 words only the words in their order, without a gap, count.

An own variant of IDF-weighted overlap as allenai/decon computes it (github.com/allenai/decon, doc/simple-details.md,
used for OLMo 3): there n-grams of a cluster of matches are weighed, the overlap is scaled by length between 20 and 50
tokens and prompt, answer and passage are added up with fixed weights; here words of one passage, so that a changed
word costs its own weight only, and each part by itself.

Exactness: candidates come from an index of each text's heaviest words, chosen so that no text from strength 0.5 on can
be missed; every candidate is then computed exactly. Sums are whole numbers, so no order of anything changes a bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.duplicates.evaluation_items import PARTS
from tamis.analytics.duplicates.evaluation_sets import HEAD, EvaluationSets
from tamis.analytics.duplicates.shingles import gram, units_of
from tamis.analytics.text.block import block_ranges, utf8_buffers
from tamis.analytics.text.hash_table import find
from tamis.analytics.text.normal_form import normalise

SHORT, LONG = 20, 50
FLOOR = 0.5
"""Smallest strength that is kept, so that moving a threshold only decides again."""

MOST = 64
"""Most texts kept for a document: the strongest, then those with the smaller number."""

_SMALLEST_PASSAGE = 32


def required_share(words: int, threshold: float = 0.8) -> float:
    """Return the share that a text of so many words must reach; below ``SHORT`` words 1, in order."""
    return 1 - (1 - threshold) * leniency(words)


def leniency(words: int) -> float:
    """Return f of the module's formula, in [0, 1]."""
    return min(max(words - SHORT, 0) / (LONG - SHORT), 1.0)


class _IndexTables(NamedTuple):
    """The index of an ``IdfIndex`` for the kernel.

    Words: ``keys`` and ``numbers`` (number of a word + 1) are its hash table, ``weights`` by number. Texts: ``starts``
    and ``words`` (numbers of their distinct words), ``mass`` (their weight), ``lengths``, ``passages`` (words of a
    passage), ``needs`` (weight of indexed words that a candidate has). Of each class of passage lengths, ``steps``
    (its longest), and the texts of each indexed word: ``post_starts`` (classes * words + 1) and ``posts``. Texts below
    ``SHORT`` words by the hash of their beginning: ``head_keys``, ``head_numbers``, ``head_starts``, ``head_texts``,
    ``head_lengths`` (lengths of beginnings), and ``sequences`` by text.
    """

    keys: NDArray[np.uint64]
    numbers: NDArray[np.int64]
    weights: NDArray[np.int64]
    starts: NDArray[np.int64]
    words: NDArray[np.int64]
    mass: NDArray[np.int64]
    lengths: NDArray[np.int64]
    passages: NDArray[np.int64]
    needs: NDArray[np.int64]
    steps: NDArray[np.int64]
    post_starts: NDArray[np.int64]
    posts: NDArray[np.int64]
    head_keys: NDArray[np.uint64]
    head_numbers: NDArray[np.int64]
    head_starts: NDArray[np.int64]
    head_texts: NDArray[np.int64]
    head_lengths: NDArray[np.int64]
    sequences: NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class IdfIndex:
    """Finds the texts of evaluation sets in documents.

    Attributes:
        evaluation: the sets.
        shortest: fewest words of a text that is looked for.
    """

    evaluation: EvaluationSets
    shortest: int = 8

    @property
    def used(self) -> NDArray[np.bool_]:
        """Return which texts are looked for, bool (p,)."""
        return self.evaluation.words >= self.shortest

    @cached_property
    def _tables(self) -> _IndexTables:
        sets = self.evaluation
        numbers = np.searchsorted(sets.vocabulary, sets.hashes)
        sums = np.append(0, np.cumsum(sets.weights[numbers]))
        mass = sums[sets.starts[1:]] - sums[sets.starts[:-1]]
        passages = sets.words + sets.words // 4
        long = np.flatnonzero(self.used & (sets.words >= SHORT))
        short = np.flatnonzero(self.used & (sets.words < SHORT))
        needs, steps, post_starts, posts = _postings(sets, numbers, mass, passages, long)
        heads, place = np.unique(sets.head[short], return_inverse=True)
        order = np.lexsort((short, place))
        keys, places = _hash_table(sets.vocabulary)
        head_keys, head_places = _hash_table(heads)
        head_starts = np.append(0, np.cumsum(np.bincount(place, minlength=len(heads))))
        return _IndexTables(
            keys, places, sets.weights, sets.starts, numbers, mass, sets.words, passages, needs, steps, post_starts,
            posts, head_keys, head_places, head_starts, short[order], np.unique(np.minimum(sets.words[short], HEAD)),
            sets.sequence,
        )  # fmt: skip

    def hits(self, texts: pa.Array) -> pa.Table:
        """Return what texts share with the evaluation sets, one row a text, (n,).

        ``texts``, ``shares`` and ``strengths`` are lists: the numbers of the distinct texts from strength ``FLOOR``
        on, int32, and their share and strength, float32, the strongest first. Columns ``prompt``, ``answer``,
        ``passage`` and ``whole``, float32: the largest strength among the texts of that part, 0 without any.
        """
        offsets, data = utf8_buffers(texts)
        parts = [self._table(*_scan(np.empty(0, np.uint64), np.zeros(1, np.int64), self._tables))]
        for first, end in block_ranges(offsets):
            normal = normalise(offsets[first : end + 1], data, self.evaluation.convention)
            parts.append(self._table(*_scan(*units_of(normal, "word"), self._tables)))
        return pa.concat_tables(parts).combine_chunks()

    def _table(
        self,
        starts: NDArray[np.int64],
        found: NDArray[np.int32],
        shares: NDArray[np.float32],
        strengths: NDArray[np.float32],
    ) -> pa.Table:
        best = np.zeros((len(starts) - 1, len(PARTS)), dtype=np.float32)
        owner = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        np.maximum.at(best, (owner, self.evaluation.part[found]), strengths)
        lists = {"texts": found, "shares": shares, "strengths": strengths}
        columns: dict[str, Any] = {
            name: pa.LargeListArray.from_arrays(starts, pa.array(values)) for name, values in lists.items()
        }
        return pa.table(columns | {part: best[:, number] for number, part in enumerate(PARTS)})


def _hash_table(keys: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    size = 1 << max(4, int(2 * len(keys) + 1).bit_length())
    slots, numbers = np.zeros(size, dtype=np.uint64), np.zeros(size, dtype=np.int64)
    _fill(keys, slots, numbers)
    return slots, numbers


def _postings(
    sets: EvaluationSets,
    numbers: NDArray[np.int64],
    mass: NDArray[np.int64],
    passages: NDArray[np.int64],
    long: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the needs of texts, the steps of classes, and the texts of each indexed word by class."""
    steps = [_SMALLEST_PASSAGE]
    while len(long) and steps[-1] < passages[long].max():
        steps.append(2 * steps[-1])
    needs = np.zeros(len(mass), dtype=np.int64)
    rows: list[NDArray[np.int64]] = [np.empty((0, 2), dtype=np.int64)]
    for text in long.tolist():
        own = numbers[sets.starts[text] : sets.starts[text + 1]]
        heavy = own[np.argsort(-sets.weights[own], kind="stable")]
        # One more than may be missing, for the rounding of the share; a quarter more to tell candidates apart.
        missing = int((1 - FLOOR) * leniency(int(sets.words[text])) * mass[text]) + 1
        kept = np.cumsum(sets.weights[heavy])
        count = min(int(np.searchsorted(kept, missing + mass[text] // 4)) + 1, len(heavy))
        needs[text] = kept[count - 1] - missing
        level = int(np.searchsorted(steps, passages[text]))
        rows.append(np.column_stack([level * len(sets.vocabulary) + heavy[:count], np.full(count, text)]))
    pairs = np.concatenate(rows)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    counts = np.bincount(pairs[:, 0], minlength=len(steps) * len(sets.vocabulary))
    return needs, np.array(steps, dtype=np.int64), np.append(0, np.cumsum(counts)), pairs[:, 1].copy()


@njit(cache=True, nogil=True)
def _fill(keys, slots, numbers):  # type: ignore[no-untyped-def]
    for k in range(len(keys)):
        slot = find(keys[k], slots, numbers)
        slots[slot], numbers[slot] = keys[k], k + 1


@njit(cache=True, nogil=True)
def _strength(held, mass, words):  # type: ignore[no-untyped-def]
    """Return the strength of a weight held: whole numbers and one division, so it is the exact value, rounded once."""
    over = min(max(words - SHORT, 0), LONG - SHORT)
    if over == 0 or held == mass:
        return 1.0 if held == mass else 0.0
    return max(0.0, (over * mass - (LONG - SHORT) * (mass - held)) / (over * mass))


@njit(cache=True, nogil=True)
def _note(text, held, best, touched, number):  # type: ignore[no-untyped-def]
    """Keep the largest weight held of a text; return the texts touched so far and their number."""
    if best[text] == 0:
        if number == len(touched):
            touched = np.append(touched, np.empty(number, dtype=np.int64))
        touched[number] = text
        number += 1
    best[text] = max(best[text], held)
    return touched, number


@njit(cache=True, nogil=True)
def _most_held(own, passage, first, end, words, weights, marks, inside, tick):  # type: ignore[no-untyped-def]
    """Return the largest weight of a text that a passage in ``words[first:end]`` holds."""
    for word in own:
        marks[word] = tick
        inside[word] = 0
    held, most = np.int64(0), np.int64(0)
    for i in range(first, end):
        word = words[i]
        if word >= 0 and marks[word] == tick:
            if inside[word] == 0:
                held += weights[word]
            inside[word] += 1
        if i - passage >= first:
            gone = words[i - passage]
            if gone >= 0 and marks[gone] == tick:
                inside[gone] -= 1
                if inside[gone] == 0:
                    held -= weights[gone]
        most = max(most, held)
    return most


@njit(cache=True, nogil=True)
def _exact(units, words, begin, t, best, touched, number):  # type: ignore[no-untyped-def]
    """Note the short texts whose words stand in a document in their order."""
    count = len(words)
    for length in t.head_lengths:
        for i in range(count - length + 1):
            if words[i] < 0:
                continue
            value = gram(units, begin + i, begin + i + length)
            place = t.head_numbers[find(value, t.head_keys, t.head_numbers)] - 1
            if place < 0:
                continue
            for k in range(t.head_starts[place], t.head_starts[place + 1]):
                text = t.head_texts[k]
                stop = i + t.lengths[text]
                if stop <= count and gram(units, begin + i, begin + stop) == t.sequences[text]:
                    touched, number = _note(text, t.mass[text], best, touched, number)
    return touched, number


@njit(cache=True, nogil=True)
def _candidates(words, first, end, base, t, seen, tick, sums, listed):  # type: ignore[no-untyped-def]
    """Add up the indexed weight that ``words[first:end]`` has of each text; return the texts with any."""
    number = 0
    for i in range(first, end):
        word = words[i]
        if word < 0 or seen[word] == tick:
            continue
        seen[word] = tick
        for k in range(t.post_starts[base + word], t.post_starts[base + word + 1]):
            text = t.posts[k]
            if sums[text] == 0:
                if number == len(listed):
                    listed = np.append(listed, np.empty(number, dtype=np.int64))
                listed[number] = text
                number += 1
            sums[text] += t.weights[word]
    return listed, number


@njit(cache=True, nogil=True)
def _strongest(touched, number, best, mass, lengths):  # type: ignore[no-untyped-def]
    """Return the texts from strength FLOOR on, the strongest first, at most MOST of them."""
    kept = np.empty(number, dtype=np.int64)
    values = np.empty(number)
    count = 0
    for text in np.sort(touched[:number]):
        value = _strength(best[text], mass[text], lengths[text])
        if value >= FLOOR:
            kept[count], values[count] = text, -value
            count += 1
    order = np.argsort(values[:count], kind="mergesort")[:MOST]
    return kept[:count][order]


@njit(cache=True, nogil=True)
def _scan(units, begins, t):  # type: ignore[no-untyped-def]
    """Return where the hits of each document begin, and text, share and strength of each hit."""
    texts, vocabulary = len(t.lengths), len(t.weights)
    best, sums = np.zeros(texts, dtype=np.int64), np.zeros(texts, dtype=np.int64)
    seen, marks = np.zeros(vocabulary, dtype=np.int64), np.zeros(vocabulary, dtype=np.int64)
    inside = np.zeros(vocabulary, dtype=np.int64)
    touched, listed = np.empty(64, dtype=np.int64), np.empty(64, dtype=np.int64)
    out, shares, strengths = np.empty(64, np.int32), np.empty(64, np.float32), np.empty(64, np.float32)
    starts = np.zeros(len(begins), dtype=np.int64)
    total, tick, turn = 0, 0, 0
    for d in range(len(begins) - 1):
        count = begins[d + 1] - begins[d]
        words = np.empty(count, dtype=np.int64)
        for i in range(count):
            words[i] = t.numbers[find(units[begins[d] + i], t.keys, t.numbers)] - 1
        touched, number = _exact(units, words, begins[d], t, best, touched, 0)
        for level in range(len(t.steps)):
            step, first = t.steps[level], 0
            while first < count:
                end = min(first + 2 * step, count)
                tick += 1
                listed, many = _candidates(words, first, end, level * vocabulary, t, seen, tick, sums, listed)
                for k in range(many):
                    text = listed[k]
                    if sums[text] >= t.needs[text] and best[text] < t.mass[text]:
                        turn += 1
                        own = t.words[t.starts[text] : t.starts[text + 1]]
                        held = _most_held(own, t.passages[text], first, end, words, t.weights, marks, inside, turn)
                        if held > 0:
                            touched, number = _note(text, held, best, touched, number)
                    sums[text] = 0
                if end == count:
                    break
                first += step
        for text in _strongest(touched, number, best, t.mass, t.lengths):
            if total == len(out):
                out = np.append(out, np.empty(total, np.int32))
                shares = np.append(shares, np.empty(total, np.float32))
                strengths = np.append(strengths, np.empty(total, np.float32))
            out[total], shares[total] = text, best[text] / t.mass[text]
            strengths[total] = _strength(best[text], t.mass[text], t.lengths[text])
            total += 1
        for k in range(number):
            best[touched[k]] = 0
        starts[d + 1] = total
    return starts, out[:total], shares[:total], strengths[:total]
