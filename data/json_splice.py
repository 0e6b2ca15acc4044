"""Changing values inside a line of JSON: only what differs is written anew, every other byte stays."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from tamis.data.errors import CorpusError

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()
_Span = tuple[int, int]


def change_line(line: bytes, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> bytes:
    """Return a line of JSON with its object changed.

    Only the values that differ are written anew. Key order, white space, spelling of numbers, repeated keys and bytes
    that are not UTF-8 stay as they are everywhere else. Of a repeated key the last value counts, as for the reader.

    Args:
        line: an object.
        change: takes the object and returns the new one; it shares or equals what did not change.
    """
    text = line.decode("utf-8", "surrogateescape")
    old = json.loads(text)
    at = 0
    pieces = []
    for start, stop, new in _edits(text, _skip(text, 0), old, change(old)):
        pieces += [text[at:start], new]
        at = stop
    return "".join([*pieces, text[at:]]).encode("utf-8", "surrogateescape")


def with_value(row: Mapping[str, Any], names: Sequence[str], value: Any) -> dict[str, Any]:
    """Return an object with another value at a path of names, everything else shared.

    Raises:
        CorpusError: the object has nothing at the path.
    """
    first, *rest = names
    if first not in row or (rest and not isinstance(row[first], dict)):
        raise CorpusError("A text cannot be put back: its row has no such field", value=".".join(names))
    return {**row, first: with_value(row[first], rest, value) if rest else value}


def write_json(value: Any) -> str:
    """Return a value as JSON text in Unicode; text that is not valid Unicode stands as escapes."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value)
    return text


def _edits(text: str, at: int, old: Any, new: Any) -> Iterator[tuple[int, int, str]]:
    """Yield what differs as (start, stop, new text), in order; the old value begins at ``at``."""
    if isinstance(old, dict) and isinstance(new, dict) and list(old) == list(new):
        spans = sorted((span, key) for key, span in _members(text, at).items())
        pairs = [(span, old[key], new[key]) for span, key in spans]
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = list(zip(_elements(text, at), old, new, strict=True))
    else:
        yield at, _end(text, at), write_json(new)
        return
    yield from chain.from_iterable(
        _edits(text, span[0], mine, other) for span, mine, other in pairs if not _same(mine, other)
    )


def _same(old: Any, new: Any) -> bool:
    return old is new or (type(old) is type(new) and old == new)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None  # the pattern matches empty text
    return found.end()


def _end(text: str, at: int) -> int:
    return _DECODER.raw_decode(text, at)[1]


def _members(text: str, at: int) -> dict[str, _Span]:
    """Return where the values of the object at ``at`` stand, by key; of a repeated key the last one."""
    found: dict[str, _Span] = {}
    at = _skip(text, at + 1)
    while text[at] != "}":
        key, at = _DECODER.raw_decode(text, at)
        start = _skip(text, _skip(text, at) + 1)
        found[key] = start, _end(text, start)
        at = _skip(text, found[key][1])
        at = _skip(text, at + 1) if text[at] == "," else at
    return found


def _elements(text: str, at: int) -> Iterator[_Span]:
    """Yield where the elements of the list at ``at`` stand."""
    at = _skip(text, at + 1)
    while text[at] != "]":
        stop = _end(text, at)
        yield at, stop
        at = _skip(text, stop)
        at = _skip(text, at + 1) if text[at] == "," else at
