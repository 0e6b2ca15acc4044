"""The rules a recipe is made of. Importing this package fills ``OPERATORS``; a new module is one more name."""

from __future__ import annotations

from tamis.analytics.operators import (
    budget,
    coverage,
    duplicates,
    known_text,
    order,
    relevance,
    rows,
    sampling,
    selection,
    sets,
    text,
)

__all__ = [
    "budget",
    "coverage",
    "duplicates",
    "known_text",
    "order",
    "relevance",
    "rows",
    "sampling",
    "selection",
    "sets",
    "text",
]
