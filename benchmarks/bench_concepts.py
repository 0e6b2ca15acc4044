"""How well do 60 labels find a concept? ``python -m benchmarks.bench_concepts FILE [--tier fast --tier precise]``

FILE is ``banking77.parquet`` (``text``, ``label``, ``split``): each of its 77 intents is a concept that no model was
trained on. For every concept and seed a person labels 60 queries of the training split: 30 of the concept and 30
others, both by keyed hash. What is learnt ranks the test split, where 1 query in 77 belongs to the concept.

Keyword search gets the same labels: of all words in them the one, the two or three that a text must all have, and the
five that are counted, with the best average precision on the labels. Texts of equal score count together.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tamis.analytics.effect.holdout_curve import LabelledVectors, average_precision
from tamis.analytics.embedding.step import embeddings_step
from tamis.analytics.embedding.stored_vectors import load_vectors
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.study.meaning import meaning_vectors
from tamis.analytics.study.study import Study
from tamis.analytics.text.normal_form import normalise_strings
from tamis.data.hashing import key64, mix_keys
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

EACH, SEEDS, LONGEST, COUNTED, DRAWS = 30, 3, 3, 5, 2_000


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--tier", action="append", choices=["fast", "precise"])
    chosen = parser.parse_args()
    table = pq.read_table(chosen.file)
    labels, test = table.column("label").to_numpy(), table.column("split").to_numpy() == "test"
    texts = table.column("text").combine_chunks()
    vectors = {tier: embedded(texts, tier) for tier in chosen.tier or ["fast", "precise"]}
    has, _ = word_table(texts)
    found: dict[str, list[list[float]]] = {}
    keys = key64(str(row) for row in range(len(labels)))
    for concept in np.unique(labels):
        own: dict[str, list[float]] = {}
        for seed in range(SEEDS):
            like, unlike = labelled(labels == concept, ~test, keys, seed=seed)
            for name, scores in rankings(vectors, has, like, unlike).items():
                own.setdefault(name, []).append(average_precision((labels == concept)[test], scores[test]))
        for name, values in own.items():
            found.setdefault(name, []).append(values)
    print(f"{len(labels):,} queries, {len(np.unique(labels))} concepts, {2 * EACH} labels each, {SEEDS} seeds\n")
    print("| ranking | average precision (95%) | classifier wins in |\n|---|---|---|")
    best = np.array(found[next(iter(found)) if len(vectors) == 1 else "classifier, precise vectors"]).mean(axis=1)
    for name, values in found.items():
        means = np.array(values).mean(axis=1)
        low, high = interval(means)
        wins = "" if name.startswith("classifier") else f"{np.mean(best > means):.0%} of concepts"
        print(f"| {name} | {means.mean():.3f} ({low:.3f} to {high:.3f}) | {wins} |")


def embedded(texts: pa.Array, tier: str) -> NDArray[np.float32]:
    """Return the vectors of texts, float32 (n, d)."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "queries.parquet"
        pq.write_table(pa.table({"id": [f"{row:06d}" for row in range(len(texts))], "text": texts}), path)
        steps = (documents_step(), embeddings_step(tier))
        study = Study.open(open_corpus(path), Workspace(Path(folder) / "home"), steps=(*steps, facts_step(steps[:1])))
        return load_vectors(meaning_vectors(study), study.documents).astype(np.float32)


def word_table(texts: pa.Array) -> tuple[NDArray[np.bool_], list[str]]:
    """Return which text has which word, bool (n, words), and the words, sorted."""
    split = [set(text.split()) for text in normalise_strings(texts)]
    words = sorted(set().union(*split))
    place = {word: number for number, word in enumerate(words)}
    found = np.zeros((len(split), len(words)), dtype=bool)
    for row, own in enumerate(split):
        found[row, [place[word] for word in own]] = True
    return found, words


def labelled(
    member: NDArray[np.bool_], usable: NDArray[np.bool_], keys: NDArray[np.uint64], *, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows that are labelled, of the concept and of others."""
    order = np.argsort(mix_keys(keys, seed=seed, salt="who is labelled"))
    order = order[usable[order]]
    return order[member[order]][:EACH], order[~member[order]][:EACH]


def rankings(
    vectors: Mapping[str, NDArray[np.float32]],
    has: NDArray[np.bool_],
    like: NDArray[np.int64],
    unlike: NDArray[np.int64],
) -> dict[str, NDArray[np.float64]]:
    """Return the scores of all texts by every way to find the concept, float64 (n,) each."""
    found = {}
    for tier, rows in vectors.items():
        model = LabelledVectors.of(rows[like], rows[unlike]).fit()
        found[f"classifier, {tier} vectors"] = model.score(rows)
    for tier, rows in vectors.items():
        found[f"mean of the examples, {tier} vectors"] = (rows @ rows[like].mean(axis=0)).astype(np.float64)
    return found | keyword_scores(has, like, unlike)


def keyword_scores(
    has: NDArray[np.bool_], like: NDArray[np.int64], unlike: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Return the scores of the best keyword searches, chosen on the labels, ties by word."""
    rows = np.concatenate([like, unlike])
    truth = np.arange(len(rows)) < len(like)
    words = np.flatnonzero(has[like].any(axis=0))
    single = np.array([average_precision(truth, has[rows, word].astype(float)) for word in words])
    ranked = words[np.lexsort((words, -single))]
    best = has[:, ranked[0]]
    found = {"best single word": best.astype(float)}
    whole, figure = best, float(single.max())
    for _ in range(LONGEST - 1):
        tried = [average_precision(truth, (whole & has[:, word])[rows].astype(float)) for word in words]
        if max(tried) <= figure:
            break
        figure, whole = max(tried), whole & has[:, words[int(np.argmax(tried))]]
    found["best query of all words (up to three)"] = whole.astype(float)
    found["most of the five best words"] = has[:, ranked[:COUNTED]].sum(axis=1).astype(float)
    return found


def interval(means: NDArray[np.float64]) -> tuple[float, float]:
    """Return the 95% interval of a mean over concepts, by bootstrap."""
    random = np.random.default_rng(0)
    low, high = np.quantile(means[random.integers(0, len(means), (DRAWS, len(means)))].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


if __name__ == "__main__":
    main()
