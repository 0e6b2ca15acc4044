"""What people read about clusters: names, sizes, languages, categories, places; one table per clustering."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.analytics.naming import ClusterWords, Spoken, name_clusters, stop_words
from tamis.analytics.step import StepContext
from tamis.analytics.term_counts import TermCounter, TermCounts
from tamis.data.documents import load_column
from tamis.data.hashing import key64, uniform

NAMED_BY = 400
"""Documents per cluster whose words name it, chosen by keyed hash; smaller clusters use all of theirs."""

_ROWS = 8192


def naming_sample(
    keys: NDArray[np.uint64], labels: NDArray[np.int32], *, seed: int, most: int = NAMED_BY
) -> NDArray[np.bool_]:
    """Say which documents name their cluster, bool (n,): at most so many of each, those with the smallest hashes."""
    order = np.lexsort((uniform(keys, seed=seed, salt="names"), labels))
    numbers, sizes = np.unique(labels, return_counts=True)
    rank = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    chosen = np.zeros(len(labels), dtype=bool)
    chosen[order[(rank < most) & (np.repeat(numbers, sizes) >= 0)]] = True
    return chosen


def count_terms(context: StepContext, labels: NDArray[np.int32], *, seed: int) -> TermCounts:
    """Return the words of each cluster, counted over the naming sample in one pass over the texts.

    Args:
        context: of the running step.
        labels: int32 (n,), in facts order, -1 = none.
        seed: of the sample.
    """
    documents = context.documents
    chosen = naming_sample(key64(documents.ids.to_pylist()), labels, seed=seed)
    wanted = np.where(chosen, labels, -1)[documents.facts_rows].astype(np.int32)
    first = 0
    with TermCounter(np.unique(labels[labels >= 0]).astype(np.int32)) as counter:
        for shard in context.corpus.shards():
            for texts in context.corpus.document_texts(shard, max_rows=_ROWS):
                context.progress.check()
                counter.add(texts, wanted[first : first + len(texts)])
                first += len(texts)
                context.progress.advance(len(texts))
        return counter.counts()


def spoken_in(context: StepContext, labels: NDArray[np.int32]) -> Spoken:
    """Return sizes of the clusters, and the language that at least half of the documents of each are detected in."""
    numbers, documents = np.unique(labels[labels >= 0], return_counts=True)
    sizes = dict(zip(numbers.tolist(), documents.tolist(), strict=True))
    if "language" not in context.inputs:
        return Spoken({}, sizes)
    spoken = load_column(context.inputs["language"], context.documents, "lang")
    table = pa.table({"cluster": pa.array(labels), "lang": spoken}).filter(pc.field("cluster") >= 0)
    counts = table.group_by(["cluster", "lang"], use_threads=False).aggregate([([], "count_all")]).to_pylist()
    found = {
        row["cluster"]: (row["lang"], row["count_all"] / sizes[row["cluster"]])
        for row in sorted(counts, key=lambda row: (row["count_all"], row["lang"] or ""))
        if row["lang"] and 2 * row["count_all"] >= sizes[row["cluster"]]
    }
    languages = {number: language for number, (language, _) in found.items()}
    return Spoken(languages, sizes, {number: share for number, (_, share) in found.items()})


def cluster_rows(
    labels: NDArray[np.int32],
    words: Sequence[ClusterWords],
    kinds: NDArray[np.int32],
    spoken: Spoken,
    counts: TermCounts,
    positions: NDArray[np.float32],
) -> pa.Table:
    """Return one row per cluster, by number.

    Columns: cluster int32, name, words list<string>, size int64, language (NULL where mixed or unknown), category
    int32, category_name, x and y float32 (median position on the map, NULL where no member has one).

    Args:
        labels: int32 (n,), cluster of each document.
        words: words of each cluster, by number.
        kinds: int32 (k,), category of each cluster.
        spoken: the clusters' languages.
        counts: words by cluster.
        positions: float32 (n, 2), NaN off the map.
    """
    numbers = [row.cluster for row in words]
    names = {row.cluster: row.name for row in name_categories(counts, kinds, spoken)}
    sizes = np.bincount(labels[labels >= 0], minlength=max(numbers, default=-1) + 1)
    middles = [_middle(points) for points in _members(labels, positions, numbers)]
    return pa.table(
        {
            "cluster": pa.array(numbers, pa.int32()),
            "name": pa.array([row.name for row in words], pa.string()),
            "words": pa.array([list(row.words) for row in words], pa.list_(pa.string())),
            "size": pa.array(sizes[numbers] if numbers else [], pa.int64()),
            "language": pa.array([spoken.languages.get(number) for number in numbers], pa.string()),
            "category": pa.array(kinds, pa.int32()),
            "category_name": pa.array([names[int(kind)] for kind in kinds], pa.string()),
            "x": pa.array([x for x, _ in middles], pa.float32()),
            "y": pa.array([y for _, y in middles], pa.float32()),
        }
    )


def name_categories(counts: TermCounts, kinds: NDArray[np.int32], spoken: Spoken) -> tuple[ClusterWords, ...]:
    """Return the words and names of the categories, from the words of their clusters.

    A category of several languages has no stop words of its own, so those of each cluster's language go first.
    """
    if not len(kinds):
        return ()
    languages: dict[int, str] = {}
    of_cluster = spoken.of(counts)[0]
    for kind in np.unique(kinds).tolist():
        inside = set(of_cluster[kinds == kind].tolist())
        languages[kind] = inside.pop() if len(inside) == 1 else ""
    telling = counts.without(stop_words(counts, spoken), spoken.languages)
    return name_clusters(telling.joined(kinds), spoken=Spoken(languages, shares=dict.fromkeys(languages, 0.0)))


def _members(
    labels: NDArray[np.int32], positions: NDArray[np.float32], numbers: Sequence[int]
) -> list[NDArray[np.float32]]:
    """Return the positions on the map of the members of each cluster."""
    order = np.argsort(labels, kind="stable")
    first = np.searchsorted(labels[order], numbers, side="left")
    end = np.searchsorted(labels[order], numbers, side="right")
    found = [positions[order[a:b]] for a, b in zip(first, end, strict=True)]
    return [points[np.isfinite(points[:, 0])] for points in found]


def _middle(points: NDArray[np.float32]) -> tuple[float | None, float | None]:
    if not len(points):
        return None, None
    x, y = np.median(points, axis=0)
    return float(x), float(y)
