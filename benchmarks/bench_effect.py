"""Does curation help on real labels, and how long does measuring take? ``python -m benchmarks.bench_effect [FOLDER]``

FOLDER (or TAMIS_BENCH_DATA) holds ``debian_descriptions_en.parquet``. Sections are the labels; whole families of
packages (``source``) are on one side of the split. Macro-F1 decides; accuracy follows the mix of the test set, which
has the corpus' own duplicates and imbalance, and is LOWER for both recipes: it is printed beside. Three questions:

1. A recipe that keeps 30% of the documents against random 30%.
2. The corpus polluted with copies, garbage under random labels and imbalance: does a recipe that keeps at most half of
   it reach what the clean corpus reaches?
3. Seconds for one evaluation of a 20 MB selection, all training sets, probes and figures.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tamis.analytics.duplicates.exact import exact_step
from tamis.analytics.effect.bench import Protocol
from tamis.analytics.effect.evaluation import measure_effect
from tamis.analytics.effect.label_probe import ProbeData, probe_curve, word_features
from tamis.analytics.effect.purpose import EffectStudy, groups_of
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.signals.perplexity import perplexity_step
from tamis.analytics.signals.tokens import tokens_step
from tamis.analytics.signals.word_numbers import WordTable, words_step
from tamis.analytics.steps.corpus_columns import columns_step
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.study.study import Study
from tamis.data.hashing import key64, uniform
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

COPIES, GARBAGE, FAVOURED = 0.8, 0.4, 5
"""Copies and garbage added per clean document; copies come from the FAVOURED largest sections only."""


def main(folder: str) -> int:
    """Print the answers; return how many of the claims fail."""
    path = Path(folder) / "debian_descriptions_en.parquet"
    if not folder or not path.is_file():
        print("no test data: give the folder with debian_descriptions_en.parquet")
        return 0
    clean = _labelled(pq.read_table(path))
    with tempfile.TemporaryDirectory() as home:
        study = labelled_study(clean, Path(home) / "clean")
        failed = _thirty_percent(study)
        failed += _polluted(study, clean, Path(home) / "polluted")
        failed += _seconds(study)
    return failed


def _labelled(table: pa.Table) -> pa.Table:
    """Return documents with a section of at least 100 documents, and whether they are set apart for testing."""
    table = table.select(["text", "section", "source"]).drop_null()
    names, codes, counts = np.unique(table.column("section").to_numpy(), return_inverse=True, return_counts=True)
    table = table.filter(pa.array(counts[codes] >= 100))
    held = uniform(key64(table.column("source").to_pylist()), seed=0, salt="held out") < 0.2
    ids = pa.array([f"clean-{number:06d}" for number in range(table.num_rows)])
    print(f"{table.num_rows:,} documents, {len(names)} sections, {held.mean():.0%} set apart by source")
    return table.append_column("id", ids).append_column("held", pa.array(held.astype(np.int64)))


def labelled_study(table: pa.Table, folder: Path) -> Study:
    folder.mkdir(parents=True)
    pq.write_table(table, folder / "corpus.parquet")
    corpus = open_corpus(folder / "corpus.parquet", roles={"text": "text", "id": "id", "label": "section"})
    measured = (documents_step(), columns_step(corpus), tokens_step(), exact_step(), words_step(), perplexity_step())
    kept = tuple(step for step in measured if step.name != "words")
    return Study.open(corpus, Workspace(folder / "home"), steps=(*measured, facts_step(kept)))


def given_probe(study: Study) -> ProbeData:
    """Return the probe with the test documents that the corpus marks."""
    bed = EffectStudy.open(study, protocol=Protocol(), label_column="label")
    labels, held = bed.labels, study.facts.whole("meta_held") == 1
    if labels is None:
        raise SystemExit("the corpus has no labels")
    alone = np.ones(study.facts.n, dtype=bool)
    words: WordTable = bed.words
    data = ProbeData.of(
        word_features(words), study.facts.keys, labels, groups_of(study.facts), usable=alone, most=10**9, test=held
    )
    if data is None:
        raise SystemExit("too few labels")
    return data


def kept_copies(study: Study, recipe: Recipe) -> NDArray[np.int32]:
    study.measure(recipe)
    return study.evaluate(recipe).copies


def _thirty_percent(study: Study) -> int:
    """Compare a recipe that keeps 30% with random 30%."""
    data = given_probe(study)
    training = OPERATORS.build("sql_predicate", {"predicate": "meta_held = 0"})
    documents = int(0.3 * np.count_nonzero(~data.test))
    recipe = (
        Recipe(title="30%")
        .with_operator(training)
        .with_operator(OPERATORS.build("exact_dedup", {}))
        .with_operator(OPERATORS.build("near_dedup", {"threshold": 0.6}))
        .with_operator(OPERATORS.build("mixture", {"by": "label", "alpha": 0.4, "share": 0.75}))
        .with_operator(OPERATORS.build("random_sample", {"count": documents}))
    )
    curve = probe_curve(data, kept_copies(study, recipe), column="section", fractions=())
    if curve is None:
        return 1
    point = curve.points[-1]
    print(f"1. kept {curve.kept:.1%}: {curve.difference.sentence}")
    print(f"   accuracy {point.recipe_accuracy:.3f} against {point.random_accuracy:.3f}")
    return int(curve.difference.verdict != "better")


def _polluted(clean_study: Study, clean: pa.Table, folder: Path) -> int:
    """Pollute the training half, and let a recipe find the clean part again."""
    random = np.random.default_rng(0)
    training = np.flatnonzero(clean.column("held").to_numpy() == 0)
    sections = clean.column("section").to_numpy()
    names, counts = np.unique(sections[training], return_counts=True)
    favoured = training[np.isin(sections[training], names[np.argsort(-counts)[:FAVOURED]])]
    copied = clean.take(pa.array(random.choice(favoured, int(COPIES * len(training)))))
    garbled = clean.take(pa.array(random.choice(training, int(GARBAGE * len(training)))))
    texts = ["".join(random.permutation(list(text))) for text in garbled.column("text").to_pylist()]
    labels = pa.array(random.choice(names, garbled.num_rows))
    garbled = garbled.set_column(0, "text", pa.array(texts)).set_column(1, "section", labels)
    parts = [clean]
    for name, part in (("copy", copied), ("garbage", garbled)):
        ids = pa.array([f"{name}-{number:06d}" for number in range(part.num_rows)])
        parts.append(part.set_column(part.schema.get_field_index("id"), "id", ids))
    study = labelled_study(pa.concat_tables([part.cast(clean.schema) for part in parts]), folder)
    reference, data = given_probe(clean_study), given_probe(study)
    whole = reference.measure(np.flatnonzero(~reference.test))
    dirty = data.measure(np.flatnonzero(~data.test))
    share = clean.num_rows / study.facts.n
    clear = 1 - garbled.num_rows / study.facts.n - 0.005
    recipe = (
        Recipe(title="Recover")
        .with_operator(OPERATORS.build("perplexity_band", {"share": clear, "part": "low"}))
        .with_operator(OPERATORS.build("exact_dedup", {}))
    )
    copies = kept_copies(study, recipe)
    own = np.flatnonzero(~data.test & (copies[data.rows] > 0))
    found, kept = data.measure(own), float((copies > 0).mean())
    shown = ((f"clean ({share:.0%})", whole), ("polluted (100%)", dirty), (f"recipe ({kept:.0%})", found))
    for name, result in shown:
        print(f"2. {name:<18} macro-F1 {result.macro_f1:.4f}, accuracy {result.accuracy:.4f}")
    return int(found.macro_f1 < whole.macro_f1 - 0.002 or kept > 0.5)


def _seconds(study: Study) -> int:
    """Time one evaluation of everything, at a budget of 20 MB."""
    bed = EffectStudy.open(study, protocol=Protocol(budget_bytes=20_000_000))
    copies = np.ones(study.facts.n, dtype=np.int32)
    measure_effect(EffectStudy.open(study, protocol=Protocol(budget_bytes=200_000)), copies)
    start = time.perf_counter()
    effect = measure_effect(bed, copies)
    seconds = time.perf_counter() - start
    print(f"3. one evaluation of {effect.budget_bytes / 1e6:.1f} MB: {seconds:.1f} s")
    return int(seconds > 30)


if __name__ == "__main__":
    given = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("TAMIS_BENCH_DATA", "")
    raise SystemExit(main(given))
