"""Suggestions of known names for an unknown one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

_LEAST = 0.6


def nearest_names(name: str, known: Iterable[str], *, most: int = 3) -> tuple[str, ...]:
    """Return the known names most similar to ``name``, best first, none if no name is similar.

    A name that holds the other between underscores or dots, as ``meta_score`` holds ``score``, comes before one with
    similar spelling; ties are in the order of the names.
    """
    wanted = _folded(name)
    if not wanted:
        return ()
    found = []
    for other in sorted(set(known)):
        like = SequenceMatcher(None, wanted, _folded(other), autojunk=False).ratio()
        inside = f"_{wanted}_" in f"_{_folded(other)}_" or f"_{_folded(other)}_" in f"_{wanted}_"
        if inside or like >= _LEAST:
            found.append((not inside, -like, other))
    return tuple(other for *_, other in sorted(found)[:most])


def _folded(name: str) -> str:
    return "".join(mark if mark.isalnum() else "_" for mark in name.casefold()).strip("_")


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return the nearest names as a question, None if no name is similar."""
    return ask_whether(nearest_names(name, known))


def ask_whether(names: Iterable[str]) -> str | None:
    """Return the question "did you mean" for some names, None for no names."""
    choices = " or ".join(names)
    return f"did you mean {choices}?" if choices else None
