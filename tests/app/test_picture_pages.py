"""Every page of a corpus of pictures without captions has something to show, and none fails."""

from __future__ import annotations

from pathlib import Path

from dashboard import served
from drawn_pictures import SERVER, analyse_pictures, write_pictures
from session_client import Session

from tamis.app.pages.navigation import PAGES
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import CorpusEntry, Workspace


def test_no_page_fails_where_there_are_no_words_at_all(tmp_path: Path) -> None:
    corpus = write_pictures(tmp_path / "corpus", 30, twins=2, captions=False)
    study = analyse_pictures(corpus, tmp_path / "home", "drawn")
    assert study.corpus.shape.columns == {"image": "image"} and "n_tokens" not in study.facts.columns
    faults, silent = {}, []
    with served(tmp_path / "home", corpus, program=SERVER) as dashboard:
        session = Session(dashboard.url, query="corpus=drawn")
        session.open("")
        for name, _, _ in PAGES:
            session.open("" if name == "overview" else name)
            faults |= {name: session.faults} if session.faults else {}
            silent += [] if session.said or len(session.widgets) > 6 else [name]
        session.close()
    assert not faults and not silent


def test_pictures_are_shown_before_any_step_of_the_analysis_is_done(tmp_path: Path) -> None:
    corpus = write_pictures(tmp_path / "corpus", 30)
    fingerprint = open_corpus(corpus).fingerprint
    Workspace(tmp_path / "home").remember(CorpusEntry("drawn", str(corpus), fingerprint=fingerprint))
    with served(tmp_path / "home", corpus, program=SERVER) as dashboard:
        session = Session(dashboard.url, query="corpus=drawn")
        session.open("")
        for name in ("", "documents"):
            session.open(name)
            assert not session.faults and any("image/webp" in body for body in session.html), name
        session.close()
