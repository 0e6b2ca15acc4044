"""Latency of every interactive question over synthetic facts: first answer, and median of warm ones.

    python -m benchmarks.bench_queries [--documents 1000000] [--threads 2]

"Edit" rows change one rule of the recipe to a value not seen before, so nothing about it is remembered.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from synthetic import synthetic_facts

from tamis.analytics.facts.facts import Facts
from tamis.analytics.facts.stored_sets import MemorySources
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.ledger import ledger
from tamis.analytics.recipe.outcome import Selection
from tamis.analytics.recipe.plan import evaluate
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study import queries
from tamis.analytics.study.evidence import LocalEvidence
from tamis.analytics.study.queries import Scene

BUDGET_MS = 300.0
RULES = (
    ("language", {"languages": ["en", "de", "fr"], "min_confidence": 0.65}),
    ("signal_range", {"signal": "n_words", "min": 50, "max": 100_000}),
    ("signal_range", {"signal": "mean_word_length", "min": 3, "max": 10}),
    ("signal_range", {"signal": "symbol_word_ratio", "max": 0.1}),
    ("sql_predicate", {"predicate": "duplicate_5gram_share < 0.15 OR n_words > 2000"}),
    ("exact_dedup", {}),
    ("percentile_band", {"signal": "compression_ratio", "low": 2, "high": 98, "within": "lang"}),
    ("token_budget", {"amount": 40_000_000}),
)


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one question.

    Attributes:
        name: what was asked.
        first: the first answer.
        warm: median of the next ones.
    """

    name: str
    first: float
    warm: float


def timed(name: str, ask: Callable[[], Any], *, repeats: int = 5) -> Timing:
    """Return how long a question takes."""
    spans = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        ask()
        spans.append((time.perf_counter() - start) * 1e3)
    return Timing(name, spans[0], float(np.median(spans[1:])))


def fresh(name: str, ask: Callable[[float], Any], *, repeats: int = 5) -> Timing:
    """Return how long a question takes whose number is new each time."""
    state = iter(np.linspace(0.011, 0.019, repeats + 1))
    return timed(name, lambda: ask(float(next(state))), repeats=repeats)


def base_recipe() -> Recipe:
    """Return a recipe as people make them: eight rules."""
    recipe = Recipe(title="Bench")
    for name, params in RULES:
        recipe = recipe.with_operator(OPERATORS.build(name, params))
    return recipe


def recipe_timings(facts: Facts, evidence: LocalEvidence) -> list[Timing]:
    """Time the evaluation of a recipe: cold, unchanged, and after an edit of each kind of step."""
    recipe = base_recipe()

    def edited(step: str, **change: Any) -> Any:
        operator = recipe.step(step).operator.model_copy(update=change)
        return evaluate(recipe.replaced(step, operator=operator), facts, evidence)

    return [
        timed("recipe of 8 rules, nothing known, then unchanged", lambda: evaluate(recipe, facts, evidence)),
        fresh("edit rule 1 (language)", lambda u: edited("language", min_confidence=0.6 + u)),
        fresh("edit rule 2 (range)", lambda u: edited("signal-range", min=round(u * 5e3, 3))),
        fresh("edit rule 5 (predicate)", lambda u: edited("sql-predicate", predicate=f"digit_share < {u}")),
        fresh("edit rule 6 (exact duplicates)", lambda u: edited("exact-dedup", max_copies=int(u * 1e6))),
        fresh("edit rule 7 (percentiles within language)", lambda u: edited("percentile-band", low=u * 100)),
        fresh("edit rule 8 (token budget)", lambda u: edited("token-budget", amount=int(u * 3e9))),
    ]


def page_timings(facts: Facts, evidence: LocalEvidence) -> list[Timing]:
    """Time every question of the pages on a scene with a recipe and a selection."""
    selection = (
        OPERATORS.build("signal_range", {"signal": "unigram_entropy", "min": 5}),
        OPERATORS.build("category", {"column": "source", "values": ["source-00", "source-01"]}),
    )
    recipe = base_recipe()
    scene = Scene.build(facts, evidence, selection=selection, recipe=recipe)
    outcome = evaluate(recipe, facts, evidence)
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    lasso = [(3 * float(np.cos(a)), 3 * float(np.sin(a))) for a in angles]
    lines = [OPERATORS.build("signal_range", {"signal": info.name, "max": 0.2}) for info in facts.named(role="signal")]

    def selected(u: float) -> Any:
        changed = OPERATORS.build("signal_range", {"signal": "digit_share", "max": u})
        return queries.totals(Scene.build(facts, evidence, selection=(*selection, changed), recipe=recipe))

    shown = ["id", "source", "lang", "n_words", "mean_word_length"]
    return [
        fresh("new selection: counts of all, selected, kept", selected),
        timed("totals", lambda: queries.totals(scene)),
        timed("histogram, whole numbers", lambda: queries.histogram(scene, "n_words")),
        timed("histogram, fractions", lambda: queries.histogram(scene, "mean_word_length")),
        timed("share dropped under every cut line", lambda: queries.cuts(scene, lines)),
        timed("threshold sweep, 100 points", lambda: queries.sweep(scene, "mean_word_length", side="min")),
        timed("groups: 40 sources", lambda: queries.group_counts(scene, "source")),
        timed("cluster table", lambda: queries.cluster_table(scene)),
        timed("attribution of 8 rules", lambda: queries.attribution(outcome, facts)),
        timed("dropped by step and source", lambda: queries.dropped_by_group(scene, "source")),
        timed("map points as bytes", lambda: queries.map_points(facts)),
        timed("map colours by source", lambda: queries.map_groups(scene, "source")),
        timed("map colours by signal", lambda: queries.map_groups(scene, "n_words")),
        timed("map colours kept/dropped", lambda: queries.map_groups(scene, "kept")),
        timed("density 512 x 384 of kept", lambda: queries.density(scene, width=512, height=384, which="kept")),
        timed("lasso of 40 corners", lambda: queries.polygon_rows(facts, lasso)),
        timed("documents: first page by id", lambda: queries.documents_page(scene, columns=shown)),
        timed("documents: sorted, filtered", lambda: queries.documents_page(
            scene, columns=shown, sort="n_words", descending=True, where="lang = 'en' AND n_words > 100")),
        timed("documents: sorted, page 10,000", lambda: queries.documents_page(
            scene, columns=shown, sort="mean_word_length", offset=facts.n // 2)),
        timed("sample of 20 dropped", lambda: queries.sample_rows(scene, which="dropped")),
        timed("why was this document dropped", lambda: queries.why(outcome, facts, facts.n // 3)),
        timed("selection digest", lambda: Selection.from_outcome(outcome, facts).digest, repeats=3),
        timed("ledger of all dropped documents (export)", lambda: ledger(outcome, facts), repeats=2),
    ]  # fmt: skip


def table(timings: list[Timing]) -> str:
    """Return the timings as a Markdown table."""
    lines = ["| question | first, ms | then, ms |", "|---|---:|---:|"]
    lines += [f"| {timing.name} | {timing.first:,.1f} | {timing.warm:,.1f} |" for timing in timings]
    return "\n".join(lines)


def main() -> int:
    """Print the table; return 1 when a warm interactive question takes longer than the budget at 1M documents."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, help="also write the table to this file")
    chosen = parser.parse_args()
    start = time.perf_counter()
    facts = synthetic_facts(chosen.documents, threads=chosen.threads)
    facts.keys  # noqa: B018 - an analysed corpus has them stored
    made = time.perf_counter() - start
    print(f"{chosen.documents:,} synthetic documents, {chosen.threads} threads: made in {made:.1f} s\n")
    evidence = LocalEvidence(facts, MemorySources())
    timings = recipe_timings(facts, evidence) + page_timings(facts, evidence)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    text = f"{table(timings)}\n\nPeak memory {peak:,.0f} MB."
    print(text)
    if chosen.out:
        chosen.out.write_text(text + "\n")
    slow = [timing.name for timing in timings if timing.warm > BUDGET_MS and "export" not in timing.name]
    return 1 if slow and chosen.documents <= 1_000_000 else 0


if __name__ == "__main__":
    sys.exit(main())
