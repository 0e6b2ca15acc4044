"""A taught concept as it is kept: its counts are those of its rule, its drift is said, its JSON is whole."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared_corpus import SharedCorpus

from tamis.analytics.effect.label_classifier import Examples
from tamis.analytics.effect.taught_concept import (
    DRIFTED,
    ConceptScores,
    TaughtConcept,
    concept_drift,
    teach,
    unlabelled,
)
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.study import Study
from tamis.data.errors import SettingError
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

LIKE = [f"Open the file {name} in the directory and return its path." for name in "abcdefghijkl"]


@pytest.fixture(scope="module")
def study(docstring_corpus: SharedCorpus, tmp_path_factory: pytest.TempPathFactory) -> Study:
    workspace = Workspace(docstring_corpus.copy_home(tmp_path_factory.mktemp("concept") / "home"))
    return Study.open(open_corpus(docstring_corpus.corpus, probes=workspace.probes), workspace)


@pytest.fixture(scope="module")
def concept(study: Study) -> TaughtConcept:
    like = Examples(texts=tuple(LIKE))
    return teach(study, like, unlabelled(study, like, count=40), name="files", most=5)


def test_what_the_scores_promise_is_what_the_rule_keeps(study: Study, concept: TaughtConcept) -> None:
    scores = ConceptScores.of(study, concept.rule())
    for floor in (0.1, 0.3, 0.5, 0.9):
        recipe = Recipe().with_operator(concept.rule(floor))
        study.measure(recipe)
        kept = study.evaluate(recipe).copies > 0
        assert scores.at_least(floor) == int(kept.sum())
    assert scores.at_least(0.1) > scores.at_least(0.9)
    assert scores.drift is None and scores.shares([0, 0.5, 1.0], new=False).sum() == pytest.approx(1)


def test_a_concept_says_how_well_it_learnt_and_is_kept_as_json(concept: TaughtConcept) -> None:
    assert (concept.likes, concept.unlikes) == (12, 40) and concept.chance == pytest.approx(12 / 52)
    assert concept.curve[-1].average_precision > 0.8 > concept.chance
    assert len(concept.next) == 5 and len({each.id for each in concept.next}) == 5
    assert TaughtConcept.from_json(json.loads(json.dumps(concept.to_json()))) == concept
    with pytest.raises(SettingError, match="not a taught concept"):
        TaughtConcept.from_json({})


def test_random_counterexamples_are_never_the_examples_and_always_the_same(study: Study) -> None:
    first = unlabelled(study, Examples(), count=20)
    second = unlabelled(study, Examples(rows=first.rows[:5]), count=20)
    assert len(first.rows) == 20 and not set(first.rows[:5]) & set(second.rows)
    assert set(first.rows[5:]) <= set(second.rows)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_drift_is_the_chance_that_a_new_document_scores_higher(old: list[float], new: list[float]) -> None:
    mask = np.array([False] * len(old) + [True] * len(new))
    found = ConceptScores(np.array([*old, *new]), mask).drift
    assert found is not None
    pairs = [(b > a) + (a == b) / 2 for a in old for b in new]
    assert found.higher == pytest.approx(float(np.mean(pairs)))
    assert found.drifts == (abs(found.higher - 0.5) >= DRIFTED)
    assert ("teach again" in found.sentence) == found.drifts


def test_what_to_label_next_is_found_by_its_id_where_the_corpus_has_other_rows(
    study: Study, concept: TaughtConcept
) -> None:
    assert concept.next_in(study) == concept.next
    moved = tuple(replace(each, row=each.row + 1) for each in concept.next)
    gone = replace(concept.next[0], id="gone")
    assert replace(concept, next=(*moved, gone)).next_in(study) == concept.next


def test_drift_is_said_of_every_concept(study: Study, concept: TaughtConcept) -> None:
    scores = ConceptScores.of(study, concept.rule()).probability
    new = scores >= np.nanquantile(scores, 0.8)
    other = concept.rule().model_copy(update={"target": ""})
    found = concept_drift(study, [concept.rule(), other, concept.rule(0.9)], new)
    assert list(found) == ["files", concept.model[:12]]
    assert found["files"] == ConceptScores(scores, new).drift == found[concept.model[:12]]
    assert found["files"].drifts and found["files"].higher > 0.99 and found["files"].new == new.sum()
    assert concept_drift(study, [concept.rule()], np.zeros(len(new), dtype=bool)) == {}


def test_documents_without_an_embedding_are_in_no_count() -> None:
    scores = ConceptScores(np.array([0.2, np.nan, 0.7, np.nan]), np.array([False, False, True, True]))
    assert scores.at_least(0.0) == 2 and scores.drift is not None
    assert (scores.drift.old, scores.drift.new, scores.drift.higher) == (1, 1, 1.0)
    assert ConceptScores(np.array([0.2, np.nan]), np.array([False, True])).drift is None
