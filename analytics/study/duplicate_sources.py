"""What duplicate rules found outside the documents: items of references, and the boilerplate passages of a corpus."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.analytics.duplicates.boilerplate import Passages, passage_hash
from tamis.analytics.duplicates.references import Reference
from tamis.analytics.duplicates.repeated_spans import SPANS
from tamis.analytics.operators.contamination import IdfDecontaminate
from tamis.analytics.operators.known_text import Decontaminate, ExcludeKnown
from tamis.analytics.operators.repeated_text import Boilerplate, CutSpans, SubstringDedup
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


def freeze_spans(study: Study, rule: SubstringDedup) -> CutSpans:
    """Store the spans that earlier documents have, and return the text step that cuts them.

    Raises:
        RecipeError: repeated spans have not been measured.
    """
    return CutSpans(spans=study.workspace.put_table(study.evidence.artifact(rule.measures()[0]).table(SPANS)))


def boilerplate_spans(study: Study, rule: Boilerplate, text: str, source: str) -> list[tuple[int, int]]:
    """Return where a text holds listed boilerplate passages of its source: (begin, end) in code points, ascending.

    Only the most frequent passages of the corpus are listed with their text, see ``boilerplate.LISTED``.

    Args:
        study: the corpus on which the rule was measured.
        rule: the rule.
        text: of the document.
        source: of the document; empty in a corpus without sources.

    Raises:
        RecipeError: boilerplate has not been measured.
    """
    listed = boilerplate_passages(study, rule)
    own = listed.filter(pc.equal(listed.column("source"), source)).column("text").to_pylist()
    wanted = np.array([passage_hash(passage) for passage in own], dtype=np.uint64)
    data = text.encode("utf-8")
    found = Passages.of(pa.array([text], pa.large_string()), unit=rule.unit)
    spans, before, at = [], 0, 0
    for passage in np.flatnonzero(np.isin(found.hashes, wanted) & (found.words >= rule.words)):
        begin, end = (int(edge) - int(found.edges[0]) for edge in found.edges[passage : passage + 2])
        at += len(data[before:begin].decode("utf-8", "replace"))
        inside = data[begin:end].decode("utf-8", "replace")
        lead = len(inside) - len(inside.lstrip())
        spans.append((at + lead, at + len(inside.rstrip())))
        at, before = at + len(inside), end
    return spans
