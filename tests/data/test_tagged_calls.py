"""Calls of tools in tags inside texts are parts where the shape says so, and plain text where it does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import chat, share

from tamis.data.batch_parts import read_batch
from tamis.data.corpus import Corpus
from tamis.data.errors import SettingError
from tamis.data.find_shape import tagged_note, unread_by_shape
from tamis.data.message import MalformedError
from tamis.data.open_corpus import open_corpus
from tamis.data.parts import KINDS, ROLES
from tamis.data.row_parts import read_row
from tamis.data.row_texts import map_texts
from tamis.data.schema import conform, plain, settled
from tamis.data.shapes import Shape

CALL = '<tool_call>\n{"name": "weather", "arguments": {"town": "Ulm", "days": 2}}\n</tool_call>'
ROW = {
    "conversations": share(
        ("system", 'Answer within <tool_call>{"name": ...}</tool_call>.'),
        ("human", "Weather in Ulm?"),
        ("gpt", f"<think>I ask.</think>\nLet me look.\n{CALL}\n{CALL.replace('Ulm', 'Bonn')}"),
        ("tool", "<tool_response>\nsunny\n</tool_response>"),
        ("gpt", "Sunny."),
    )
}
PARTS = [
    ("system", "text", 'Answer within <tool_call>{"name": ...}</tool_call>.'),
    ("user", "text", "Weather in Ulm?"),
    ("assistant", "thinking", "I ask."),
    ("assistant", "text", "Let me look."),
    ("assistant", "tool_call", 'weather {"town":"Ulm","days":2}'),
    ("assistant", "tool_call", 'weather {"town":"Bonn","days":2}'),
    ("tool", "tool_result", "sunny"),
    ("assistant", "text", "Sunny."),
]


def opened(folder: Path, rows: list[Any], **options: Any) -> Corpus:
    path = folder / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return open_corpus(path, **options)


def said(corpus: Corpus) -> list[tuple[str, str, str]]:
    parts = corpus.parts(corpus.take([0]))
    return [
        (ROLES[role], KINDS[kind], text)
        for role, kind, text in zip(parts.role, parts.kind, parts.texts.to_pylist(), strict=True)
    ]


def test_by_themselves_tags_stay_text_and_a_note_says_how_to_read_them(tmp_path: Path) -> None:
    corpus = opened(tmp_path, [ROW] * 3)
    assert corpus.shape.calls == "" and "tool_call" not in {kind for _, kind, _ in said(corpus)}
    note = tagged_note(corpus.shape, corpus.sampled)
    assert note is not None
    spec = note.split("--shape ")[1].strip("'")
    assert said(open_corpus(corpus.path, roles={"text": Shape.role(spec)})) == PARTS
    assert tagged_note(Shape.parse(spec) or corpus.shape, corpus.sampled) is None


def test_what_a_page_offers_is_the_shape_that_the_note_names_and_then_nothing(tmp_path: Path) -> None:
    corpus = opened(tmp_path, [ROW] * 3)
    found = unread_by_shape(corpus.shape, corpus.schema, corpus.sampled)
    assert found is not None and found[0] == tagged_note(corpus.shape, corpus.sampled)
    better = corpus.with_roles({"text": found[1].spec})
    assert said(better) == PARTS
    assert unread_by_shape(better.shape, better.schema, better.sampled) is None


def test_no_note_where_only_the_system_explains_the_tags(tmp_path: Path) -> None:
    corpus = opened(tmp_path, [{"conversations": [ROW["conversations"][0], *share(("human", "Hi"), ("gpt", "Hello"))]}])
    assert tagged_note(corpus.shape, corpus.sampled) is None


def test_the_form_of_calls_is_part_of_the_shape_and_changes_no_other_fingerprint(tmp_path: Path) -> None:
    corpus = opened(tmp_path, [ROW])
    assert "calls" not in corpus.shape.spec
    tagged = corpus.with_roles({"text": 'conversation:{"calls":"tagged-1",' + corpus.shape.spec.split("{", 1)[1]})
    assert tagged.shape.calls == "tagged-1" and tagged.fingerprint != corpus.fingerprint
    assert Shape.parse(tagged.shape.spec) == tagged.shape and "calls in tags" in tagged.shape.words
    with pytest.raises(SettingError, match="Unknown form of calls"):
        Shape("conversation", {"messages": "m"}, calls="brackets")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("<tool_call>{}</tool_call>", [("tool_call", "")]),
        ("<tool_call>no json</tool_call>", [("tool_call", "no json")]),
        ('<tool_call>{"name": "ls"}', [("tool_call", "ls")]),
        ('a <tool_call>{"name": "ls"}</tool_call> b', [("text", "a"), ("tool_call", "ls"), ("text", "b")]),
        ("a <tool_response>b</tool_response>", [("text", "a <tool_response>b</tool_response>")]),
        ("</tool_call> alone", [("text", "</tool_call> alone")]),
    ],
)
def test_odd_tags_have_a_defined_outcome(text: str, parts: list[tuple[str, str]]) -> None:
    shape = Shape("conversation", {"messages": "m"}, calls="tagged-1")
    found = read_row(shape, {"m": chat(("assistant", text))}, {"m": ("m",)})
    assert [(KINDS[part.kind], part.text) for part in found] == parts


def test_an_edit_goes_into_the_arguments_and_leaves_names_and_tags(tmp_path: Path) -> None:
    shape = Shape("conversation", {"messages": "conversations"}, "from", "value", calls="tagged-1")
    edited = map_texts(shape, ROW, {"conversations": ("conversations",)}, str.upper)
    answer = edited["conversations"][2]["value"]
    assert answer.startswith("<think>I ASK.</think>\nLET ME LOOK.\n<tool_call>\n")
    assert '{"name": "weather", "arguments": {"town": "ULM", "days": 2}}' in answer
    assert edited["conversations"][3]["value"] == "<tool_response>\nSUNNY\n</tool_response>"
    assert map_texts(shape, ROW, {"conversations": ("conversations",)}, lambda text: text) == ROW


def test_an_answer_in_a_column_of_its_own_calls_tools_too(tmp_path: Path) -> None:
    shape = Shape("conversation", {"user": "prompt", "assistant": "completion"}, calls="tagged-1")
    rows = [{"prompt": "Weather?", "completion": f"I look. {CALL}"}, {"prompt": "Hi", "completion": "Hello"}]
    corpus = opened(tmp_path, rows, roles={"text": shape.spec})
    assert said(corpus)[1:] == [("assistant", "text", "I look."), PARTS[4]]


pieces = st.sampled_from(["<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>",
                          '{"name": "ls"}', '{"arguments": {"a": "b"}}', "text", " ", "\n"])  # fmt: skip
content = st.lists(pieces, max_size=7).map("".join)
words = st.sampled_from(["user", "assistant", "system", "tool", "function_call", "wizard"])
messages = st.lists(st.fixed_dictionaries({"role": words, "content": content}), max_size=4)
rows = st.lists(messages, min_size=1, max_size=6)


@given(rows)
def test_a_batch_has_the_parts_that_its_rows_have_one_by_one_and_edits_keep_what_they_do_not_touch(
    values: list[list[dict[str, str]]],
) -> None:
    shape, places = Shape("conversation", {"messages": "m"}, calls="tagged-1"), {"m": ("m",)}
    array = pa.array(values)
    column = conform(array, settled(plain(array.type)))
    batch = read_batch(shape, {"m": column}, places, len(values))
    for at, value in enumerate(column.to_pylist()):
        span = slice(batch.starts[at], batch.starts[at + 1])
        try:
            one = read_row(shape, {"m": value}, places)
        except MalformedError as error:
            assert batch.reasons[at].as_py() == str(error)
            continue
        assert [(p.role, p.kind, p.turn, p.text, p.unclosed) for p in one] == list(
            zip(
                batch.role[span].tolist(), batch.kind[span].tolist(), batch.turn[span].tolist(),
                batch.texts[span].to_pylist(), batch.unclosed[span].tolist(), strict=True,
            )
        )  # fmt: skip
        assert map_texts(shape, {"m": value}, places, lambda text: text) == {"m": value}
