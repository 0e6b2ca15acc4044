"""The drift of new files against old ones is what a plain comparison of every pair of documents finds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from narrow_analysis import narrow_steps

from tamis.analytics.study.drift import find_drift
from tamis.analytics.study.study import Study
from tamis.data.corpus_states import CorpusStates, file_contents, new_documents
from tamis.data.errors import SettingError
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

OLD = [f"The river runs past the old stone house number {number} to the sea in the evening." for number in range(40)]
NEW = [f"prices fell {number} percent" for number in range(20)]
COPIES = OLD[:3]
NEAR = [f"{text} Again and again." for text in OLD[5:7]]


def write(path: Path, texts: list[str], source: str) -> None:
    """Write texts as JSON Lines."""
    path.write_text("".join(json.dumps({"text": text, "source": source}) + "\n" for text in texts))


@pytest.fixture
def grown(tmp_path: Path) -> tuple[Study, tuple[str, ...]]:
    """Return the study of a folder that grew, and the contents of its old files."""
    folder, workspace = tmp_path / "texts", Workspace(tmp_path / "home")
    folder.mkdir()
    write(folder / "a.jsonl", OLD[:25], "books")
    write(folder / "b.jsonl", OLD[25:], "books")
    known = file_contents(open_corpus(folder))
    write(folder / "new.jsonl", [*NEW, *COPIES, *NEAR], "news")
    corpus = open_corpus(folder)
    steps = narrow_steps(corpus, workspace, "signals", "language", "tokens", "exact", "columns")
    return Study.open(corpus, workspace, steps=steps), known


def test_drift_is_exact(grown: tuple[Study, tuple[str, ...]]) -> None:
    study, known = grown
    found = find_drift(study, known, near=True, signals=100)
    new = new_documents(study.corpus, study.documents, known)
    assert (found.old.documents, found.new.documents) == (len(OLD), len(NEW) + len(COPIES) + len(NEAR))
    assert found.old.bytes == sum(len(text.encode()) for text in OLD)
    assert found.repeated == len(COPIES)
    assert found.similar == len(NEAR)
    words = study.facts.numbers("n_words")
    greater = (words[new][:, None] > words[~new]).mean() + (words[new][:, None] == words[~new]).mean() / 2
    assert {row.column: row.auc for row in found.signals}["n_words"] == pytest.approx(greater)
    assert found.groups["source"].to_pylist() == [
        {"value": "books", "first": 1.0, "second": 0.0},
        {"value": "news", "first": 0.0, "second": 1.0},
    ]


def test_drift_needs_an_old_and_a_new_part(grown: tuple[Study, tuple[str, ...]]) -> None:
    study, _ = grown
    with pytest.raises(SettingError, match="no old documents"):
        find_drift(study, ())
    with pytest.raises(SettingError, match="no new documents"):
        find_drift(study, file_contents(study.corpus))


def test_files_of_text_are_new_one_by_one(tmp_path: Path) -> None:
    folder, workspace = tmp_path / "texts", Workspace(tmp_path / "home")
    folder.mkdir()
    for number, text in enumerate(OLD[:10]):
        (folder / f"{number}.md").write_text(text)
    known = file_contents(open_corpus(folder))
    (folder / "4b.md").write_text("another text")
    corpus = open_corpus(folder)
    study = Study.open(corpus, workspace, steps=narrow_steps(corpus, workspace, "tokens"))
    new = new_documents(corpus, study.documents, known)
    texts = corpus.texts_of(corpus.fetch(study.documents, np.flatnonzero(new))).to_pylist()
    assert texts == ["another text"]


def test_the_states_of_a_corpus_tell_what_it_grew_from(tmp_path: Path) -> None:
    folder, root = tmp_path / "texts", tmp_path / "home"
    folder.mkdir()
    write(folder / "a.jsonl", OLD, "books")
    first = open_corpus(folder)
    states = CorpusStates.of(root, first)
    states.note(first)
    states.note(first)
    assert states.all() == [list(file_contents(first))]
    assert states.before(first) is None
    write(folder / "b.jsonl", NEW, "news")
    second = open_corpus(folder)
    states.note(second)
    assert states.before(second) == frozenset(file_contents(first))
    states.file.write_bytes(b"no record")
    assert states.before(second) is None


def test_the_analysis_notes_the_state(grown: tuple[Study, tuple[str, ...]]) -> None:
    study, _ = grown
    states = CorpusStates.of(study.workspace.root, study.corpus).all()
    assert states == [sorted(file_contents(study.corpus))]
