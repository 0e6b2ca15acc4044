"""Columns of JSON (``arrow.json``), as ``datasets`` stores fields whose values are of several kinds, read as text.

A string is read as what it says, every other value as its JSON: the content of a message may be text in one row and a
list of parts in the next. A string that is itself JSON, such as 42 or true, keeps its quotes, so that nothing is lost.
"""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def json_as_text(values: pa.Array) -> pa.Array:
    """Return texts of JSON, large_string (n,), with its strings as what they say; see ``text_as_json``."""
    texts = values.cast(pa.large_string())
    quoted = pc.match_substring_regex(texts, r'^\s*"')
    if not pc.any(quoted).as_py():
        return texts
    return pc.replace_with_mask(texts, pc.fill_null(quoted, False), _each(texts.filter(quoted), _said))


def text_as_json(values: pa.Array) -> pa.Array:
    """Return the JSON of texts that ``json_as_text`` gave, large_string (n,): what is none becomes a string."""
    return _each(values, _as_json)


def _each(values: pa.Array, change: Any) -> pa.Array:
    return pa.array([None if text is None else change(text) for text in values.to_pylist()], pa.large_string())


def is_json(text: str) -> bool:
    """Say whether a text is JSON."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _said(text: str) -> str:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, str) and not is_json(value) else text


def _as_json(text: str) -> str:
    return text if is_json(text) else json.dumps(text, ensure_ascii=False)
