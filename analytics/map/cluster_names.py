"""Names of clusters from their words: class-based TF-IDF with stop words found in the corpus, in any language.

A cluster's score of a word is the share of its documents with the word times ``log(1 + A / f)``: f is the sum of these
shares over all clusters, A the mean number of different words in a document (Grootendorst 2022, BERTopic, with
documents counted instead of occurrences, so that one long document cannot name a cluster). A word that is common in
many clusters of one language gets a lower weight; one that is common in half of them is a stop word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.map.term_counts import TermCounts
from tamis.data.errors import SettingError

WORDS_IN_NAME = 3
KEPT_WORDS = 12
UNNAMED = "unnamed"

_WIDESPREAD, _COMMON, _VERY_COMMON, _FOREIGN = 0.5, 0.05, 0.3, 0.12
_PURE = 0.9
_FEW_CLUSTERS = 4
_PRIOR_DOCUMENTS = 200.0


@dataclass(frozen=True)
class ClusterWords:
    """The name and the words of a cluster.

    Attributes:
        cluster: its number.
        name: the best words, plain text, unique among the clusters.
        words: best words first.
        scores: their scores.
    """

    cluster: int
    name: str
    words: tuple[str, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True)
class Distinguishing:
    """A word that tells two clusters apart.

    Attributes:
        word: the word.
        score: z-score of the log odds ratio, lower for words of many clusters; positive for the first cluster.
        share_a, share_b: share of documents with the word.
    """

    word: str
    score: float
    share_a: float
    share_b: float


@dataclass(frozen=True)
class ClusterLanguages:
    """The languages of clusters.

    Attributes:
        languages: main language by cluster number; a cluster of several languages has none.
        sizes: documents by cluster number; needed if the counts come from a sample.
        shares: share of a cluster's documents that are in its language, by number; 1 if not given.
    """

    languages: Mapping[int, str] = field(default_factory=dict)
    sizes: Mapping[int, int] = field(default_factory=dict)
    shares: Mapping[int, float] = field(default_factory=dict)

    def of(self, counts: TermCounts) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
        """Return language and size of the clusters of ``counts``, str (c,) and int64 (c,)."""
        numbers = counts.clusters.tolist()
        sizes = [self.sizes.get(number, size) for number, size in zip(numbers, counts.documents.tolist(), strict=True)]
        return np.array([self.languages.get(number, "") for number in numbers]), np.array(sizes, dtype=np.int64)

    def main(self, counts: TermCounts) -> str:
        """Return the language of most counted documents, empty if no cluster has a language."""
        spoken = self.of(counts)[0]
        totals = {kind: int(counts.documents[spoken == kind].sum()) for kind in set(spoken.tolist()) if kind}
        return max(totals, key=lambda kind: (totals[kind], kind)) if totals else ""

    def prefixes(self, counts: TermCounts) -> dict[int, str]:
        """Return, by number, the language of each cluster that holds most of a language (not the main one) and little
        else."""
        spoken, sizes = self.of(counts)
        main = self.main(counts)
        return {
            int(number): str(kind)
            for number, kind, size in zip(counts.clusters, spoken, sizes, strict=True)
            if kind not in ("", main) and 2 * size > sizes[spoken == kind].sum()
            if self.shares.get(int(number), 1.0) >= _PURE
        }


def stop_words(counts: TermCounts, spoken: ClusterLanguages | None = None) -> frozenset[tuple[str, str]]:
    """Return (language, word) for the words that are common in all kinds of clusters and so describe none.

    Args:
        counts: words by cluster.
        spoken: the clusters' languages; the clusters of each language are compared with each other, so that the stop
            words of a rare language are found as well. None compares all clusters.

    Returns:
        Words that occur in at least 5% of the documents of at least half of a language's clusters; if it has two or
        three clusters, in 30% of the documents of each. If it is not the commonest language and has fewer than four
        clusters, or one that holds most of it, also the words in 12% of the documents of all its clusters together,
        since in a single German cluster German stop words look like its topic.
    """
    words = counts.term.dictionary_encode()
    degree = _stop_word_degrees(counts, words.indices.to_numpy(), len(words.dictionary), spoken or ClusterLanguages())
    return frozenset(
        (language, words.dictionary[int(code)].as_py())
        for language, share in degree.items()
        for code in np.flatnonzero(share >= _WIDESPREAD)
    )


def _stop_word_degrees(
    counts: TermCounts, codes: NDArray[np.int32], size: int, spoken: ClusterLanguages
) -> dict[str, NDArray[np.float64]]:
    """Return by language the stop word degree of each word, float64 (size,), in [0, 1]; stop words have 0.5 or more."""
    kinds, main = spoken.of(counts)[0], spoken.main(counts)
    return {
        kind: _stop_word_degree(counts, codes, size, spoken, kinds == kind, foreign=kind not in ("", main))
        for kind in sorted(set(kinds.tolist()))
    }


def _stop_word_degree(
    counts: TermCounts,
    codes: NDArray[np.int32],
    size: int,
    spoken: ClusterLanguages,
    ours: NDArray[np.bool_],
    *,
    foreign: bool,
) -> NDArray[np.float64]:
    total = int(ours.sum())
    rows = ours[counts.cluster]
    sizes = spoken.of(counts)[1]
    if total >= _FEW_CLUSTERS:
        degree = np.bincount(codes[rows & (counts.shares >= _COMMON)], minlength=size) / total
    else:
        spread = np.bincount(codes[rows & (counts.shares >= _VERY_COMMON)], minlength=size)
        degree = (spread >= max(total, 2)).astype(np.float64)
    if foreign and (total < _FEW_CLUSTERS or 2 * sizes[ours].max() > sizes[ours].sum()):
        together = np.bincount(codes[rows], weights=(counts.shares * sizes[counts.cluster])[rows], minlength=size)
        degree[together >= _FOREIGN * max(int(sizes[ours].sum()), 1)] = 1.0
    return degree


def name_clusters(
    counts: TermCounts, *, spoken: ClusterLanguages | None = None, words: int = KEPT_WORDS
) -> tuple[ClusterWords, ...]:
    """Return the words and the name of every cluster, by cluster number.

    If a cluster holds most of a language other than the main one, and little else, its name begins with that language.

    Args:
        counts: words by cluster.
        spoken: the clusters' languages, for stop words and names.
        words: how many words to return per cluster.
    """
    spoken = spoken or ClusterLanguages()
    vocabulary = counts.term.dictionary_encode()
    codes = vocabulary.indices.to_numpy()
    kinds = spoken.of(counts)[0]
    share = np.zeros(len(codes))
    for language, values in _stop_word_degrees(counts, codes, len(vocabulary.dictionary), spoken).items():
        rows = (kinds == language)[counts.cluster]
        share[rows] = values[codes[rows]]
    scores = class_tf_idf(counts) * (1.0 - share) ** 2
    stop = share >= _WIDESPREAD
    order = np.lexsort((np.arange(len(scores)), -scores, stop, counts.cluster))
    bounds = np.searchsorted(counts.cluster[order], np.arange(len(counts.clusters) + 1))
    terms = counts.term.to_pylist()
    found = []
    for place, cluster in enumerate(counts.clusters.tolist()):
        ours_ordered = order[bounds[place] : bounds[place + 1]].tolist()
        # A cluster with stop words only is named by them.
        best = _varied([row for row in ours_ordered if not stop[row]] or ours_ordered, terms, words)
        found.append((cluster, tuple(terms[row] for row in best), tuple(float(scores[row]) for row in best)))
    names = unique_names([known for _, known, _ in found])
    before = {cluster: f"{language}: " for cluster, language in spoken.prefixes(counts).items()}
    return tuple(
        ClusterWords(cluster, before.get(cluster, "") + name, known, score)
        for (cluster, known, score), name in zip(found, names, strict=True)
    )


def class_tf_idf(counts: TermCounts) -> NDArray[np.float64]:
    """Return the score of each row of ``counts``, float64 (t,)."""
    words = counts.term.dictionary_encode()
    codes = words.indices.to_numpy()
    shares = counts.shares
    frequency = np.bincount(codes, weights=shares, minlength=len(words.dictionary))
    different = shares.sum() / max(len(counts.clusters), 1)
    return np.asarray(shares * np.log1p(different / np.maximum(frequency[codes], 1e-12)), dtype=np.float64)


def _varied(rows: Sequence[int], terms: Sequence[str], most: int) -> list[int]:
    """Return the first rows whose word is not another form (plural, ending) of one before it."""
    kept: list[int] = []
    for row in rows:
        if not any(_same_stem(terms[row], terms[other]) for other in kept):
            kept.append(row)
        if len(kept) == most:
            break
    return kept


def _same_stem(first: str, second: str) -> bool:
    short, long = sorted((first, second), key=len)
    if len(short) < 4:
        return len(long) == len(short) + 1 and long == short + "s"
    common = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    return common >= max(4, len(short) - 1) and len(long) - common <= 3


def unique_names(words: Sequence[Sequence[str]]) -> list[str]:
    """Return one name per list of words; equal names get more words, and if that fails a number."""
    names: list[str] = []
    taken: set[str] = set()
    for known in words:
        choices = [", ".join(known[:count]) or UNNAMED for count in range(WORDS_IN_NAME, max(len(known), 3) + 1)]
        choices += [f"{choices[0]} ({number})" for number in range(2, len(words) + 2)]
        name = next(choice for choice in choices if choice not in taken)
        taken.add(name)
        names.append(name)
    return names


def distinguishing_words(counts: TermCounts, first: int, second: int, *, most: int = 12) -> tuple[Distinguishing, ...]:
    """Return the words that tell two clusters apart, strongest first, up to ``most`` for each side.

    The score is the z-score of the log odds ratio of documents with the word, with 200 documents of the average
    cluster as prior (after Monroe, Colaresi, Quinn 2008, "Fightin' Words"), times the share of clusters that the word
    is not common in; stop words, common in half of them, are left out.

    Raises:
        SettingError: unknown cluster.
    """
    places = {int(cluster): place for place, cluster in enumerate(counts.clusters)}
    for cluster in (first, second):
        if cluster not in places:
            raise SettingError("Unknown cluster", value=cluster, allowed=[str(known) for known in places])
    words = counts.term.dictionary_encode()
    codes, size = words.indices.to_numpy(), len(words.dictionary)
    shares = counts.shares
    share = np.clip(np.bincount(codes, weights=shares, minlength=size) / len(places), 1e-4, 1 - 1e-4)
    sides, documents, odds, variance = [], [], [], np.zeros(size)
    for cluster in (first, second):
        rows = counts.cluster == places[cluster]
        sides.append(np.bincount(codes[rows], weights=counts.count[rows], minlength=size))
        documents.append(max(int(counts.documents[places[cluster]]), 1))
        with_word = sides[-1] + _PRIOR_DOCUMENTS * share
        without = documents[-1] - sides[-1] + _PRIOR_DOCUMENTS * (1 - share)
        odds.append(np.log(with_word / without))
        variance += 1 / with_word + 1 / without
    degree = _stop_word_degrees(counts, codes, size, ClusterLanguages())[""]
    score = np.where(degree >= _WIDESPREAD, 0.0, (odds[0] - odds[1]) / np.sqrt(variance) * (1 - degree))
    picked = [code for code in np.lexsort((np.arange(size), -score))[:most] if score[code] > 0]
    picked += [code for code in np.lexsort((np.arange(size), score))[:most] if score[code] < 0]
    shares_of = [side / total for side, total in zip(sides, documents, strict=True)]
    return tuple(
        Distinguishing(
            word=words.dictionary[int(code)].as_py(),
            score=float(score[code]),
            share_a=float(shares_of[0][code]),
            share_b=float(shares_of[1][code]),
        )
        for code in picked
    )


def term_table(counts: TermCounts, *, most: int = 200) -> pa.Table:
    """Return the commonest words of each cluster for storing: cluster int32, term, count, of (documents counted)."""
    order = np.lexsort((np.arange(len(counts.count)), -counts.count, counts.cluster))
    bounds = np.searchsorted(counts.cluster[order], np.arange(len(counts.clusters) + 1))
    rank = np.arange(len(order)) - np.repeat(bounds[:-1], np.diff(bounds))
    rows = np.sort(order[rank < most])
    return pa.table(
        {
            "cluster": pa.array(counts.clusters[counts.cluster[rows]], pa.int32()),
            "term": counts.term.take(pa.array(rows)),
            "count": pa.array(counts.count[rows], pa.int64()),
            "of": pa.array(counts.documents[counts.cluster[rows]], pa.int64()),
        }
    )


def read_terms(table: pa.Table) -> TermCounts:
    """Return what ``term_table`` stored."""
    cluster = table.column("cluster").to_numpy()
    clusters, first, place = np.unique(cluster, return_index=True, return_inverse=True)
    return TermCounts(
        clusters=clusters.astype(np.int32),
        documents=table.column("of").to_numpy()[first],
        cluster=place.astype(np.int32),
        term=table.column("term").combine_chunks(),
        count=table.column("count").to_numpy(),
    )
