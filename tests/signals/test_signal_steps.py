"""Steps that measure signals: shard by shard, into the facts, on demand for rules that ask for more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from docstrings import docstrings, write_corpus

from tamis.analytics.recipe.presets import with_rule_set
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.signals.language import language_step
from tamis.analytics.signals.measure import measure
from tamis.analytics.signals.perplexity import perplexity_step
from tamis.analytics.signals.signal import SIGNALS
from tamis.analytics.signals.step import signal_measures, signals_step
from tamis.analytics.signals.tokens import tokens_step
from tamis.analytics.signals.word_numbers import words_step
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.steps.pipeline import Analysis, analyze
from tamis.analytics.study.study import Study
from tamis.data.corpus import Corpus
from tamis.data.errors import SettingError
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

NAMES = ("n_words", "alpha_word_share", "mean_word_length", "stop_words", "bullet_line_share")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    table = docstrings(("json", "logging"))
    return open_corpus(write_corpus(tmp_path_factory.mktemp("corpus"), table, files=2, seed=1))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def analysis(corpus: Corpus, workspace: Workspace) -> Analysis:
    steps = (documents_step(), signals_step(), language_step(), tokens_step(), words_step(), perplexity_step())
    return analyze(corpus, workspace, steps=(*steps, facts_step(steps)))


def test_facts_hold_every_signal_of_the_pass(analysis: Analysis, corpus: Corpus) -> None:
    facts = analysis.facts()
    for name in (*SIGNALS.names(), "perplexity"):
        info = facts.info(name)
        assert info.role == "signal" and info.help and info.title
    rows = np.arange(facts.n)
    texts = corpus.fetch(analysis.documents, rows).column("text").combine_chunks()
    again = measure(texts)
    table = facts.table(SIGNALS.names())
    for name in SIGNALS.names():
        assert table.column(name).to_pylist() == again.column(name).to_pylist(), name


def test_language_and_tokens_are_in_the_facts(analysis: Analysis) -> None:
    table = analysis.facts().table(["lang", "lang_confidence", "n_tokens"])
    assert table.column("lang").to_pylist().count("en") > 0.8 * table.num_rows
    assert min(table.column("n_tokens").to_pylist()) > 0


def test_perplexity_is_low_for_text_like_the_rest_and_the_same_for_twins(analysis: Analysis, corpus: Corpus) -> None:
    facts = analysis.facts()
    values = facts.numbers("perplexity")
    assert np.isfinite(values).all() and values.min() > 1
    texts = corpus.fetch(analysis.documents, np.arange(facts.n)).column("text").to_pylist()
    by_text: dict[str, set[float]] = {}
    for text, value in zip(texts, values, strict=True):
        by_text.setdefault(text, set()).add(float(value))
    assert len(by_text) < len(texts)
    assert all(len(found) == 1 for found in by_text.values())


def test_perplexity_under_a_reference(corpus: Corpus, workspace: Workspace, tmp_path: Path) -> None:
    prose = pa.table({"text": ["the quick brown fox jumps over the lazy dog and runs away " * 3] * 40})
    reference = write_corpus(tmp_path, prose)
    steps = (documents_step(), words_step(), perplexity_step(reference=reference))
    artifact = analyze(corpus, workspace, steps=steps).artifacts["perplexity"]
    values = np.asarray(artifact.table("facts").column("perplexity"))
    assert np.isfinite(values).all()
    own = analyze(corpus, workspace, steps=(documents_step(), words_step(), perplexity_step()))
    assert own.artifacts["perplexity"].digest != artifact.digest
    assert np.median(values) > np.median(np.asarray(own.artifacts["perplexity"].table("facts").column("perplexity")))


def test_rules_of_another_word_convention_are_measured_on_demand(
    analysis: Analysis, corpus: Corpus, workspace: Workspace
) -> None:
    recipe = with_rule_set(Recipe(), "gopher-quality", words="spacy")
    wanted = recipe.measures()
    assert {item.column for item in wanted} >= {"spacy_n_words", "spacy_stop_words"}
    study = Study.of(analysis, workspace, (documents_step(), signals_step()))
    assert len(study.pending(recipe)) == 1
    study.measure(recipe)
    assert study.pending(recipe) == ()
    outcome = study.evaluate(recipe)
    plain = study.evaluate(with_rule_set(Recipe(), "gopher-quality"))
    assert 0 < outcome.output.documents < outcome.input.documents
    assert abs(outcome.output.documents - plain.output.documents) <= 0.05 * outcome.input.documents


def test_signals_of_the_pass_need_no_measure() -> None:
    assert signal_measures("n_words") == () and signal_measures("spacy_nonsense") == ()
    assert signal_measures("spacy_n_words") != ()


def test_signals_of_other_steps_are_not_measured_here() -> None:
    with pytest.raises(SettingError, match="run the step perplexity"):
        signals_step(["perplexity"])
    assert signals_step(NAMES).params["signals"] == [SIGNALS[name].key for name in SIGNALS.names(NAMES)]
