"""Search by meaning against exact cosine and other tools: ``python -m benchmarks.bench_recall texts.parquet [--peers]``

All tools compare the same documents by vectors of the same model. Some texts are held out and asked for as sentences.
The truth is numpy's cosine in double precision: of the vectors a tool has (is its search exact?), and of the model in
single precision (what do the tool's number formats lose?). Embedding Atlas answers for documents only, from neighbours
that it finds before; so it is asked for those.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.bench_map import python_with
from tamis.analytics.embedding.embedder import Embedder, fast_embedder, precise_embedder
from tamis.analytics.signals.likeness import cosines
from tamis.data.workspace import Workspace

HERE = Path(__file__).parent
K = 100


@dataclass(frozen=True)
class Answers:
    """What a tool answered.

    Attributes:
        tool: its name.
        rows: int64 (q, K), the documents of each question, the nearest first.
        seconds: of each answer.
        before: seconds of work before the first answer, besides embedding.
    """

    tool: str
    rows: NDArray[np.int64]
    seconds: Sequence[float]
    before: float = 0.0


def nearest(cosine: NDArray[np.floating], k: int = K) -> NDArray[np.int64]:
    """Return the rows of the largest cosines, int64 (k,), the nearest first, ties by row; NaN comes last."""
    value = np.where(np.isnan(cosine), -np.inf, cosine)
    reach = np.partition(value, len(value) - k)[len(value) - k]
    rows = np.flatnonzero(value >= reach)
    return rows[np.lexsort((rows, -value[rows]))][:k]


def recall(found: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """Return the share of the true rows that were found, over all questions; -1 stands for no row.

    Args:
        found, truth: int64 (q, k).
    """
    hits = sum(len(np.intersect1d(one[one >= 0], two)) for one, two in zip(found, truth, strict=True))
    return hits / truth.size


def exact(vectors: NDArray[np.floating], questions: NDArray[np.floating], k: int = K) -> NDArray[np.int64]:
    """Return the nearest rows by cosine in double precision, int64 (q, k)."""
    wide = vectors.astype(np.float64)
    norms = np.linalg.norm(wide, axis=1)
    wide /= np.where(norms > 0, norms, 1.0)[:, None]
    asked = questions.astype(np.float64)
    scores = wide @ (asked / np.linalg.norm(asked, axis=1)[:, None]).T
    scores[norms == 0] = np.nan
    return np.array([nearest(column, k) for column in scores.T])


def ask(tool: str, answer: Callable[[int], NDArray[np.int64]], questions: int, *, before: float = 0.0) -> Answers:
    """Time the answers of a tool."""
    answer(0)
    rows, seconds = [], []
    for number in range(questions):
        begun = time.perf_counter()
        rows.append(answer(number))
        seconds.append(time.perf_counter() - begun)
    return Answers(tool, np.array(rows), seconds, before)


def by_tamis(vectors: NDArray[np.float16], embedder: Embedder, texts: Sequence[str], *, threads: int) -> Answers:
    """Embed each sentence and compare it with all documents, as a search does."""
    return ask(
        f"Tamis, sentence, {threads} threads",
        lambda number: nearest(cosines(vectors, embedder.encode([texts[number]])[0], threads=threads)),
        len(texts),
    )


def by_numpy(vectors: NDArray[np.float32], embedder: Embedder, texts: Sequence[str]) -> Answers:
    """Multiply unit rows in single precision."""

    def answer(number: int) -> NDArray[np.int64]:
        return nearest(vectors @ embedder.encode([texts[number]])[0].astype(np.float32))

    return ask(f"numpy {np.__version__}, float32 product, sentence", answer, len(texts))


def by_duckdb(vectors: NDArray[np.float32], embedder: Embedder, texts: Sequence[str]) -> Answers:
    """Order by ``array_cosine_similarity`` in DuckDB, without an index."""
    width, begun = vectors.shape[1], time.perf_counter()
    values = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), width)
    given = pa.table({"row": np.arange(len(vectors)), "vector": values})
    connection = duckdb.connect()
    connection.register("given", given)
    connection.execute(f"CREATE TABLE documents AS SELECT row, vector::FLOAT[{width}] AS vector FROM given")
    before = time.perf_counter() - begun
    query = f"SELECT row FROM documents ORDER BY array_cosine_similarity(vector, ?::FLOAT[{width}]) DESC, row LIMIT {K}"

    def answer(number: int) -> NDArray[np.int64]:
        asked = embedder.encode([texts[number]])[0].astype(np.float32).tolist()
        return np.array([row for (row,) in connection.execute(query, [asked]).fetchall()], dtype=np.int64)

    return ask(f"DuckDB {version('duckdb')}, array_cosine_similarity, sentence", answer, len(texts), before=before)


def by_atlas(vectors: NDArray[np.float32], rows: Sequence[int], python: Path) -> Answers:
    """Look up the stored neighbours of documents in Embedding Atlas; the document itself is left out."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "vectors.npy", Path(folder) / "neighbours.npy"
        np.save(source, vectors)
        command = [str(python), str(HERE / "peers_meaning.py"), str(source), str(target), str(K), json.dumps(rows)]
        done = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
        found = np.load(target)
    own = [[other for other in found[row].tolist() if other != row][:K] for row in rows]
    filled = np.array([line + [-1] * (K - len(line)) for line in own], dtype=np.int64)
    return Answers(f"embedding-atlas {done['version']}, document", filled, done["seconds"], done["before"])


def by_tamis_documents(vectors: NDArray[np.float16], rows: Sequence[int], *, threads: int) -> Answers:
    """Compare documents with all others, as "more like this" does; the document itself is left out."""

    def answer(number: int) -> NDArray[np.int64]:
        found = nearest(cosines(vectors, vectors[rows[number]], threads=threads), K + 1)
        return found[found != rows[number]][:K]

    return ask(f"Tamis, document, {threads} threads", answer, len(rows))


def row(found: Answers, own: NDArray[np.int64], single: NDArray[np.int64], base: float) -> str:
    """Return one row of the table."""
    median = statistics.median(found.seconds)
    return (
        f"| {found.tool} | {found.before:.1f} s | {1000 * median:.1f} ms | {median / base:.2f} | "
        f"{recall(found.rows, own):.4f} | {recall(found.rows, single):.4f} |"
    )


def embedded(texts: Sequence[str], tier: str) -> tuple[Embedder, NDArray[np.float16], NDArray[np.float32]]:
    """Return the embedder, its vectors, and those of the model in single precision."""
    if tier == "fast":
        embedder = fast_embedder(Workspace.default().models)
        found = embedder.encode(texts)
        return embedder, found, found.astype(np.float32)
    # Late: torch.
    from sentence_transformers import SentenceTransformer

    precise = precise_embedder()
    single = SentenceTransformer(str(precise.folder), device="cpu", local_files_only=True)
    return precise, precise.encode(texts), single.encode(list(texts), batch_size=32, show_progress_bar=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; return 1 where the recall of Tamis is below 0.99."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("texts", type=Path, nargs="?", default=os.environ.get("TAMIS_BENCH_TEXTS"))
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--tier", choices=("precise", "fast"), default="precise")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peers", action="store_true")
    chosen = parser.parse_args(arguments)
    if chosen.texts is None:
        print("no texts: give a Parquet file with a column text")
        return 0
    texts = [text for text in pq.read_table(chosen.texts, columns=["text"])["text"].to_pylist() if text]
    draw = np.random.default_rng(0).permutation(len(texts))[: chosen.documents + chosen.questions]
    picked = [texts[place] for place in draw.tolist()]
    embedder, stored, single = embedded(picked, chosen.tier)
    there = single.any(axis=1) & stored.any(axis=1)
    asked = np.flatnonzero(there[: chosen.questions])
    sentences = [picked[place] for place in asked.tolist()]
    corpus = np.flatnonzero(there[chosen.questions :]) + chosen.questions
    vectors, wide = np.ascontiguousarray(stored[corpus]), np.ascontiguousarray(single[corpus])
    unit = wide / np.linalg.norm(wide, axis=1)[:, None]
    print(
        f"{len(vectors):,} documents, {len(sentences)} questions, {embedder.about['model']}, {vectors.shape[1]} numbers"
    )
    head = f"times Tamis | recall@{K}, its own vectors | recall@{K}, the model in float32 |\n|---|---|---|---|---|---|"
    print(f"\n| tool, what is asked | before | an answer | {head}")
    first = by_tamis(vectors, embedder, sentences, threads=chosen.threads)
    own, exactly = exact(vectors, stored[asked]), exact(wide, single[asked])
    base = statistics.median(first.seconds)
    print(row(first, own, exactly, base), flush=True)
    unlike = exact(wide, stored[asked])
    for other in (by_numpy(unit, embedder, sentences), by_duckdb(wide, embedder, sentences)):
        print(row(other, unlike, exactly, base), flush=True)
    rows = list(range(0, len(vectors), max(1, len(vectors) // chosen.questions)))[: chosen.questions]
    found = by_tamis_documents(vectors, rows, threads=chosen.threads)
    base = statistics.median(found.seconds)
    print(row(found, _others(vectors, rows), _others(wide, rows), base), flush=True)
    if chosen.peers:
        atlas = by_atlas(wide, rows, python_with(["umap-learn", "embedding-atlas"]))
        print(row(atlas, _others(wide, rows), _others(wide, rows), base), flush=True)
    met = min(recall(first.rows, own), recall(first.rows, exactly)) >= 0.99
    print(f"\nrecall@{K} of Tamis at least 0.99 against both: {met}")
    return int(recall(first.rows, own) < 0.99)


def _others(vectors: NDArray[np.floating], rows: Sequence[int]) -> NDArray[np.int64]:
    """Return the nearest other documents of some, int64 (q, K)."""
    found = exact(vectors, vectors[rows], K + 1)
    return np.array([line[line != own][:K] for line, own in zip(found, rows, strict=True)])


if __name__ == "__main__":
    sys.exit(main())
