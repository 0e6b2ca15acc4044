"""A mixture from the command line: a job that the page Recipe finds, and that stops within the model it trains."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

import pytest
from command_line import tamis
from shared_corpus import SharedCorpus

from tamis.analytics.effect.mixture_fit import FitParams
from tamis.analytics.effect.mixture_swarm import DomainParams
from tamis.analytics.effect.proxy_plan import ProxyPlan
from tamis.analytics.effect.target import import_target
from tamis.analytics.recipe.recipe import Recipe
from tamis.app.dashboard.job_view import last_job
from tamis.app.jobs.mixture import MIXTURE, read_mixture, start_mixture
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

WANTED = FitParams(DomainParams("source"), tokens=8_000)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    file = tmp_path / "target.txt"
    said = (f"Return the message number {k} of a folder, or raise an error {k * k} when it is gone." for k in range(40))
    file.write_text("\n\n".join(said), "utf-8")
    return file


def test_a_fit_of_the_command_line_is_the_one_that_the_page_shows(
    docstring_corpus: SharedCorpus, target: Path, tmp_path: Path
) -> None:
    home, written = docstring_corpus.copy_home(tmp_path / "home"), tmp_path / "recipe.yaml"
    options = ("--target", str(target), "--tokens", str(WANTED.tokens), "-o", str(written))
    said = tamis("mixture-fit", str(docstring_corpus.corpus), *options, home=home).stdout
    workspace, corpus = Workspace(home), open_corpus(docstring_corpus.corpus)
    job = last_job(workspace, corpus.fingerprint, MIXTURE, target="target", wanted=asdict(WANTED))
    assert job is not None
    fit, digest = read_mixture(workspace, job)
    assert f"fit {digest}" in said and all(name in said for name in fit.names)
    assert Recipe.from_yaml(written.read_text("utf-8")).active[-1].operator == fit.operator()


def test_a_fit_by_a_transformer_stops_within_a_model(
    docstring_corpus: SharedCorpus, target: Path, tmp_path: Path
) -> None:
    workspace = Workspace(docstring_corpus.copy_home(tmp_path / "home"))
    corpus = open_corpus(docstring_corpus.corpus, probes=workspace.probes)
    entry = import_target(workspace, target)
    # A model that reads 20 MB takes half an hour: none ends before the job is stopped.
    job = start_mixture(corpus, workspace, entry.name, WANTED, proxy=ProxyPlan("0.5M", 20_000_000, 1, ()))
    end = time.monotonic() + 300
    while job.reload().progress.step != "swarm of mixtures" and time.monotonic() < end:
        time.sleep(0.2)
    job.cancel()
    ended = job.wait(seconds=300)
    assert ended.state == "cancelled" and ended.progress.step == "swarm of mixtures" and ended.progress.done == 0


def test_a_command_with_a_transformer_says_first_how_many_models_and_how_long(
    docstring_corpus: SharedCorpus, target: Path, tmp_path: Path
) -> None:
    home = docstring_corpus.copy_home(tmp_path / "home")
    options = ("--target", str(target), "--tokens", "100000000000", "--proxy", "0.5M", "--read", "33000")
    done = tamis("mixture-fit", str(docstring_corpus.corpus), *options, home=home, check=False)
    # Five draws of seven mixtures after a swarm of sixteen; a budget that cannot be filled ends the job at once.
    assert "51 models of 0.5M, about" in done.stderr
    assert done.returncode != 0 and "larger than all domains" in done.stderr
