"""Shares of synthetic text from the command line: a job, whose result the report of a recipe finds."""

from __future__ import annotations

from pathlib import Path

import pytest
from shared_corpus import SharedCorpus
from typer.testing import CliRunner

from tamis.analytics.effect.target import import_target
from tamis.analytics.recipe.recipe import Recipe
from tamis.app.cli import main
from tamis.app.jobs.mixture import find_dials
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace


def test_a_sweep_of_the_command_line_is_found_by_recipes_that_begin_as_it_did(
    docstring_corpus: SharedCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = docstring_corpus.copy_home(tmp_path / "home")
    monkeypatch.setenv("TAMIS_HOME", str(home))
    target, before = tmp_path / "target.txt", tmp_path / "before.yaml"
    said = (f"Return the message number {k} of a folder, or raise an error {k * k} when it is gone." for k in range(40))
    target.write_text("\n\n".join(said), "utf-8")
    recipe = Recipe(title="long").with_operator("signal_range", signal="n_tokens", min=5)
    before.write_text(recipe.to_yaml(), "utf-8")
    options = ("--target", str(target), "--tokens", "2000", "--synthetic", "json", "--share", "0", "--share", "0.2")
    done = CliRunner().invoke(
        main.app, ["synthetic-share", str(docstring_corpus.corpus), *options, "--recipe", str(before)]
    )
    assert done.exit_code == 0, done.output
    assert "fewest bits at" in done.output and done.output.count("% synthetic: ") == 2

    workspace = Workspace(home)
    corpus, entry = open_corpus(docstring_corpus.corpus), import_target(workspace, target)
    longer = recipe.with_operator("exact_dedup")
    for own in (recipe, longer, recipe.described(title="another name")):
        [found] = find_dials(workspace, corpus.fingerprint, own, entry.digest)
        assert found.rules == 1 and found.title == "json by source" and len(found.dial.points) == 2
    for other in (Recipe(), Recipe().with_operator("exact_dedup")):
        assert find_dials(workspace, corpus.fingerprint, other, entry.digest) == ()
    assert find_dials(workspace, corpus.fingerprint, recipe, "another") == ()
    assert find_dials(workspace, "another", recipe, entry.digest) == ()
