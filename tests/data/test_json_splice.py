"""A changed value is written into its line of JSON; every other byte of the line stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.data.errors import CorpusError
from tamis.data.json_splice import change_line, with_value

numbers = st.integers(-(2**70), 2**70) | st.floats(allow_nan=True)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
styles = st.fixed_dictionaries(
    {
        "ensure_ascii": st.booleans(),
        "separators": st.sampled_from([None, (",", ":"), (" ,\t", " :  ")]),
    }
)


def strings(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every string inside a value."""
    if isinstance(value, str):
        yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        yield from strings(item, (*path, key))


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Return a copy with another value at a path."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = put(value[path[0]], path[1:], new)
    return copy


@settings(max_examples=300, deadline=None)
@given(
    row=st.dictionaries(st.text(max_size=4), values, max_size=5), style=styles, new=st.text(max_size=8), data=st.data()
)
def test_an_edited_string_changes_its_own_bytes_alone(
    row: dict[str, Any], style: dict[str, Any], new: str, data: st.DataObject
) -> None:
    found = list(strings(row))
    if not found:
        return
    path = data.draw(st.sampled_from(found))
    marked = put(row, path, "a mark that is nowhere else")
    before = json.dumps(marked, **style)
    head, tail = before.split('"a mark that is nowhere else"')
    line = f"{head}{json.dumps(at(row, path), ensure_ascii=style['ensure_ascii'])}{tail}".encode()
    after = change_line(line, lambda value: put(value, path, new))
    if at(row, path) == new:
        assert after == line
    else:
        assert after == f"{head}{json.dumps(new, ensure_ascii=False)}{tail}".encode()
    assert repr(json.loads(after)) == repr(put(row, path, new))


@pytest.mark.parametrize(
    ("line", "path", "wanted"),
    [
        (b'{"a": "x", "a": "y", "n": 1.10}', ("a",), b'{"a": "x", "a": "new", "n": 1.10}'),
        (b' {"n": -0, "e": 1E400, "a":"x"}\r', ("a",), b' {"n": -0, "e": 1E400, "a":"new"}\r'),
        (b'{"u": "\\u00e9\\/", "a": "\\ud83d\\ude00"}', ("a",), b'{"u": "\\u00e9\\/", "a": "new"}'),
        (
            b'{"bad": "caf\xe9", "lone": "\\ud800", "a": ""}',
            ("a",),
            b'{"bad": "caf\xe9", "lone": "\\ud800", "a": "new"}',
        ),
        (b'{"t": [{"c": "1"}, {"c": "2"}], "z": []}', ("t", 1, "c"), b'{"t": [{"c": "1"}, {"c": "new"}], "z": []}'),
        (b'{"a": 12}', ("a",), b'{"a": "new"}'),
        (b'{"a": {"x": NaN}, "b": [ ]}', ("b",), b'{"a": {"x": NaN}, "b": "new"}'),
    ],
)
def test_spelling_repeated_keys_and_bad_bytes_stay(line: bytes, path: tuple[Any, ...], wanted: bytes) -> None:
    assert change_line(line, lambda row: put(row, path, "new")) == wanted


def test_an_object_with_other_keys_is_written_as_a_whole() -> None:
    line = b'{"a": {"x":1,  "y":2}, "b":  [1,2]}'
    assert change_line(line, lambda row: {**row, "a": {"x": 1}}) == b'{"a": {"x": 1}, "b":  [1,2]}'
    assert change_line(line, lambda row: {**row, "b": [1]}) == b'{"a": {"x":1,  "y":2}, "b":  [1]}'
    assert change_line(line, lambda row: dict(row)) == line
    lone = change_line(b'{"a": ["\\ud800"]}', lambda row: {"a": [*row["a"], "\u00e9"]})
    assert json.loads(lone) == {"a": ["\ud800", "\u00e9"]}


def test_a_value_is_put_at_a_path_and_nothing_else_is_copied() -> None:
    row = {"meta": {"body": "x", "k": [1]}, "n": [2]}
    changed = with_value(row, ("meta", "body"), "y")
    assert changed == {"meta": {"body": "y", "k": [1]}, "n": [2]}
    assert changed["meta"]["k"] is row["meta"]["k"]  # type: ignore[index]
    for names in (("gone",), ("meta", "gone"), ("n", "body")):
        with pytest.raises(CorpusError, match="cannot be put back"):
            with_value(row, names, "y")
