"""In how many documents of each cluster a word occurs: the basis of cluster names.

A word is a run of letters and marks of at least two characters, lower-cased, digits allowed after the first letter. In
scripts written without spaces (Chinese, Thai ...) pairs of characters are the words; in Japanese pairs of Chinese
characters and runs of Katakana, but not Hiragana, which carries the grammar.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.data.sql import literal

CHARACTERS = 2000
"""Only so many characters of a document are read."""

LONGEST = 40
_SOUND = "\u30fc"
"""Lengthens a vowel; it belongs to no script in Unicode."""

_PAIRED = r"\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}"
_LETTER = rf"[^\P{{L}}\p{{Han}}\p{{Hiragana}}\p{{Katakana}}{_SOUND}{_PAIRED}]"
WORDS = (
    rf"\p{{Han}}{{2}}|\p{{Katakana}}[\p{{Katakana}}{_SOUND}]+|[{_PAIRED}]{{2}}|{_LETTER}(?:{_LETTER}|[\p{{M}}\p{{N}}])+"
)


@dataclass(frozen=True, eq=False)
class TermCounts:
    """Documents with each word, by cluster.

    Attributes:
        clusters: int32 (c,), ascending.
        documents: int64 (c,), documents counted in each.
        cluster: int32 (t,), index into ``clusters``.
        term: string (t,).
        count: int64 (t,), documents of the cluster in which the word occurs; sorted by cluster, then word.
    """

    clusters: NDArray[np.int32]
    documents: NDArray[np.int64]
    cluster: NDArray[np.int32]
    term: pa.Array
    count: NDArray[np.int64]

    @property
    def shares(self) -> NDArray[np.float64]:
        """Return for each row the share of the cluster's documents in which the word occurs, float64 (t,)."""
        return self.count / np.maximum(self.documents[self.cluster], 1)

    def without(self, stop: Collection[tuple[str, str]], languages: Mapping[int, str]) -> TermCounts:
        """Return the counts without some words, each of one language, in the clusters of that language.

        Args:
            stop: (language, word), see ``cluster_names.stop_words``.
            languages: main language by cluster number, empty if not given.
        """
        spoken = [languages.get(int(number), "") for number in self.clusters]
        words = zip(self.cluster.tolist(), self.term.to_pylist(), strict=True)
        kept = np.array([(spoken[place], word) not in stop for place, word in words], dtype=bool)
        term = self.term.filter(pa.array(kept, pa.bool_()))
        return TermCounts(self.clusters, self.documents, self.cluster[kept], term, self.count[kept])

    def joined(self, groups: NDArray[np.int32]) -> TermCounts:
        """Return the counts of groups of clusters.

        Args:
            groups: int32 (c,), group of each cluster, >= 0.
        """
        numbers, place = np.unique(groups, return_inverse=True)
        words = self.term.dictionary_encode()
        codes = words.indices.to_numpy().astype(np.int64)
        size = max(len(words.dictionary), 1)
        keys, row = np.unique(place[self.cluster] * size + codes, return_inverse=True)
        return TermCounts(
            clusters=numbers.astype(np.int32),
            documents=np.bincount(place, weights=self.documents, minlength=len(numbers)).astype(np.int64),
            cluster=(keys // size).astype(np.int32),
            term=words.dictionary.take(pa.array(keys % size)),
            count=np.bincount(row, weights=self.count, minlength=len(keys)).astype(np.int64),
        )


class TermCounter:
    """Counts words batch by batch, in memory.

    Args:
        clusters: int32 (c,), ascending, the clusters that will be named.
    """

    def __init__(self, clusters: NDArray[np.int32]) -> None:
        self._clusters = clusters
        self._documents = np.zeros(len(clusters), dtype=np.int64)
        config: dict[str, Any] = {"enable_external_access": "false", "python_enable_replacements": "false"}
        self._connection = duckdb.connect(":memory:", config=config)
        self._connection.execute("CREATE TABLE counts (cluster INTEGER, term VARCHAR, n BIGINT)")

    def close(self) -> None:
        """Forget the counts."""
        self._connection.close()

    def add(self, texts: pa.Array, clusters: NDArray[np.int32]) -> None:
        """Count the words of some documents.

        Args:
            texts: large_string (n,).
            clusters: int32 (n,), cluster of each; documents of other clusters are not counted.
        """
        place = np.searchsorted(self._clusters, clusters)
        place[place == len(self._clusters)] = 0
        known = self._clusters[place] == clusters if len(self._clusters) else np.zeros(len(clusters), dtype=bool)
        if not known.any():
            return
        self._documents += np.bincount(place[known], minlength=len(self._clusters))
        batch = pa.table({"text": texts.filter(pa.array(known)), "cluster": pa.array(place[known], pa.int32())})
        words = f"regexp_extract_all(lower(left(text, {CHARACTERS})), {literal(WORDS)})"
        with self._connection.cursor() as cursor:
            cursor.register("batch", batch)
            cursor.execute(
                f"INSERT INTO counts SELECT cluster, term, count(*) FROM"
                f" (SELECT cluster, unnest(list_distinct({words})) AS term FROM batch)"
                f" WHERE length(term) BETWEEN 2 AND {LONGEST} GROUP BY cluster, term"
            )
            cursor.unregister("batch")

    def counts(self, *, at_least: int = 2) -> TermCounts:
        """Return the counts of words in at least ``at_least`` documents of a cluster, or in all of a smaller one."""
        with self._connection.cursor() as cursor:
            cursor.register("sizes", pa.table({"cluster": np.arange(len(self._clusters)), "size": self._documents}))
            table = cursor.sql(
                f"SELECT c.cluster, term, sum(n)::BIGINT AS n FROM counts c JOIN sizes s ON c.cluster = s.cluster"
                f" GROUP BY c.cluster, term, size HAVING sum(n) >= least({int(at_least)}, size)"
                " ORDER BY c.cluster, term"
            ).to_arrow_table()
        return TermCounts(
            clusters=self._clusters,
            documents=self._documents.copy(),
            cluster=table.column("cluster").to_numpy().astype(np.int32),
            term=table.column("term").combine_chunks().cast(pa.string()),
            count=table.column("n").to_numpy(),
        )
