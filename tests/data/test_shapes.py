"""Rows of any shape become documents by themselves, and edits go back to the right field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import LAYOUTS, Layout, chat, share

from tamis.data.batch_parts import read_batch
from tamis.data.corpus import Corpus
from tamis.data.errors import RoleError, SettingError
from tamis.data.identification import hash_parts
from tamis.data.message import MalformedError
from tamis.data.open_corpus import open_corpus
from tamis.data.parts import KINDS, ROLES, SCOPES
from tamis.data.row_parts import read_row
from tamis.data.row_texts import map_texts, texts_of
from tamis.data.schema import conform, plain, settled
from tamis.data.shapes import Shape

OPENED = [layout for layout in LAYOUTS if layout.shape not in ("", "text")]


def write(folder: Path, rows: Any, kind: str) -> Path:
    """Write rows as a file of a kind."""
    path = folder / f"a.{kind}"
    if kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    elif kind == "json":
        path.write_text(json.dumps(list(rows), indent=2), "utf-8")
    else:
        pq.write_table(pa.Table.from_pylist(list(rows)), path)
    return path


def opened(folder: Path, rows: Any, kind: str = "jsonl", **options: Any) -> Corpus:
    return open_corpus(write(folder, rows, kind), **options)


def said(corpus: Corpus, row: int) -> list[tuple[str, str, str]]:
    """Return role, kind and text of the parts of a row."""
    parts = corpus.parts(corpus.take([row]))
    return [
        (ROLES[role], KINDS[kind], text)
        for role, kind, text in zip(parts.role, parts.kind, parts.texts.to_pylist(), strict=True)
    ]


def all_texts(corpus: Corpus) -> list[str | None]:
    return [text for shard in corpus.shards() for texts in corpus.texts(shard) for text in texts.to_pylist()]


@pytest.mark.parametrize("kind", ["jsonl", "json", "parquet"])
@pytest.mark.parametrize("layout", OPENED, ids=lambda layout: layout.name)
def test_a_layout_opens_by_itself_with_the_right_parts_and_text(layout: Layout, kind: str, tmp_path: Path) -> None:
    corpus = opened(tmp_path, layout.rows, kind)
    assert corpus.shape.kind == layout.shape
    assert said(corpus, 0) == list(layout.parts)
    assert all_texts(corpus)[0] == "\n\n".join(text for _, _, text in layout.parts if text)
    assert None not in all_texts(corpus)
    again = open_corpus(corpus.path, roles=corpus.explicit_roles)
    assert (again.shape, again.fingerprint) == (corpus.shape, corpus.fingerprint)


@pytest.mark.parametrize("layout", OPENED, ids=lambda layout: layout.name)
def test_what_is_not_edited_is_the_very_same_row_and_an_edit_changes_one_field(layout: Layout, tmp_path: Path) -> None:
    corpus = opened(tmp_path, layout.rows)
    for row in layout.rows:
        texts = list(texts_of(corpus.shape, row, corpus.places))
        parts = said(corpus, layout.rows.index(row))
        assert {text for _, kind, text in parts if text and kind != "tool_call"} <= set(texts)
        assert map_texts(corpus.shape, row, corpus.places, lambda text: text) == row
        for place in range(len(texts)):
            count = iter(range(len(texts)))
            changed = map_texts(
                corpus.shape, row, corpus.places, lambda text, c=count, p=place: text + " !" if next(c) == p else text
            )
            after = list(texts_of(corpus.shape, changed, corpus.places))
            assert [a for a, b in zip(after, texts, strict=True) if a != b] == [texts[place] + " !"]
            assert len(differences(row, changed)) == 1


def differences(left: Any, right: Any) -> list[tuple[Any, Any]]:
    """Return the leaves in which two rows differ."""
    if isinstance(left, dict) and isinstance(right, dict) and list(left) == list(right):
        return [pair for key in left for pair in differences(left[key], right[key])]
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        return [pair for a, b in zip(left, right, strict=True) for pair in differences(a, b)]
    return [] if left == right else [(left, right)]


def test_plain_text_stays_plain_text_and_a_rendered_template_is_turns_only_when_asked_for(tmp_path: Path) -> None:
    layout = next(layout for layout in LAYOUTS if "template rendered" in layout.name)
    assert opened(tmp_path, layout.rows).roles.text == "text"
    corpus = opened(tmp_path, layout.rows, roles={"text": "conversation:"})
    assert said(corpus, 0) == [("user", "text", "Hello 0"), ("assistant", "text", "Good day.")]
    edited = map_texts(corpus.shape, layout.rows[0], corpus.places, str.upper)
    assert edited == {"text": layout.rows[0]["text"].replace("Hello", "HELLO").replace("Good day", "GOOD DAY")}


def test_token_numbers_alone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RoleError, match=r"tokenised.*input_ids"):
        opened(tmp_path, LAYOUTS[-1].rows)


def test_the_kind_can_be_asked_for_and_a_kind_that_is_not_there_is_refused(tmp_path: Path) -> None:
    rows = [{"prompt": f"p {n}", "chosen": "c", "rejected": "r", "completion": "x"} for n in range(4)]
    assert opened(tmp_path, rows).shape.kind == "preference"
    assert opened(tmp_path, rows, roles={"text": "conversation:"}).shape.columns == {
        "user": "prompt",
        "assistant": "completion",
    }
    assert opened(tmp_path, rows, roles={"text": "prompt"}).shape.kind == "text"
    with pytest.raises(RoleError, match="hold no prompt"):
        opened(tmp_path, rows, roles={"text": "prompt:"})


def test_a_template_joins_columns_and_an_empty_field_takes_the_gap_before_it_along(tmp_path: Path) -> None:
    rows = [{"t": "Title", "b": "Body", "n": 3}, {"t": "Title", "b": "", "n": None}, {"t": None, "b": "Body", "n": 1}]
    spec = Shape("template", template="# {t}\n{b} ({n})").spec
    corpus = opened(tmp_path, [*rows, {"t": None, "b": None, "n": None}], roles={"text": spec})
    assert all_texts(corpus) == ["# Title\nBody (3)", "# Title)", "# Body (1)", None]


MALFORMED = {
    "an empty list": ([], "empty list"),
    "null": (None, "is NULL"),
    "no role": ([{"content": "x"}], "message 1 has no role"),
    "a null role": ([{"role": None, "content": "x"}], "message 1 has no role"),
    "a number as the role": ([{"role": 3, "content": "x"}], "message 1 has a number as its role"),
    "a number as the text": ([{"role": "user", "content": 3}], "message 1 has a number as its text"),
    "an object as the text": ([{"role": "user", "content": {"a": 1}}], "message 1 has an object as its text"),
    "a list in a list": ([[{"role": "user", "content": "x"}]], "message 1 is a list, not an object"),
    "a list of texts": (["x"], "message 1 is text, not an object"),
    "an unknown part": ([{"role": "user", "content": [{"type": "smell", "text": "x"}]}], "unknown type 'smell'"),
    "a misspelt key": ([{"rol": "user", "content": "x"}], "message 1 has no role"),
    "text": ("nothing", "is text"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_row_is_an_error_with_its_reason_and_the_others_stay_documents(name: str, tmp_path: Path) -> None:
    value, reason = MALFORMED[name]
    good = [{"messages": chat(("user", f"Hello {n}"), ("assistant", "Hi."))} for n in range(9)]
    corpus = opened(tmp_path, [*good, {"messages": value}])
    assert corpus.shape.kind == "conversation"
    texts = all_texts(corpus)
    assert texts[-1] is None and None not in texts[:-1]
    reasons = corpus.parts(corpus.take([9])).reasons.to_pylist()
    assert reason in str(reasons[0])


SOUND = {
    "an unknown role": (chat(("wizard", "x")), [("other", "text", "x")]),
    "no text and no call": ([{"role": "user", "content": None}], [("user", "text", "")]),
    "two system turns": (chat(("system", "a"), ("system", "b")), [("system", "text", "a"), ("system", "text", "b")]),
    "arguments that are no JSON": (
        [{"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}],
        [("assistant", "tool_call", "f {")],
    ),
    "arguments as an object": (
        [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {"b": "x", "a": None}}}]}],
        [("assistant", "tool_call", 'f {"b":"x"}')],
    ),
    "thinking that does not end": (
        chat(("assistant", "a<think>b")),
        [("assistant", "text", "a"), ("assistant", "thinking", "b")],
    ),
    "a lone surrogate": (chat(("user", "a\ud800b")), [("user", "text", "a\ufffdb")]),
}


@pytest.mark.parametrize("name", SOUND)
def test_an_odd_row_that_can_be_read_is_a_document(name: str, tmp_path: Path) -> None:
    value, parts = SOUND[name]
    good = [{"messages": chat(("user", f"Hello {n}"), ("assistant", "Hi."))} for n in range(9)]
    corpus = opened(tmp_path, [*good, {"messages": value}])
    assert said(corpus, 9) == parts


def test_very_long_conversations_and_turns_are_read(tmp_path: Path) -> None:
    rows = [
        {"messages": chat(*[("user", f"t{n}") for n in range(10_000)])},
        {"messages": chat(("user", "word " * 2_000_000))},
        {"messages": chat(("user", "short"), ("assistant", "yes"))},
    ]
    texts = all_texts(opened(tmp_path, rows))
    assert [len(text or "") for text in texts] == [len("\n\n".join(f"t{n}" for n in range(10_000))), 10_000_000, 10]


def test_scopes_name_parts_of_a_conversation(tmp_path: Path) -> None:
    row = {
        "messages": [
            *chat(("system", "S"), ("user", "Q1"), ("assistant", "A1"), ("user", "Q2")),
            {"role": "assistant", "reasoning_content": "T", "content": "A2"},
            {"role": "tool", "content": "R"},
        ]
    }
    corpus = opened(tmp_path, [row, {"messages": chat(("user", "only"))}])
    texts = {scope: all_texts(corpus.in_scope(scope)) for scope in SCOPES}
    assert texts == {
        "whole": ["S\n\nQ1\n\nA1\n\nQ2\n\nT\n\nA2\n\nR", "only"],
        "prompt": ["S\n\nQ1\n\nA1\n\nQ2", "only"],
        "response": ["A2", ""],
        "system": ["S", ""],
        "user": ["Q1\n\nQ2", "only"],
        "assistant": ["A1\n\nA2", ""],
        "thinking": ["T", ""],
        "tool": ["R", ""],
        "first_user": ["Q1", "only"],
        "last_assistant": ["T\n\nA2", ""],
        "chosen": ["", ""],
        "rejected": ["", ""],
    }
    assert corpus.in_scope("user").fingerprint == corpus.fingerprint
    again = open_corpus(corpus.path, roles=corpus.in_scope("user").explicit_roles)
    assert again.fingerprint == corpus.fingerprint and all_texts(again) == texts["user"]


def test_the_prompt_of_a_preference_is_what_both_sides_share(tmp_path: Path) -> None:
    asked = chat(("user", "Q1"), ("assistant", "A1"), ("user", "Q2"))
    rows = [{"chosen": asked + chat(("assistant", "good")), "rejected": asked + chat(("assistant", "bad"))}] * 3
    corpus = opened(tmp_path, rows)
    texts = {scope: all_texts(corpus.in_scope(scope))[0] for scope in ("prompt", "chosen", "rejected", "response")}
    assert texts == {"prompt": "Q1\n\nA1\n\nQ2", "chosen": "good", "rejected": "bad", "response": "good"}
    same = [{"chosen": asked, "rejected": asked}] * 3
    (tmp_path / "same").mkdir()
    assert said(opened(tmp_path / "same", same), 0)[-2:] == [("chosen", "text", "Q2"), ("rejected", "text", "Q2")]


def test_plain_text_has_no_scopes(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no scopes"):
        opened(tmp_path, [{"text": "a b"}, {"text": "c d"}]).in_scope("user")


texts = st.text(max_size=12)
words = st.sampled_from(["user", "assistant", "system", "tool", "human", "gpt", "function_call", "wizard"])
calls = st.lists(
    st.fixed_dictionaries({"id": texts, "function": st.fixed_dictionaries({"name": texts, "arguments": texts})}),
    max_size=2,
)
messages = st.lists(
    st.fixed_dictionaries(
        {"role": words, "content": st.one_of(texts, st.none(), st.builds("<think>{}</think>{}".format, texts, texts))},
        optional={"reasoning_content": texts, "tool_calls": calls, "tool_call_id": texts, "name": texts},
    ),
    max_size=5,
)
odd = st.one_of(messages, st.none(), st.builds(json.dumps, messages))


@given(st.lists(odd, min_size=1, max_size=8))
def test_a_batch_has_the_parts_that_its_rows_have_one_by_one(rows: list[Any]) -> None:
    shape = Shape("conversation", {"messages": "m"})
    typed = [None if isinstance(row, str) else row for row in rows]
    for values in (typed, [row if row is None or isinstance(row, str) else json.dumps(row) for row in rows]):
        array = pa.array(values)
        column = conform(array, settled(plain(array.type)))
        batch = read_batch(shape, {"m": column}, {"m": ("m",)}, len(values))
        for at, value in enumerate(column.to_pylist()):
            span = slice(batch.starts[at], batch.starts[at + 1])
            try:
                one = read_row(shape, {"m": value}, {"m": ("m",)})
            except MalformedError as error:
                assert batch.reasons[at].as_py() == str(error) and span.start == span.stop
                continue
            assert [(p.role, p.kind, p.turn, p.text, p.word, p.unclosed, p.call or None) for p in one] == list(
                zip(
                    batch.role[span].tolist(), batch.kind[span].tolist(), batch.turn[span].tolist(),
                    batch.texts[span].to_pylist(), batch.words[span].to_pylist(), batch.unclosed[span].tolist(),
                    batch.calls[span].to_pylist(), strict=True,
                )
            )  # fmt: skip


@given(st.lists(st.tuples(*[st.one_of(st.none(), texts)] * 4), min_size=1, max_size=8))
def test_a_batch_of_columns_has_the_parts_that_its_rows_have_one_by_one(rows: list[tuple[str | None, ...]]) -> None:
    names = ("s", "u", "i", "a")
    shape = Shape("conversation", {"system": "s", "user": "u", "input": "i", "assistant": "a"})
    columns = {name: pa.array([row[at] for row in rows], pa.large_string()) for at, name in enumerate(names)}
    places = {name: (name,) for name in names}
    batch = read_batch(shape, columns, places, len(rows))
    for at, row in enumerate(rows):
        span = slice(batch.starts[at], batch.starts[at + 1])
        try:
            one = read_row(shape, dict(zip(names, row, strict=True)), places)
        except MalformedError as error:
            assert batch.reasons[at].as_py() == str(error)
            continue
        assert [(p.role, p.turn, p.text) for p in one] == list(
            zip(batch.role[span].tolist(), batch.turn[span].tolist(), batch.texts[span].to_pylist(), strict=True)
        )


@given(messages, st.data())
def test_every_part_is_found_at_its_path_and_edits_are_seen_there(row: list[Any], data: st.DataObject) -> None:
    shape, places = Shape("conversation", {"messages": "m"}), {"m": ("m",)}
    whole = {"m": row}
    try:
        parts = read_row(shape, whole, places)
    except MalformedError:
        return
    for part in parts:
        value: Any = whole
        for step in part.path:
            value = value[step]
        if isinstance(value, str):
            assert value[slice(*part.span) if part.span else slice(None)] == part.text
    held = list(texts_of(shape, whole, places))
    assert map_texts(shape, whole, places, lambda text: text) == whole
    if held:
        place = data.draw(st.integers(0, len(held) - 1))
        numbers = iter(range(len(held)))
        changed = map_texts(shape, whole, places, lambda text: text + "z" if next(numbers) == place else text)
        assert len(differences(whole, changed)) == 1


def test_documents_with_the_same_text_and_other_roles_have_other_ids(tmp_path: Path) -> None:
    rows = [share(("human", "a"), ("gpt", "b")), share(("gpt", "a"), ("human", "b")), share(("human", "a\n\nb"))]
    corpus = opened(tmp_path, [{"conversations": row} for row in [*rows, rows[0]]])
    hashes = hash_parts(corpus.parts(corpus.take(range(4)))).to_pylist()
    assert len(set(hashes)) == 3 and hashes[0] == hashes[3]
    assert len(set(all_texts(corpus))) == 1
