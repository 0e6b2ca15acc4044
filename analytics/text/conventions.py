"""Named word conventions. Every signal that counts words names one of them.

``unicode``  our own fast splitter (``word_split``); for texts in scripts without spaces it does not apply.
``spacy``    the words of ``spacy.blank("en")``, which datatrove uses by default for English, whatever the text's
             language; needs the package spaCy.

The words of ``spacy.blank("en")``, chunk by chunk, and the places where chunks are not independent.

spaCy cuts a text at white space and splits each chunk by itself, with one exception: it then looks for its special
cases (``:)``, ``'s``, ``Mr.``) in the whole sequence of tokens, and an apparent case across a single space can hide a
true one beside it. Such places are rare; the characters on both sides of the space reveal them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.util import find_spec
from itertools import accumulate, pairwise
from typing import Any

import pyarrow as pa

from tamis.analytics.text.block import Block
from tamis.analytics.text.segmenter import Pair, Segmenter
from tamis.analytics.text.words import Words
from tamis.data.errors import SettingError

JOINED = 500
TRIPS_OVER = ("IS_ALPHA", "IS_ALPHX")
"""spaCy fails when a memory zone meets this word a second time; another word of the same form splits the same way."""


class SpacySplitter:
    """spaCy's rules for English as ``segmenter.Splitter``."""

    @cached_property
    def _tokenizer(self) -> Any:
        if find_spec("spacy") is None:
            raise SettingError("The spacy word convention needs the package spaCy", fix="pip install 'tamis[spacy]'")
        # Late: spaCy, which is optional.
        import spacy

        return spacy.blank("en").tokenizer

    def lengths(self, chunks: Sequence[str]) -> list[list[int]]:
        """Return the lengths of the words of each chunk."""
        tokenizer, lengths = self._tokenizer, []
        with tokenizer.vocab.memory_zone():
            for first in range(0, len(chunks), JOINED):
                current: list[int] = []
                # A line feed is a token of its own, so no rule reaches from one chunk into the next.
                for token in tokenizer("\n".join(chunks[first : first + JOINED]).replace(*TRIPS_OVER)):
                    if token.is_space:
                        lengths.append(current)
                        current = []
                    else:
                        current.append(len(token.text))
                lengths.append(current)
        return lengths

    def whole(self, text: str) -> list[tuple[int, int]]:
        """Return the places of the words when the text is split as a whole."""
        tokenizer = self._tokenizer
        with tokenizer.vocab.memory_zone():
            found = tokenizer(text.replace(*TRIPS_OVER))
            return [(token.idx, token.idx + len(token.text)) for token in found if not token.is_space]

    def edges(self, chunks: Sequence[str], lengths: Sequence[Sequence[int]]) -> list[int]:
        """Return bits per chunk: 1 if its first word, 2 if its last word is a special case of several tokens."""
        cases, longest = self._cases, max(map(len, self._cases))
        found = []
        for chunk, parts in zip(chunks, lengths, strict=True):
            ends = list(accumulate(parts))
            first = any(chunk[:end] in cases for end in ends if end <= longest)
            last = any(chunk[begin:] in cases for begin in (0, *ends[:-1]) if len(chunk) - begin <= longest)
            found.append(first + 2 * last)
        return found

    @cached_property
    def _cases(self) -> dict[str, list[str]]:
        """Return the special cases that other rules would split into several tokens, with those tokens."""
        # Late: spaCy, which is optional.
        from spacy.tokenizer import Tokenizer

        full = self._tokenizer
        plain = Tokenizer(
            full.vocab,
            prefix_search=full.prefix_search,
            suffix_search=full.suffix_search,
            infix_finditer=full.infix_finditer,
            token_match=full.token_match,
            url_match=full.url_match,
        )
        split = {case: [token.text for token in plain(case)] for case in full.rules}
        return {case: tokens for case, tokens in split.items() if len(tokens) > 1}

    @property
    def pairs(self) -> frozenset[Pair]:
        """Return the pairs of adjacent tokens within special cases."""
        both = (pair for tokens in self._cases.values() for pair in pairwise(tokens))
        return frozenset(Pair(ord(a[-1]), ord(b[0]), _size(a), _size(b)) for a, b in both)


def _size(token: str) -> int:
    """Return the length of a word that is this token; 0 for marks, which can be joined with other marks."""
    return len(token) if token[0].isalnum() else 0


@dataclass(frozen=True)
class Convention:
    """One way to split text into words.

    Attributes:
        name: name in signals.
        prefix: prefix of the names of its signals.
        title: title shown to people.
        split: the words of a block.
        spaced_only: signals are NULL for texts in scripts without spaces.
        package: required package, None if no package is needed.
    """

    name: str
    prefix: str
    title: str
    split: Callable[[Block], Words]
    spaced_only: bool
    package: str | None = None

    @property
    def available(self) -> bool:
        """Say whether the required package is installed."""
        return self.package is None or find_spec(self.package) is not None


@lru_cache(maxsize=1)
def _spacy_segmenter() -> Segmenter:
    return Segmenter(SpacySplitter())


def _spacy_words(block: Block) -> Words:
    return _spacy_segmenter().words(block)


UNICODE = Convention("unicode words", "", "Unicode words", Words.unicode, spaced_only=True)
SPACY = Convention("spacy words", "spacy_", "spaCy words", _spacy_words, spaced_only=False, package="spacy")
CONVENTIONS = {"unicode": UNICODE, "spacy": SPACY}


def convention(name: str) -> Convention:
    """Return a convention by name.

    Raises:
        SettingError: unknown name; the message lists the known ones.
    """
    if name not in CONVENTIONS:
        raise SettingError("Unknown word convention", value=name, allowed=CONVENTIONS)
    return CONVENTIONS[name]


def split_words(text: str, name: str = "unicode") -> list[str]:
    """Return the words and marks of a text by a named convention.

    Raises:
        SettingError: unknown convention, or its package is missing.
    """
    block = Block.of(pa.array([text], type=pa.large_string()))
    return convention(name).split(block).of(block, 0)
