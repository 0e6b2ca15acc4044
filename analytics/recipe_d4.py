"""D4 as a recipe: near-duplicates, semantic duplicates, then the prototypical members of every concept go.

Source: Tirumala et al. 2023, "D4: improving LLM pretraining via document de-duplication and diversification", arXiv
2308.12284. Concepts are to be frozen on what the first two steps leave, since duplicates distort k-means.
"""

from __future__ import annotations

from tamis.analytics.operator import OPERATORS
from tamis.analytics.recipe import Provenance, Recipe, Step

SOURCE = "D4: Tirumala et al. 2023, arXiv 2308.12284"
EQUAL = 1000.0
"""A temperature at which complexity does not decide."""


def d4_recipe(concepts: str, *, share: float = 0.8, eps: float | None = None, near: bool = True) -> Recipe:
    """Return D4: MinHash duplicates, SemDeDup, then of every concept the share that is farthest from its centroid.

    Args:
        concepts: digest of frozen concepts, see ``concept_profiles.freeze_concepts``.
        share: of the documents that reach the last step.
        eps: of the semantic step; its own default otherwise.
        near: begin with MinHash near-duplicates.
    """
    recipe = Recipe(title="D4", why="Deduplicate, then diversify: drop what is most typical of each concept.")
    if near:
        recipe = recipe.with_operator(OPERATORS.build("near_dedup", {}), note=SOURCE)
    recipe = recipe.with_operator(OPERATORS.build("semantic_dedup", {} if eps is None else {"eps": eps}), note=SOURCE)
    params = {"concepts": concepts, "share": share, "alpha": 1.0, "tau": EQUAL, "floor": 0.0, "keep": "far"}
    origin = Provenance("rule set", source=SOURCE)
    step = Step(
        id=recipe.fresh_id("diversify"),
        operator=OPERATORS.build("cluster_budget", params),
        note=SOURCE,
        provenance=tuple((name, origin) for name in ("alpha", "floor", "tau")),
    )
    return recipe.with_step(step)
