"""The scene of a page: the facts, the documents selected on any page, and the outcome of the live recipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.facts.facts import Facts, Source
from tamis.analytics.operators.operator import Evidence, RowOperator, measures_of, scope_measures
from tamis.analytics.operators.selection import AllOf
from tamis.analytics.recipe.outcome import Outcome
from tamis.analytics.recipe.plan import attach, check_condition, evaluate, row_masks
from tamis.analytics.recipe.recipe import Recipe, operator_digest
from tamis.data.hashing import digest

Which = Literal["all", "selected", "kept", "dropped"]
KEPT, SELECTED = 1, 2


@dataclass(frozen=True)
class Scene:
    """Facts seen through a selection and a recipe.

    Attributes:
        facts: with the measured columns that selection and recipe need.
        selection: rules whose conjunction is the selection; empty means nothing is selected.
        outcome: what the live recipe does, None without a recipe.
    """

    facts: Facts
    selection: tuple[RowOperator, ...] = ()
    outcome: Outcome | None = None

    @classmethod
    def build(
        cls,
        facts: Facts,
        evidence: Evidence,
        *,
        selection: Sequence[RowOperator] = (),
        recipe: Recipe | None = None,
        also: Sequence[str] = (),
        shown: Sequence[RowOperator] = (),
    ) -> Scene:
        """Run missing measurements, evaluate selection and recipe, and return the scene.

        Args:
            facts: of the corpus.
            evidence: holds the measurements.
            selection: rules whose conjunction is the selection.
            recipe: the live recipe.
            also: further measured columns on scopes, such as ``response.n_words``.
            shown: rules whose columns are shown although nothing is selected by them.

        Raises:
            RecipeError: as ``plan.evaluate``, also for a condition of the selection.
        """
        facts = attach(facts, [measure for name in also for measure in scope_measures(name)], evidence)
        facts = attach(facts, [measure for operator in shown for measure in measures_of(operator)], evidence)
        chosen = tuple(as_condition(operator) for operator in selection)
        facts = attach(facts, [measure for operator in chosen for measure in measures_of(operator)], evidence)
        for operator in chosen:
            check_condition(operator, facts)
        row_masks(facts, chosen, names=[operator.name for operator in chosen])
        outcome = None
        if recipe is not None:
            facts = attach(facts, recipe.measures(), evidence)
            outcome = evaluate(recipe, facts, evidence)
        return cls(facts=facts, selection=chosen, outcome=outcome)

    @cached_property
    def digest(self) -> str:
        """Return the digest of everything a query on this scene depends on."""
        recipe = self.outcome.recipe.digest if self.outcome else ""
        return digest([self.facts.digest, operator_digest(self.selection), recipe])

    @cached_property
    def selected(self) -> NDArray[np.bool_]:
        """Return which documents are selected, bool (n,); all False without a selection."""
        if not self.selection:
            return np.zeros(self.facts.n, dtype=bool)
        return reduce(np.logical_and, row_masks(self.facts, self.selection))

    @cached_property
    def kept(self) -> NDArray[np.bool_]:
        """Return which documents the recipe keeps, bool (n,); all True without a recipe."""
        return np.ones(self.facts.n, dtype=bool) if self.outcome is None else self.outcome.kept

    @cached_property
    def flags(self) -> NDArray[np.uint8]:
        """Return uint8 (n,): bit 1 = kept, bit 2 = selected."""
        return self.kept.astype(np.uint8) | (self.selected.astype(np.uint8) * np.uint8(SELECTED))

    def source(self, columns: Iterable[str] = ()) -> Source:
        """Return the source of a query: the facts and the scene's ``flag`` column."""
        return self.facts.source(columns, also={"flag": self.flags})

    def where(self, which: Which) -> str:
        """Return the SQL condition over ``flag`` for a part of the documents."""
        return {
            "all": "TRUE",
            "selected": f"flag & {SELECTED} <> 0",
            "kept": f"flag & {KEPT} <> 0",
            "dropped": f"flag & {KEPT} = 0",
        }[which]

    def mask(self, which: Which) -> NDArray[np.bool_]:
        """Return a part of the documents, bool (n,)."""
        if which == "all":
            return np.ones(self.facts.n, dtype=bool)
        return {"selected": self.selected, "kept": self.kept, "dropped": ~self.kept}[which]


def as_condition(operator: RowOperator) -> RowOperator:
    """Return the rule as a condition: documents without a value do not match."""
    missing = "drop" if operator.mode == "keep" else "keep"
    return operator.model_copy(update={"missing": missing}) if operator.missing != missing else operator


def selection_rules(selection: Sequence[RowOperator], *, mode: Literal["keep", "drop"]) -> tuple[RowOperator, ...]:
    """Return the rules that keep or drop exactly the selected documents.

    To keep a conjunction takes one rule per part; to drop it takes a single rule with all parts.
    """
    parts = tuple(as_condition(operator) for operator in selection)
    if not parts or mode == "keep":
        return parts
    if len(parts) == 1:
        turned = "drop" if parts[0].mode == "keep" else "keep"
        missing = "keep" if turned == "drop" else "drop"
        return (parts[0].model_copy(update={"mode": turned, "missing": missing}),)
    return (AllOf(rules=parts, mode="drop", missing="keep"),)
