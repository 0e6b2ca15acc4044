"""The operators of recipes. Importing this package fills ``OPERATORS``; list each new module here."""

from __future__ import annotations

from tamis.analytics.operators import (
    budget,
<<<<<<< HEAD
    conversations,
=======
    contamination,
>>>>>>> d0bc5c152d806bf1c8c043d133a5fa4b66817a0c
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
<<<<<<< HEAD
    "conversations",
=======
    "contamination",
>>>>>>> d0bc5c152d806bf1c8c043d133a5fa4b66817a0c
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
