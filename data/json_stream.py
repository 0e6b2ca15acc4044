"""Values of one JSON text, read forwards: no more is held than the value that is being read."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from tamis.data.jsonl_reader import BLOCK_BYTES, BLOCK_ROWS, repaired_keys

HELD_BYTES = BLOCK_BYTES
"""Bytes read at once."""

MOST_BYTES = 1 << 30
"""Bytes of one value that is held whole: an element of an array, or a value beside arrays."""

_BOM = "\ufeff"
_SPACE = re.compile(r"[ \t\r\n]*")
_LONGEST_WORD = len("-Infinity")
_PLAIN = json.JSONDecoder()
_REPAIRING = json.JSONDecoder(object_pairs_hook=repaired_keys)


class JsonFaultError(Exception):
    """What was read is no JSON from here on.

    Args:
        line: line of the file, from 1.
        reason: what is wrong.
        ended: whether the file ends there.
    """

    def __init__(self, line: int, reason: str, *, ended: bool) -> None:
        super().__init__(reason)
        self.line, self.reason, self.ended = line, reason, ended


class _Bytes(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class JsonBlock:
    """Consecutive elements of an array.

    Attributes:
        values: the elements.
        lines: line of the file on which each begins, from 1.
        offset: byte where the first begins.
        end: byte behind the last.
    """

    values: list[Any]
    lines: list[int]
    offset: int
    end: int


class JsonStream:
    """One JSON text, read forwards.

    A value that the held bytes cut off is read again with twice as many: its time stays in proportion to its size.

    Args:
        source: its bytes, from the beginning.
    """

    def __init__(self, source: _Bytes) -> None:
        self._source = source
        self._text, self._tail, self._at = "", b"", 0
        self._known, self._offset = 0, 0
        self._counted, self._line = 0, 1
        self._decoder = _PLAIN
        self._ended = False
        self._more()
        if self._text.startswith(_BOM):
            self._at = 1

    @property
    def offset(self) -> int:
        """Return the offset in bytes of what comes next."""
        self._offset += len(self._text[self._known : self._at].encode("utf-8", "surrogateescape"))
        self._known = self._at
        return self._offset

    @property
    def line(self) -> int:
        """Return the line of what comes next, from 1."""
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def peek(self) -> str:
        """Skip white space and return the next character, empty at the end."""
        while True:
            found = _SPACE.match(self._text, self._at)
            assert found is not None
            self._at = found.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if self._ended:
                return ""
            self._more()

    def pass_over(self, sign: str) -> None:
        """Skip white space and one sign; raises ``JsonFaultError`` when another one stands there."""
        found = self.peek()
        if found != sign:
            what = f"{found!r} where {sign!r} is due" if found else f"the end where {sign!r} is due"
            raise JsonFaultError(self.line, what, ended=not found)
        self._at += 1

    def value(self) -> Any:
        """Return the next value; raises ``JsonFaultError`` when there is none."""
        self.peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                self._grow(error.pos, error.msg)
            except (ValueError, RecursionError) as error:
                raise JsonFaultError(self.line, str(error), ended=False) from error
            else:
                if end < len(self._text) or self._ended or not isinstance(value, (int, float)):
                    self._at = end
                    return value
                # A number at the end of what is held may go on behind it.
                self._more()

    def members(self) -> Iterator[str]:
        """Yield the keys of an object; the caller reads the value of each before it asks for the next."""
        self.pass_over("{")
        while self.peek() != "}":
            if self.peek() != '"':
                self.pass_over('"')
            key = self.value()
            self.pass_over(":")
            yield key
            if self.peek() != "}":
                self.pass_over(",")
                if self.peek() == "}":
                    self.pass_over('"')
        self.pass_over("}")

    def begins_objects(self) -> bool:
        """Skip white space and say whether an array of objects begins here."""
        if self.peek() != "[":
            return False
        while (found := _SPACE.match(self._text, self._at + 1)) and found.end() == len(self._text) and not self._ended:
            self._more()
        return self._text[found.end() : found.end() + 1] == "{" if found else False

    def elements(self) -> Iterator[JsonBlock]:
        """Yield the elements of an array, about ``BLOCK_BYTES`` and at most ``BLOCK_ROWS`` at a time.

        Raises:
            JsonFaultError: after the last block of whole elements.
        """
        self.pass_over("[")
        values: list[Any] = []
        lines: list[int] = []
        first = end = 0
        fault: JsonFaultError | None = None
        more = self.peek() != "]"
        while more:
            try:
                self.peek()
                offset, line = self.offset, self.line
                value = self.value()
                first = offset if not values else first
                values.append(value)
                lines.append(line)
                end = self.offset
                more = self.peek() != "]"
                if more:
                    self.pass_over(",")
            except JsonFaultError as error:
                fault, more = error, False
            if values and (not more or len(values) >= BLOCK_ROWS or end - first >= BLOCK_BYTES):
                yield JsonBlock(values, lines, first, end)
                values, lines = [], []
        if fault is not None:
            raise fault
        self.pass_over("]")

    def _grow(self, at: int, reason: str) -> None:
        """Read more if the fault may come from the end of what is held, else raise it."""
        cut = reason.startswith("Unterminated string") or at >= len(self._text) - _LONGEST_WORD
        if cut and not self._ended and len(self._text) - self._at < MOST_BYTES:
            self._more()
            return
        line = self.line + self._text.count("\n", self._at, at)
        if cut and not self._ended:
            reason = f"a value is longer than {MOST_BYTES >> 20:,} MiB"
        raise JsonFaultError(line, reason, ended=cut and self._ended)

    def _more(self) -> None:
        """Drop what was read and hold at least ``HELD_BYTES`` and twice as many bytes as before."""
        offset, line = self.offset, self.line
        rest = self._text[self._at :].encode("utf-8", "surrogateescape") + self._tail
        wanted = max(HELD_BYTES, len(rest))
        new = self._source.read(wanted)
        self._ended = len(new) < wanted
        raw = rest + new
        try:
            self._text, used = codecs.utf_8_decode(raw, "strict", self._ended)
            broken = b"\\ud" in raw or b"\\uD" in raw
        except UnicodeDecodeError:
            self._text, used = codecs.utf_8_decode(raw, "surrogateescape", self._ended)
            broken = True
        self._tail = raw[used:]
        self._at = self._known = self._counted = 0
        self._offset, self._line = offset, line
        # Only text that may hold lone surrogates needs a check of every key.
        self._decoder = _REPAIRING if broken else _PLAIN
