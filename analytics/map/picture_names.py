"""The words that name clusters. Those of pictures come from captions, labels or the names of files.

One of these names a whole cluster: a few captions say little of the many pictures without one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.analytics.map.term_counts import WORDS, TermCounter, TermCounts
from tamis.data.corpus import Corpus
from tamis.data.repair import is_text
from tamis.data.schema import type_at
from tamis.data.shapes import PICTURE
from tamis.data.shards import Shard

_PATH_PARTS = r"^.*[/\\]|\.[A-Za-z0-9]+$"
_NO_LETTERS = r"[^\p{L}\p{M}]+"


def naming_sources(corpus: Corpus) -> tuple[str, ...]:
    """Return what can name the clusters of a corpus, for people, the best first."""
    if corpus.shape.kind != PICTURE:
        return ("texts",)
    known = {"captions": corpus.shape.has_texts, "labels": corpus.roles.label, "names of files": _path_column(corpus)}
    return tuple(source for source, there in known.items() if there) or ("captions",)


def naming_texts(corpus: Corpus, shard: Shard, *, max_rows: int) -> Iterator[tuple[pa.Array, ...]]:
    """Yield the texts of each naming source for the documents of a shard, aligned with an artifact's part.

    Each is large_string (n,), NULL or empty where a document has none.
    """
    if corpus.shape.kind != PICTURE:
        for texts in corpus.document_texts(shard, max_rows=max_rows):
            yield (texts,)
        return
    path = _path_column(corpus)
    columns = [name for name in (corpus.roles.label, path) if name]
    captions = "captions" in naming_sources(corpus)
    for parts, further in corpus.document_parts(shard, columns=columns, max_rows=max_rows):
        told = [further.column(at).cast(pa.large_string()) for at in range(len(columns))]
        named = (file_words(each) if name == path else each for name, each in zip(columns, told, strict=True))
        yield (*((corpus.shape.join(parts),) if captions else ()), *named)


class NamingCounter:
    """Counts the words of clusters in each naming source; the first that fits a cluster names it.

    That is the first source in which at least half of the cluster's documents have a word, else the one in which most
    have. A single source is not chosen from.

    Args:
        clusters: int32 (c,), ascending, the clusters that will be named.
        sources: how many sources there are, from 1.
    """

    def __init__(self, clusters: NDArray[np.int32], sources: int) -> None:
        self._clusters = clusters
        self._counters = [TermCounter(clusters) for _ in range(sources)]
        self._worded = np.zeros((sources, len(clusters)), dtype=np.int64)

    def __enter__(self) -> NamingCounter:
        return self

    def __exit__(self, *_: object) -> None:
        for counter in self._counters:
            counter.close()

    def add(self, sources: Sequence[pa.Array], clusters: NDArray[np.int32]) -> None:
        """Count the words of some documents.

        Args:
            sources: large_string (n,), one for each source.
            clusters: int32 (n,), cluster of each; documents of other clusters are not counted.
        """
        for counter, worded, texts in zip(self._counters, self._worded, sources, strict=True):
            counter.add(texts, clusters)
            if len(self._counters) > 1:
                found = pc.fill_null(pc.match_substring_regex(texts, WORDS), False).to_numpy(zero_copy_only=False)
                counted = clusters[found & np.isin(clusters, self._clusters)]
                worded += np.bincount(np.searchsorted(self._clusters, counted), minlength=len(self._clusters))

    def counts(self) -> TermCounts:
        """Return the words of each cluster in the source that names it."""
        found = [counter.counts() for counter in self._counters]
        if len(found) == 1:
            return found[0]
        fits = 2 * self._worded >= np.maximum(found[0].documents, 1)
        chosen = np.where(fits.any(axis=0), fits.argmax(axis=0), self._worded.argmax(axis=0))
        own = [chosen[each.cluster] == source for source, each in enumerate(found)]
        cluster = np.concatenate([each.cluster[rows] for each, rows in zip(found, own, strict=True)])
        # The words of a cluster are sorted, and come from one source.
        order = np.argsort(cluster, kind="stable")
        terms = pa.chunked_array([each.term.filter(pa.array(rows)) for each, rows in zip(found, own, strict=True)])
        count = np.concatenate([each.count[rows] for each, rows in zip(found, own, strict=True)])
        term = terms.combine_chunks().take(pa.array(order))
        return TermCounts(self._clusters, found[0].documents, cluster[order], term, count[order])


def file_words(paths: pa.Array) -> pa.Array:
    """Return the words in the names of files: without folders, ending, digits and signs."""
    names = pc.replace_substring_regex(paths, _PATH_PARTS, "")
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(names, _NO_LETTERS, " "))


def _path_column(corpus: Corpus) -> str | None:
    """Return the column with the paths of the pictures, None if only their bytes are known."""
    column = corpus.shape.columns[PICTURE]
    for path in (column, f"{column}.path"):
        kind = type_at(corpus.schema, path)
        if kind is not None and is_text(kind):
            return path
    return None
