"""The search for a recipe: it finds the planted winner, says what it tried, and never reads the test half."""

from __future__ import annotations

import pyarrow as pa
import pytest
from planted_study import planted_study

from tamis.analytics.effect.bench import Protocol
from tamis.analytics.effect.evaluation import evaluate_effect
from tamis.analytics.effect.purpose import EffectStudy
from tamis.analytics.effect.suggest import Candidate, Suggestion, suggest_recipe
from tamis.analytics.effect.target import Target, TargetEntry, save_target
from tamis.analytics.study.study import Study
from tamis.data.errors import SettingError

PROTOCOL = Protocol(budget_bytes=60_000, draws=3, holdout_bytes=40_000)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, TargetEntry, Suggestion]:
    study, entry, _ = planted_study(tmp_path_factory.mktemp("suggest"))
    return study, entry, suggest_recipe(study, entry, tokens=25_000, trials=8, protocol=PROTOCOL)


def test_search_finds_a_recipe_that_is_better_on_the_unseen_half(made: tuple[Study, TargetEntry, Suggestion]) -> None:
    study, entry, found = made
    bed = EffectStudy.open(study, entry, protocol=PROTOCOL)
    assert evaluate_effect(bed, found.recipe).verdict == "better"
    kept = bed.copies(found.recipe) > 0
    assert study.facts.whole("n_tokens")[kept].sum() <= 25_000


def test_search_says_everything_it_tried(made: tuple[Study, TargetEntry, Suggestion]) -> None:
    trials = made[2].trials
    assert [trial.number for trial in trials] == list(range(len(trials))) and 3 <= len(trials) <= 9
    assert trials[0].candidate is None and "Random" in trials[0].log
    accepted = [trial for trial in trials if trial.accepted]
    assert accepted[-1].candidate == made[2].candidate
    assert all(trial.target < trials[0].target for trial in accepted)
    assert all(trial.log for trial in trials)


def test_search_is_repeatable(made: tuple[Study, TargetEntry, Suggestion]) -> None:
    again = suggest_recipe(made[0], made[1], tokens=25_000, trials=8, protocol=PROTOCOL)
    assert again == made[2]


def test_search_never_reads_the_test_half(made: tuple[Study, TargetEntry, Suggestion]) -> None:
    study, entry, found = made
    target = Target.open(study.workspace, entry.digest)
    others = [f"{number} entirely different words about nothing" for number in range(400)]
    unseen = Target("", pa.array(others, pa.large_string()))
    swapped = save_target(
        study.workspace,
        "swapped",
        [*target.seen.to_pylist(), *unseen.texts.filter(pa.array(unseen.in_test)).to_pylist()],
        origin="test",
    )
    assert Target.open(study.workspace, swapped.digest).seen.equals(target.seen)
    again = suggest_recipe(study, swapped, tokens=25_000, trials=8, protocol=PROTOCOL)
    assert again.trials == found.trials


def test_search_needs_a_budget(made: tuple[Study, TargetEntry, Suggestion]) -> None:
    with pytest.raises(SettingError, match="budget and trials"):
        suggest_recipe(made[0], made[1], tokens=0)


def test_candidates_say_what_they_are() -> None:
    candidate = Candidate("moore_lewis", "near", "gopher-quality", 0.5)
    assert candidate.sentence() == (
        "relevance by moore lewis, near duplicates dropped, rule set gopher-quality, temperature 0.5"
    )
    assert candidate.steps == 4 and Candidate(duplicates="none").steps == 1
