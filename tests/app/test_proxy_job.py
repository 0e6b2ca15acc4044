"""Proxy models as a background job and on the command line: killed, gone on with, reported, refused."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
from shared_corpus import SharedCorpus
from typer.testing import CliRunner, Result

from tamis.analytics.effect.proxy_plan import ProxyPlan
from tamis.analytics.effect.target import import_target
from tamis.analytics.recipe.recipe import Recipe
from tamis.app.cli import main
from tamis.app.jobs.proxy import find_proxies, read_proxy, start_proxy
from tamis.data.errors import TamisError
from tamis.data.jobs import list_jobs
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

PLAN = ProxyPlan(tokens=33_000, seeds=1, shares=(0.5,))
RECIPE = Recipe(title="long").with_operator("signal_range", signal="n_tokens", min=12)


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Return a recipe and a target of forty texts."""
    recipe, target = tmp_path / "recipe.yaml", tmp_path / "target.txt"
    recipe.write_text(RECIPE.to_yaml(), "utf-8")
    said = (f"Return the message number {k} of a folder, or raise an error {k * k} when it is gone." for k in range(40))
    target.write_text("\n\n".join(said), "utf-8")
    return str(recipe), str(target)


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main.app, ["evaluate", *arguments])


def test_a_job_killed_on_its_way_is_gone_on_with_from_the_command_line(
    docstring_corpus: SharedCorpus, files: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, target = files
    home = docstring_corpus.copy_home(tmp_path / "home")
    monkeypatch.setenv("TAMIS_HOME", str(home))
    workspace = Workspace(home)
    corpus = open_corpus(docstring_corpus.corpus, probes=workspace.probes)
    entry = import_target(workspace, target)
    job = start_proxy(corpus, workspace, RECIPE, entry.name, PLAN)
    end = time.monotonic() + 200
    while not (job.folder / "curves.json").exists() and time.monotonic() < end:
        time.sleep(0.05)
    so_far = read_proxy(workspace, job)
    assert so_far is not None and not so_far.whole
    os.kill(job.reload().pid, signal.SIGKILL)
    ended = job.wait(seconds=60)
    assert ended.state == "failed"

    done = invoke(recipe, str(docstring_corpus.corpus), "--target", target, *_options())
    assert done.exit_code == 0, done.output
    assert "4 models of 0.5M, about" in done.output and "0.5M models: " in done.output
    assert "speed-up" in done.output and "for target" in done.output
    found = read_proxy(workspace, next(each for each in list_jobs(workspace.jobs) if each.id == job.id))
    assert found is not None and found.whole and found.recipe == RECIPE.digest
    assert find_proxies(workspace, corpus.fingerprint, RECIPE.digest, entry.digest) == (found,)
    assert find_proxies(workspace, corpus.fingerprint, RECIPE.digest, "another") == ()
    assert json.loads((job.folder / "state.json").read_bytes())["state"] == "done"


def _options() -> tuple[str, ...]:
    return ("--proxy", "0.5M", "--tokens", str(PLAN.tokens), "--seeds", "1", "--share", "0.5")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--proxy", "1G"), "Unknown size"),
        (("--proxy", "2M", "--tokens", "50"), "Too few tokens"),
        (("--proxy", "0.5M", "--share", "2"), "between 0 and 1"),
        (("--proxy", "0.5M", "--device", "tpu"), "Unknown device"),
        (("--proxy", "0.5M", "--device", "cuda"), "no GPU"),
    ],
)
def test_what_cannot_be_trained_is_one_message(
    workspace: Workspace, files: tuple[str, str], tmp_path: Path, options: tuple[str, ...], words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    result = invoke(files[0], str(tmp_path), "--target", files[1], *options)
    assert isinstance(result.exception, TamisError) and words in str(result.exception)


def test_models_without_a_target_are_refused(workspace: Workspace, files: tuple[str, str], tmp_path: Path) -> None:
    result = invoke(files[0], str(tmp_path), "--proxy", "0.5M")
    assert isinstance(result.exception, TamisError) and "need a target" in str(result.exception)
