"""Documents of every shape as people read them, and what a shape makes of rows before it is chosen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from chat_corpora import conversations, preferences, write_rows
from layouts import LAYOUTS, Layout, chat

from tamis.analytics.steps.part_counts import PartCounts, part_counts_step
from tamis.analytics.steps.pipeline import analyze
from tamis.analytics.study.error_rows import error_places, error_rows
from tamis.analytics.study.readings import Reading, count_reasons, preview_shape, read_documents
from tamis.data.corpus import Corpus
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

OPENED = [layout for layout in LAYOUTS if layout.shape]


def opened(folder: Path, rows: object, **options: object) -> Corpus:
    return open_corpus(write_rows(folder / "a.jsonl", list(rows)), **options)  # type: ignore[call-overload,arg-type]


def said(document: Reading) -> list[tuple[str, str]]:
    return [(document.parts[at].title, document.parts[at].text) for at in document.gist()]


@pytest.mark.parametrize("layout", OPENED, ids=lambda layout: layout.name)
def test_a_reading_has_the_text_of_the_document_and_its_parts_lie_in_it(layout: Layout, tmp_path: Path) -> None:
    corpus = opened(tmp_path, layout.rows)
    rows = corpus.take(range(corpus.rows))
    found = read_documents(corpus, rows)
    assert [document.text for document in found] == corpus.texts_of(rows).to_pylist()
    if layout.shape == "text":
        assert found[0].parts == ()
        return
    assert [(part.role, part.kind) for part in found[0].parts] == [(role, kind) for role, kind, _ in layout.parts]
    for document in found:
        for part in document.parts:
            inside = document.text[part.start : part.start + len(part.text)] if part.start >= 0 else part.text
            assert inside == part.text


def test_an_image_is_its_address_and_data_in_the_row_only_its_type(tmp_path: Path) -> None:
    address = {"type": "image_url", "image_url": {"url": "https://a.invalid/cat.png"}}
    inside = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    rows = [{"messages": chat(("user", [{"type": "text", "text": "See"}, image]), ("assistant", "A cat."))}
            for image in (address, inside)]  # fmt: skip
    corpus = opened(tmp_path, rows)
    parts = [document.parts[1] for document in read_documents(corpus, corpus.take([0, 1]))]
    assert [(part.kind, part.text, part.start) for part in parts] == [
        ("image", "https://a.invalid/cat.png", -1),
        ("image", "data:image/png;base64", -1),
    ]


def test_a_malformed_row_is_read_as_its_reason(tmp_path: Path) -> None:
    corpus = opened(tmp_path, conversations(6))
    found = read_documents(corpus, corpus.take(np.arange(6, 9)))
    assert [document.reason for document in found] == [
        "messages is an empty list", "messages is NULL", "message 1 has no role (role)",
    ]  # fmt: skip


def test_the_gist_is_the_first_question_with_its_answer_or_both_sides_or_what_is_marked(tmp_path: Path) -> None:
    turns = chat(("system", "Be kind."), ("user", "Why?"), ("assistant", "<think>hm</think>Because."), ("user", "Oh"))
    corpus = opened(tmp_path / "one", [{"messages": turns}] * 2 + [{"messages": chat(("user", "Hi"))}])
    document, *_, alone = read_documents(corpus, corpus.take([0, 1, 2]))
    assert said(document) == [("user", "Why?"), ("assistant", "Because.")]
    assert said(alone) == [("user", "Hi")]
    at = document.text.index("Oh")
    assert document.gist([(at, at + 2)]) == [4]
    pairs = opened(tmp_path / "two", preferences(3))
    assert [title for title, _ in said(read_documents(pairs, pairs.take([0]))[0])] == ["user", "chosen", "rejected"]


def test_a_preview_counts_the_rows_that_are_no_documents_with_their_reasons(tmp_path: Path) -> None:
    corpus = opened(tmp_path, [*conversations(10), {"messages": []}])
    found = preview_shape(corpus, rows=1_000, shown=4)
    assert (found.rows, len(found.readings), found.refused) == (14, 4, 4)
    assert found.reasons[0] == ("messages is an empty list", 2)
    wrong = corpus.with_roles({"text": 'conversation:{"messages":"messages","role_key":"speaker"}'})
    assert preview_shape(wrong).refused == 14
    text = corpus.with_roles({"text": "source"})
    assert preview_shape(text).reasons == (("it has no text", 1),)


def test_turns_and_parts_are_counted_exactly_whatever_the_shards(tmp_path: Path, workspace: Workspace) -> None:
    rows = conversations(40)
    write_rows(tmp_path / "c" / "a.jsonl", rows[:25])
    write_rows(tmp_path / "c" / "b.jsonl", rows[25:])
    corpus = open_corpus(tmp_path / "c")
    analysis = analyze(corpus, workspace, steps=[part_counts_step()])
    counted = PartCounts.read(analysis.artifacts)
    readings = [each for each in read_documents(corpus, corpus.take(range(corpus.rows))) if not each.reason]
    parts = [part for document in readings for part in document.parts]
    assert counted is not None
    assert counted.turns == sum(document.turns for document in readings)
    assert counted.parts == len(parts)
    assert {(each.role, each.kind): each.parts for each in counted.counts} == {
        key: sum((part.role, part.kind) == key for part in parts) for key in {(p.role, p.kind) for p in parts}
    }
    held = [part for part in parts if part.kind != "image"]
    assert sum(each.bytes for each in counted.counts) == sum(len(part.text.encode()) for part in held)


def test_rows_that_are_no_documents_are_listed_with_their_file_place_and_content(
    tmp_path: Path, workspace: Workspace
) -> None:
    write_rows(tmp_path / "c" / "a.jsonl", conversations(8))
    write_rows(tmp_path / "c" / "b.jsonl", [{"id": "x", "messages": [], "source": "s"}])
    analysis = analyze(open_corpus(tmp_path / "c"), workspace, steps=[part_counts_step()])
    documents = analysis.documents
    assert count_reasons(documents.errors.column("reason"))[0] == ("messages is an empty list", 2)
    found = error_rows(analysis.corpus, documents, error_places(documents, "messages is an empty list"))
    assert {(row.file, row.row) for row in found} == {("a.jsonl", 9), ("b.jsonl", 1)}
    assert all('"messages": []' in row.json and row.reason == "messages is an empty list" for row in found)
    everything = error_rows(analysis.corpus, documents, error_places(documents))
    assert len(everything) == documents.errors.num_rows == 4
