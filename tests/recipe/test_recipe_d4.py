"""D4 keeps the farthest members of every concept, in proportion to its size."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.budget import ClusterBudget
from tamis.analytics.recipe.plan import evaluate
from tamis.analytics.recipe.presets import d4_recipe
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.evidence import GivenEvidence
from tamis.data.hashing import digest

CONCEPTS = digest("concepts")


def test_d4_survives_text_and_names_its_steps() -> None:
    recipe = d4_recipe(CONCEPTS, eps=0.1)
    assert [step.operator.name for step in recipe.active] == ["near_dedup", "semantic_dedup", "cluster_budget"]
    assert Recipe.from_yaml(recipe.to_yaml()) == recipe
    assert recipe.assets() == (CONCEPTS,)
    assert len(d4_recipe(CONCEPTS, near=False).active) == 2


def test_diversifying_keeps_the_farthest_of_each_concept_in_proportion() -> None:
    last = d4_recipe(CONCEPTS, share=0.5).active[-1].operator
    assert isinstance(last, ClusterBudget)
    cluster = np.repeat([0, 1, 2], [40, 20, 100]).astype(np.int32)
    distance = np.random.default_rng(0).random(160)
    facts = Facts.from_table(pa.table({"id": [f"{k:03d}" for k in range(160)]}), digest="d4")
    values = {
        last.column("cluster"): cluster,
        last.column("distance"): distance,
        last.column("redundancy_aware"): np.array([5.0, 1.0, 9.0])[cluster],
    }
    arrays = {(measure, str(measure.column)): values[str(measure.column)] for measure in last.measures()}
    kept = evaluate(Recipe().with_operator(last), facts, GivenEvidence(arrays=arrays)).kept
    assert kept.sum() == 80
    for number, size in ((0, 20), (1, 10), (2, 50)):
        mine = cluster == number
        assert abs(int(kept[mine].sum()) - size) <= 1
        assert distance[mine & kept].min() > distance[mine & ~kept].max()
