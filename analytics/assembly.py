"""The facts table put together from the artifacts of an analysis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from tamis.analytics.facts import Facts
from tamis.analytics.signal_step import signal_columns
from tamis.analytics.step import Estimate, StepContext, StepSpec
from tamis.data.artifact import Artifact
from tamis.data.documents import Documents, load_table

ASSEMBLY_VERSION = 1


def facts_step(steps: Sequence[StepSpec]) -> StepSpec:
    """Return the step that joins what ``steps`` measured into one table, sorted by id."""

    def run(context: StepContext) -> None:
        table = assemble(context.documents, context.inputs)
        context.out.write_table("facts", table)
        facts = {"corpus": context.corpus.fingerprint, "errors": context.documents.errors.num_rows}
        context.out.commit(rows=table.num_rows, facts=facts)

    return StepSpec(
        name="facts",
        version=ASSEMBLY_VERSION,
        upstream=tuple(step.name for step in steps),
        params={},
        title="Putting the facts table together",
        estimate=lambda size: Estimate(0.2 + size.documents * 4e-6, size.documents * 150),
        run=run,
    )


def assemble(documents: Documents, artifacts: Mapping[str, Artifact]) -> pa.Table:
    """Return the facts table, (n,) rows in id order, from per-document artifacts."""
    columns: dict[str, pa.Array | pa.ChunkedArray | np.ndarray] = {"id": documents.ids, "bytes": documents.bytes}
    for step in ("columns", "language", "tokens", "signals"):
        if step in artifacts:
            columns |= _shared(documents, artifacts[step])
    return pa.table(columns)


def _shared(documents: Documents, artifact: Artifact) -> dict[str, pa.ChunkedArray]:
    """Return the columns that all parts of an artifact have."""
    names = [artifact.table(part).column_names for part in artifact.parts("part-")]
    common = [name for name in names[0] if all(name in other for other in names)] if names else []
    if not common:
        return {}
    table = load_table(artifact, documents, columns=common)
    return {name: table.column(name) for name in common}


def read_facts(artifact: Artifact) -> Facts:
    """Return the facts table of a facts artifact, in memory.

    Raises:
        StoreError: the artifact is damaged.
    """
    facts = artifact.facts
    return Facts.from_table(
        artifact.table("facts"),
        digest=artifact.digest,
        columns=signal_columns(),
        corpus=str(facts["corpus"]),
        errors=int(facts["errors"]),
    )
