"""Does a fitted mixture beat the natural and the uniform one? ``python -m benchmarks.bench_mixture [FOLDER]``

FOLDER (or TAMIS_BENCH_DATA) holds ``debian_descriptions_en.parquet`` (``text``, ``section``) and ``banking77.parquet``
(``text``, ``label``, ``split``). Two corpora, each polluted with random letters under a domain of its own and with
copies of its largest domain:

1. descriptions by section; the target is descriptions of three sections that no document of the corpus is of;
2. customers' questions beside descriptions by section; the target is questions of fifteen intents that are left out.

Every mixture has the same token budget and is judged by the n-gram model on the half of the target that no fit reads.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tamis.analytics.duplicates.exact import exact_step
from tamis.analytics.effect.bench import Protocol, run_trials
from tamis.analytics.effect.mixture_fit import FitParams, MixtureFit, fit_mixture
from tamis.analytics.effect.mixture_swarm import DomainParams, MixtureProxy
from tamis.analytics.effect.purpose import EffectStudy
from tamis.analytics.effect.target import TargetEntry, save_target
from tamis.analytics.effect.verdict import Difference, compare, text_error
from tamis.analytics.operators.operator import OPERATORS, Operator
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.signals.tokens import tokens_step
from tamis.analytics.steps.corpus_columns import columns_step
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.study.study import Study
from tamis.data.hashing import key64, uniform
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

HELD_OUT = ("games", "science", "sound")
INTENTS = 15
NOISE, COPIES, SHARE, MOST_COPIES = 0.15, 0.15, 0.25, 4
"""Documents of random letters and copies for each clean one, the budget as a share of the tokens, copies allowed."""

PROTOCOL = Protocol(budget_bytes=2_000_000, draws=5)


def main() -> int:
    """Print a table for both corpora; return how many comparisons are not better."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", default=os.environ.get("TAMIS_BENCH_DATA", ""))
    parser.add_argument("--documents", type=int, default=12_000)
    chosen = parser.parse_args()
    described, asked = (Path(chosen.folder) / f"{n}.parquet" for n in ("debian_descriptions_en", "banking77"))
    if not chosen.folder or not described.is_file() or not asked.is_file():
        print("no test data: give the folder with debian_descriptions_en.parquet and banking77.parquet")
        return 0
    failed = 0
    print("| corpus | mixture | target bits per byte | fitted against it | verdict |\n|---|---|---|---|---|")
    corpora = {"descriptions": by_section(described), "questions": with_questions(described, asked)}
    for name, (texts, target) in corpora.items():
        with tempfile.TemporaryDirectory() as home:
            failed += _measure(name, polluted(texts, chosen.documents), target, Path(home))
    return failed


def by_section(path: Path) -> tuple[Mapping[str, list[str]], list[str]]:
    """Return descriptions by section, and those of the held-out sections."""
    rows = pq.read_table(path, columns=["text", "section"]).to_pylist()
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["section"] or "none", []).append(row["text"])
    target = [text for name in HELD_OUT for text in found.pop(name, [])]
    return found, target


def with_questions(described: Path, asked: Path) -> tuple[Mapping[str, list[str]], list[str]]:
    """Return descriptions of the ten largest sections beside questions, and the questions of intents left out."""
    sections, _ = by_section(described)
    largest = sorted(sections, key=lambda name: (-len(sections[name]), name))[:10]
    rows = pq.read_table(asked, columns=["text", "label"]).to_pylist()
    intents = sorted({row["label"] for row in rows})[:INTENTS]
    left_out = [row["text"] for row in rows if row["label"] in intents]
    questions = [row["text"] for row in rows if row["label"] not in intents]
    return {**{name: sections[name] for name in largest}, "questions": questions}, left_out


def polluted(texts: Mapping[str, list[str]], documents: int) -> pa.Table:
    """Return documents drawn by keyed hash from all domains, with noise and copies: ``id``, ``text``, ``source``."""
    rows = [(name, text) for name in sorted(texts) for text in texts[name]]
    keys = key64([f"{place}" for place in range(len(rows))])
    order = np.argsort(uniform(keys, seed=0, salt="documents"), kind="stable")[:documents]
    chosen = [rows[place] for place in order.tolist()]
    random = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz     "))
    chosen += [("random letters", "".join(random.choice(letters, 300))) for _ in range(int(NOISE * documents))]
    names, counts = np.unique([name for name, _ in chosen], return_counts=True)
    largest = [row for row in chosen if row[0] == names[counts.argmax()]]
    chosen += [largest[int(k)] for k in random.integers(len(largest), size=int(COPIES * documents))]
    ids = [f"{place:07d}" for place in range(len(chosen))]
    return pa.table({"id": ids, "text": [text for _, text in chosen], "source": [name for name, _ in chosen]})


def _measure(name: str, table: pa.Table, target: list[str], folder: Path) -> int:
    """Fit a mixture, set it beside the others, and print the rows."""
    pq.write_table(table, folder / "corpus.parquet")
    workspace = Workspace(folder / "home")
    corpus = open_corpus(folder / "corpus.parquet", roles={"text": "text", "id": "id", "source": "source"})
    measured = (documents_step(), columns_step(corpus), tokens_step(), exact_step())
    study = Study.open(corpus, workspace, steps=(*measured, facts_step(measured)))
    entry = save_target(workspace, name, target[:3_000], origin="benchmark")
    return measure_mixture(name, study, entry, protocol=PROTOCOL)


def measure_mixture(
    name: str, study: Study, entry: TargetEntry, *, protocol: Protocol, proxy: MixtureProxy | None = None
) -> int:
    """Fit a mixture of the sources, print the others beside it, and return how many it does not beat."""
    tokens = int(SHARE * int(study.facts.whole("n_tokens").sum()))
    started = time.monotonic()
    params = FitParams(DomainParams("source"), tokens, MOST_COPIES)
    fit = fit_mixture(study, entry, params, protocol=protocol, proxy=proxy)
    seconds = time.monotonic() - started
    failed = 0
    for other, shares in _others(fit).items():
        rule = OPERATORS.build("mixture", shares)
        found = _compared(study, entry, fit.operator(), rule, name=other, protocol=protocol)
        failed += found.verdict != "better"
        interval = f"{found.mean:+.3f} ({found.low:+.3f} to {found.high:+.3f})"
        print(f"| {name} | {other} | {found.other:.3f} (fitted {found.recipe:.3f}) | {interval} | {found.verdict} |")
    print(
        f"{name}: {len(fit.names)} domains, {len(fit.trials)} trials, {seconds:.0f} s, cross-validated error"
        f" {fit.error:.4f}, rank correlation {fit.rank:.2f}; {study.facts.n:,} documents, {tokens:,} tokens"
    )
    return failed


def _others(fit: MixtureFit) -> dict[str, dict[str, Any]]:
    shared = {"by": "source", "tokens": fit.tokens, "max_copies": fit.max_copies}
    return {
        "natural": {**shared, "alpha": 1.0},
        "temperature 0.3": {**shared, "alpha": 0.3},
        "uniform": {**shared, "weights": [{"group": name, "weight": 1} for name in fit.groups]},
    }


def _compared(
    study: Study, entry: TargetEntry, ours: Operator, theirs: Operator, *, name: str, protocol: Protocol
) -> Difference:
    """Return the difference of two mixtures on the half of the target that no fit reads, in paired draws."""
    bed = EffectStudy.open(study, entry, protocol=protocol)
    copies = [bed.copies(Recipe().with_operator(rule)) for rule in (ours, theirs)]
    sizes = [int((bed.bench.bytes * own)[bed.bench.allowed].sum()) for own in copies]
    budget = int(0.9 * min(*sizes, protocol.budget_bytes))
    parts = [run_trials(bed.bench, own, name="recipe", budget=budget) for own in copies]
    error = text_error(*([trial.target_bits for trial in part] for part in parts), bed.bench.unseen.bytes)
    costs = [[trial.target or 0.0 for trial in part] for part in parts]
    return compare("target bits per byte", name, *costs, lower_is_better=True, text_error=error)


if __name__ == "__main__":
    raise SystemExit(main())
