"""What datatrove's own filters say about a text: verdict, first reason, and the value behind every reason.

Words are either datatrove's own (spaCy) or injected through the tokenizer its filters accept.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.pipeline.filters.gopher_repetition_filter import (
    find_all_duplicate,
    find_duplicates,
    find_top_duplicate,
    get_n_grams,
)
from datatrove.utils.text import TERMINAL_PUNCTUATION, split_into_words
from datatrove.utils.word_tokenizers import WordTokenizer
from plain_signals import sentence_ends

from tamis.analytics.text.conventions import split_words


class InjectedWords(WordTokenizer):
    """Our words of a named convention, behind datatrove's interface."""

    def __init__(self, convention: str) -> None:
        super().__init__(convention)
        self.convention = convention

    def word_tokenize(self, text: str) -> list[str]:
        return split_words(text, self.convention)

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        ends = sentence_ends(text, split_words(text, self.convention))
        return list(pairwise([0, *ends]))

    def sent_tokenize(self, text: str) -> list[str]:
        return [text[begin:end] for begin, end in self.span_tokenize(text)]


@dataclass(frozen=True)
class Reference:
    """A datatrove filter beside the rule set that should equal it.

    Attributes:
        rule_set: name in ``presets.RULE_SETS``.
        judge: text -> (reason, "" when kept; text that is left).
        values: (text, words) -> value by reason.
    """

    rule_set: str
    judge: Callable[[str], tuple[str, str]]
    values: Callable[[str, list[str]], dict[str, float]]


def references(words: str | WordTokenizer) -> tuple[Reference, ...]:
    """Return the filters with words of a language code (datatrove's own) or of an injected tokenizer."""
    quality = GopherQualityFilter(language=words)
    repetition = GopherRepetitionFilter(language=words)
    c4, tfds = (
        C4QualityFilter(language=words),
        C4QualityFilter(language=words, min_words_per_line=5, min_num_sentences=3),
    )
    fineweb = FineWebQualityFilter(language=words)
    any_end = C4QualityFilter(language=words, filter_no_terminal_punct=False)

    def in_order(text: str) -> tuple[str, str]:
        for part, step in (("repetition", repetition), ("quality", quality), ("c4", any_end), ("fineweb", fineweb)):
            reason, text = _judge(step, text)
            if reason:
                return f"{part}_{reason}", text
        return "", text

    def nothing(text: str, found: list[str]) -> dict[str, float]:
        return {}

    return (
        Reference("gopher-quality", lambda text: _judge(quality, text), quality_values),
        Reference("gopher-repetition", lambda text: _judge(repetition, text), repetition_values),
        Reference("c4", lambda text: _judge(c4, text), nothing),
        Reference("c4-tfds", lambda text: _judge(tfds, text), nothing),
        Reference("fineweb-quality", lambda text: _judge(fineweb, text), fineweb_values),
        Reference("fineweb", in_order, nothing),
    )


def words_of(text: str, words: str | WordTokenizer) -> list[str]:
    """Return the words datatrove sees."""
    return split_into_words(text, words)


def _judge(step, text: str) -> tuple[str, str]:  # type: ignore[no-untyped-def]
    document = Document(text=text, id="")
    result = step.filter(document)
    return ("" if result is True else result[1]), document.text


def quality_values(text: str, words: list[str]) -> dict[str, float]:
    from datatrove.utils.text import PUNCTUATION_SET

    plain = [word for word in words if any(character not in PUNCTUATION_SET for character in word)]
    lines, count = text.splitlines(), len(words)
    values: dict[str, float] = {"gopher_short_doc": len(plain), "gopher_long_doc": len(plain)}
    if not plain or not lines:
        return values
    mean = float(np.mean([len(word) for word in plain]))
    stops = {"the", "be", "to", "of", "and", "that", "have", "with"}
    return values | {
        "gopher_below_avg_threshold": mean,
        "gopher_above_avg_threshold": mean,
        "gopher_too_many_hashes": text.count("#") / count,
        "gopher_too_many_ellipsis": (text.count("...") + text.count("…")) / count,
        "gopher_too_many_bullets": sum(s.lstrip().startswith(("•", "-")) for s in lines) / len(lines),
        "gopher_too_many_end_ellipsis": sum(s.rstrip().endswith(("...", "…")) for s in lines) / len(lines),
        "gopher_below_alpha_threshold": sum(any(c.isalpha() for c in word) for word in words) / count,
        "gopher_enough_stop_words": len(stops & set(words)),
    }


def repetition_values(text: str, words: list[str]) -> dict[str, float]:
    if not text:
        return {"empty": 0}
    paragraphs, lines = re.split(r"\n{2,}", text.strip()), re.split("\n+", text)
    values: dict[str, float] = {}
    for name, pieces in (("para", paragraphs), ("line", lines)):
        count, characters = find_duplicates(pieces)
        values[f"dup_{name}_frac"], values[f"dup_{name}_char_frac"] = count / len(pieces), characters / len(text)
    for n in (2, 3, 4):
        if len(words) >= n:
            values[f"top_{n}_gram"] = find_top_duplicate(get_n_grams(words, n)) / len(text)
    for n in range(5, 11):
        values[f"duplicated_{n}_n_grams"] = find_all_duplicate(words, n) / len(text)
    return values


def fineweb_values(text: str, words: list[str]) -> dict[str, float]:
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines:
        return {"empty": 0}
    return {
        "line_punct_ratio": sum(line.endswith(tuple(TERMINAL_PUNCTUATION)) for line in lines) / len(lines),
        "short_line_ratio": sum(len(line) <= 30 for line in lines) / len(lines),
        "char_dup_ratio": find_duplicates(lines)[1] / len(text.replace("\n", "")),
        "list_ratio": text.count("\n") / len(words),
    }
