"""The words of ``spacy.blank("en")``, chunk by chunk, and where chunks are not independent after all.

spaCy cuts a text at white space and splits each chunk by itself, with one exception: it then looks for its special
cases (``:)``, ``'s``, ``Mr.``) in the whole sequence of tokens, and a case that seems to reach over a single space can
hide a true one beside it. Such places are rare and can be recognised by the characters on both sides of the space.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from itertools import accumulate, pairwise
from typing import Any

from tamis.analytics.segmenter import Pair
from tamis.data.errors import SettingError

JOINED = 500
TRIPS_OVER = ("IS_ALPHA", "IS_ALPHX")
"""spaCy fails on this word the second time a memory zone sees it; another word of the same form splits the same way."""


class SpacySplitter:
    """spaCy's rules for English as ``segmenter.Splitter``."""

    @cached_property
    def _tokenizer(self) -> Any:
        if find_spec("spacy") is None:
            raise SettingError("The spacy word convention needs the package spaCy", fix="pip install 'tamis[spacy]'")
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
        """Return where the words of a text are, looked at as a whole."""
        tokenizer = self._tokenizer
        with tokenizer.vocab.memory_zone():
            found = tokenizer(text.replace(*TRIPS_OVER))
            return [(token.idx, token.idx + len(token.text)) for token in found if not token.is_space]

    def edges(self, chunks: Sequence[str], lengths: Sequence[Sequence[int]]) -> list[int]:
        """Say of each chunk whether its first (1) and last (2) words are a special case made of several tokens."""
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
        """Return which tokens stand side by side within special cases."""
        both = (pair for tokens in self._cases.values() for pair in pairwise(tokens))
        return frozenset(Pair(ord(a[-1]), ord(b[0]), _size(a), _size(b)) for a, b in both)


def _size(token: str) -> int:
    """Return the length a word must have to be this token; 0 for marks, which other marks may be glued to."""
    return len(token) if token[0].isalnum() else 0
