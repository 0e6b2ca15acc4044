"""The operators of recipes. Importing this package fills ``OPERATORS``; list each new module here."""

from __future__ import annotations

from tamis.analytics.operators import (
    budget,
    contamination,
    conversations,
    coverage,
    diversity,
    duplicates,
    image_duplicates,
    known_text,
    lines,
    meaning,
    order,
    quality,
    relevance,
    repeated_text,
    rows,
    sampling,
    selection,
    sets,
    text,
    training,
)

__all__ = [
    "budget",
    "contamination",
    "conversations",
    "coverage",
    "diversity",
    "duplicates",
    "image_duplicates",
    "known_text",
    "lines",
    "meaning",
    "order",
    "quality",
    "relevance",
    "repeated_text",
    "rows",
    "sampling",
    "selection",
    "sets",
    "text",
    "training",
]
