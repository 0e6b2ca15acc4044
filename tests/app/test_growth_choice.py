"""What becomes of new documents is chosen by command and on Overview, and pages say when they were placed."""

from __future__ import annotations

import json
import re
from pathlib import Path

from dashboard import served, tamis
from session_client import Session
from topics import topic_texts

from tamis.analytics.map.options import read_options
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

SAID = re.compile(r"Map and clusters of \d{4}-\d\d-\d\d; 40 new documents placed")


def test_pages_and_command_say_that_new_documents_were_placed_until_the_map_is_rebuilt(tmp_path: Path) -> None:
    corpus, home, texts = tmp_path / "corpus", tmp_path / "home", topic_texts(40)[0]
    corpus.mkdir()
    for name, part in (("old", texts[1::4] + texts[2::4] + texts[3::4]), ("new", texts[::4])):
        (corpus / f"{name}.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in part))
        more = ("--new-documents", "placed") if name == "new" else ("--tier", "fast", "--map", "min_cluster_size=8")
        told = tamis("analyze", str(corpus), "--name", "corpus", *more, home=home).stdout
        assert bool(SAID.search(" ".join(told.split()))) == (name == "new")
    with served(home, corpus) as dashboard:
        session = Session(dashboard.url, query="corpus=corpus")
        session.open("")
        for page, times in (("", 1), ("documents", 1), ("map", 2), ("clusters", 2)):
            session.open(page)
            assert sum(bool(SAID.match(words)) for words in session.said) == times, page
        session.open("")
        session.choose("New documents", "map and clusters rebuilt")
        assert ("button", "Start the analysis") in session.widgets
        session.close()
    options = read_options(Workspace(home), open_corpus(corpus))
    assert (options.placed_on, options.tier, options.min_cluster_size) == (None, "fast", 8)
