"""Named conventions for what a word is. Every signal that counts words names one of them.

``unicode``  our own fast splitter (``word_split``); for texts in scripts without spaces it does not apply.
``spacy``    the words of ``spacy.blank("en")``, which datatrove uses by default for English, whatever the text's
             language; needs the package spaCy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec

import pyarrow as pa

from tamis.analytics.segmenter import Segmenter
from tamis.analytics.spacy_words import SpacySplitter
from tamis.analytics.text_block import Block
from tamis.analytics.words import Words
from tamis.data.errors import SettingError


@dataclass(frozen=True)
class Convention:
    """One way to split text into words.

    Attributes:
        name: what signals call it.
        prefix: what the names of its signals begin with.
        title: what people read.
        split: the words of a block.
        spaced_only: signals are NULL for texts in scripts without spaces.
        package: a package that must be installed, None for none.
    """

    name: str
    prefix: str
    title: str
    split: Callable[[Block], Words]
    spaced_only: bool
    package: str | None = None

    @property
    def available(self) -> bool:
        """Say whether the package it needs is installed."""
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
