"""Another corpus on the map of one, as the dashboard's job places it; an analysis is found whoever started it."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from command_line import tamis
from docstrings import docstrings, write_corpus
from shared_corpus import SharedCorpus

from tamis.analytics.facts.facts import Facts
from tamis.analytics.study.side_by_side import side_by_side, topic_shares
from tamis.analytics.study.study import Study
from tamis.app.jobs.corpus import opening_params
from tamis.app.jobs.place import place_other
from tamis.app.jobs.worker import ANALYZE, find_analysis
from tamis.data.jobs import Request, start
from tamis.data.open_corpus import open_corpus
from tamis.data.progress import NullProgress
from tamis.data.workspace import Workspace


def test_another_corpus_is_placed_in_the_clusters_of_the_first(docstring_corpus: SharedCorpus, tmp_path: Path) -> None:
    workspace = Workspace(docstring_corpus.copy_home(tmp_path / "home"))
    corpus = open_corpus(docstring_corpus.corpus)
    other = open_corpus(write_corpus(tmp_path / "other", docstrings(("json", "logging"))))
    params = opening_params(corpus, workspace) | {"other": opening_params(other, workspace), "clustering": ""}
    done = place_other(params, NullProgress())
    placed = workspace.table(done["table"])
    assert placed.num_rows == done["documents"] == other.rows - 3  # Three rows have no text.
    facts: Facts = Study.open(corpus, workspace).facts
    shares = topic_shares(facts, placed, limit=500)
    assert np.isclose(sum(shares.column("second").to_pylist()), 1.0)
    assert np.isclose(sum(shares.column("first").to_pylist()), 1.0)
    assert not list(workspace.assets.glob("draft-placed-*"))
    assert side_by_side(facts, facts).first.documents == facts.n


def test_the_command_line_sets_two_corpora_side_by_side(docstring_corpus: SharedCorpus, tmp_path: Path) -> None:
    home, corpus = docstring_corpus.copy_home(tmp_path / "home"), str(docstring_corpus.corpus)
    said = tamis("beside", corpus, corpus, "--signals", "3", home=home).stdout.splitlines()
    name, first, second = said[0].split()
    assert name == "documents" and first == second and int(first.replace(",", "")) > 100
    figures = said[said.index("") + 2 :][:3]
    assert [line.split()[-1] for line in figures] == ["0.000"] * 3
    assert any(line.startswith("source: email") for line in said)


def test_an_analysis_is_found_while_it_runs_whoever_started_it(tmp_path: Path) -> None:
    workspace, corpus = Workspace(tmp_path), SimpleNamespace(fingerprint="f")
    assert find_analysis(corpus, workspace) is None  # type: ignore[arg-type]
    request = Request(ANALYZE, {"fingerprint": "f"}, title="Analysis of a corpus")
    job = start(workspace.jobs, request, command=("-c", "import time; time.sleep(60)"))
    found = find_analysis(corpus, workspace)  # type: ignore[arg-type]
    assert found is not None and found.id == job.id
    assert find_analysis(SimpleNamespace(fingerprint="g"), workspace) is None  # type: ignore[arg-type]
    os.kill(job.pid, signal.SIGKILL)
    assert job.wait(seconds=20).state == "failed"
    assert find_analysis(corpus, workspace) is None  # type: ignore[arg-type]
