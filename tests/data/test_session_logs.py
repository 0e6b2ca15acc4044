"""Logs of agent sessions: one file a session, one event a line, each file one conversation."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from command_line import tamis
from layouts import LAYOUTS, session_events

from tamis.data.corpus import Corpus
from tamis.data.errors import CorpusError
from tamis.data.open_corpus import open_corpus
from tamis.data.parts import KINDS, ROLES

[LAYOUT] = [layout for layout in LAYOUTS if "sessions of agents" in layout.name]
Event = dict[str, Any]


def write(folder: Path, sessions: dict[str, list[Event]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, events in sessions.items():
        (folder / name).write_text("".join(json.dumps(event) + "\n" for event in events), "utf-8")
    return folder


def said(corpus: Corpus) -> list[list[tuple[str, str, str]]]:
    """Return role, kind and text of the parts of each document, in the order of their texts."""
    parts = corpus.parts(corpus.take(range(corpus.rows)))
    flat = [
        (ROLES[role], KINDS[kind], text)
        for role, kind, text in zip(parts.role, parts.kind, parts.texts.to_pylist(), strict=True)
    ]
    return sorted(flat[a:b] for a, b in zip(parts.starts[:-1], parts.starts[1:], strict=True))


def turns(corpus: Corpus) -> list[int]:
    return [int(turn) for turn in corpus.parts(corpus.take([0])).turn]


def test_each_file_of_events_is_one_conversation(tmp_path: Path) -> None:
    folder = write(tmp_path / "logs", {f"s{n}.jsonl": session_events(n) for n in range(4)})
    corpus = open_corpus(folder)
    assert (corpus.rows, corpus.shape.kind, corpus.schema.names) == (4, "conversation", ["events"])
    assert said(corpus)[0] == list(LAYOUT.parts)
    assert [session[0][2] for session in said(corpus)] == [f"Which files are in folder {n}?" for n in range(4)]
    again = open_corpus(folder, roles=corpus.explicit_roles)
    assert (again.fingerprint, said(again)) == (corpus.fingerprint, said(corpus))


def test_what_the_assistant_says_in_several_events_is_one_turn(tmp_path: Path) -> None:
    corpus = open_corpus(write(tmp_path / "logs", {"s.jsonl": session_events(0)}))
    assert turns(corpus) == [0, 1, 1, 1, 2, 3]


def test_names_of_files_and_packing_change_no_document(tmp_path: Path) -> None:
    plain = open_corpus(write(tmp_path / "a", {"x.jsonl": session_events(1), "y.jsonl": session_events(2)}))
    named = open_corpus(write(tmp_path / "b", {"1.jsonl": session_events(2), "0.jsonl": session_events(1)}))
    assert named.fingerprint == plain.fingerprint and said(named) == said(plain)
    packed = tmp_path / "c"
    packed.mkdir()
    for n in (1, 2):
        (packed / f"{n}.jsonl.gz").write_bytes(gzip.compress((tmp_path / "a" / f"{'xy'[n - 1]}.jsonl").read_bytes()))
    assert said(open_corpus(packed)) == said(plain)


FLAT: dict[str, tuple[list[Event], list[tuple[str, str, str]]]] = {
    "events that are turns themselves": (
        [
            {"type": "user", "content": "Add two and two."},
            {"type": "thinking", "thinking": "easy"},
            {"type": "tool_use", "id": "a", "name": "add", "input": {"x": 2, "y": 2}},
            {"type": "tool_result", "tool_use_id": "a", "content": {"sum": 4}},
            {"type": "assistant", "text": "Four."},
        ],
        [
            ("user", "text", "Add two and two."),
            ("assistant", "thinking", "easy"),
            ("assistant", "tool_call", 'add {"x":2,"y":2}'),
            ("tool", "tool_result", '{"sum":4}'),
            ("assistant", "text", "Four."),
        ],
    ),
    "events in a payload": (
        [
            {"type": "session_meta", "payload": {"id": "s1", "cwd": "/home"}},
            {"type": "response_item", "payload": {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "Hello"}]}},
            {"type": "event_msg", "payload": {"type": "token_count", "total": 3}},
            {"type": "response_item", "payload": {
                "type": "function_call", "name": "ls", "arguments": "{}", "call_id": "c"}},
            {"type": "response_item", "payload": {"type": "function_call_output", "call_id": "c", "output": "a.txt"}},
        ],
        [("user", "text", "Hello"), ("assistant", "tool_call", "ls {}"), ("tool", "tool_result", "a.txt")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(FLAT))
def test_events_of_other_forms_are_parts_too(name: str, tmp_path: Path) -> None:
    events, parts = FLAT[name]
    corpus = open_corpus(write(tmp_path / "logs", {"s.jsonl": events}))
    assert said(corpus) == [parts]
    answered = [call for call in corpus.parts(corpus.take([0])).calls.to_pylist() if call]
    assert len(answered) == 2 and len(set(answered)) == 1


@pytest.mark.parametrize(
    "rows",
    [
        [{"type": "question", "text": "What is a sieve?"}, {"type": "answer", "text": "A tool that sorts."}],
        [{"type": "user", "text": "What is a sieve?"}, {"type": "assistant", "text": "A tool that sorts."}],
        [{"text": "What is a sieve?", "kind": "user"}, {"text": "A tool that sorts."}],
    ],
)
def test_rows_with_a_column_of_types_stay_rows(rows: list[Event], tmp_path: Path) -> None:
    corpus = open_corpus(write(tmp_path / "rows", {"a.jsonl": rows}))
    assert (corpus.rows, corpus.roles.text, corpus.files[0].format) == (2, "text", "jsonl")


def test_a_column_that_is_named_as_the_text_keeps_a_line_a_row(tmp_path: Path) -> None:
    folder = write(tmp_path / "logs", {"s.jsonl": session_events(0)})
    corpus = open_corpus(folder, roles={"text": "uuid"})
    assert (corpus.rows, corpus.files[0].format) == (6, "jsonl")


def test_a_broken_off_session_is_refused_or_read_up_to_there(tmp_path: Path) -> None:
    folder = write(tmp_path / "logs", {"a.jsonl": session_events(0), "b.jsonl": session_events(1)})
    whole = (folder / "b.jsonl").read_text("utf-8")
    (folder / "b.jsonl").write_text(whole[:-20], "utf-8")
    with pytest.raises(CorpusError, match=r"b\.jsonl, line 6 is not JSON.*broken off"):
        open_corpus(folder)
    assert open_corpus(folder, on_bad_file="skip").rows == 1
    skipped = open_corpus(folder, on_bad_line="skip")
    assert [len(session) for session in said(skipped)] == [6, 5]
    assert any("left out: 1 line of b.jsonl" in note for note in skipped.notes)


def test_a_session_without_a_turn_counts_as_an_error(tmp_path: Path) -> None:
    quiet = [{"type": "summary", "summary": "nothing"}, {"type": "file-history-snapshot", "messageId": "x"}]
    corpus = open_corpus(write(tmp_path / "logs", {"a.jsonl": session_events(0) * 2, "quiet.jsonl": quiet}))
    reasons = corpus.parts(corpus.take([0, 1])).reasons.to_pylist()
    assert sorted(reasons, key=str) == [None, "it has no turn"]


def test_a_file_that_is_no_session_among_sessions_is_named(tmp_path: Path) -> None:
    sessions = {f"s{n}.jsonl": session_events(n) for n in range(4)}
    folder = write(tmp_path / "logs", sessions)
    (folder / "odd.jsonl").write_text("[1, 2]\n", "utf-8")
    with pytest.raises(CorpusError, match=r"odd\.jsonl, line 1 is not a JSON object"):
        open_corpus(folder)


def test_sessions_are_analysed_redacted_and_written_with_their_events(tmp_path: Path) -> None:
    sessions = {f"s{n}.jsonl": session_events(n) for n in range(12)}
    sessions["s3.jsonl"][1]["message"]["content"] = "Write to ann@kitchen.org about folder 3."
    sessions["s4.jsonl"][3]["message"]["content"][0]["input"]["command"] = "mail bob@kitchen.org"
    folder = write(tmp_path / "logs", sessions)
    recipe = "schema_version: 1\ntitle: t\nsteps:\n- {id: a, operator: pii_redaction, params: {kinds: [email]}}\n"
    (tmp_path / "recipe.yaml").write_text(recipe, "utf-8")
    tamis("run", str(tmp_path / "recipe.yaml"), str(folder), "-o", str(tmp_path / "out"), home=tmp_path / "home")
    [file] = (tmp_path / "out" / "curated").glob("*.parquet")
    written = [json.loads(events) for events in pq.read_table(file).column("events").to_pylist()]
    expected = json.loads(json.dumps(list(sessions.values())).replace("ann@kitchen.org", "<EMAIL>"))
    expected = json.loads(json.dumps(expected).replace("bob@kitchen.org", "<EMAIL>"))
    assert sorted(map(json.dumps, written)) == sorted(map(json.dumps, expected))
