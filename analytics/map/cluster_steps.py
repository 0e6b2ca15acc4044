"""The steps that find clusters, divide all documents into concepts (k-means), and name both.

Each clustering has one table for people: names, sizes, languages, categories, positions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.analytics.embedding.copies import Copies
from tamis.analytics.embedding.kmeans import spherical_kmeans
from tamis.analytics.embedding.stored_vectors import load_vectors
from tamis.analytics.facts.column_info import COLUMNS, ColumnInfo
from tamis.analytics.map.cluster_edits import ClusterEdit, apply_edits
from tamis.analytics.map.cluster_names import ClusterLanguages, ClusterWords, name_clusters, stop_words, term_table
from tamis.analytics.map.clusterings import CLUSTERINGS, HDBSCAN, ClusteringInput, Fineness
from tamis.analytics.map.density_clusters import Noise, categories, centroids_of, number_by_size, vote
from tamis.analytics.map.picture_names import NamingCounter, naming_sources, naming_texts
from tamis.analytics.map.steps import read_graph
from tamis.analytics.map.term_counts import TermCounts
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.data.artifact import Artifact
from tamis.data.corpus import Corpus
from tamis.data.documents import load_column
from tamis.data.errors import SettingError
from tamis.data.hashing import key64, uniform

NAMED_BY = 400
"""Documents per cluster whose words name it, chosen by keyed hash; smaller clusters use all of theirs."""

_ROWS = 8192


def naming_sample(
    keys: NDArray[np.uint64], labels: NDArray[np.int32], *, seed: int, most: int = NAMED_BY
) -> NDArray[np.bool_]:
    """Return which documents name their cluster, bool (n,): up to ``most`` of each, by smallest hash."""
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
    numbers, sources = np.unique(labels[labels >= 0]).astype(np.int32), naming_sources(context.corpus)
    with NamingCounter(numbers, len(sources)) as counter:
        for shard in context.corpus.shards():
            for texts in naming_texts(context.corpus, shard, max_rows=_ROWS):
                context.progress.check()
                size = len(texts[0])
                counter.add(texts, wanted[first : first + size])
                first += size
                context.progress.advance(size)
        return counter.counts()


def cluster_languages(context: StepContext, labels: NDArray[np.int32]) -> ClusterLanguages:
    """Return the size of each cluster, and the language detected in at least half of its documents."""
    numbers, documents = np.unique(labels[labels >= 0], return_counts=True)
    sizes = dict(zip(numbers.tolist(), documents.tolist(), strict=True))
    if "language" not in context.inputs:
        return ClusterLanguages({}, sizes)
    spoken = load_column(context.inputs["language"], context.documents, "lang")
    table = pa.table({"cluster": pa.array(labels), "lang": spoken}).filter(pc.field("cluster") >= 0)
    counts = table.group_by(["cluster", "lang"], use_threads=False).aggregate([([], "count_all")]).to_pylist()
    found = {
        row["cluster"]: (row["lang"], row["count_all"] / sizes[row["cluster"]])
        for row in sorted(counts, key=lambda row: (row["count_all"], row["lang"] or ""))
        if row["lang"] and 2 * row["count_all"] >= sizes[row["cluster"]]
    }
    languages = {number: language for number, (language, _) in found.items()}
    return ClusterLanguages(languages, sizes, {number: share for number, (_, share) in found.items()})


def cluster_rows(
    labels: NDArray[np.int32],
    words: Sequence[ClusterWords],
    kinds: NDArray[np.int32],
    spoken: ClusterLanguages,
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


def name_categories(counts: TermCounts, kinds: NDArray[np.int32], spoken: ClusterLanguages) -> tuple[ClusterWords, ...]:
    """Return the words and names of the categories, from the words of their clusters.

    A category of several languages has no stop words of its own, so those of each cluster's language are removed first.
    """
    if not len(kinds):
        return ()
    languages: dict[int, str] = {}
    of_cluster = spoken.of(counts)[0]
    for kind in np.unique(kinds).tolist():
        inside = set(of_cluster[kinds == kind].tolist())
        languages[kind] = inside.pop() if len(inside) == 1 else ""
    telling = counts.without(stop_words(counts, spoken), spoken.languages)
    return name_clusters(
        telling.joined(kinds), spoken=ClusterLanguages(languages, shares=dict.fromkeys(languages, 0.0))
    )


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


CLUSTERS_VERSION = 6
PICTURE_CLUSTERS_VERSION = 7
"""Of clusters of pictures, which are named by one source each."""
EDITED = "edited_clusters"


def clusters_step(
    clustering: str = HDBSCAN,
    *,
    fineness: Fineness | None = None,
    noise: Noise = "leave",
    languages: bool = True,
    pictures: bool = False,
) -> StepSpec:
    """Return the step that finds and names clusters.

    Its artifact holds, in facts order, ``labels`` int32 (n,), -1 = unclustered; ``centroids`` float32 (k, d), unit rows
    in the space of the embedding, with ``centroid_labels`` int32 (k,); the tables ``clusters`` (one row per cluster:
    cluster, name, words, size, language, category, category_name, x, y) and ``terms`` (see ``term_table``); and
    the JSON ``sweep``.

    Args:
        clustering: a name in ``clusterings.CLUSTERINGS``.
        fineness: how fine the clusters are; its seed also draws the documents that name a cluster.
        noise: ``leave`` keeps documents in no cluster unclustered; ``vote`` gives them the commonest cluster among
            their neighbours.
        languages: whether the analysis has the language step, which helps to find the stop words of rare languages.
        pictures: whether the documents are pictures.

    Raises:
        SettingError: unknown clustering or noise setting, or an impossible size.
    """
    way, fine = CLUSTERINGS.get(clustering), fineness or Fineness()
    if noise not in ("leave", "vote"):
        raise SettingError("What happens to unclustered documents", value=noise, allowed=["leave", "vote"])

    def run(context: StepContext) -> None:
        known = ClusteringInput(
            _fine_positions(context.inputs["map"]),
            lambda: load_vectors(context.inputs["embeddings"], context.documents),
            context.progress.check,
        )
        found = way.find(known, fine)
        labels = number_by_size(found.labels)
        if noise == "vote":
            copies = Copies.of(known.vectors())
            graph = read_graph(context.inputs["knn"], different=True)
            labels = number_by_size(vote(labels[copies.rows], graph.indices)[copies.group])
        context.out.write_json("sweep", [asdict(point) for point in found.sweep])
        about = {"method": clustering, "found_by": found.words, "noise": noise, **found.settings}
        _write(context, labels, None, seed=fine.seed, about=about)

    upstream = ("documents", "embeddings", "knn", "map", *(("language",) if languages else ()))
    params = {"clustering": clustering, **asdict(fine), "noise": noise}
    return _spec(
        "clusters", upstream, params, "Finding and naming clusters", lambda n: 2 + n * 7e-5, run, pictures=pictures
    )


def edited_clusters_step(
    edits: Sequence[ClusterEdit], *, seed: int = 0, languages: bool = True, pictures: bool = False
) -> StepSpec:
    """Return the step that applies people's edits to the clusters of ``clusters_step`` and names them again.

    Its artifact is made like that of ``clusters_step``; clusters that no edit touched keep their numbers.

    Args:
        edits: in order.
        seed: of splits and of the documents that name a cluster.
        languages: whether the analysis has the language step.
        pictures: whether the documents are pictures.
    """

    def run(context: StepContext) -> None:
        before = context.inputs["clusters"]
        vectors = load_vectors(context.inputs["embeddings"], context.documents)
        labels = apply_edits(before.array("labels"), edits, vectors, seed=seed, check=context.progress.check)
        if "sweep" in before.parts():
            context.out.write_json("sweep", before.json("sweep"))
        kept = ("method", "found_by", "noise", "min_cluster_size")
        about = {name: before.facts[name] for name in kept} | {"edits": len(edits), "edited_from": before.digest}
        _write(context, labels, None, seed=seed, about=about)

    upstream = ("documents", "embeddings", "map", "clusters", *(("language",) if languages else ()))
    params = {"edits": [edit.plain for edit in edits], "seed": seed}
    return _spec(
        EDITED, upstream, params, "Editing and naming clusters", lambda n: 2 + n * 1e-5, run, pictures=pictures
    )


def clusters_of(artifacts: Mapping[str, Artifact]) -> Artifact | None:
    """Return the clusters in use: the edited ones if people edited them."""
    return artifacts.get(EDITED) or artifacts.get("clusters")


def concepts_step(
    *, k: int | None = None, iterations: int = 20, seed: int = 0, languages: bool = True, pictures: bool = False
) -> StepSpec:
    """Return the step that divides all documents with an embedding into concepts by spherical k-means.

    Its artifact is made like that of ``clusters_step``, without a sweep. Documents without an embedding get -1.

    Args:
        k: number of concepts; None for ``concept_count``.
        iterations: of Lloyd's algorithm.
        seed: of the first centroids and of the documents that name a concept.
        languages: whether the analysis has the language step.
        pictures: whether the documents are pictures.
    """

    def run(context: StepContext) -> None:
        vectors = load_vectors(context.inputs["embeddings"], context.documents)
        count = concept_count(len(vectors)) if k is None else k
        labels, centroids = np.full(len(vectors), -1, dtype=np.int32), np.empty((0, vectors.shape[1]), dtype=np.float32)
        if vectors.any():
            fitted = spherical_kmeans(
                vectors, count, seed=seed, iterations=iterations, sample=256 * count, check=context.progress.check
            )
            labels, centroids = _by_size(fitted.labels, fitted.centroids)
        about = {"method": "spherical k-means", "k": len(centroids), "iterations": iterations}
        _write(context, labels, centroids, seed=seed, about=about)

    upstream = ("documents", "embeddings", "map", *(("language",) if languages else ()))
    params = {"k": k, "iterations": iterations, "seed": seed}
    return _spec("concepts", upstream, params, "Dividing into concepts", lambda n: 2 + n * 6e-5, run, pictures=pictures)


def concept_count(documents: int) -> int:
    """Return the number of concepts by default: the square root of the documents, from 4 to 1,000."""
    return int(min(1000, max(4, round(np.sqrt(documents)))))


def _spec(
    name: str,
    upstream: tuple[str, ...],
    params: Mapping[str, Any],
    title: str,
    seconds: Callable[[int], float],
    run: Callable[[StepContext], None],
    *,
    pictures: bool,
) -> StepSpec:
    return StepSpec(
        name=name,
        version=PICTURE_CLUSTERS_VERSION if pictures else CLUSTERS_VERSION,
        upstream=upstream,
        params=params,
        title=title,
        estimate=lambda size: Estimate(seconds(size.documents) + size.bytes / 100e6, size.documents * 5 + 1_000_000),
        run=run,
    )


def _by_size(
    labels: NDArray[np.int32], centroids: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the concepts numbered from the largest; concepts without documents are dropped."""
    renumbered = number_by_size(labels)
    number = np.full(len(centroids), -1, dtype=np.int64)
    number[labels[labels >= 0]] = renumbered[labels >= 0]
    used = np.flatnonzero(number >= 0)
    return renumbered, centroids[used[np.argsort(number[used])]]


def _fine_positions(artifact: Artifact) -> NDArray[np.floating[Any]]:
    """Return the positions in the precision of the map, (n, 2)."""
    return artifact.array("fine") if "fine" in artifact.parts() else _positions(artifact)


def _positions(artifact: Artifact) -> NDArray[np.float32]:
    return np.column_stack([artifact.array("x"), artifact.array("y")])


def _write(
    context: StepContext,
    labels: NDArray[np.int32],
    centroids: NDArray[np.float32] | None,
    *,
    seed: int,
    about: Mapping[str, Any],
) -> None:
    """Name the clusters and commit the artifact."""
    embeddings = context.inputs["embeddings"]
    numbers = np.unique(labels[labels >= 0]).astype(np.int32)
    if centroids is None:
        centroids, numbers = centroids_of(load_vectors(embeddings, context.documents), labels)
    spoken = cluster_languages(context, labels)
    counts = count_terms(context, labels, seed=seed)
    words = name_clusters(counts, spoken=spoken)
    kinds = categories(centroids)
    context.out.write_array("labels", labels)
    context.out.write_array("centroids", centroids)
    context.out.write_array("centroid_labels", numbers)
    context.out.write_table("terms", term_table(counts))
    context.out.write_table(
        "clusters", cluster_rows(labels, words, kinds, spoken, counts, _positions(context.inputs["map"]))
    )
    facts = dict(about) | {
        "seed": seed,
        "clusters": len(numbers),
        "unclustered": int((labels < 0).sum()),
        "categories": int(kinds.max(initial=-1)) + 1,
        "names": f"c-TF-IDF of up to {NAMED_BY} documents per cluster, chosen by hash{_sources_words(context.corpus)}",
        "space": embeddings.facts["space"],
        "tier": embeddings.facts["tier"],
    }
    context.out.commit(rows=len(labels), facts=facts)


def _sources_words(corpus: Corpus) -> str:
    """Return where the words of the names come from, where there are several places; empty for texts."""
    first, *others = naming_sources(corpus)
    if not others:
        return ""
    return f": {first} where half of a cluster's pictures have them, else {', else '.join(others)}"


COLUMNS.declare(
    "clusters",
    ColumnInfo(
        name="cluster",
        type="integer",
        title="Cluster",
        role="cluster",
        help="Cluster on the embedding map; -1 is unclustered.",
    ),
    arrays={"labels": "cluster"},
)
COLUMNS.declare(EDITED, arrays={"labels": "cluster"})
COLUMNS.declare(
    "concepts",
    ColumnInfo(
        name="concept",
        type="integer",
        title="Concept",
        role="cluster",
        help="Nearest k-means centroid; -1 only without an embedding.",
    ),
    arrays={"labels": "concept"},
)
