"""Which row rules datatrove's own filters decide, and with which arguments.

A filter is written with the arguments of the rules it stands for and everything else switched off. Rules on words are
exact only where the signal counts spaCy's words, which datatrove uses; others are written with the difference named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tamis.analytics.conventions import SPACY
from tamis.analytics.operator import RowOperator
from tamis.analytics.operators_rows import SignalRange
from tamis.analytics.recipe_step import Step

QUALITY, REPETITION, FINEWEB = "GopherQualityFilter", "GopherRepetitionFilter", "FineWebQualityFilter"
_OFF: dict[str, dict[str, Any]] = {
    QUALITY: dict.fromkeys(
        (
            "min_doc_words", "max_doc_words", "min_avg_word_length", "max_avg_word_length", "max_symbol_word_ratio",
            "max_bullet_lines_ratio", "max_ellipsis_lines_ratio", "max_non_alpha_words_ratio", "min_stop_words",
        )
    ),
    REPETITION: {
        **dict.fromkeys(("dup_line_frac", "dup_para_frac", "dup_line_char_frac", "dup_para_char_frac")),
        "top_n_grams": (),
        "dup_n_grams": (),
    },
    FINEWEB: {
        "line_punct_thr": 0.0, "short_line_thr": 1.0, "char_duplicates_ratio": 1.0, "new_line_ratio": float("inf"),
    },
}  # fmt: skip

# Signal -> filter, argument for a lower bound, argument for an upper bound, whether it counts words.
_ARGUMENTS: dict[str, tuple[str, str | None, str | None, bool]] = {
    "n_words": (QUALITY, "min_doc_words", "max_doc_words", True),
    "mean_word_length": (QUALITY, "min_avg_word_length", "max_avg_word_length", True),
    "bullet_line_share": (QUALITY, None, "max_bullet_lines_ratio", False),
    "ellipsis_line_share": (QUALITY, None, "max_ellipsis_lines_ratio", False),
    "alpha_word_share": (QUALITY, "max_non_alpha_words_ratio", None, True),
    "stop_words": (QUALITY, "min_stop_words", None, True),
    "duplicate_line_share": (REPETITION, None, "dup_line_frac", False),
    "duplicate_paragraph_share": (REPETITION, None, "dup_para_frac", False),
    "duplicate_line_char_share": (REPETITION, None, "dup_line_char_frac", False),
    "duplicate_paragraph_char_share": (REPETITION, None, "dup_para_char_frac", False),
    **{f"top_{n}gram_share": (REPETITION, None, f"top_n_grams {n}", True) for n in (2, 3, 4)},
    **{f"duplicate_{n}gram_share": (REPETITION, None, f"dup_n_grams {n}", True) for n in range(5, 11)},
    "terminal_line_share": (FINEWEB, "line_punct_thr", None, False),
    "short_line_share": (FINEWEB, None, "short_line_thr", False),
    "repeated_line_char_share": (FINEWEB, None, "char_duplicates_ratio", False),
    "newline_word_ratio": (FINEWEB, None, "new_line_ratio", True),
}
_EMPTY = {
    QUALITY: "it fails on documents without words or lines, unless fewer words are dropped.",
    REPETITION: "it also drops empty documents.",
    FINEWEB: "it also drops documents without a filled line.",
}


@dataclass
class NativeFilter:
    """One of datatrove's filters.

    Attributes:
        kind: its class.
        arguments: those that are not switched off.
        steps: ids of the steps it stands for.
        losses: (step id, difference).
    """

    kind: str
    arguments: dict[str, Any] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)
    losses: list[tuple[str, str]] = field(default_factory=list)

    def text(self) -> str:
        """Return the call in Python."""
        values = {**_OFF[self.kind], **self.arguments}
        return f"{self.kind}({', '.join(f'{name}={_text(value)}' for name, value in values.items())})"


def _text(value: Any) -> str:
    if value == float("inf"):
        return 'float("inf")'
    return repr(int(value) if isinstance(value, float) and value.is_integer() else value)


def native_filters(steps: Sequence[tuple[Step, RowOperator]]) -> tuple[NativeFilter, ...]:
    """Return the filters that stand for as many of the steps as they can, at most one of each class."""
    found: dict[str, NativeFilter] = {}
    for step, operator in steps:
        place = _place(operator)
        if place is None or not isinstance(operator, SignalRange):
            continue
        kind, arguments, by_words = place
        filter_ = found.setdefault(kind, NativeFilter(kind))
        if any(name in filter_.arguments and not isinstance(value, tuple) for name, value in arguments.items()):
            continue
        for name, value in arguments.items():
            filter_.arguments[name] = (*filter_.arguments.get(name, ()), *value) if isinstance(value, tuple) else value
        filter_.steps.append(step.id)
        if by_words and not operator.signal.startswith(SPACY.prefix):
            filter_.losses.append((step.id, "datatrove splits words with spaCy, which differs in places."))
    for kind, filter_ in found.items():
        if filter_.steps:
            filter_.losses.append((filter_.steps[0], f"{kind}: {_EMPTY[kind]}"))
    return tuple(filter_ for filter_ in found.values() if filter_.steps)


def _place(operator: RowOperator) -> tuple[str, dict[str, Any], bool] | None:
    """Return filter, arguments and whether words are counted, or None when no filter decides the same."""
    if not isinstance(operator, SignalRange) or operator.mode != "keep" or operator.missing != "keep":
        return None
    if operator.strict_min or operator.strict_max:
        return None
    known = _ARGUMENTS.get(operator.signal.removeprefix(SPACY.prefix))
    if known is None:
        return None
    kind, low, high, by_words = known
    arguments: dict[str, Any] = {}
    for bound, name in ((operator.min, low), (operator.max, high)):
        if bound is None:
            continue
        # 0 switches a filter off there, so it cannot be said.
        if name is None or bound <= 0:
            return None
        base, _, n = name.partition(" ")
        arguments[base] = ((int(n), bound),) if n else bound
    return kind, arguments, by_words
