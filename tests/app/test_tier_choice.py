"""The embedding tier can be chosen before and after the analysis, by owners."""

from __future__ import annotations

from pathlib import Path

import pytest
from dashboard import served
from docstrings import docstrings, write_corpus
from drawn_pictures import SERVER, analyse_pictures, write_pictures
from session_client import Session
from shared_corpus import SharedCorpus

from tamis.analytics.map.options import MapOptions, read_options, write_options
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace


def test_another_tier_is_remembered_and_its_analysis_is_planned(docstring_corpus: SharedCorpus, tmp_path: Path) -> None:
    corpus, home = docstring_corpus.corpus, docstring_corpus.copy_home(tmp_path / "home")
    with served(home, corpus) as dashboard:
        session = Session(dashboard.url, query="corpus=corpus")
        session.open("")
        assert ("button", "Start the analysis") not in session.widgets
        session.choose("Embedding", "precise")
        assert ("button", "Start the analysis") in session.widgets
        session.close()
    assert read_options(Workspace(home), open_corpus(corpus)).tier == "precise"


def test_pictures_are_offered_no_tiers_of_texts(tmp_path: Path) -> None:
    corpus = write_pictures(tmp_path / "corpus", 12)
    analyse_pictures(corpus, tmp_path / "home", "drawn")
    with served(tmp_path / "home", corpus, program=SERVER) as dashboard:
        session = Session(dashboard.url, query="corpus=drawn")
        session.open("")
        assert session.widgets and not any(label == "Embedding" for _, label in session.widgets)
        session.close()


@pytest.mark.parametrize("tier", ["auto", "fast", "tuned", "precise"])
def test_every_tier_is_kept_in_the_workspace(tmp_path: Path, tier: str) -> None:
    corpus = open_corpus(write_corpus(tmp_path / "corpus", docstrings(("json",))))
    write_options(Workspace(tmp_path / "home"), corpus, MapOptions(tier=tier))
    assert read_options(Workspace(tmp_path / "home"), corpus).tier == tier
