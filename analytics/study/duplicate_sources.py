"""What duplicate rules found outside the documents: items of references, and the boilerplate passages of a corpus."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.duplicates.references import Reference
from tamis.analytics.operators.contamination import IdfDecontaminate
from tamis.analytics.operators.known_text import Boilerplate, Decontaminate, ExcludeKnown
from tamis.analytics.study.study import Study


def find_items(
    study: Study, rule: Decontaminate | IdfDecontaminate | ExcludeKnown, rows: NDArray[np.int64]
) -> list[str]:
    """Return the evaluation item or known text that each document matches, as in the ledger; empty for none.

    Args:
        study: the corpus on which the rule was measured.
        rule: a decontamination or cross-corpus rule.
        rows: int64 (m,), facts rows.

    Raises:
        RecipeError: it has not been measured.
        StoreError: the reference is not stored here.
    """
    if isinstance(rule, IdfDecontaminate):
        return [name or "" for name in rule.twins(rows, study.evidence).to_pylist()]
    digest = rule.evaluation if isinstance(rule, Decontaminate) else rule.reference
    items = study.evidence.array(rule.measures()[0], "item")[rows]
    if not (items >= 0).any():
        return [""] * len(items)
    reference = Reference.from_table(study.workspace.table(digest))
    return [reference.name(int(item)) for item in items]


def boilerplate_passages(study: Study, rule: Boilerplate) -> pa.Table:
    """Return the most frequent boilerplate passages: ``text``, ``source``, ``documents``, most frequent first.

    Chosen texts go into the text step ``remove_passages``.

    Raises:
        RecipeError: boilerplate has not been measured.
    """
    return study.evidence.artifact(rule.params.measure).table("passages")
