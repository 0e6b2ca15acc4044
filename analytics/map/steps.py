"""The steps that build the graph of neighbours and the map, and the quality of a map, measured on a sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.embedding.copies import Copies, graph_of_all
from tamis.analytics.embedding.kmeans import spherical_kmeans
from tamis.analytics.embedding.neighbours import EXACT_LIMIT, NEIGHBOURS, PROBES, KnnGraph, knn_graph
from tamis.analytics.embedding.stored_vectors import load_vectors
from tamis.analytics.facts.column_info import COLUMNS, ColumnInfo
from tamis.analytics.map.layout import Optimiser, epochs_for, umap_layout
from tamis.analytics.map.placement import neighbours_among, place
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.data.artifact import Artifact
from tamis.data.hashing import key64, uniform

SAMPLE = 2000
K = 15


@dataclass(frozen=True)
class MapQuality:
    """Two figures about a map, both higher is better.

    Attributes:
        preservation: share of the nearest neighbours in the embedding that are among the nearest on the map.
        trustworthiness: 1 minus a penalty for neighbours on the map that are far in the embedding (Venna and Kaski
            2001), among the documents of the sample only.
        k: neighbours compared.
        sample: documents in the sample.
        documents: documents on the map.
    """

    preservation: float
    trustworthiness: float
    k: int
    sample: int
    documents: int


def map_quality(
    vectors: NDArray[np.float16],
    graph: KnnGraph,
    positions: NDArray[np.float32],
    *,
    seed: int = 0,
    sample: int = SAMPLE,
) -> MapQuality:
    """Measure a map.

    Args:
        vectors: (n, d), unit rows.
        graph: of the vectors.
        positions: float32 (n, 2), NaN for documents off the map.
        seed: of the sample.
        sample: number of documents, fewer when there are fewer.
    """
    # Late: scipy.
    from scipy.spatial import cKDTree

    there = np.flatnonzero(np.isfinite(positions[:, 0]))
    if len(there) < 4:
        return MapQuality(1.0, 1.0, 0, len(there), len(there))
    k = int(min(K, graph.k, (len(there) - 1) // 2))
    picked = np.sort(np.random.default_rng(seed).choice(there, size=min(sample, len(there)), replace=False))
    beside = there[cKDTree(positions[there]).query(positions[picked], k=k + 1)[1]]
    kept = 0
    for row, others in zip(picked, beside, strict=True):
        kept += len(np.intersect1d(others[others != row][:k], graph.indices[row, :k]))
    return MapQuality(
        preservation=kept / (len(picked) * k),
        trustworthiness=_trustworthiness(vectors[picked], positions[picked], min(k, (len(picked) - 1) // 2)),
        k=k,
        sample=len(picked),
        documents=len(there),
    )


def _trustworthiness(vectors: NDArray[np.float16], positions: NDArray[np.float32], k: int) -> float:
    # Late: scikit-learn.
    from sklearn.manifold import trustworthiness

    return float(trustworthiness(vectors.astype(np.float32), positions, n_neighbors=max(k, 1), metric="cosine"))


KNN_VERSION = 2
MAP_VERSION = 2
LANDMARKS = 2_000_000
"""Beyond so many documents the map is laid out for a sample; the others are placed beside their neighbours."""

_FROM_EMBEDDINGS = ("space", "tier", "dtype")


def knn_step(
    *, k: int = NEIGHBOURS, exact_limit: int = EXACT_LIMIT, probes: int = PROBES, seed: int = 0, on: str = "embeddings"
) -> StepSpec:
    """Return the step that finds the nearest neighbours of every document.

    Its artifact, in facts order: ``indices`` int32 (n, k) and ``distances`` float32 (n, k), see ``KnnGraph``;
    ``outlier`` float32 (n,), the mean distance, NaN without an embedding; the table ``facts`` with ``density`` and
    ``no_embedding``. If some vectors are equal, also ``different_indices`` and ``different_distances``: the graph of
    the different vectors, which is the one that the search returned.
    """

    def run(context: StepContext) -> None:
        vectors = load_vectors(context.inputs[on], context.documents)
        copies = Copies.of(vectors)
        different = knn_graph(
            vectors[copies.rows],
            k=k,
            exact_limit=exact_limit,
            probes=probes,
            seed=seed,
            check=context.progress.check,
            advance=context.progress.advance,
        )
        context.progress.advance(copies.count)
        graph = graph_of_all(different, copies)
        if copies.count:
            context.out.write_array("different_indices", different.indices)
            context.out.write_array("different_distances", different.distances)
        outlier, density = scores(graph)
        context.out.write_array("indices", graph.indices)
        context.out.write_array("distances", graph.distances)
        context.out.write_array("outlier", outlier)
        missing = ~vectors.any(axis=1)
        context.out.write_table("facts", pa.table({"density": pa.array(density), "no_embedding": pa.array(missing)}))
        facts = {"k": k, "seed": seed, "method": graph.method, "recall": graph.recall, "recall_rows": graph.recall_rows}
        context.out.commit(rows=len(vectors), facts=facts | {"copies": copies.count} | _about(context.inputs[on]))

    return StepSpec(
        name="knn",
        version=KNN_VERSION,
        upstream=("documents", on),
        params={"k": k, "exact_limit": exact_limit, "probes": probes, "seed": seed},
        title="Finding nearest neighbours",
        estimate=lambda size: Estimate(_knn_seconds(size.documents, exact_limit), size.documents * (8 * k + 12)),
        run=run,
    )


def _knn_seconds(documents: int, exact_limit: int) -> float:
    return 1 + (documents**2 * 5e-9 if documents <= exact_limit else documents * 9e-5)


def _about(embeddings: Artifact) -> dict[str, Any]:
    return {name: embeddings.facts[name] for name in _FROM_EMBEDDINGS if name in embeddings.facts}


def read_graph(artifact: Artifact, *, different: bool = False) -> KnnGraph:
    """Return the graph of a knn artifact.

    Args:
        artifact: of ``knn_step``.
        different: of the different vectors only, ``Copies.rows``, instead of all.

    Raises:
        StoreError: the artifact is damaged.
    """
    facts = artifact.facts
    which = "different_" if different and "different_indices" in artifact.parts() else ""
    return KnnGraph(
        indices=artifact.array(f"{which}indices"),
        distances=artifact.array(f"{which}distances"),
        method=str(facts["method"]),
        recall=float(facts["recall"]),
        recall_rows=int(facts["recall_rows"]),
    )


def scores(graph: KnnGraph) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return outlier score and density of each document, two float32 (n,), NaN for documents without neighbours.

    The outlier score is the mean cosine distance to the neighbours, in [0, 2]. The density is the mean outlier score of
    the neighbours divided by that of the document: above 1 among sparser documents, near 0 for a document far from a
    dense group (the inverse of the simplified local outlier factor, Schubert, Zimek, Kriegel 2014).
    """
    known = graph.indices >= 0
    count = np.maximum(known.sum(axis=1), 1)
    own = np.where(known, graph.distances, 0.0).sum(axis=1, dtype=np.float64) / count
    around = np.where(known, own[np.maximum(graph.indices, 0)], 0.0).sum(axis=1) / count
    density = np.where(own > 1e-6, around / np.maximum(own, 1e-6), 1.0)
    own[~known.any(axis=1)] = np.nan
    density[~known.any(axis=1)] = np.nan
    return own.astype(np.float32), np.minimum(density, 100.0).astype(np.float32)


def map_step(
    *,
    seed: int = 0,
    epochs: int | None = None,
    optimiser: Optimiser = "synchronous",
    landmarks: int = LANDMARKS,
    on: str = "embeddings",
) -> StepSpec:
    """Return the step that lays the documents out on a map; documents with equal vectors share a place.

    Its artifact, in facts order: ``x`` and ``y`` float32 (n,), NaN for documents without an embedding, and beyond
    ``landmarks`` documents ``landmarks`` int64, the facts rows that were laid out. The manifest states the quality.

    Args:
        seed: of the layout.
        epochs: None for ``layout.epochs_for``.
        optimiser: ``synchronous`` (default) or ``umap-learn``.
        landmarks: maximum number of different vectors that are laid out; the others are placed.
        on: the embeddings step.
    """

    def run(context: StepContext) -> None:
        everything = load_vectors(context.inputs[on], context.documents)
        copies = Copies.of(everything)
        vectors, graph = everything[copies.rows], read_graph(context.inputs["knn"], different=True)
        keys = key64(context.documents.ids.to_pylist())[copies.rows]
        rows = landmark_rows(keys, vectors, landmarks, seed=seed)
        progress = context.progress
        count = epochs_for(len(rows)) if epochs is None else epochs
        progress.step("map", len(rows) * count, "points moved")
        whole = len(rows) == int(vectors.any(axis=1).sum())
        part = graph if whole else knn_graph(vectors[rows], k=graph.k, seed=seed, check=progress.check)
        laid = umap_layout(
            vectors if whole else vectors[rows],
            part,
            seed=seed,
            epochs=count,
            optimiser=optimiser,
            check=progress.check,
            advance=progress.advance,
        )
        positions = laid if whole else _with_others(vectors, rows, laid, seed=seed, check=progress.check)
        if not whole:
            context.out.write_array("landmarks", copies.rows[rows])
        for axis, name in enumerate("xy"):
            context.out.write_array(name, np.ascontiguousarray(positions[copies.group, axis]))
        quality = map_quality(vectors, graph, positions, seed=seed)
        mapped = int(everything.any(axis=1).sum())
        facts = {
            "seed": seed,
            "epochs": count,
            "optimiser": optimiser,
            "laid_out": len(rows),
            "copies": copies.count,
            "placed": mapped - copies.count - len(rows),
            "method": "exact" if whole else "sampled",
            "quality": asdict(replace(quality, documents=mapped)),
        }
        context.out.commit(rows=len(everything), facts=facts | _about(context.inputs[on]))

    return StepSpec(
        name="map",
        version=MAP_VERSION,
        upstream=("documents", on, "knn"),
        params={"seed": seed, "epochs": epochs, "optimiser": optimiser, "landmarks": landmarks},
        title="Drawing the map",
        estimate=lambda size: Estimate(8 + _map_seconds(min(size.documents, landmarks), epochs), size.documents * 8),
        run=run,
    )


def _with_others(
    vectors: NDArray[np.float16],
    rows: NDArray[np.int64],
    laid: NDArray[np.float32],
    *,
    seed: int,
    check: Callable[[], None],
) -> NDArray[np.float32]:
    """Return the positions of all vectors, float32 (n, 2), where only ``rows`` are laid out."""
    positions = np.full((len(vectors), 2), np.nan, dtype=np.float32)
    others = np.setdiff1d(np.flatnonzero(vectors.any(axis=1)), rows)
    positions[rows] = laid
    positions[others] = place(laid, *neighbours_among(vectors[rows], vectors[others], seed=seed, check=check))
    return positions


def _map_seconds(points: int, epochs: int | None) -> float:
    return points * (epochs_for(points) if epochs is None else epochs) * 1.2e-6


def landmark_rows(
    keys: NDArray[np.uint64], vectors: NDArray[np.float16], limit: int, *, seed: int
) -> NDArray[np.int64]:
    """Return the rows that are laid out, int64, ascending: all that have a vector, or a hashed sample of them.

    The sample takes the same share of every cell of a coarse clustering (at least one document), by keyed hash of the
    document id.
    """

    there = np.flatnonzero(vectors.any(axis=1))
    if len(there) <= limit:
        return there
    count = max(1, min(1000, limit // 20))
    labels = spherical_kmeans(vectors, count, rows=there, seed=seed, iterations=5, sample=64 * count).labels[there]
    chance = uniform(keys[there], seed=seed, salt="landmarks")
    order = np.lexsort((chance, labels))
    sizes = np.bincount(labels, minlength=count)
    rank = np.arange(len(there)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    share = (rank + 0.5) / np.maximum(sizes, 1)[labels[order]]
    chosen = np.lexsort((there[order], share))[:limit]
    return np.sort(there[order][chosen])


COLUMNS.declare(
    "knn",
    ColumnInfo(
        name="outlier",
        type="number",
        title="Outlier score",
        role="signal",
        help="Mean distance to the nearest neighbours.",
        low=0,
    ),
    ColumnInfo(
        name="density",
        type="number",
        title="Local density",
        role="signal",
        help="How much closer its neighbours lie to theirs.",
        low=0,
    ),
    ColumnInfo(
        name="no_embedding",
        type="boolean",
        title="No embedding",
        role="signal",
        help="No word of the text is known to the embedding.",
    ),
    arrays={"outlier": "outlier"},
)
COLUMNS.declare(
    "map",
    ColumnInfo(
        name="x",
        type="number",
        title="Map x",
        role="map",
        help="Horizontal position on the map.",
    ),
    ColumnInfo(
        name="y",
        type="number",
        title="Map y",
        role="map",
        help="Vertical position on the map.",
    ),
    arrays={"x": "x", "y": "y"},
)
