"""What goes on after a rung: never what is behind beyond the noise, and of what is not told apart the simplest."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted import Domain, invented, noise

from tamis.analytics.effect.bench import Protocol
from tamis.analytics.effect.curation import Curation
from tamis.analytics.effect.halving import HalvingResult, search_recipe
from tamis.analytics.effect.halving_choice import RankedWay, best_part, near_best, simplest_near
from tamis.analytics.effect.halving_plan import SearchPlan
from tamis.analytics.effect.halving_reasons import HalvingTrial, RungSummary, reasons
from tamis.analytics.effect.target import save_target
from tamis.analytics.effect.verdict import WIDTH
from tamis.analytics.study.standard_analysis import some_steps
from tamis.analytics.study.study import Study
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

STOP_WORDS = ["the", "of", "and", "to", "that", "with"]
SCORED = Curation(method="dsir")
WAYS = (SCORED, Curation("c4", method=""), Curation("nemo", "none", "dsir", "curve"), Curation(method=""))


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory: pytest.TempPathFactory) -> HalvingResult:
    """Return a search where everything but noise is of the target's kind: a rule set alone is the planted winner."""
    random = np.random.default_rng(0)
    domain = Domain("sea", [*STOP_WORDS, *invented(60, np.random.default_rng(1))])

    def said() -> str:
        words = domain.text(random, int(random.integers(70, 140))).split()
        return " ".join(f"{word} {random.choice(STOP_WORDS)}" if k % 6 == 0 else word for k, word in enumerate(words))

    texts = [said() for _ in range(400)] + [noise(random, 100) for _ in range(400)]
    folder = tmp_path_factory.mktemp("cleaned")
    table = pa.table({"id": [f"{k:04d}" for k in range(len(texts))], "text": pa.array(texts, pa.large_string())})
    pq.write_table(table, folder / "corpus.parquet")
    corpus, workspace = open_corpus(folder / "corpus.parquet"), Workspace(folder / "home")
    study = Study.open(
        corpus, workspace, steps=some_steps(corpus, workspace, ("columns", "signals", "tokens", "exact"))
    )
    entry = save_target(workspace, "sea", [said() for _ in range(160)], origin="planted")
    protocol = Protocol(budget_bytes=400_000, draws=2, holdout_bytes=40_000)
    return search_recipe(study, entry, SearchPlan(20_000, start=8, last="n-gram"), protocol=protocol)


def test_where_a_rule_set_alone_does_what_a_score_does_it_is_proposed_and_the_reason_is_said(
    cleaned: HalvingResult,
) -> None:
    final = [trial for trial in cleaned.trials if trial.model.startswith("final") and trial.loss is not None]
    assert cleaned.way.rules and not cleaned.way.method
    # A recipe with a score has as few bits or fewer, by less than the noise: chance would have proposed it.
    scored = next(trial for trial in final if trial.way.method)
    ours = next(trial for trial in final if trial.kept)
    assert abs((scored.loss or 0.0) - (ours.loss or 9.0)) < WIDTH * max(scored.error, ours.error)
    assert "the simplest of" in ours.why
    assert any(line.endswith("the simplest of them is taken.") for line in cleaned.reasons)
    assert any("nothing in it is fitted to the target" in line for line in cleaned.reasons)
    # Noise is no simpler choice: what keeps it is behind.
    assert next(rung for rung in cleaned.rungs).random > (ours.loss or 9.0) + 0.1


ranked = st.lists(st.tuples(st.sampled_from(WAYS), st.floats(0, 1), st.floats(0, 0.5)), min_size=0, max_size=6).map(
    lambda rest: [
        RankedWay(SCORED, 0.0, 0.0),
        *(RankedWay(*each) for each in sorted(rest, key=lambda each: each[1])),
    ]
)


@given(ranked)
def test_nothing_that_is_behind_beyond_the_noise_is_chosen_and_nothing_simpler_is_passed_over(
    given: list[RankedWay],
) -> None:
    near = [each for each, stay in zip(given, near_best(given), strict=True) if stay.kept]
    assert near[0] is given[0] and all(each.behind <= WIDTH * each.error for each in near)
    stays = simplest_near(given)
    [chosen] = [each for each, stay in zip(given, stays, strict=True) if stay.kept]
    assert chosen in near
    assert all(not chosen.way.method or each.way.method for each in near)
    alike = [each for each in near if bool(each.way.method) == bool(chosen.way.method)]
    assert chosen.way.steps == min(each.way.steps for each in alike)
    assert len({stay.why for stay in stays}) == len(stays)


@given(ranked, st.integers(1, 4))
def test_the_best_part_stays_and_the_best_plain_recipe_beside_it(given: list[RankedWay], count: int) -> None:
    stays = best_part(count, beside=WAYS[1:2])(given)
    kept = [place for place, stay in enumerate(stays) if stay.kept]
    plain = [place for place, each in enumerate(given) if each.way == WAYS[1]]
    assert kept == sorted({*range(min(count, len(given))), *plain[:1]})


def _trial(model: str, way: Curation, loss: float, behind: float, error: float, *, kept: bool) -> HalvingTrial:
    return HalvingTrial(0, 0, model, way, way.sentence(), loss, behind, error, 1, 1, kept, "")


@pytest.mark.parametrize(
    ("tie", "said"),
    [
        ((), "The final leaves one recipe: the others are behind it beyond the noise."),
        ((0.9, 0.1), "leaves one of them."),
        ((0.1, 0.1), "leaves 2 of them, of which the simplest is taken."),
    ],
)
def test_what_transformers_do_not_tell_apart_an_ngram_model_decides(tie: tuple[float, ...], said: str) -> None:
    error = 0.1 if tie else 0.01
    trials = [
        _trial("final, 0.5M", SCORED, 2.0, 0.0, 0.0, kept=True),
        _trial("final, 0.5M", WAYS[1], 2.1, 0.1, error, kept=bool(tie)),
    ]
    if tie:
        trials.append(_trial("tie, n-gram", SCORED, 2.0, 0.0, 0.0, kept=True))
        trials.append(_trial("tie, n-gram", WAYS[1], 2.0 + tie[0], *tie, kept=False))
    lines = reasons(SCORED, trials, [RungSummary(0, "final, 0.5M", 2, 1, 2.0, 3.0)])
    assert any(line.endswith(said) for line in lines)
    assert any(line.startswith("The best plain recipe is rule set c4") for line in lines)
