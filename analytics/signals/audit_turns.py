"""Turns of conversations: how many, whose, in which order, and which are empty. Whole arrays at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.data.message import THINK_CLOSE, THINK_OPEN
from tamis.data.parts import (
    ANSWER,
    ASSISTANT,
    CHOSEN,
    CONTEXT,
    IMAGE,
    OTHER,
    REJECTED,
    SYSTEM,
    TEXT,
    THINKING,
    TOOL,
    TOOL_CALL,
    USER,
    Parts,
)

SPACE = r"[\t-\r\x1c-\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]"
"""The characters that ``str.isspace`` names, for RE2."""
EMPTY_THINKING = rf"<think>{SPACE}*</think>"
_ASIDE = (CHOSEN, REJECTED, ANSWER, CONTEXT)


@dataclass(frozen=True, eq=False)
class Turns:
    """Turns of the conversations of n rows, t in all: what is chosen, rejected, an answer key or a context is none.

    Attributes:
        row: int64 (t,), ascending.
        role: uint8 (t,), of the first part of each.
        calls: bool (t,), whether the first part of each is a call of a tool.
        first: bool (t,), whether it is the first turn of its row.
        last: bool (t,), whether it is the last one.
        rows: number of rows.
    """

    row: NDArray[np.int64]
    role: NDArray[np.uint8]
    calls: NDArray[np.bool_]
    first: NDArray[np.bool_]
    last: NDArray[np.bool_]
    rows: int

    @classmethod
    def of(cls, parts: Parts) -> Turns:
        """Return the turns of parts."""
        begins = np.flatnonzero(begins_turn(parts) & ~np.isin(parts.role, _ASIDE))
        return cls._of(parts.rows[begins], parts.role[begins], parts.kind[begins] == TOOL_CALL, len(parts))

    @classmethod
    def _of(cls, row: NDArray[np.int64], role: NDArray[np.uint8], calls: NDArray[np.bool_], rows: int) -> Turns:
        new = np.concatenate([[True], row[1:] != row[:-1]])[: len(row)]
        return cls(row, role, calls, new, np.concatenate([new[1:], [True]])[: len(row)], rows)

    def count(self, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return how many turns of each row are in ``mask``, int64 (n,)."""
        return count_rows(self.row[mask], self.rows)

    def without(self, role: int) -> Turns:
        """Return the turns that are not of a role."""
        kept = self.role != role
        return Turns._of(self.row[kept], self.role[kept], self.calls[kept], self.rows)


def begins_turn(parts: Parts) -> NDArray[np.bool_]:
    """Say which parts are the first of their turn, bool (p,)."""
    same = (parts.turn[1:] == parts.turn[:-1]) & (parts.rows[1:] == parts.rows[:-1])
    return np.concatenate([[True], ~same])[: len(parts.turn)]


def count_rows(rows: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Return how often each row occurs, int64 (n,)."""
    return np.bincount(rows, minlength=n).astype(np.int64)


def is_blank(texts: pa.Array) -> NDArray[np.bool_]:
    """Say which texts hold nothing but white space, bool (n,)."""
    return as_bools(pc.match_substring_regex(texts, rf"\A{SPACE}*\z"))


def as_bools(array: pa.Array) -> NDArray[np.bool_]:
    """Return a boolean array without NULL."""
    return np.asarray(array.to_numpy(zero_copy_only=False), dtype=np.bool_)


def is_said(parts: Parts) -> NDArray[np.bool_]:
    """Say which parts an assistant says, whether they are chosen or rejected or neither, bool (p,)."""
    return np.isin(parts.role, (ASSISTANT, CHOSEN, REJECTED))


def repeats_role(turns: Turns) -> NDArray[np.bool_]:
    """Say which turns of user, assistant or system follow one of the same role, bool (t,).

    Some formats put a call of a tool into a turn of its own after the assistant's text: that is one reply.
    """
    same = np.concatenate([[False], turns.role[1:] == turns.role[:-1]])[: len(turns.role)]
    return np.asarray(same & ~turns.first & ~turns.calls & ~np.isin(turns.role, (TOOL, OTHER)))


def turn_columns(parts: Parts, kind: str) -> Mapping[str, NDArray[np.float64]]:
    """Return the columns of turns and thinking, float64 (n,) each, NaN where one does not apply.

    Args:
        parts: of sound rows.
        kind: of their shape.
    """
    turns = Turns.of(parts)
    spoken = turns.without(SYSTEM)
    everything = np.ones(len(turns.row), dtype=np.bool_)
    found = {
        "n_turns": turns.count(everything),
        "n_user_turns": turns.count(turns.role == USER),
        "n_assistant_turns": turns.count(turns.role == ASSISTANT),
        "n_system_turns": turns.count(turns.role == SYSTEM),
        "starts_with_assistant": spoken.count(spoken.first & (spoken.role == ASSISTANT)),
        "repeated_role": turns.count(repeats_role(turns)),
        "ends_with_user": turns.count(turns.last & (turns.role == USER)),
        "unknown_role": turns.count(turns.role == OTHER),
        "empty_turns": count_rows(parts.rows[empty_turns(parts)], len(parts)),
        "unclosed_thinking": np.bincount(parts.rows, unclosed_marks(parts), len(parts)),
        "empty_thinking": np.bincount(parts.rows, empty_thoughts(parts), len(parts)),
    }
    values = {name: column.astype(np.float64) for name, column in found.items()}
    if kind != "conversation":
        values["ends_with_user"] = np.full(len(parts), np.nan)
    return values


def empty_turns(parts: Parts) -> NDArray[np.int64]:
    """Return the first part of each turn without text, call or image, int64 (e,)."""
    begins = np.flatnonzero(begins_turn(parts))
    if not len(begins):
        return begins
    filled = ~is_blank(parts.texts) | np.isin(parts.kind, (TOOL_CALL, IMAGE))
    return begins[~np.logical_or.reduceat(filled, begins)]


def unclosed_marks(parts: Parts) -> NDArray[np.int64]:
    """Return how many marks of thinking in each part have no counterpart, int64 (p,)."""
    texts = is_said(parts) & (parts.kind == TEXT)
    found = (parts.unclosed & is_said(parts)).astype(np.int64)
    suspects = np.flatnonzero(texts & as_bools(pc.match_substring_regex(parts.texts, "</?think>")))
    if len(suspects):
        held = parts.texts.take(pa.array(suspects))
        opened, closed = (pc.count_substring(held, mark).to_numpy() for mark in (THINK_OPEN, THINK_CLOSE))
        found[suspects] += np.abs(opened.astype(np.int64) - closed)
    return found


def empty_thoughts(parts: Parts) -> NDArray[np.int64]:
    """Return how many pieces of thinking without text each part is or holds, int64 (p,)."""
    found = np.zeros(len(parts.kind), dtype=np.int64)
    thoughts = np.flatnonzero(parts.kind == THINKING)
    if len(thoughts):
        found[thoughts] = is_blank(parts.texts.take(pa.array(thoughts)))
    texts = np.flatnonzero(is_said(parts) & (parts.kind == TEXT))
    if len(texts):
        found[texts] += pc.count_substring_regex(parts.texts.take(pa.array(texts)), EMPTY_THINKING).to_numpy()
    return found
