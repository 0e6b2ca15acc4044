"""What the steps of a recipe have in common with texts of other files: counts by evaluation set, for reports."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.duplicates.references import Reference
from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.contamination import IdfDecontaminate
from tamis.analytics.operators.known_text import Decontaminate, ExcludeKnown
from tamis.analytics.recipe.plan import row_masks
from tamis.analytics.recipe.recipe import Step
from tamis.analytics.study.contamination import SetCount, find_contamination
from tamis.analytics.study.study import Study


def evaluation_counts(study: Study, facts: Facts, steps: Iterable[Step]) -> dict[str, tuple[SetCount, ...]]:
    """Return the counts by evaluation set of each step that compares the corpus with other files, by the step's id.

    They are over all documents of the corpus, whatever other steps drop; exact.

    Args:
        study: the corpus, with the steps measured.
        facts: with the measured columns of the steps.
        steps: of the recipe.

    Raises:
        StoreError: the evaluation sets are not stored here.
    """
    found = {}
    for step in steps:
        if isinstance(step.operator, IdfDecontaminate):
            found[step.id] = find_contamination(study, step.operator).counts
        elif isinstance(step.operator, (Decontaminate, ExcludeKnown)):
            found[step.id] = count_files(study, facts, step.operator)
    return found


def count_files(study: Study, facts: Facts, rule: Decontaminate | ExcludeKnown) -> tuple[SetCount, ...]:
    """Return the counts of each file of a reference, by name; a document counts for the item it matches best."""
    digest = rule.evaluation if isinstance(rule, Decontaminate) else rule.reference
    reference = Reference.from_table(study.workspace.table(digest))
    matching = rule.model_copy(update={"mode": "keep", "missing": "drop"})
    rows = np.flatnonzero(row_masks(facts, [matching])[0])
    best = np.asarray(study.evidence.array(rule.measures()[0], "item")[rows], dtype=np.int64)
    best = best[best >= 0]
    shortest = rule.shortest if isinstance(rule, Decontaminate) else 0
    long_enough = reference.units >= shortest
    return tuple(
        SetCount(
            name,
            items=_count(reference.file == place),
            looked_for=_count((reference.file == place) & long_enough),
            found=_count(reference.file[np.unique(best)] == place),
            documents=_count(reference.file[best] == place),
            by_part=(),
        )
        for place, name in sorted(enumerate(reference.files), key=lambda each: (each[1], each[0]))
    )


def _count(mask: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(mask))
