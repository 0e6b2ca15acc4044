"""The audit of conversations agrees with plain Python, row by row and in batches, and marks what it counts."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_audit import plain_audit

from tamis.analytics.recipe.presets import RULE_SETS
from tamis.analytics.signals.audit import AuditLists, audit_step, audit_table
from tamis.analytics.signals.audit_marks import audit_marks
from tamis.analytics.signals.audit_signals import AUDIT
from tamis.analytics.signals.audit_tools import declared_tools, follows_schema, read_calls
from tamis.analytics.signals.phrase_lists import PhraseList, packaged_list, workspace_list
from tamis.analytics.study.standard_analysis import analysis_steps
from tamis.data.errors import SettingError
from tamis.data.message import MalformedError
from tamis.data.open_corpus import open_corpus
from tamis.data.parts import MessagePart, Parts
from tamis.data.row_parts import read_row
from tamis.data.shapes import Shape
from tamis.data.workspace import Workspace

LISTS = AuditLists.packaged()
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "required": ["a"]}}}]
DECLARED = declared_tools(TOOLS)
SHAPE = Shape("conversation", {"messages": "m"})


def parts_of(rows: list[Any]) -> list[list[MessagePart]]:
    """Return the parts of rows that are documents."""
    found = []
    for row in rows:
        try:
            found.append(read_row(SHAPE, {"m": row}, {"m": ("m",)}))
        except MalformedError:
            continue
    return found


def audited(rows: list[Any], tools: list[Any] | None = None) -> list[dict[str, Any]]:
    """Return the signals of rows, one by one the same as together."""
    held = parts_of(rows)
    column = None if tools is None else pa.array([json.dumps(tools)] * len(held))
    whole = audit_table(Parts.of(held), "conversation", column, LISTS)
    single = [
        audit_table(Parts.of([row]), "conversation", None if column is None else column.slice(at, 1), LISTS)
        for at, row in enumerate(held)
    ]
    assert not single or pa.concat_tables(single).equals(whole)
    found: list[dict[str, Any]] = whole.to_pylist()
    return found


def one(*messages: Any, tools: list[Any] | None = None) -> dict[str, Any]:
    """Return the signals of one conversation that are neither 0 nor NULL, but for its counts of turns."""
    row = audited([[m if isinstance(m, dict) else {"role": m[0], "content": m[1]} for m in messages]], tools)[0]
    plain = ("n_turns", "n_user_turns", "n_assistant_turns", "answer_prompt_ratio", "repeats_question")
    return {name: value for name, value in row.items() if value and name not in plain}


def call(name: str = "f", arguments: Any = '{"a": 1}', id: str = "") -> dict[str, Any]:
    held = {"function": {"name": name, "arguments": arguments}} | ({"id": id} if id else {})
    return {"role": "assistant", "content": None, "tool_calls": [held]}


def result(text: str = "r", id: str = "") -> dict[str, Any]:
    return {"role": "tool", "content": text} | ({"tool_call_id": id} if id else {})


U, A = ("user", "What is a sieve?"), ("assistant", "A tool with holes.")
LONG = "It has many small holes and a frame made of wood or of metal, and it parts the fine from the coarse grains"
FAULTS = {
    "starts with the assistant": ((A, U, A), {"starts_with_assistant": True}),
    "starts with the assistant after the system": (
        (("system", "Be kind."), A, U, A), {"starts_with_assistant": True, "n_system_turns": 1},
    ),
    "two of a role in a row": ((U, U, U, A), {"repeated_role": 2}),
    "ends with the user": ((U, A, U), {"ends_with_user": True}),
    "an unknown role": ((U, ("wizard", "abra"), A), {"unknown_role": 1}),
    "two system turns": ((("system", "a"), ("system", "b"), U, A), {"n_system_turns": 2, "repeated_role": 1}),
    "an empty turn": ((U, ("assistant", " \n")), {"empty_turns": 1}),
    "no content": ((U, {"role": "assistant", "content": None}), {"empty_turns": 1}),
    "an empty list of content": ((U, {"role": "assistant", "content": []}), {"empty_turns": 1}),
    "thinking without end": ((U, ("assistant", "<think>hm")), {"unclosed_thinking": 1}),
    "thinking without beginning": ((U, ("assistant", "hm</think>A tool.")), {"unclosed_thinking": 1}),
    "empty thinking": ((U, ("assistant", "<think>\n</think>A tool.")), {"empty_thinking": 1}),
    "sound thinking": ((U, ("assistant", "<think>hm</think>A tool.")), {}),
    "a call with its result": ((U, call(), result(), A), {"n_tool_calls": 1}),
    "a call without result": ((U, call(), A), {"n_tool_calls": 1, "calls_without_result": 1, "repeated_role": 1}),
    "a call at the end": ((U, call()), {"n_tool_calls": 1, "calls_without_result": 1, "ends_with_call": True}),
    "a result without call": ((U, result(), A), {"results_without_call": 1}),
    "a result of another call": (
        (U, call(id="x"), result(id="y"), A),
        {"n_tool_calls": 1, "calls_without_result": 1, "results_without_call": 1},
    ),
    "results in another order": (
        (U, call(id="x"), call(id="y", arguments='{"a": 2}'), result(id="y"), result(id="x"), A), {"n_tool_calls": 2},
    ),
    "an undeclared tool": ((U, call("g"), result(), A), {"n_tool_calls": 1, "undeclared_tools": 1}),
    "arguments that are no JSON": ((U, call(arguments="{"), result(), A), {"n_tool_calls": 1, "invalid_arguments": 1}),
    "arguments that are a list": ((U, call(arguments="[1]"), result(), A), {"n_tool_calls": 1, "invalid_arguments": 1}),
    "arguments against the schema": (
        (U, call(arguments={"b": 1}), result(), A), {"n_tool_calls": 1, "schema_violations": 1},
    ),
    "the third call after two equal replies": (
        (U, call(), result(), call(), result(), call(), result(), A), {"n_tool_calls": 3, "repeated_calls": 1},
    ),
    "the third call after two replies": (
        (U, call(), result("1"), call(), result("2"), call(), result("2"), A), {"n_tool_calls": 3},
    ),
    "a refusal": ((U, ("assistant", "I’m sorry, but I can't assist with that.")), {"refusals": 1}),
    "a refusal that is quoted late": ((U, ("assistant", f"{LONG * 3}. He wrote: I cannot assist with it.")), {}),
    "a foreign identity": (
        (U, ("assistant", "I am ChatGPT, a large language model trained by OpenAI.")), {"foreign_identity": 1},
    ),
    "a name alone": ((U, ("assistant", "ChatGPT is a model that OpenAI made.")), {}),
    "an answer that breaks off": ((U, ("assistant", LONG)), {"truncated_answer": True}),
    "an answer that ends": ((U, ("assistant", LONG + ".")), {}),
    "a list": ((U, ("assistant", f"{LONG}.\n\n- {LONG}")), {}),
    "an open fence": ((U, ("assistant", "```py\nprint(1)")), {"truncated_answer": True}),
    "an open bracket": ((U, ("assistant", f"{LONG}.\nIt costs little (see")), {"truncated_answer": True}),
    "a short answer": ((U, ("assistant", "Paris")), {}),
    "another language": (
        (
            ("user", "Where does the river that passes the old mill come from, and where does it flow to?"),
            ("assistant", "Der Fluss entspringt in den Bergen im Süden und fließt an der alten Mühle vorbei zum Meer."),
        ),
        {"answer_language_differs": True},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_counted_and_nothing_else(name: str) -> None:
    messages, expected = FAULTS[name]
    assert one(*messages, tools=TOOLS) == expected


def test_without_a_column_of_tools_nothing_is_undeclared() -> None:
    row = audited([[{"role": "user", "content": "q"}, call("g", "{}"), result()]])[0]
    assert row["undeclared_tools"] is None and row["schema_violations"] is None


PHRASES = {
    "en": "As an AI language model, I cannot help you with this.",
    "de": "Es tut mir leid, aber ich kann Ihnen dabei nicht helfen.",
    "fr": "Je suis désolé, mais je ne peux pas vous aider.",
    "es": "Lo siento, pero no puedo ayudarte con eso.",
    "it": "Mi dispiace, ma non posso aiutarti.",
    "pt": "Desculpe, mas não posso ajudar com isso.",
    "nl": "Het spijt me, maar ik kan u niet helpen.",
    "pl": "Przykro mi, ale nie mogę w tym pomóc.",
    "ru": "К сожалению, я не могу помочь с этим.",
    "zh": "抱歉，我无法提供这类信息。",
    "ja": "申し訳ありませんが、その件についてはお答えできません。",
}
IDENTITIES = {
    "en": "I'm an assistant that was created by Anthropic.",
    "de": "Ich bin ein Sprachmodell, das von OpenAI trainiert wurde.",
    "fr": "Je suis ChatGPT.",
    "es": "Soy un modelo de lenguaje entrenado por OpenAI.",
    "it": "Sono ChatGPT, come posso aiutarti?",
    "pt": "Sou o ChatGPT.",
    "nl": "Ik ben ChatGPT.",
    "pl": "Jestem modelem stworzonym przez OpenAI.",
    "ru": "Я — ChatGPT.",
    "zh": "我是由OpenAI训练的语言模型。",
    "ja": "私はOpenAIによって作られました。",
}


@pytest.mark.parametrize("language", PHRASES)
def test_refusals_and_identities_are_found_in_each_language(language: str) -> None:
    assert one(U, ("assistant", PHRASES[language])) == {"refusals": 1}
    assert one(U, ("assistant", IDENTITIES[language])) == {"foreign_identity": 1}
    assert {"refusals", "foreign_identity"}.isdisjoint(one(("user", PHRASES[language]), A))


def test_a_list_of_phrases_in_the_workspace_replaces_the_packaged_one_and_is_part_of_the_key(tmp_path: Path) -> None:
    corpus = _corpus(
        tmp_path, [{"messages": [dict(zip(("role", "content"), each, strict=True)) for each in (U, A)]}] * 3
    )
    workspace = Workspace(tmp_path / "home")
    before = next(step for step in analysis_steps(corpus, workspace) if step.name == "audit")
    assert "refusals@1" in str(before.params) and "identity@1" in str(before.params)
    (tmp_path / "home" / "phrases").mkdir(parents=True)
    path = tmp_path / "home" / "phrases" / "refusals.txt"
    path.write_text("# mine@3\n[en]\nno such luck\n", "utf-8")
    after = next(step for step in analysis_steps(corpus, workspace) if step.name == "audit")
    assert "mine@3" in str(after.params) and after.params != before.params
    own = workspace_list(workspace.root, "refusals")
    assert own.find("Sorry, no  such LUCK.") == (7, 20) and own.find("no such lucky") is None
    assert workspace_list(workspace.root, "identity") == packaged_list("identity")
    for text, said in (
        ("[en]\nx\n", "name@version"),
        ("# a@1\nx\n", "before the first section"),
        ("# a@1\n", "no phrase"),
    ):
        path.write_text(text, "utf-8")
        with pytest.raises(SettingError, match=said):
            workspace_list(workspace.root, "refusals")


def _corpus(folder: Path, rows: list[Any]) -> Any:
    path = folder / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return open_corpus(path)


def test_plain_text_is_not_audited(tmp_path: Path) -> None:
    steps = analysis_steps(
        _corpus(tmp_path, [{"text": f"a text {n} of words"} for n in range(4)]), Workspace(tmp_path / "w")
    )
    names = {step.name for step in steps}
    assert names.isdisjoint({"audit", "preference"})
    assert {"audit", "preference"}.isdisjoint(next(step for step in steps if step.name == "facts").upstream)


def test_the_step_reads_all_rows_in_batches_of_any_size(tmp_path: Path) -> None:
    rows = [
        {"messages": [{"role": "user", "content": f"q {n}"}, call(), result()][: n % 4], "tools": TOOLS}
        for n in range(60)
    ]
    corpus = _corpus(tmp_path, rows)
    step = audit_step(corpus, LISTS)
    assert step.params["tools"] == "tools"
    found = []
    for most in (1, 7, 8192):
        tables = [
            audit_table(parts, "conversation", further.column(0), LISTS)
            for parts, further in corpus.document_parts(corpus.shards()[0], columns=["tools"], max_rows=most)
        ]
        found.append(pa.concat_tables(tables).combine_chunks())
    assert found[0].equals(found[1]) and found[1].equals(found[2])
    assert found[0].num_rows == 45


WORDS = "the river flows past a mill ( [ ] ) ``` , . : I cannot assist with <think> </think> ChatGPT I am"
words = st.sampled_from(WORDS.split())
texts = st.one_of(
    st.lists(words, max_size=40).map(" ".join),
    st.text("aZ9_ \t\n\x0b\x1c\x85\u2028\u3000.,:;()[]{}`-–…é<>/*", max_size=8),
    st.just(LONG),
    st.just(LONG + " ("),
)
names = st.sampled_from(["user", "assistant", "system", "tool", "human", "gpt", "wizard", "Assistant"])
ids = st.sampled_from(["", "1", "2"])
arguments = st.sampled_from(['{"a": 1}', '{"a":1}', "{", "[1]", '{"b": {}}', ""])
calls = st.lists(
    st.fixed_dictionaries(
        {"id": ids, "function": st.fixed_dictionaries({"name": st.sampled_from("fg"), "arguments": arguments})}
    ),
    max_size=2,
)
messages = st.lists(
    st.fixed_dictionaries(
        {"role": names, "content": st.one_of(texts, st.none())},
        optional={"tool_calls": calls, "tool_call_id": ids, "reasoning_content": st.sampled_from([" ", "hm"])},
    ),
    min_size=1,
    max_size=8,
)


@given(st.lists(messages, min_size=1, max_size=5), st.booleans())
def test_a_batch_agrees_with_plain_python_and_with_its_marks(rows: list[Any], has_tools: bool) -> None:
    held = parts_of(rows)
    tools = TOOLS if has_tools else None
    declared = DECLARED if has_tools else None
    for parts, found in zip(held, audited(rows, tools), strict=True):
        expected = plain_audit(parts, "conversation", declared, LISTS.refusals, LISTS.identity)
        for name, value in expected.items():
            assert found[name] == (None if value is None else pytest.approx(value, rel=1e-6)), (name, parts)
        marks = audit_marks(Parts.of([parts]), declared=declared, lists=LISTS)
        counted = Counter(mark.signal for mark in marks)
        for signal in (signal for signal in AUDIT if signal.name in counted or found[signal.name]):
            if signal.name.startswith("n_") or signal.dtype == "float32" or signal.name == "ends_with_call":
                continue
            wanted = found[signal.name]
            assert counted[signal.name] == wanted or (signal.dtype == "bool" and bool(counted[signal.name]) == wanted)
        assert all(0 <= mark.begin <= mark.end <= len(parts[mark.part].text) for mark in marks)


SCHEMAS = [
    ({"type": "string"}, "x", 3),
    ({"type": ["integer", "null"]}, None, "x"),
    ({"type": "integer"}, 3.0, 3.5),
    ({"type": "number"}, 1.5, True),
    ({"type": "float"}, 1.5, "x"),
    ({"enum": ["a", "b"]}, "a", "c"),
    ({"const": 1}, 1, 2),
    ({"required": ["a"]}, {"a": None}, {}),
    ({"properties": {"a": {"type": "string"}}}, {"a": "x", "b": 1}, {"a": 1}),
    ({"properties": {"a": {}}, "additionalProperties": False}, {"a": 1}, {"b": 1}),
    ({"additionalProperties": {"type": "string"}}, {"b": "x"}, {"b": 1}),
    ({"items": {"type": "string"}}, ["x"], ["x", 1]),
    ({"anyOf": [{"type": "string"}, {"type": "null"}]}, None, 1),
    ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, 1.5, 1),
    ({"allOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"a": 1, "b": 1}, {"a": 1}),
]


@pytest.mark.parametrize(("schema", "good", "bad"), SCHEMAS)
def test_arguments_are_checked_against_their_schema(schema: Any, good: Any, bad: Any) -> None:
    assert follows_schema(good, schema) and not follows_schema(bad, schema)


def test_what_a_schema_says_in_unknown_words_does_not_matter() -> None:
    assert all(
        follows_schema({"a": 1}, schema) for schema in (None, {}, {"type": "any"}, {"pattern": "(a+)+$"}, {"type": 3})
    )


def test_calls_are_read_in_every_spelling() -> None:
    assert [(each.name, each.valid) for each in read_calls('[{"name": "f", "arguments": {}}, {"name": "g"}]')] == [
        ("f", True), ("g", True),
    ]  # fmt: skip
    assert read_calls('f {"b": 1, "a": 2}')[0].text == read_calls('f {"a":2,"b":1}')[0].text
    assert [each.valid for each in read_calls('{"name": ')] == [False]


@pytest.mark.parametrize("value", ["{", '[{"function": 3}]', 3])
def test_tools_that_cannot_be_read_are_not_known(value: Any) -> None:
    assert declared_tools(value) is None


def test_the_preset_reads_signals_of_the_audit() -> None:
    assert set(RULE_SETS["conversation-audit"].reads()) <= {signal.name for signal in AUDIT}


def test_phrases_with_many_names_are_found_far_inside_a_text() -> None:
    text = "word " * 5000 + "I am ChatGPT. " + "word " * 5000
    assert packaged_list("identity").find(text) == (25000, 25012)
    assert np.array_equal(
        packaged_list("identity").found_in(pa.array([text, "word", ""], pa.large_string())), [True, False, False]
    )
    assert isinstance(packaged_list("refusals"), PhraseList)
