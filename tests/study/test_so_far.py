"""What is done of an analysis is shown as exactly as the whole: the same values, the same selections."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from shared_corpus import SharedCorpus

from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.rows import SignalRange
from tamis.analytics.operators.sets import ExactDedup
from tamis.analytics.recipe.outcome import Selection
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.steps.facts_step import facts_so_far, read_facts
from tamis.analytics.steps.pipeline import Analysis, analyze
from tamis.analytics.study.standard_analysis import analysis_steps
from tamis.analytics.study.study import Study
from tamis.data.artifact import Artifact
from tamis.data.corpus import Corpus
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace


@pytest.fixture
def corpus(docstring_corpus: SharedCorpus) -> Corpus:
    return open_corpus(docstring_corpus.corpus)


@pytest.fixture
def whole(docstring_corpus: SharedCorpus, corpus: Corpus) -> Analysis:
    workspace = Workspace(docstring_corpus.home)
    return analyze(corpus, workspace, steps=analysis_steps(corpus, workspace))


def joined(whole: Analysis, *names: str) -> Facts:
    """Return the facts of some steps alone, as of an analysis that has come so far."""
    artifacts: Mapping[str, Artifact] = {name: whole.artifacts[name] for name in names}
    return facts_so_far(whole.documents, artifacts, corpus=whole.corpus.fingerprint)


def test_facts_of_all_steps_but_the_last_equal_the_stored_ones(whole: Analysis) -> None:
    stored = read_facts(whole.artifacts["facts"])
    steps = [name for name in whole.artifacts if name != "facts"]
    found = joined(whole, *steps)
    assert found.columns == stored.columns
    assert found.table(list(found.columns)).equals(stored.table(list(stored.columns)))
    assert (found.n, found.errors, found.corpus) == (stored.n, stored.errors, stored.corpus)
    assert (found.keys == stored.keys).all()


def test_facts_of_more_steps_have_another_digest(whole: Analysis) -> None:
    digests = {joined(whole, *names).digest for names in ((), ("exact",), ("exact", "signals"))}
    assert len(digests) == 3
    assert joined(whole, "exact").digest == joined(whole, "exact").digest


def test_a_recipe_on_finished_steps_keeps_the_same_documents(docstring_corpus: SharedCorpus, tmp_path: Path) -> None:
    corpus = open_corpus(docstring_corpus.corpus)
    recipe = Recipe().with_operator(SignalRange(signal="stop_words", min=2)).with_operator(ExactDedup(keep="longest"))
    study = Study.open(corpus, Workspace(docstring_corpus.home))
    whole = Selection.from_outcome(study.evaluate(recipe), study.facts)

    workspace = Workspace(tmp_path)
    assert Study.find_so_far(corpus, workspace) is None
    steps = {step.name: step for step in analysis_steps(corpus, workspace)}
    analyze(corpus, workspace, steps=[steps[name] for name in ("documents", "exact", "signals")])
    early = Study.find_so_far(corpus, workspace)
    assert early is not None and "n_tokens" not in early.facts.columns
    assert Selection.from_outcome(early.evaluate(recipe), early.facts).digest == whole.digest
