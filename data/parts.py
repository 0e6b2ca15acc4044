"""Parts: what a row of any shape says, piece by piece, and the text of a document that is made of them.

The convention ``parts-1`` joins the parts that are not empty by one blank line, each as it stands, without words for
the roles: role words would dominate n-grams, names of clusters and near-duplicates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.data.errors import SettingError

CONVENTION = "parts-1"
BLANK_LINE = "\n\n"

ROLES = ("system", "user", "assistant", "tool", "chosen", "rejected", "context", "answer", "other")
SYSTEM, USER, ASSISTANT, TOOL, CHOSEN, REJECTED, CONTEXT, ANSWER, OTHER = range(len(ROLES))
KINDS = ("text", "thinking", "tool_call", "tool_result", "image")
TEXT, THINKING, TOOL_CALL, TOOL_RESULT, IMAGE = range(len(KINDS))

WHOLE = "whole"
SCOPES = (
    WHOLE, "prompt", "response", "system", "user", "assistant", "thinking", "tool", "first_user", "last_assistant",
    "chosen", "rejected",
)  # fmt: skip


class MessagePart(NamedTuple):
    """One piece of a row.

    Attributes:
        role: index in ``ROLES``.
        kind: index in ``KINDS``.
        text: as it stands in the row; of a tool call its name and arguments as compact JSON.
        turn: number of the turn within the row, from 0.
        word: the source's own word for the role, empty where a column gives the role.
        path: names and positions that lead to the string in the row.
        span: characters of that string that the part is; None for all of it.
        unclosed: whether it is thinking whose end is not marked.
        call: id that joins a call of a tool and its result, empty if none is stated.
    """

    role: int
    kind: int
    text: str
    turn: int
    word: str = ""
    path: tuple[str | int, ...] = ()
    span: tuple[int, int] | None = None
    unclosed: bool = False
    call: str = ""


@dataclass(frozen=True, eq=False)
class Parts:
    """Parts of n rows, p in all.

    Attributes:
        starts: int64 (n + 1,), the first part of each row.
        role: uint8 (p,), index in ``ROLES``.
        kind: uint8 (p,), index in ``KINDS``.
        turn: int32 (p,), number of the turn within its row.
        texts: large_string (p,), never NULL.
        words: string (p,), the source's own word for the role, empty where a column gives it.
        reasons: string (n,), why a row is no document, NULL for sound rows.
        unclosed: bool (p,), whether a part is thinking whose end is not marked.
        calls: string (p,), id that joins a call of a tool and its result, NULL where none is stated.
    """

    starts: NDArray[np.int64]
    role: NDArray[np.uint8]
    kind: NDArray[np.uint8]
    turn: NDArray[np.int32]
    texts: pa.Array
    words: pa.Array
    reasons: pa.Array
    unclosed: NDArray[np.bool_]
    calls: pa.Array

    def __len__(self) -> int:
        return len(self.starts) - 1

    @classmethod
    def of(cls, rows: Sequence[Sequence[MessagePart] | str]) -> Parts:
        """Return the parts of rows as columns; text in place of parts is the reason why a row is no document."""
        held: list[Sequence[MessagePart]] = [() if isinstance(row, str) else row for row in rows]
        flat = [part for row in held for part in row]
        return cls(
            np.cumsum([0, *map(len, held)], dtype=np.int64),
            np.array([part.role for part in flat], dtype=np.uint8),
            np.array([part.kind for part in flat], dtype=np.uint8),
            np.array([part.turn for part in flat], dtype=np.int32),
            pa.array([part.text for part in flat], pa.large_string()),
            pa.array([part.word for part in flat], pa.string()),
            pa.array([row if isinstance(row, str) else None for row in rows], pa.string()),
            np.array([part.unclosed for part in flat], dtype=np.bool_),
            pa.array([part.call or None for part in flat], pa.string()),
        )

    @classmethod
    def merged(cls, several: Sequence[tuple[Parts, NDArray[np.int64]]], rows: int) -> Parts:
        """Return the parts of ``rows`` rows; a row in several groups has the parts of all, in their order.

        Args:
            several: parts, and the row of each of their rows, int64 (m,).
            rows: number of rows; a row in no group has no part.
        """
        owner = np.concatenate([where[parts.rows] for parts, where in several])
        order = np.argsort(owner, kind="stable")
        counts = np.bincount(owner, minlength=rows)
        took = pa.array(order)
        place = np.full(rows, -1, dtype=np.int64)
        place[np.concatenate([where for _, where in several])] = np.arange(sum(len(parts) for parts, _ in several))
        reasons = pa.concat_arrays([parts.reasons for parts, _ in several])
        return cls(
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            np.concatenate([parts.role for parts, _ in several])[order],
            np.concatenate([parts.kind for parts, _ in several])[order],
            np.concatenate([parts.turn for parts, _ in several])[order],
            pa.concat_arrays([parts.texts for parts, _ in several]).take(took),
            pa.concat_arrays([parts.words for parts, _ in several]).take(took),
            reasons.take(pa.array(place, mask=place < 0)),
            np.concatenate([parts.unclosed for parts, _ in several])[order],
            pa.concat_arrays([parts.calls for parts, _ in several]).take(took),
        )

    def select(self, mask: NDArray[np.bool_]) -> Parts:
        """Return the same rows with some of their parts, bool (p,)."""
        before = np.concatenate([[0], np.cumsum(mask)])
        return Parts(
            before[self.starts].astype(np.int64), self.role[mask], self.kind[mask], self.turn[mask],
            self.texts.filter(pa.array(mask)), self.words.filter(pa.array(mask)), self.reasons,
            self.unclosed[mask], self.calls.filter(pa.array(mask)),
        )  # fmt: skip

    def turned(self, first: NDArray[np.int64]) -> Parts:
        """Return the same parts with the turns of each row counted from ``first``, int64 (n,)."""
        return replace(self, turn=(self.turn + first[self.rows]).astype(np.int32))

    def take(self, rows: NDArray[np.int64]) -> Parts:
        """Return the parts of some rows, int64 (m,), ascending."""
        mask = np.zeros(len(self), dtype=np.bool_)
        mask[rows] = True
        held = self.select(mask[self.rows])
        starts = np.concatenate([[0], np.cumsum(np.diff(held.starts)[rows])]).astype(np.int64)
        return replace(held, starts=starts, reasons=held.reasons.take(pa.array(rows)))

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """Return the row of each part, int64 (p,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Return the UTF-8 bytes of each part, int64 (p,)."""
        return np.asarray(pc.binary_length(self.texts).cast(pa.int64()).to_numpy(zero_copy_only=False))

    @cached_property
    def first(self) -> NDArray[np.bool_]:
        """Return whether a part is the first of its row, bool (p,)."""
        mask = np.zeros(len(self.role) + 1, dtype=np.bool_)
        mask[self.starts] = True
        return mask[:-1]

    def join(self, separators: pa.Array | None = None) -> pa.Array:
        """Return the text of each row, large_string (n,), NULL where a row is no document.

        Args:
            separators: string (p,), what stands before each part unless it is the first; a blank line by default.
        """
        full = self.sizes > 0
        if not full.all():
            kept = None if separators is None else separators.filter(pa.array(full))
            return self.select(full).join(kept)
        texts, gap = self.texts, BLANK_LINE
        if separators is not None:
            before = pc.if_else(pa.array(self.first), "", separators).cast(pa.large_string())
            texts, gap = pc.binary_join_element_wise(before, texts, pa.scalar("", pa.large_string())), ""
        lists = pa.LargeListArray.from_arrays(pa.array(self.starts), texts)
        joined = pc.binary_join(lists, pa.scalar(gap, pa.large_string()))
        nothing = pa.scalar(None, pa.large_string())
        return pc.if_else(self.reasons.is_null(), joined, nothing) if self.reasons.null_count < len(self) else joined

    def scope(self, name: str) -> Parts:
        """Return the same rows with the parts that a scope names; a row may have none.

        Raises:
            SettingError: there is no such scope.
        """
        if name not in SCOPES:
            raise SettingError("Unknown scope", value=name, allowed=SCOPES)
        return self if name == WHOLE else self.select(self._scopes(name))

    def _scopes(self, name: str) -> NDArray[np.bool_]:
        role, kind = self.role, self.kind
        said: NDArray[np.bool_] = kind == TEXT
        sides = (role == CHOSEN) | (role == REJECTED)
        edges = {"first_user": (USER, False), "last_assistant": (ASSISTANT, True)}
        if name in edges:
            return np.asarray((role == edges[name][0]) & (self.turn == self._edge_turn(*edges[name])))
        turns = self._edge_turn(ASSISTANT, True)
        compared = np.bincount(self.rows[sides], minlength=len(self))[self.rows] > 0
        turns[compared] = -1
        of = {
            "chosen": role == CHOSEN,
            "rejected": role == REJECTED,
            "thinking": kind == THINKING,
            "tool": (role == TOOL) | (kind == TOOL_CALL) | (kind == TOOL_RESULT),
            "system": said & (role == SYSTEM),
            "user": said & (role == USER),
            "assistant": said & (role == ASSISTANT),
            "response": said & (((role == ASSISTANT) & (self.turn == turns)) | (role == CHOSEN)),
            "prompt": ((turns < 0) | (self.turn < turns)) & ~sides & (role != ANSWER),
        }
        return np.asarray(of[name])

    def _edge_turn(self, role: int, last: bool) -> NDArray[np.int64]:
        """Return for each part the first or last turn of a role within its row, int64 (p,), -1 where there is none."""
        mine = np.flatnonzero(self.role == role)
        edge = np.full(len(self), -1, dtype=np.int64)
        order = mine if last else mine[::-1]
        # A later assignment wins.
        edge[self.rows[order]] = self.turn[order]
        return edge[self.rows]
