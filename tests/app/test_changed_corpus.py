"""The rail says that files changed since a corpus was opened: what was analysed is not there for another corpus."""

from __future__ import annotations

from pathlib import Path

from labelled_pictures import write_labelled

from tamis.app.dashboard.waiting import changed_words
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import CorpusEntry


def test_a_deleted_picture_makes_another_corpus_and_the_rail_says_so(tmp_path: Path) -> None:
    folder = write_labelled(tmp_path / "pictures", {"fields": 2, "seas": 2})
    corpus = open_corpus(folder)
    entry = CorpusEntry("pictures", str(folder), fingerprint=corpus.fingerprint)
    assert changed_words(entry, corpus) == changed_words(CorpusEntry("pictures", str(folder)), corpus) == ""
    next(folder.rglob("seas-*.png")).unlink()
    assert changed_words(entry, open_corpus(folder)).startswith("Its files or roles changed since it was opened")
