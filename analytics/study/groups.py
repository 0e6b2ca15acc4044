"""Questions about groups of documents: categories, clusters, what each rule drops."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.operator import RowOperator
from tamis.analytics.recipe.outcome import Outcome
from tamis.analytics.recipe.plan import row_masks
from tamis.analytics.study.scene import KEPT, SELECTED, Scene
from tamis.data.sql import ident


@dataclass(frozen=True)
class Totals:
    """The size of a set of documents."""

    documents: int
    tokens: int
    bytes: int


@dataclass(frozen=True)
class SceneTotals:
    """The size of all documents, of the selection, of what the recipe keeps, and of the selection it keeps."""

    all: Totals
    selected: Totals
    kept: Totals
    selected_kept: Totals


def totals(scene: Scene) -> SceneTotals:
    """Return the size of all, of the selection and of what the recipe keeps; each document counted once."""
    facts = scene.facts
    flag = scene.flags
    documents = np.bincount(flag, minlength=4)
    tokens = np.bincount(flag, weights=facts.whole("n_tokens"), minlength=4)
    size = np.bincount(flag, weights=facts.whole("bytes"), minlength=4)

    def of(*flags: int) -> Totals:
        return Totals(
            documents=int(sum(documents[k] for k in flags)),
            tokens=int(sum(tokens[k] for k in flags)),
            bytes=int(sum(size[k] for k in flags)),
        )

    both = KEPT | SELECTED
    return SceneTotals(all=of(0, 1, 2, 3), selected=of(SELECTED, both), kept=of(KEPT, both), selected_kept=of(both))


@dataclass(frozen=True)
class Groups:
    """Counts by the values of a column.

    Attributes:
        column: the column.
        table: ``value`` (string, NULL for documents without one), ``documents``, ``kept``, ``selected``, ``tokens``,
            ``kept_tokens`` (int64), ordered by documents, then value.
        distinct: number of values; more than the rows of the table when a limit applies.
    """

    column: str
    table: pa.Table
    distinct: int


def group_counts(scene: Scene, column: str, *, limit: int | None = 200) -> Groups:
    """Return documents, kept, selected and tokens by the values of a column, the largest first.

    Raises:
        RecipeError: there is no such column.
    """
    facts = scene.facts
    values, codes = column_values(facts, column)
    places, size = codes * 4 + scene.flags, 4 * (len(values) + 1)
    tally = np.bincount(places, minlength=size).reshape(-1, 4).astype(np.int64)
    tokens = np.bincount(places, weights=facts.whole("n_tokens"), minlength=size).reshape(-1, 4).astype(np.int64)
    documents = tally.sum(axis=1)
    order = np.argsort(-documents, kind="stable")
    order = order[: np.count_nonzero(documents)]
    shown = order if limit is None else order[:limit]
    table = pa.table(
        {
            "value": pa.concat_arrays([values, pa.nulls(1, values.type)]).take(pa.array(shown)),
            "documents": documents[shown],
            "kept": (tally[:, KEPT] + tally[:, KEPT | SELECTED])[shown],
            "selected": (tally[:, SELECTED] + tally[:, KEPT | SELECTED])[shown],
            "tokens": tokens.sum(axis=1)[shown],
            "kept_tokens": (tokens[:, KEPT] + tokens[:, KEPT | SELECTED])[shown],
        }
    )
    return Groups(column, table, len(order))


def count_values(scene: Scene, column: str) -> int:
    """Return how many different values a column has; no value is none, and neither is the unclustered group.

    Raises:
        RecipeError: there is no such column.
    """
    values, _ = column_values(scene.facts, column)
    if scene.facts.info(column).role != "cluster":
        return len(values)
    return sum(value != "-1" for value in values.to_pylist())


def column_values(facts: Facts, column: str) -> tuple[pa.Array, NDArray[np.int64]]:
    """Return the different values of a column as text, ascending, and which one each document has, int64 (n,).

    Documents without a value have the number after the last. Cached.

    Raises:
        RecipeError: there is no such column.
    """
    facts.info(column)
    key = ("values", facts.digest, column)
    return facts.memo.through(
        key, lambda: _read_values(facts, column), size=lambda found: int(found[0].nbytes + found[1].nbytes)
    )


def _read_values(facts: Facts, column: str) -> tuple[pa.Array, NDArray[np.int64]]:
    source = facts.source([column])
    texts = facts.query(f"SELECT CAST({ident(column)} AS VARCHAR) AS value FROM {source}", source).column("value")
    encoded = texts.combine_chunks().dictionary_encode()
    ranked = pc.sort_indices(encoded.dictionary).to_numpy()
    rank = np.empty(len(ranked) + 1, dtype=np.int64)
    rank[ranked], rank[-1] = np.arange(len(ranked)), len(ranked)
    codes = encoded.indices.fill_null(len(ranked)).to_numpy(zero_copy_only=False)
    return encoded.dictionary.take(pa.array(ranked)), rank[codes]


def cluster_table(scene: Scene, *, column: str = "cluster") -> pa.Table:
    """Return one row per cluster, by cluster number.

    Columns: ``cluster`` int32, ``documents``, ``kept``, ``selected``, ``tokens``, ``bytes``, ``duplicates`` (documents
    in a group of same normalised text) int64, ``x``, ``y`` (mean position), ``outlier`` (mean) float64.
    """
    facts = scene.facts
    fixed, places = facts.memo.through(
        ("cluster rows", facts.digest, column),
        lambda: _cluster_rows(facts, column),
        size=lambda found: int(found[0].nbytes + found[1].nbytes),
    )
    tally = np.bincount(places * 4 + scene.flags, minlength=4 * fixed.num_rows).reshape(-1, 4).astype(np.int64)
    for at, (name, flag) in enumerate((("kept", KEPT), ("selected", SELECTED)), start=2):
        fixed = fixed.add_column(at, name, pa.array(tally[:, flag] + tally[:, KEPT | SELECTED]))
    return fixed


def _cluster_rows(facts: Facts, column: str) -> tuple[pa.Table, NDArray[np.int64]]:
    """Return the part of ``cluster_table`` that no selection or recipe changes, and each document's row, int64 (n,)."""
    have = facts.columns
    source = facts.source([column, "n_tokens", "bytes", "norm_group", "x", "y", "outlier"])

    def mean(name: str) -> str:
        return f"round(avg({name}), 6) AS {name}" if name in have else f"CAST(NULL AS DOUBLE) AS {name}"

    def total(name: str, label: str) -> str:
        return f"CAST(coalesce(sum({name}), 0) AS BIGINT) AS {label}" if name in have else f"0::BIGINT AS {label}"

    duplicates = "count(*) FILTER (norm_group >= 0)" if "norm_group" in have else "0"
    table = facts.query(
        f"SELECT CAST({ident(column)} AS INTEGER) AS cluster, count(*) AS documents,"
        f" {total('n_tokens', 'tokens')}, {total('bytes', 'bytes')}, {duplicates}::BIGINT AS duplicates,"
        f" {mean('x')}, {mean('y')}, {mean('outlier')} FROM {source} GROUP BY 1 ORDER BY 1 NULLS LAST",
        source,
    )
    known = table.column("cluster").drop_null().to_numpy()
    return table, np.searchsorted(known, np.nan_to_num(facts.numbers(column), nan=np.inf))


def attribution(outcome: Outcome, facts: Facts) -> pa.Table:
    """Return what each step drops, one row per active step in order.

    Columns: ``step``, ``operator`` string; ``first`` int64, documents the step dropped as the first that failed them;
    ``any``, documents of the whole input that fail the rule; ``only``, those that fail no other row rule. ``any`` and
    ``only`` are NULL for set steps, whose decision depends on what reaches them.
    """
    first = np.bincount(outcome.deciding, minlength=len(outcome.steps) + 1)
    rows = [step for step in outcome.steps if isinstance(step.operator, RowOperator)]
    masks = row_masks(facts, [step.operator for step in rows if isinstance(step.operator, RowOperator)])
    fails = np.zeros(facts.n, dtype=np.uint8)
    for mask in masks:
        fails += ~mask
    any_ = {step.id: facts.n - int(np.count_nonzero(mask)) for step, mask in zip(rows, masks, strict=True)}
    only = {step.id: int(np.count_nonzero(~mask & (fails == 1))) for step, mask in zip(rows, masks, strict=True)}
    return pa.table(
        {
            "step": pa.array([step.id for step in outcome.steps], pa.string()),
            "operator": pa.array([step.operator.name for step in outcome.steps], pa.string()),
            "first": pa.array(first[1:], pa.int64()),
            "any": pa.array([any_.get(step.id) for step in outcome.steps], pa.int64()),
            "only": pa.array([only.get(step.id) for step in outcome.steps], pa.int64()),
        }
    )


def dropped_by_group(scene: Scene, column: str, *, limit: int = 50) -> pa.Table:
    """Return how many documents each step dropped from each group, the groups most dropped first.

    Columns: ``value`` string, ``step`` string, ``documents`` int64.
    """
    if scene.outcome is None:
        return pa.table({"value": pa.array([], pa.string()), "step": [], "documents": pa.array([], pa.int64())})
    scene.facts.info(column)
    source = scene.facts.source([column], also={"deciding": scene.outcome.deciding})
    table = scene.facts.query(
        "SELECT *, sum(documents) OVER (PARTITION BY value) AS weight FROM (SELECT"
        f" CAST({ident(column)} AS VARCHAR) AS value, deciding, count(*) AS documents FROM {source}"
        " WHERE deciding > 0 GROUP BY 1, 2) ORDER BY weight DESC, value NULLS LAST, deciding",
        source,
    )
    values = table.column("value").to_pylist()
    wanted = set(list(dict.fromkeys(values))[:limit])
    names = [step.id for step in scene.outcome.steps]
    chosen = table.filter(pa.array([value in wanted for value in values], pa.bool_()))
    steps = [names[number - 1] for number in chosen.column("deciding").to_pylist()]
    return pa.table(
        {"value": chosen.column("value"), "step": pa.array(steps, pa.string()), "documents": chosen.column("documents")}
    )
