"""The signals of preference pairs: how alike the two answers are, and whether pairs contradict one another."""

from __future__ import annotations

from tamis.analytics.signals.signal import SIGNALS, Dtype, Signal

STEP = "preference"


def _signal(
    name: str, title: str, help: str, unit: str, dtype: Dtype, high: float | None = None, by: str = ""
) -> Signal:
    convention = by or "sides: the parts that only the chosen or only the rejected side has"
    return Signal(name, title, help, unit, convention, "Own definition", dtype, 0.0, high, group="Pairs", step=STEP)


_GROUPED = "prompts and answers are the same if their normalised texts are"

PAIR_SIGNALS = SIGNALS.register(
    _signal(
        "chosen_equals_rejected", "Chosen equals rejected", "Both answers have the same text.", "yes or no", "bool", 1
    ),
    _signal(
        "chosen_rejected_similarity",
        "Similarity of the pair",
        "Jaccard similarity of the word 5-grams of both answers, as near_dedup measures it.",
        "share",
        "float32",
        1,
    ),
    _signal(
        "chosen_rejected_length_ratio",
        "Length of chosen to rejected",
        "Characters of the chosen answer by those of the rejected one; NULL if that is empty.",
        "ratio",
        "float32",
    ),
    _signal("chosen_chars", "Characters of the chosen", "Length of the chosen answer.", "characters", "int32"),
    _signal("rejected_chars", "Characters of the rejected", "Length of the rejected answer.", "characters", "int32"),
    _signal(
        "contradictory_preference",
        "Contradictory preference",
        "The pairs of the same prompt prefer in a circle, and this one is part of it; a reversed pair makes one.",
        "yes or no",
        "bool",
        1,
        _GROUPED,
    ),
    _signal(
        "flips",
        "Flipped pairs",
        "Other pairs of the same prompt that are this one reversed.",
        "pairs",
        "int32",
        by=_GROUPED,
    ),
)
"""In the order of the columns of the step; the first five need no other pair."""
