"""The step that assembles the facts table from the artifacts of an analysis.

A step contributes columns in one of three ways: tables ``part-*`` in source order with one row per document, a table
``facts`` in id order, or arrays in id order that it declares (``COLUMNS``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tamis.analytics.facts.column_info import COLUMNS, ColumnInfo, describe
from tamis.analytics.facts.facts import Facts
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.data.artifact import Artifact
from tamis.data.documents import EVERY_ROW, PREFIX, Documents, load_table
from tamis.data.errors import StoreError
from tamis.data.hashing import digest

ASSEMBLY_VERSION = 3
ROWS_PER_PART = 1 << 20


OWN_NUMBERS = ("columns", "scores-")
"""Steps that read numbers of the corpus: infinite ones stay."""


def step_of(column: str) -> str | None:
    """Return the step of the analysis that makes a facts column, None if no step declares it."""
    if column.startswith("meta_"):
        return "columns"
    declared = COLUMNS.get(column)
    return None if declared is None else declared.step


def facts_step(steps: Sequence[StepSpec], *, columns: Collection[str] | None = None) -> StepSpec:
    """Return the step that joins the columns of ``steps`` into one table, sorted by id.

    Args:
        steps: whose columns to join.
        columns: which of them, besides ``id`` and ``bytes``; None for all. Memory grows with the number of columns.

    The artifact holds the tables ``facts-*`` and the array ``keys``; its manifest states the step of each column.
    """

    chosen = None if columns is None else sorted(columns)

    def run(context: StepContext) -> None:
        found, made_by = assemble(context.documents, context.inputs, columns=chosen)
        table = pa.table(found)
        for number, start in enumerate(range(0, max(table.num_rows, 1), ROWS_PER_PART)):
            context.out.write_table(f"facts-{number:05d}", table.slice(start, ROWS_PER_PART))
        context.out.write_array("keys", context.documents.keys)
        facts = {
            "corpus": context.corpus.fingerprint,
            "errors": context.documents.errors.num_rows,
            "columns": made_by,
            "origins": {name: artifact.digest for name, artifact in context.inputs.items()},
            "paths": context.inputs["columns"].facts["columns"] if "columns" in context.inputs else {},
        }
        context.out.commit(rows=context.documents.n, facts=facts)

    return StepSpec(
        name="facts",
        version=ASSEMBLY_VERSION,
        upstream=tuple(step.name for step in steps),
        params={} if chosen is None else {"columns": chosen},
        title="Assembling the facts table",
        estimate=lambda size: Estimate(0.2 + size.documents * 4e-6, size.documents * 150),
        run=run,
    )


def assemble(
    documents: Documents, artifacts: Mapping[str, Artifact], *, columns: Collection[str] | None = None
) -> tuple[dict[str, pa.Array], dict[str, str]]:
    """Return the facts columns, (n,) each in id order, and the step of each; only ``columns`` if not None.

    Raises:
        StoreError: two steps make the same column, or a step's values do not fit the documents.
    """
    found: dict[str, pa.Array] = {"id": documents.ids, "bytes": pa.array(documents.bytes)}
    made_by = dict.fromkeys(found, "documents")
    for name, artifact in artifacts.items():
        for column, values in columns_of(name, artifact, documents, columns=columns).items():
            if column in found:
                raise StoreError(f"Steps {made_by[column]} and {name} make the same facts column", value=column)
            if len(values) != documents.n:
                raise StoreError(f"Step {name} has {len(values)} values for {documents.n} documents", value=column)
            found[column], made_by[column] = _narrow(values, infinite=name.startswith(OWN_NUMBERS)), name
    return found, made_by


def columns_of(
    step: str, artifact: Artifact, documents: Documents, *, columns: Collection[str] | None = None
) -> dict[str, pa.Array]:
    """Return the columns of one step; only ``columns`` if not None."""
    if step == "documents":
        return {}
    parts = artifact.parts()
    found: dict[str, pa.Array] = {
        column: pa.array(artifact.array(array))
        for array, column in COLUMNS.arrays(step).items()
        if array in parts and (columns is None or column in columns)
    }
    if "facts" in parts:
        table = artifact.table("facts")
        names = [name for name in table.column_names if columns is None or name in columns]
        found |= {name: table.column(name).combine_chunks() for name in names}
    if not COLUMNS.arrays(step) and artifact.parts(PREFIX):
        # Parts of all rows hold more than facts: reasons, hashes.
        declared = {info.name for info in COLUMNS if info.step == step} if artifact.facts.get(EVERY_ROW) else None
        wanted = columns if declared is None else declared if columns is None else declared & set(columns)
        found |= _shared(documents, artifact, wanted)
    return found


def _shared(documents: Documents, artifact: Artifact, columns: Collection[str] | None) -> dict[str, pa.Array]:
    """Return the columns that all source-order parts of an artifact have, in id order."""
    tables = {part.name for part in artifact.manifest.parts if part.kind == "table"}
    names = [artifact.columns(part) for part in artifact.parts(PREFIX) if part in tables]
    common = [name for name in (names[0] if names else []) if all(name in other for other in names)]
    common = [name for name in common if columns is None or name in columns]
    if not common:
        return {}
    table = load_table(artifact, documents, columns=common)
    return {name: table.column(name).combine_chunks() for name in common}


def _narrow(values: pa.Array, *, infinite: bool) -> pa.Array:
    """Return values in the form of the facts: NaN and, unless ``infinite``, infinities become NULL; text is string."""
    kind = values.type
    if pa.types.is_float16(kind):
        values, kind = values.cast(pa.float32()), pa.float32()
    if pa.types.is_floating(kind):
        there = pc.invert(pc.is_nan(values)) if infinite else pc.is_finite(values)
        return pc.if_else(there, values, pa.scalar(None, kind))
    return values.cast(pa.string()) if pa.types.is_large_string(kind) else values


def read_facts(artifact: Artifact, *, threads: int | None = None) -> Facts:
    """Return the facts table of a facts artifact, in memory.

    Raises:
        StoreError: the artifact is damaged.
    """
    names, facts = artifact.parts("facts-"), artifact.facts
    schema = artifact.table(names[0]).schema
    return Facts.from_parts(
        map(artifact.table, names),
        digest=artifact.digest,
        columns=column_infos(schema, facts["columns"], facts["origins"], facts.get("paths", {})),
        corpus=str(facts["corpus"]),
        errors=int(facts["errors"]),
        keys=np.asarray(artifact.array("keys"), dtype=np.uint64),
        threads=threads,
    )


def facts_so_far(documents: Documents, artifacts: Mapping[str, Artifact], *, corpus: str) -> Facts:
    """Return the facts of the steps that are done, in memory: the same values as the facts step will join.

    Args:
        documents: the documents.
        artifacts: of the steps that are done, by name, in the order in which their columns shall stand.
        corpus: fingerprint of the corpus.

    Raises:
        StoreError: as ``assemble``.
    """
    found, made_by = assemble(documents, artifacts)
    table = pa.table(found)
    origins = {name: artifact.digest for name, artifact in artifacts.items()}
    paths = artifacts["columns"].facts["columns"] if "columns" in artifacts else {}
    return Facts.from_parts(
        [table],
        digest=digest({"so far": origins, "documents": documents.digest}),
        columns=column_infos(table.schema, made_by, origins, paths),
        corpus=corpus,
        errors=documents.errors.num_rows,
        keys=documents.keys,
    )


def column_infos(
    schema: pa.Schema, made_by: Mapping[str, str], origins: Mapping[str, str], paths: Mapping[str, str]
) -> dict[str, ColumnInfo]:
    """Return the description of each column as its step declares it; ``paths`` gives those of corpus columns."""
    infos = {}
    for field in schema:
        step = made_by.get(field.name, "")
        info = describe(field.name, field.type, path=paths.get(field.name, ""))
        infos[field.name] = replace(info, step=step, origin=origins.get(step, ""))
    return infos
