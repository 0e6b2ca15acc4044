"""Which data set had an item first: duplicates across sources, set by set, in a stated order of the sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.duplicate_groups import Look, Rule, look
from tamis.analytics.study.study import Study
from tamis.data.errors import RecipeError
from tamis.data.progress import Progress

NO_SOURCE = "no source"


@dataclass(frozen=True, eq=False)
class Lineage:
    """Duplicates by the set that had the item first and the set that repeats it. Every count is exact.

    Attributes:
        order: names of the sets, first to last: as stated, then the others by name.
        documents, tokens: int64 (s,), of each set, those that reach the rule.
        repeated: int64 (s, s), documents of set j (column) that were dropped for a kept document of set i (row).
        repeated_tokens: int64 (s, s), their tokens.
    """

    order: tuple[str, ...]
    documents: NDArray[np.int64]
    tokens: NDArray[np.int64]
    repeated: NDArray[np.int64]
    repeated_tokens: NDArray[np.int64]

    def table(self) -> pa.Table:
        """Return one row per set in order.

        Columns: ``set``, ``documents``, ``tokens``, ``kept`` (documents no earlier one repeats), ``repeats_itself``,
        ``repeats_others`` (documents dropped for one of the own, of another set), ``repeated_by_others``.
        """
        own = np.diagonal(self.repeated)
        columns = self.repeated.sum(axis=0)
        return pa.table(
            {
                "set": list(self.order),
                "documents": self.documents,
                "tokens": self.tokens,
                "kept": self.documents - columns,
                "repeats_itself": own,
                "repeats_others": columns - own,
                "repeated_by_others": self.repeated.sum(axis=1) - own,
            }
        )

    def pairs(self) -> pa.Table:
        """Return ``first``, ``repeated_in``, ``documents``, ``tokens`` of pairs of sets, most documents first."""
        rows, columns = np.nonzero(self.repeated)
        names = pa.array(list(self.order), pa.string())
        found = {
            "first": names.take(pa.array(rows)),
            "repeated_in": names.take(pa.array(columns)),
            "documents": self.repeated[rows, columns],
            "tokens": self.repeated_tokens[rows, columns],
        }
        order = np.lexsort((columns, rows, -self.repeated[rows, columns]))
        return pa.table(found).take(pa.array(order))


def require_order(keep: str, sources: Sequence[str]) -> None:
    """Check that a duplicate rule keeps by the order of the sources: otherwise the kept document is not the first.

    Raises:
        RecipeError: it keeps by something else.
    """
    if keep != "source order":
        raise RecipeError(
            "This rule does not keep what the first set had", value=f"keep: {keep}", allowed="keep: source order",
            fix="state the order of the sets in the rule, or give it with --order",
        )  # fmt: skip
    if len(set(sources)) != len(sources):
        raise RecipeError("A set stands twice in the order", value=list(sources))


def trace_lineage(found: Look) -> Lineage:
    """Return which set had the items of a duplicate rule first.

    A document counts for the kept document it was dropped for, the most similar one. The rule must keep by ``source
    order``: then the document of the first set is kept, of several of one set that with the smallest id. Sets that the
    order does not name come last and count as one set there: of them the smallest id is kept.

    Args:
        found: the rule, tried on the documents that reach it.

    Raises:
        RecipeError: the corpus has no source, or the rule keeps by something else than the order of sources.
    """
    require_order(found.rule.keep, found.rule.sources)
    found.facts.info("source")
    values = pc.fill_null(found.facts.array("source").cast(pa.string()), NO_SOURCE)
    there = set(pc.unique(values).to_pylist())
    named = [name for name in found.rule.sources if name in there]
    order = (*named, *sorted(there.difference(named)))
    codes = np.asarray(pc.index_in(values, pa.array(order, pa.string())).to_numpy(), dtype=np.int64)
    size, tokens = len(order), found.tokens
    mine = codes[found.view.rows]
    twins = found.twins
    dropped = found.dropped[twins >= 0]
    place = codes[twins[twins >= 0]] * size + mine[dropped]
    return Lineage(
        order=order,
        documents=np.bincount(mine, minlength=size),
        tokens=_sums(mine, tokens, size),
        repeated=np.bincount(place, minlength=size * size).reshape(size, size),
        repeated_tokens=_sums(place, tokens[dropped], size * size).reshape(size, size),
    )


def _sums(places: NDArray[np.int64], values: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    found = np.zeros(size, dtype=np.int64)
    np.add.at(found, places, values)
    return found


def lineage_recipe(order: Sequence[str], *, near: float | None = None, pictures: bool = False) -> Recipe:
    """Return the recipe whose one step keeps of equal documents, or of nearly equal ones, that of the first set.

    Args:
        order: names of the sets, first to last.
        near: smallest similarity of nearly equal documents; None for equal ones only.
        pictures: whether the documents are pictures; equal ones have the same pixels.
    """
    name, more = ("exact_dedup", {}) if near is None else ("near_dedup", {"threshold": near})
    name = f"image_{name}" if pictures else name
    return Recipe().with_operator(OPERATORS.fresh(name, {"keep": "source order", "sources": list(order), **more}))


def study_lineage(
    study: Study, recipe: Recipe, *, step: str | None = None, progress: Progress | None = None
) -> Lineage:
    """Measure what is missing and return the lineage of a duplicate step, among the documents that reach it.

    Raises:
        RecipeError: the recipe has no such duplicate step, several without ``step``, or it states no order.
    """
    known = {each.id: each.operator for each in recipe.active if isinstance(each.operator, Rule)}
    if step is not None and step not in known:
        raise RecipeError("The recipe has no such duplicate step", value=step, allowed=known or "none")
    if step is None and len(known) != 1:
        raise RecipeError("Name one duplicate step of the recipe", value=list(known) or None, fix="give --step")
    name = step or next(iter(known))
    rule = known[name]
    require_order(rule.keep, rule.sources)
    study.measure(recipe, progress=progress)
    rows = study.evaluate(recipe).traces[name].rows
    return trace_lineage(look(study.facts, study.evidence, rule, rows=rows))
