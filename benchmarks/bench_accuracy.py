"""Does curation help on short labelled queries? ``python -m benchmarks.bench_accuracy [FOLDER]``

FOLDER (or TAMIS_BENCH_DATA) holds ``banking77.parquet``: 77 intents with a test split of 40 queries each, so accuracy
and macro-F1 weigh the intents alike. Two questions, both decided by accuracy on the test split:

1. A recipe that keeps 30% of the training queries against five random 30%.
2. The training queries polluted with copies, garbage under random labels and imbalance: does a recipe that keeps at
   most half of the documents reach what the clean ones reach?
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.bench_effect import given_probe, kept_copies, labelled_study
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe

COPIES, GARBAGE, FAVOURED = 0.9, 0.4, 8
"""Copies and garbage added per clean query; copies are of queries of the FAVOURED largest intents only."""


def main(folder: str) -> int:
    """Print the answers; return how many of the claims fail."""
    path = Path(folder) / "banking77.parquet"
    if not folder or not path.is_file():
        print("no test data: give the folder with banking77.parquet")
        return 0
    table = pq.read_table(path)
    held = pa.array((table.column("split").to_numpy() == "test").astype(np.int64))
    ids = pa.array([f"clean-{number:05d}" for number in range(table.num_rows)])
    intents = table.column("label").cast(pa.string())
    clean = pa.table({"text": table.column("text"), "section": intents, "id": ids, "held": held})
    print(f"{table.num_rows:,} queries, {len(set(intents.to_pylist()))} intents, split given")
    with tempfile.TemporaryDirectory() as home:
        return _thirty_percent(clean, Path(home) / "clean") + _polluted(clean, Path(home) / "polluted")


def _training(title: str) -> Recipe:
    return Recipe(title=title).with_operator(OPERATORS.build("sql_predicate", {"predicate": "meta_held = 0"}))


def _covering(recipe: Recipe, share: float) -> Recipe:
    rule = OPERATORS.build("coverage_sample", {"share": share, "within": "label"})
    return recipe.with_operator(OPERATORS.build("exact_dedup", {})).with_operator(rule)


def _thirty_percent(clean: pa.Table, folder: Path) -> int:
    """Compare a covering 30% with random 30%."""
    study = labelled_study(clean, folder)
    data = given_probe(study)
    training = np.flatnonzero(~data.test)
    copies = kept_copies(study, _covering(_training("30%"), 0.3))
    own = np.flatnonzero(~data.test & (copies[data.rows] > 0))
    ours = data.measure(own)
    draws = [data.measure(data.draw(training, len(own), seed=seed)) for seed in range(5)]
    for name in ("accuracy", "macro_f1"):
        random = [getattr(draw, name) for draw in draws]
        interval = 2 * float(np.std(random, ddof=1))
        print(
            f"1. kept {len(own) / len(training):.1%}: {name} {getattr(ours, name):.4f}, "
            f"random {np.mean(random):.4f} +- {interval:.4f} (2 sd, 5 draws)"
        )
    random = [draw.accuracy for draw in draws]
    return int(ours.accuracy <= np.mean(random) + 2 * np.std(random, ddof=1))


def _polluted(clean: pa.Table, folder: Path) -> int:
    """Pollute the training queries, and let a recipe find the clean part again."""
    random = np.random.default_rng(0)
    training = np.flatnonzero(clean.column("held").to_numpy() == 0)
    labels = clean.column("section").to_numpy()
    names, counts = np.unique(labels[training], return_counts=True)
    favoured = training[np.isin(labels[training], names[np.argsort(-counts)[:FAVOURED]])]
    copied = clean.take(pa.array(random.choice(favoured, int(COPIES * len(training)))))
    garbled = clean.take(pa.array(random.choice(training, int(GARBAGE * len(training)))))
    texts = ["".join(random.permutation(list(text))) for text in garbled.column("text").to_pylist()]
    wrong = pa.array(random.choice(names, garbled.num_rows))
    garbled = garbled.set_column(0, "text", pa.array(texts)).set_column(1, "section", wrong)
    parts = [clean]
    for name, part in (("copy", copied), ("garbage", garbled)):
        ids = pa.array([f"{name}-{number:06d}" for number in range(part.num_rows)])
        parts.append(part.set_column(2, "id", ids).cast(clean.schema))
    study = labelled_study(pa.concat_tables(parts), folder)
    data = given_probe(study)
    ids = np.array(study.facts.ids.to_pylist())
    is_clean = np.char.startswith(ids[data.rows], "clean")
    everything = np.count_nonzero(study.facts.whole("meta_held") == 0)
    whole = data.measure(np.flatnonzero(~data.test & is_clean))
    dirty = data.measure(np.flatnonzero(~data.test))
    clear = 1 - garbled.num_rows / everything - 0.005
    noiseless = _training("Recover").with_operator(OPERATORS.build("perplexity_band", {"share": clear, "part": "low"}))
    copies = kept_copies(study, noiseless.with_operator(OPERATORS.build("exact_dedup", {})))
    own = np.flatnonzero(~data.test & (copies[data.rows] > 0))
    found, kept = data.measure(own), len(own) / everything
    print(f"2. left of garbage {np.char.startswith(ids[data.rows[own]], 'garbage').sum()} of {garbled.num_rows:,}")
    share = len(training) / everything
    shown = ((f"clean ({share:.0%})", whole), ("polluted (100%)", dirty), (f"recipe ({kept:.0%})", found))
    for name, result in shown:
        print(f"2. {name:<18} accuracy {result.accuracy:.4f}, macro-F1 {result.macro_f1:.4f}")
    return int(found.accuracy < whole.accuracy or kept > 0.5)


if __name__ == "__main__":
    given = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("TAMIS_BENCH_DATA", "")
    raise SystemExit(main(given))
