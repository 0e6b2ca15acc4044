"""Where the words and patterns of a selection occur in texts: for marking what is on screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from tamis.analytics.operators.operator import RowOperator
from tamis.analytics.operators.rows import Regex
from tamis.analytics.operators.selection import Joined
from tamis.data.part_spans import Span

MOST = 2_000
"""Places marked in one text at most."""

_PRIVATE = range(0xE000, 0xF8FF)


def searched_patterns(selection: Sequence[RowOperator]) -> tuple[tuple[str, bool], ...]:
    """Return the patterns that a selection asks for, and whether each ignores case; those it excludes are left out."""
    return tuple(dict.fromkeys((rule.pattern, rule.ignore_case) for rule in _wanted(selection)))


def _wanted(rules: Sequence[RowOperator]) -> Iterator[Regex]:
    for rule in rules:
        if rule.mode == "drop":
            continue
        if isinstance(rule, Regex):
            yield rule
        elif isinstance(rule, Joined):
            yield from _wanted(rule.rules)


def hit_spans(text: str, patterns: Sequence[tuple[str, bool]]) -> list[Span]:
    """Return the places of all matches in a text, (begin, end) in code points, ascending, joined where they overlap.

    RE2 finds them, as it does for the rule itself, so time grows with the text only.

    Args:
        text: the text.
        patterns: of ``searched_patterns``.
    """
    found = sorted(span for pattern, ignore_case in patterns for span in _places(text, pattern, ignore_case))
    joined: list[Span] = []
    for begin, end in found[:MOST]:
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((begin, end))
    return joined


def _places(text: str, pattern: str, ignore_case: bool) -> list[Span]:
    """Return the matches of one pattern, those of no characters left out."""
    present = set(text)
    free = (chr(code) for code in _PRIVATE if chr(code) not in present)
    opens, closes = next(free, ""), next(free, "")
    if not closes:
        return []
    flags = "(?i)" if ignore_case else ""
    marked = pc.replace_substring_regex(pa.array([text], pa.large_string()), f"{flags}{pattern}", f"{opens}\\0{closes}")
    spans: list[Span] = []
    at = 0
    for piece in marked[0].as_py().split(opens):
        inside, _, after = piece.partition(closes) if closes in piece else ("", "", piece)
        if inside:
            spans.append((at, at + len(inside)))
        at += len(inside) + len(after)
    return spans
