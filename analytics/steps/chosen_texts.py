"""Texts of chosen documents, read in one pass over the corpus."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.text.word_stream import WordHashes
from tamis.data.corpus import Corpus
from tamis.data.documents import Documents
from tamis.data.hashing import mix_keys
from tamis.data.progress import NullProgress, Progress


def texts_of(
    corpus: Corpus, documents: Documents, rows: NDArray[np.int64], *, progress: Progress | None = None
) -> pa.Array:
    """Return the texts of documents by facts row, large_string (m,), in the requested order; each row at most once.

    Raises:
        CorpusError: a file is damaged or was changed since the corpus was opened.
    """
    watch = progress or NullProgress()
    wanted = np.zeros(documents.n, dtype=bool)
    wanted[rows] = True
    parts, found, first = [pa.array([], pa.large_string())], [np.empty(0, dtype=np.int64)], 0
    for shard in corpus.shards():
        watch.check()
        for texts in corpus.document_texts(shard):
            rows_here = documents.facts_rows[first : first + len(texts)]
            first += len(texts)
            mask = wanted[rows_here]
            if mask.any():
                parts.append(texts.filter(pa.array(mask)).cast(pa.large_string()))
                found.append(rows_here[mask])
        watch.advance(shard.rows)
    order = np.argsort(np.concatenate(found))
    place = np.empty(documents.n, dtype=np.int64)
    place[np.concatenate(found)[order]] = order
    return pa.concat_arrays(parts).take(pa.array(place[rows]))


def words_of(
    corpus: Corpus, documents: Documents, rows: NDArray[np.int64], *, progress: Progress | None = None
) -> WordHashes:
    """Return the words of documents by facts row, in the requested order."""
    return WordHashes.of(texts_of(corpus, documents, rows, progress=progress))


def sample_within(
    keys: NDArray[np.uint64], sizes: NDArray[np.int64], limit: int, *, seed: int, salt: str, most: int | None = None
) -> NDArray[np.int64]:
    """Return documents in the order of their keyed hashes until ``limit`` bytes are reached, at least one, int64 (m,).

    Args:
        keys: uint64 (n,), of the documents' ids.
        sizes: int64 (n,), bytes of each.
        limit: bytes in all.
        seed, salt: of the hash.
        most: maximum number of documents, None for any number.
    """
    order = np.lexsort((np.arange(len(keys)), mix_keys(keys, seed=seed, salt=salt)))[:most]
    enough = int(np.searchsorted(np.cumsum(sizes[order]), limit, side="right"))
    return np.asarray(order[: max(enough, 1)], dtype=np.int64)
