"""Steps on a scope of conversations: any step that reads texts, given only the parts that a scope names.

``response.signals`` is the step ``signals`` with the corpus ``corpus.in_scope("response")``; the steps it reads are on
the same scope, except the documents, which are the same. ``response.n_words`` is the column ``n_words`` that it makes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from tamis.analytics.facts.column_info import ColumnInfo
from tamis.analytics.steps.engine import PieceInput, RowByRow, shard_work
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.data.documents import load_column
from tamis.data.parts import SCOPES, WHOLE
from tamis.data.shards import Shard

DOCUMENTS = "documents"
SIZES = "sizes"
SCOPED_STEPS = ("signals", "language", "tokens", "exact", "perplexity")
"""Steps of the analysis whose columns are offered on scopes."""


def split_scope(name: str) -> tuple[str, str]:
    """Return the scope and the name without it; the scope is empty for the whole."""
    scope, dot, rest = name.partition(".")
    return (scope, rest) if dot and scope in SCOPES and scope != WHOLE and rest else ("", name)


def sizes_step() -> StepSpec:
    """Return the step that measures ``bytes``, the UTF-8 bytes of each text."""

    def measure(shard: Shard, given: PieceInput) -> pa.Table:
        sizes = [pc.binary_length(texts).cast(pa.int64()) for texts in given.corpus.document_texts(shard)]
        return pa.table({"bytes": pa.chunked_array(sizes, pa.int64())})

    def run(context: StepContext) -> None:
        context.fill(shard_work(context.corpus, measure, rows_of=RowByRow()))
        context.out.commit(rows=context.documents.n)

    return StepSpec(
        name=SIZES,
        version=1,
        upstream=(DOCUMENTS,),
        params={},
        title="Measuring lengths",
        estimate=lambda size: Estimate(0.1 + size.bytes / 200e6, size.documents * 2),
        run=run,
    )


def scoped(step: StepSpec, scope: str) -> StepSpec:
    """Return a step on a scope, under the name ``scope.step``."""
    upstream = tuple(name if name == DOCUMENTS else f"{scope}.{name}" for name in step.upstream)
    sizes = () if step.name == SIZES else (f"{scope}.{SIZES}",)
    return _on_scope(step, scope, name=f"{scope}.{step.name}", upstream=upstream, sizes=sizes)


def scoped_in_place(step: StepSpec, scope: str) -> StepSpec:
    """Return a step on a scope under its own name: the map and the clusters of a corpus are those of a scope."""
    return _on_scope(step, scope, name=step.name, upstream=step.upstream, sizes=())


def _on_scope(step: StepSpec, scope: str, *, name: str, upstream: tuple[str, ...], sizes: tuple[str, ...]) -> StepSpec:
    own = dict(zip(step.upstream, upstream, strict=True))

    def run(context: StepContext) -> None:
        documents = context.documents
        for place in sizes:
            lengths = load_column(context.inputs[place], documents, "bytes")
            documents = replace(documents, bytes=lengths.to_numpy())
        inputs = {plain: context.inputs[given] for plain, given in own.items()}
        given = replace(
            context, corpus=context.corpus.in_scope(scope), inputs=inputs, found=documents, params=step.params
        )
        step.run(given)

    return replace(
        step,
        name=name,
        upstream=(*upstream, *sizes),
        params={**step.params, "of": scope},
        title=f"{step.title} ({scope.replace('_', ' ')})",
        run=run,
    )


def scope_columns(columns: Iterable[ColumnInfo], scopes: Sequence[str]) -> tuple[ColumnInfo, ...]:
    """Return the columns that can be measured on scopes, those of each scope together.

    Args:
        columns: of the facts.
        scopes: see ``Shape.scopes``.
    """
    plain = [info for info in columns if info.name == "bytes" or info.step in SCOPED_STEPS]
    return tuple(on_scope(info, scope) for scope in scopes for info in plain)


def on_scope(info: ColumnInfo, scope: str) -> ColumnInfo:
    """Return the description of a column on a scope."""
    return replace(info, name=f"{scope}.{info.name}", title=f"{info.title} ({scope.replace('_', ' ')})")


def find_step(name: str, known: Mapping[str, StepSpec | Callable[[], StepSpec]]) -> StepSpec | None:
    """Return a step by its name, on a scope too; None if it is not known."""
    scope, plain = split_scope(name)
    if plain == SIZES:
        return scoped(sizes_step(), scope) if scope else sizes_step()
    found = known.get(plain)
    if found is None:
        return None
    step = found if isinstance(found, StepSpec) else found()
    return scoped(step, scope) if scope else step
