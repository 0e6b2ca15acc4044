"""What a rule would drop is said before it is added, by the evaluation that counts it afterwards."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import synthetic_facts

from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.documents import sample_rows
from tamis.analytics.study.evidence import GivenEvidence
from tamis.analytics.study.scene import Scene
from tamis.analytics.study.step_preview import EXAMPLES as SHOWN
from tamis.analytics.study.step_preview import dropped_in_groups, preview_step
from tamis.data.errors import RecipeError

FACTS = synthetic_facts(3_000, seed=3)
RECIPE = Recipe().with_operator("signal_range", signal="n_words", min=60).with_operator("language", languages=["en"])
RULES = [
    ("signal_range", {"signal": "unigram_entropy", "min": 5.0}),
    ("exact_dedup", {}),
    ("percentile_band", {"signal": "n_tokens", "low": 10, "within": "source"}),
    ("token_budget", {"amount": 20_000}),
    ("random_sample", {"share": 0.4}),
    ("mixture", {"by": "source", "alpha": 0.5}),
    ("curriculum", {}),
]


def scene(recipe: Recipe) -> Scene:
    return Scene.build(FACTS, GivenEvidence(), recipe=recipe)


@pytest.mark.parametrize(("name", "params"), RULES)
def test_a_rule_under_trial_drops_what_it_drops_once_it_is_added(name: str, params: dict[str, object]) -> None:
    tried = RECIPE.with_operator(OPERATORS.build(name, params))
    found = preview_step(scene(tried), tried.steps[-1].id)
    before, after = scene(RECIPE), scene(tried)
    assert before.outcome is not None and after.outcome is not None
    gone, tokens = before.kept & ~after.kept, FACTS.whole("n_tokens")
    assert found.documents == gone.sum() == len(after.outcome.dropped_by(found.step))
    assert found.before == before.outcome.output and found.after == found.output == after.outcome.output
    assert found.tokens == tokens[before.kept].sum() - after.outcome.copies.astype(np.int64) @ tokens


@pytest.mark.parametrize(("name", "params"), RULES)
def test_examples_of_both_sides_reach_the_rule_and_lie_on_their_side(name: str, params: dict[str, object]) -> None:
    tried = RECIPE.with_operator(OPERATORS.build(name, params))
    after = scene(tried)
    found = preview_step(after, tried.steps[-1].id)
    assert len(found.dropped) == min(SHOWN, found.documents)
    assert after.outcome is not None and (after.outcome.deciding[found.dropped] == 3).all()
    assert after.kept[found.kept].all() and len(found.kept) == min(SHOWN, found.after.documents)
    assert found.dropped.tolist() == sample_rows(after, which="dropped", step=found.step, n=SHOWN).tolist()


@given(st.integers(0, 1000))
def test_a_seed_draws_the_same_examples_every_time(seed: int) -> None:
    first, second = (preview_step(scene(RECIPE), "language", seed=seed) for _ in range(2))
    assert (first.dropped.tolist(), first.kept.tolist()) == (second.dropped.tolist(), second.kept.tolist())


def test_duplicates_come_with_the_twin_that_is_kept() -> None:
    tried = RECIPE.with_operator("exact_dedup")
    after = scene(tried)
    found = preview_step(after, "exact-dedup")
    groups = FACTS.whole("norm_group")
    assert len(found.twins) == len(found.dropped) > 0
    for row, twin in zip(found.dropped.tolist(), found.twins, strict=True):
        assert after.kept[twin] and groups[row] == groups[twin]
    assert set(preview_step(after, "language").twins) == {-1}


def test_several_steps_are_looked_at_together_each_drop_under_the_step_that_makes_it() -> None:
    tried = RECIPE.with_operator("exact_dedup").with_operator("signal_range", signal="n_tokens", max=400)
    after, before = scene(tried), scene(RECIPE)
    found = preview_step(after, "exact-dedup", last="signal-range-2")
    assert found.before == before.outcome.output and found.after == found.output == after.outcome.output  # type: ignore[union-attr]
    assert (before.kept & ~after.kept)[found.dropped].all() and after.kept[found.kept].all()
    assert after.outcome is not None
    for row, reason, twin in zip(found.dropped.tolist(), found.reasons, found.twins, strict=True):
        assert row in after.outcome.dropped_by(reason)
        assert (twin >= 0) == (reason == "exact-dedup")
    assert found.documents == sum(len(after.outcome.dropped_by(name)) for name in ("exact-dedup", "signal-range-2"))


def test_a_step_in_the_middle_is_counted_where_it_stands() -> None:
    tried = RECIPE.with_operator("signal_range", signal="n_tokens", max=400, at=1)
    found = preview_step(scene(tried), "signal-range-2")
    words, tokens = FACTS.numbers("n_words"), FACTS.numbers("n_tokens")
    assert found.documents == ((words >= 60) & (tokens > 400)).sum()
    assert found.output.documents < found.after.documents


def test_dropped_documents_of_groups_add_up() -> None:
    tried = RECIPE.with_operator("percentile_band", signal="n_words", low=20, within="source")
    after = scene(tried)
    found = dropped_in_groups(after, "percentile-band", by="source")
    names = np.array(FACTS.array("source").to_pylist())
    assert after.outcome is not None
    gone = after.outcome.deciding == 3
    assert {name: number for name, number in found.items() if number} == {
        str(name): int((gone & (names == name)).sum()) for name in np.unique(names[gone])
    }
    assert sum(found.values()) == preview_step(after, "percentile-band").documents


def test_a_step_that_does_not_run_has_no_preview() -> None:
    off = RECIPE.replaced("language", enabled=False)
    with pytest.raises(RecipeError, match=r"runs no such step.*signal-range"):
        preview_step(scene(off), "language")
    with pytest.raises(RecipeError, match="runs no such step"):
        preview_step(Scene.build(FACTS, GivenEvidence()), "language")
