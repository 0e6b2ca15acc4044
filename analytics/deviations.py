"""Where our values differ from a reference implementation, and why. Everything else is a fault."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Deviation:
    """One known difference.

    Attributes:
        reference: what we are compared with.
        what: where values differ.
        why: the reason.
    """

    reference: str
    what: str
    why: str


DEVIATIONS = (
    Deviation(
        "datatrove, its own words",
        "texts with the word IS_ALPHA",
        "datatrove cuts the word out of every text after the first that has it, because spaCy's vocabulary fails on it"
        " inside a memory zone; its result depends on the order of documents. Ours keeps the word.",
    ),
    Deviation(
        "datatrove, its own words",
        "white-space-free chunks of more than 2,000 characters",
        "spaCy's rules take quadratic time on them; they are split by the unicode convention.",
    ),
    Deviation(
        "datatrove, its own words",
        "special cases that seem to reach over a space, in documents of more than 200,000 characters",
        "spaCy looks for its special cases in the whole text; ours does so only in documents where neighbouring chunks"
        " can influence each other and that are not longer than this.",
    ),
    Deviation(
        "datatrove",
        "texts in scripts without spaces under the unicode convention",
        "signals that count words are NULL above a share of 0.2 of such letters, and a rule lets NULL pass; datatrove"
        " counts them as English. The spacy convention does the same as datatrove.",
    ),
    Deviation(
        "datatrove",
        "the value of a rule",
        "columns hold 32-bit floats: values are equal to 24 bits, and bounds are compared at that precision, which"
        " decides like exact fractions for documents of up to 300,000 lines or 20 million words.",
    ),
    Deviation(
        "C4 in TensorFlow Datasets",
        "number of sentences",
        "sentences are cut by the rules of spaCy's sentencizer, as datatrove does, not by NLTK's punkt; pages are not"
        " filtered by the list of bad words.",
    ),
    Deviation(
        "NeMo Curator",
        "repeated n-grams",
        "left out: the most frequent n-gram is taken from a Python set, so ties depend on the hash seed.",
    ),
    Deviation(
        "NeMo Curator",
        "words with letters",
        "letters are those of str.isalpha; the regex module's [[:alpha:]] also counts letter numbers and some marks.",
    ),
    Deviation(
        "DCLM",
        "word counts, n-grams",
        "words are those between white space, or unicode words for n-grams; DCLM uses fastText's split at ASCII white"
        " space and the uniseg package. Addresses and three phrases are not cut out before measuring.",
    ),
    Deviation(
        "RedPajama-V2",
        "lengths of normalised words",
        "letters are not decomposed (NFD), so an accented letter is one character; values are not rounded.",
    ),
    Deviation(
        "data-juicer",
        "special characters, stop words, flagged words",
        "special characters are all but letters and their marks, by Unicode class instead of a list with gaps; the"
        " stop word lists are shorter; there is no list of flagged words.",
    ),
)
