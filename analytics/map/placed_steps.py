"""Steps that place the documents of a corpus that grew on its earlier map, instead of drawing a new one.

They have the names of the steps they stand for, so whatever reads map and clusters reads theirs. Each is a function of
earlier artifacts, named by digest in its parameters, and of the documents. A document with the vector of an earlier one
has its position, its clusters and its neighbours; any other is placed as ``tamis place`` does. Documents that are gone
are in no result. Nothing is ever placed on placed documents, so the order in which files came does not count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.analytics.embedding.neighbours import KnnGraph
from tamis.analytics.embedding.step import complete_vectors, embeddings_step
from tamis.analytics.embedding.stored_vectors import embedder_of, load_vectors
from tamis.analytics.facts.stored_sets import WorkspaceSources
from tamis.analytics.map.placement import neighbours_on_map, place, same_on_map
from tamis.analytics.map.steps import scores
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.data.artifact import Artifact
from tamis.data.cluster_names import carry_names
from tamis.data.corpus_states import PLACED_ON, EarlierMap
from tamis.data.documents import Documents
from tamis.data.errors import JobError, StoreError
from tamis.data.shards import Shard
from tamis.data.workspace import Workspace

PLACED_VERSION = 1
_TEXT_HASH = 32
"""Digits of an id that is made of a text, without the number among its twins."""


def placed_steps(on: EarlierMap) -> tuple[StepSpec, ...]:
    """Return the steps from embeddings to concepts that place documents on an earlier map.

    Their artifacts are made like those of ``embeddings_step``, ``knn_step``, ``map_step``, ``clusters_step`` and
    ``concepts_step``; facts are those of the earlier artifact with ``new_documents``, the number of documents placed.
    """
    embedded = embeddings_step() if on.tier == "fast" else _embeddings(on)
    clusters = (_clusters(on, name, title) for name, title in (("clusters", "clusters"), ("concepts", "concepts")))
    return (embedded, _neighbours(on), _map(on), *clusters)


def placed_words(on: EarlierMap | None, artifacts: Mapping[str, Artifact]) -> str:
    """Return the sentence that says that map and clusters are earlier ones; nothing if they are of all documents."""
    if on is None or "map" not in artifacts or "new_documents" not in artifacts["map"].facts:
        return ""
    placed = int(artifacts["map"].facts["new_documents"])
    return f"Map and clusters of {on.date}; {placed:,} new document{'s' * (placed != 1)} placed"


def _spec(
    on: EarlierMap,
    name: str,
    reads: tuple[str, ...],
    upstream: tuple[str, ...],
    title: str,
    run: Callable[[StepContext], None],
    *,
    seconds: float = 2e-6,
) -> StepSpec:
    return StepSpec(
        name=name,
        version=PLACED_VERSION,
        upstream=upstream,
        params={PLACED_ON: {each: on.digests[each] for each in reads}},
        title=title,
        estimate=lambda size: Estimate(1 + size.documents * seconds, size.documents * 130),
        run=run,
    )


def _home(context: StepContext) -> Workspace:
    if context.workspace is None:
        raise JobError("Placing on an earlier map needs a workspace")
    return context.workspace


def _earlier(context: StepContext, on: EarlierMap, name: str) -> Artifact:
    """Return an artifact of the earlier analysis.

    Raises:
        StoreError: the workspace does not have it any more.
    """
    try:
        return _home(context).store.open(on.digests[name])
    except StoreError as error:
        raise StoreError(
            f"The map of {on.date} is not complete in the workspace: its {name} are missing",
            value=on.digests[name],
            fix="rebuild the map: tamis analyze PATH --new-documents rebuilt",
        ) from error


def _embeddings(on: EarlierMap) -> StepSpec:
    """Return the step that takes over the vectors of known texts and embeds the others in the same space."""

    def run(context: StepContext) -> None:
        embedded = _earlier(context, on, "embeddings")
        embedder = embedder_of(embedded, _home(context))
        before, now = Documents.read(_earlier(context, on, "documents")), context.documents
        vectors, home = load_vectors(embedded, before), np.full(now.n, -1, dtype=np.int64)
        if before.id_source == now.id_source == "text":
            wanted, there = (pc.utf8_slice_codeunits(each.ids, 0, _TEXT_HASH) for each in (now, before))
            home[:] = pc.index_in(wanted, value_set=there).fill_null(-1).to_numpy(zero_copy_only=False)
        shards = now.shard[now.facts_rows]

        def known(shard: Shard) -> NDArray[np.float16]:
            first, last = np.searchsorted(shards, [shard.index, shard.index + 1])
            own = home[now.facts_rows[first:last]]
            found = np.full((len(own), embedder.dimensions), np.nan, dtype=np.float16)
            found[own >= 0] = vectors[own[own >= 0]]
            return found

        complete_vectors(context, embedder, known)

    title = "Embedding the new documents"
    return _spec(on, "embeddings", ("documents", "embeddings"), ("documents",), title, run, seconds=2e-5)


def _neighbours(on: EarlierMap) -> StepSpec:
    """Return the step that finds which documents are new, and the nearest earlier ones of each.

    Besides the arrays of ``knn_step`` it writes ``home`` int64 (n,), the row of the earlier document whose place a
    document has, -1 for one that is placed; for those, in facts order, ``beside`` int32 (m, 15) and
    ``beside_distances`` float32 (m, 15), the nearest among the earlier ones, those that are gone included.
    """

    def run(context: StepContext) -> None:
        earlier = _earlier(context, on, "embeddings")
        if context.inputs["embeddings"].facts["space"] != earlier.facts["space"]:
            raise StoreError("The new documents were embedded in another space than the map", value=on.date)
        before, now = Documents.read(_earlier(context, on, "documents")), context.documents
        known, vectors = load_vectors(earlier, before), load_vectors(context.inputs["embeddings"], now)
        home = same_on_map(before.ids, known, now.ids, vectors)
        fresh = np.flatnonzero(home < 0)
        beside, apart = neighbours_on_map(known, vectors[fresh], check=context.progress.check)
        found = _earlier(context, on, "knn")
        graph = _graph(found, home, fresh, beside, apart, _rows_now(before, now, home))
        outlier, density = scores(graph)
        for name, values in (("indices", graph.indices), ("distances", graph.distances), ("outlier", outlier)):
            context.out.write_array(name, values)
        context.out.write_array("home", home)
        context.out.write_array("beside", beside)
        context.out.write_array("beside_distances", apart)
        missing = np.asarray(~vectors.any(axis=1))
        context.out.write_table("facts", pa.table({"density": pa.array(density), "no_embedding": pa.array(missing)}))
        placed = int((~missing[fresh]).sum())
        context.out.commit(rows=now.n, facts=dict(found.facts) | {"copies": 0, "new_documents": placed})

    reads, title = ("documents", "embeddings", "knn"), "Finding the nearest earlier documents"
    return _spec(on, "knn", reads, ("documents", "embeddings"), title, run)


def _rows_now(before: Documents, now: Documents, home: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the row of each earlier document now, int64, -1 if it is gone: of those in its place the one of its id."""
    rows = np.full(before.n, -1, dtype=np.int64)
    there = np.flatnonzero(home >= 0)
    # The first of several is written last, and then the one of the same id.
    rows[home[there[::-1]]] = there[::-1]
    same = np.asarray(pc.index_in(now.ids, value_set=before.ids.cast(now.ids.type)).fill_null(-1), dtype=np.int64)
    kept = there[same[there] == home[there]]
    rows[home[kept]] = kept
    return rows


def _graph(
    found: Artifact,
    home: NDArray[np.int64],
    fresh: NDArray[np.int64],
    beside: NDArray[np.int32],
    apart: NDArray[np.float32],
    rows: NDArray[np.int64],
) -> KnnGraph:
    """Return the graph of all documents: earlier neighbours that are still there, and the nearest of the new ones."""
    k, there = int(found.facts["k"]), np.flatnonzero(home >= 0)
    indices, distances = np.full((len(home), k), -1, dtype=np.int32), np.full((len(home), k), np.inf, dtype=np.float32)
    indices[there], distances[there] = found.array("indices")[home[there]], found.array("distances")[home[there]]
    width = min(k, beside.shape[1])
    indices[fresh, :width], distances[fresh, :width] = beside[:, :width], apart[:, :width]
    indices = np.where(indices >= 0, rows[indices], -1).astype(np.int32)
    # A copy of an earlier document has that one as its nearest.
    copies = there[(rows[home[there]] != there) & (rows[home[there]] >= 0)]
    indices[copies, 1:], distances[copies, 1:] = indices[copies, :-1], distances[copies, :-1]
    indices[copies, 0], distances[copies, 0] = rows[home[copies]], 0.0
    gaps = np.flatnonzero((indices < 0).any(axis=1))
    order = np.argsort(indices[gaps] < 0, axis=1, kind="stable")
    indices[gaps] = np.take_along_axis(indices[gaps], order, axis=1)
    distances[gaps] = np.take_along_axis(distances[gaps], order, axis=1)
    distances[indices < 0] = np.inf
    facts = found.facts
    return KnnGraph(indices, distances, str(facts["method"]), float(facts["recall"]), int(facts["recall_rows"]))


def _map(on: EarlierMap) -> StepSpec:
    """Return the step that gives every document its position."""

    def run(context: StepContext) -> None:
        before, beside = _earlier(context, on, "map"), context.inputs["knn"]
        home, known = beside.array("home"), np.column_stack([before.array("x"), before.array("y")])
        positions = np.full((len(home), 2), np.nan, dtype=np.float32)
        positions[home < 0] = place(known, beside.array("beside"), beside.array("beside_distances"))
        positions[home >= 0] = known[home[home >= 0]]
        for axis, name in enumerate("xy"):
            context.out.write_array(name, np.ascontiguousarray(positions[:, axis]))
        facts = dict(before.facts) | {"new_documents": beside.facts["new_documents"]}
        context.out.commit(rows=len(home), facts=facts)

    return _spec(on, "map", ("map",), ("documents", "knn"), "Placing new documents on the map", run)


def _clusters(on: EarlierMap, name: str, title: str) -> StepSpec:
    """Return the step that gives new documents the cluster of the nearest centroid; names and words stay."""

    def run(context: StepContext) -> None:
        before, beside, workspace = _earlier(context, on, name), context.inputs["knn"], _home(context)
        frozen, home = WorkspaceSources(workspace).clustering(before.digest), beside.array("home")
        vectors = load_vectors(context.inputs["embeddings"], context.documents)
        labels = np.empty(len(home), dtype=np.int32)
        labels[home < 0] = frozen.nearest(vectors[home < 0])
        labels[home >= 0] = frozen.labels[home[home >= 0]]
        for part in ("centroids", "centroid_labels"):
            context.out.write_array(part, before.array(part))
        context.out.write_array("labels", labels)
        context.out.write_table("terms", before.table("terms"))
        context.out.write_table("clusters", _counted(before.table("clusters"), labels))
        if "sweep" in before.parts():
            context.out.write_json("sweep", before.json("sweep"))
        carry_names(workspace.root, before.digest, to=context.out.digest)
        new = {"unclustered": int((labels < 0).sum()), "new_documents": beside.facts["new_documents"]}
        context.out.commit(rows=len(labels), facts=dict(before.facts) | new)

    upstream = ("documents", "embeddings", "knn")
    return _spec(on, name, (name,), upstream, f"Placing new documents in the {title}", run)


def _counted(table: pa.Table, labels: NDArray[np.int32]) -> pa.Table:
    """Return the table of clusters with their sizes now."""
    numbers = table["cluster"].to_numpy()
    sizes = np.bincount(labels[labels >= 0], minlength=int(numbers.max(initial=-1)) + 1)[numbers]
    at = table.schema.get_field_index("size")
    return table.set_column(at, table.schema.field(at), pa.array(sizes, table.schema.field(at).type))
