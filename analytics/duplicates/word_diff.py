"""Differences between two texts, word by word, as spans of characters, to show a duplicate beside its kept twin."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher

_WORD = re.compile(r"\S+")
MOST_WORDS = 4_000
_MOST_MATCHES = 2_000_000


@dataclass(frozen=True)
class Span:
    """Consecutive characters of one text.

    Attributes:
        start, end: positions in the text.
        same: whether the other text has the same words at this place.
    """

    start: int
    end: int
    same: bool


@dataclass(frozen=True)
class WordDiff:
    """Two texts side by side.

    Attributes:
        left, right: spans that cover each text without gaps, alternating between same and different.
        shared: number of words that both have, in order.
        left_words, right_words: number of words of each text.
        complete: False if the texts were too long to compare; their middles are then shown as different.
    """

    left: tuple[Span, ...]
    right: tuple[Span, ...]
    shared: int
    left_words: int
    right_words: int
    complete: bool


def word_diff(left: str, right: str) -> WordDiff:
    """Compare two texts by their words (runs of visible characters), with ``difflib``.

    Equal beginnings and ends are skipped first, so the cost depends on the rest; a rest of more than ``MOST_WORDS``
    words is not compared.
    """
    one, two = list(_WORD.finditer(left)), list(_WORD.finditer(right))
    a, b = [word.group() for word in one], [word.group() for word in two]
    head = _common(a, b)
    tail = _common(a[head:][::-1], b[head:][::-1])
    middle_a, middle_b = a[head : len(a) - tail], b[head : len(b) - tail]
    complete = len(middle_a) <= MOST_WORDS and len(middle_b) <= MOST_WORDS
    same_a, same_b = set(range(head)), set(range(head))
    same_a |= set(range(len(a) - tail, len(a)))
    same_b |= set(range(len(b) - tail, len(b)))
    if complete:
        for block in _matcher(middle_a, middle_b).get_matching_blocks():
            same_a |= set(range(head + block.a, head + block.a + block.size))
            same_b |= set(range(head + block.b, head + block.b + block.size))
    return WordDiff(
        left=_spans(left, one, same_a),
        right=_spans(right, two, same_b),
        shared=len(same_a),
        left_words=len(a),
        right_words=len(b),
        complete=complete,
    )


def _common(a: list[str], b: list[str]) -> int:
    """Return the length of the common prefix of two lists."""
    return next((k for k, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _matcher(a: list[str], b: list[str]) -> SequenceMatcher[str]:
    """Return a matcher that ignores frequent words only if they would make it slow."""
    counts = Counter(b)
    matches = sum(counts[word] for word in a)
    return SequenceMatcher(None, a, b, autojunk=matches > _MOST_MATCHES)


def _spans(text: str, words: list[re.Match[str]], same: set[int]) -> tuple[Span, ...]:
    """Return spans that cover a text; white space belongs to the word before it, leading white space to the first."""
    spans: list[Span] = []
    for place, word in enumerate(words):
        end = words[place + 1].start() if place + 1 < len(words) else len(text)
        start = 0 if place == 0 else word.start()
        equal = place in same
        if spans and spans[-1].same == equal:
            spans[-1] = Span(spans[-1].start, end, equal)
        else:
            spans.append(Span(start, end, equal))
    return tuple(spans) if words or not text else (Span(0, len(text), True),)
