"""Which recipes can curate a growing folder batch by batch: what they decide once must never have to be taken back.

A rule on one document decides alike whatever comes later, if it reads what is measured of that document alone. A rule
against duplicates does if it keeps the document that came first. No policy knows when a document came; ``oldest`` by a
date that grows and ``first id`` with ids that grow keep the earlier one. Others may prefer a later document.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tamis.analytics.operators.duplicates import NearDedup
from tamis.analytics.operators.image_duplicates import ImageExactDedup, ImageNearDedup
from tamis.analytics.operators.keep_policy import Keeping
from tamis.analytics.operators.operator import Operator, RowOperator, TextOperator, measures_of
from tamis.analytics.operators.sets import ExactDedup
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.steps.facts_step import step_of
from tamis.analytics.steps.measures import COLUMN, Measure
from tamis.data.errors import RecipeError

DEDUP = (ExactDedup, NearDedup, ImageExactDedup, ImageNearDedup)
"""Rules against duplicates that judge a document by those before it alone."""

ALONE = ("documents", "pictures", "columns", "signals", "language", "tokens", "audit")
"""Steps whose columns depend on the document alone."""

ALONE_MEASURES = ("regex", "signals", "language", COLUMN)
STAYING = ("oldest", "first id")
"""Keep policies under which the earlier document stays, where dates or ids grow."""

ALLOWED = (
    "rules on single documents, exact_dedup, near_dedup (jaccard), image_exact_dedup and image_near_dedup that keep the"
    " oldest by a growing date or the first of growing ids, and edits of texts"
)


def check_watchable(recipe: Recipe) -> None:
    """Check that a recipe can curate a growing folder.

    Raises:
        RecipeError: a step may have to take back what it decided; names each such step with the reason.
    """
    faults = [f"{step.id}: {reason}" for step in recipe.active for reason in _reasons(step.operator)]
    if faults:
        raise RecipeError(
            f"This recipe cannot curate a growing folder: {'; '.join(faults)}",
            allowed=ALLOWED,
            fix="change these steps, or curate the whole folder again with tamis run",
        )


def _reasons(operator: Operator) -> Iterator[str]:
    """Yield why an operator may take back what it decided."""
    if isinstance(operator, DEDUP):
        yield from _of_duplicates(operator)
    elif isinstance(operator, RowOperator | TextOperator):
        yield from _of_columns(operator.columns(), measures_of(operator))
    else:
        yield f"{operator.name} looks at all documents together"


def _of_duplicates(operator: Keeping) -> Iterator[str]:
    if operator.keep not in STAYING:
        yield f"{operator.name} keeps {operator.policy_sentence()}, and a later document may be preferred"
    if operator.clustering is not None:
        yield f"{operator.name} keeps more or fewer in some clusters, which are those of another state of the corpus"
    if isinstance(operator, NearDedup) and operator.similarity != "jaccard":
        yield "near_dedup by containment compares documents by words that are rare in the whole corpus"
    within = {operator.within} if isinstance(operator, DEDUP) and operator.within else set()
    yield from _of_columns(operator.policy_columns() | within, ())


def _of_columns(columns: Iterable[str], measures: Iterable[Measure]) -> Iterator[str]:
    measured = list(measures)
    own = {measure.column for measure in measured}
    for name in sorted({*columns} - own - {""}):
        if name == "id":
            yield "it reads the id, which another copy of a text may change"
        elif step_of(name) not in ALONE:
            yield f"it reads {name}, which depends on the other documents"
    for measure in measured:
        column = dict(measure.params).get("column", "")
        if measure.kind not in ALONE_MEASURES or (measure.kind == COLUMN and step_of(str(column)) not in ALONE):
            yield f"it reads {measure.column or measure.kind}, which is not measured of each document alone"
