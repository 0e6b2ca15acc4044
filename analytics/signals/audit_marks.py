"""Where in a conversation the signals of the audit come from: the parts, and the characters in them, to mark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tamis.analytics.signals.audit import AuditLists
from tamis.analytics.signals.audit_answers import (
    CLOSING,
    FENCE,
    OPENING,
    Exchanges,
    answer_parts,
    are_truncated,
    differs_in_language,
    phrase_parts,
    question_parts,
)
from tamis.analytics.signals.audit_tools import tool_faults
from tamis.analytics.signals.audit_turns import (
    Turns,
    begins_turn,
    empty_thoughts,
    empty_turns,
    repeats_role,
    unclosed_marks,
)
from tamis.data.message import THINK_CLOSE, THINK_OPEN
from tamis.data.parts import ANSWER, ASSISTANT, CHOSEN, CONTEXT, OTHER, REJECTED, SYSTEM, TEXT, USER, Parts

_ASIDE = (CHOSEN, REJECTED, ANSWER, CONTEXT)
_EMPTY = re.compile(r"<think>\s*</think>")


class AuditMark(NamedTuple):
    """A marked place.

    Attributes:
        part: number of the part in its row.
        begin, end: code points of the part's text; both 0 marks a part without text.
        signal: the signal that it makes.
    """

    part: int
    begin: int
    end: int
    signal: str


def audit_marks(
    parts: Parts, *, kind: str = "conversation", declared: dict[str, Any] | None = None, lists: AuditLists | None = None
) -> list[AuditMark]:
    """Return the places of one row from which signals of the audit come, by part, place and signal.

    Args:
        parts: of one row, whole.
        kind: of the shape.
        declared: schema by tool, see ``audit_tools.declared_tools``; None for no column of tools.
        lists: of phrases; None for the packaged ones.
    """
    found = [
        *_order(parts, kind), *_thinking(parts), *_answers(parts, lists or AuditLists.packaged()),
        *(_whole(parts, part, fault) for part, fault in tool_faults(parts, 0, declared)),
    ]  # fmt: skip
    return sorted(found)


def _whole(parts: Parts, part: int, signal: str) -> AuditMark:
    return AuditMark(part, 0, len(parts.texts[part].as_py()), signal)


def _order(parts: Parts, kind: str) -> Iterator[AuditMark]:
    """Yield the first parts of turns out of order, of unknown roles, and empty ones."""
    turns = Turns.of(parts)
    begins = np.flatnonzero(begins_turn(parts) & ~np.isin(parts.role, _ASIDE))
    after = turns.without(SYSTEM)
    spoken = begins[turns.role != SYSTEM]
    found = {
        "starts_with_assistant": spoken[after.first & (after.role == ASSISTANT)],
        "repeated_role": begins[repeats_role(turns)],
        "ends_with_user": begins[turns.last & (turns.role == USER) & (kind == "conversation")],
        "unknown_role": begins[turns.role == OTHER],
        "empty_turns": empty_turns(parts),
    }
    for signal, places in found.items():
        yield from (_whole(parts, int(place), signal) for place in places)


def _thinking(parts: Parts) -> Iterator[AuditMark]:
    counts = unclosed_marks(parts)
    for place in np.flatnonzero(counts).tolist():
        text = parts.texts[place].as_py()
        if parts.unclosed[place]:
            yield _whole(parts, place, "unclosed_thinking")
            continue
        # Of two kinds of marks, those in excess: the first ends, the last beginnings.
        opened, closed = ([match.span() for match in re.finditer(mark, text)] for mark in (THINK_OPEN, THINK_CLOSE))
        excess = closed[: len(closed) - len(opened)] if len(closed) > len(opened) else opened[len(closed) :]
        yield from (AuditMark(place, begin, end, "unclosed_thinking") for begin, end in excess)
    for place in np.flatnonzero(empty_thoughts(parts)).tolist():
        text = parts.texts[place].as_py()
        if parts.kind[place] == TEXT:
            yield from (AuditMark(place, *match.span(), "empty_thinking") for match in _EMPTY.finditer(text))
        else:
            yield _whole(parts, place, "empty_thinking")


def _answers(parts: Parts, lists: AuditLists) -> Iterator[AuditMark]:
    for place in phrase_parts(parts).tolist():
        text = parts.texts[place].as_py()
        for signal, phrases in (("refusals", lists.refusals), ("foreign_identity", lists.identity)):
            span = phrases.find(text)
            if span is not None:
                yield AuditMark(place, *span, signal)
    said = answer_parts(parts)
    exchange = Exchanges.of(parts)
    if differs_in_language(exchange.questions, exchange.answers)[0] == 1:
        asked = question_parts(parts, said)
        yield from (_whole(parts, place, "answer_language_differs") for place in np.flatnonzero(said | asked).tolist())
    if are_truncated(exchange.answers)[0]:
        last = int(np.flatnonzero(said)[-1])
        yield AuditMark(last, *_open_end(parts.texts[last].as_py()), "truncated_answer")


def _open_end(text: str) -> tuple[int, int]:
    """Return the place where a cut answer is open: its last fence or open bracket, else its last character."""
    end = len(text.rstrip())
    if text.count(FENCE) % 2:
        begin = text.rfind(FENCE)
        return begin, begin + len(FENCE)
    waiting: list[int] = []
    for at in range(text.rfind("\n", 0, end) + 1, end):
        if text[at] in OPENING:
            waiting.append(at)
        elif text[at] in CLOSING and waiting:
            waiting.pop()
    begin = waiting[-1] if waiting else max(end - 1, 0)
    return begin, min(begin + 1, len(text))
