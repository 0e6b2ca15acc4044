"""A corpus whose model has gone from this machine: the pages say which, what is allowed and what to do."""

from __future__ import annotations

from pathlib import Path

from dashboard import served
from session_client import Session

from tamis.analytics.map.options import MapOptions, write_options
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import CorpusEntry, Workspace


def test_pages_name_the_model_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a.jsonl").write_text('{"text": "one"}\n{"text": "two"}\n')
    corpus, workspace = open_corpus(tmp_path / "corpus"), Workspace(tmp_path / "home")
    workspace.remember(CorpusEntry("two", str(tmp_path / "corpus"), fingerprint=corpus.fingerprint))
    write_options(workspace, corpus, MapOptions(tier="precise", model=str(tmp_path / "gone")))
    with served(tmp_path / "home", tmp_path / "corpus") as dashboard:
        session = Session(dashboard.url, query="corpus=two")
        session.open("")
        for name in ("", "map", "recipe"):
            session.open(name)
            assert session.faults and all("This model is not on this machine" in said for said in session.faults), name
            assert all("put the folder back" in said for said in session.faults), name
        session.close()
