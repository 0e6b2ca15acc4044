"""Does curation pay on a polluted corpus? ``python -m benchmarks.experiment_curation MODE [options]``

The corpus is made from packages alone: docstrings of the installed packages, package descriptions, advertisements and
random letters made by machine, and copies. The target is descriptions of sections that no document of the corpus is of.
Recipes see one half of it; losses are measured on the other half.

``curves``     the best 10%, 30% and 50% by a relevance rule, against all and random draws of 30%; several seeds
``agreement``  fourteen recipes by the n-gram model and by each size: rank correlation, share of agreeing decisions

Descriptions come from a Parquet file (``text``, ``section``), or with ``--descriptions apt`` from the package lists of
this machine. Every trained model is kept under ``--home``: a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import ast
import json
import subprocess
import sysconfig
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.stats import spearmanr

from benchmarks.bench_effect import kept_copies
from tamis.analytics.duplicates.exact import exact_step
from tamis.analytics.effect.bench import RANDOM, RECIPE, Protocol, random_copies, run_trials, training_set
from tamis.analytics.effect.proxy_effect import Arm, ProxyGround
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
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.steps.pipeline import documents_step
from tamis.analytics.study.study import Study
from tamis.data.hashing import key64, uniform
from tamis.data.open_corpus import open_corpus
from tamis.data.progress import TrackedProgress
from tamis.data.workspace import Workspace

HELD_OUT = ("games", "science", "sound")
"""Sections of the target; no description of them is in the corpus."""

SHARES = (0.1, 0.3, 0.5)
LEAST = 200
"""Least characters of a docstring."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one mode and print its table."""
    given = _parser().parse_args(arguments)
    study, entry = _made(given)
    bed = EffectStudy.open(study, entry, protocol=Protocol(budget_bytes=given.tokens, draws=3, holdout_bytes=100_000))
    print(
        f"{study.facts.n:,} documents, {bed.bench.bytes.sum():,} bytes; {len(bed.bench.scored):,} target texts scored"
    )
    {"curves": _curves, "agreement": _agreement}[given.mode](bed, entry, given)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=("curves", "agreement"))
    parser.add_argument("--descriptions", default="apt", help="Parquet file, or apt for this machine's package lists")
    parser.add_argument("--home", type=Path, required=True, help="folder of the corpus and of all trained models")
    parser.add_argument("--sizes", nargs="+", default=["2M", "8M"], help="sizes of the models")
    parser.add_argument("--tokens", type=int, default=2_000_000, help="bytes that every model reads")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--documents", type=int, default=20_000, help="of the corpus, all kinds together")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    return parser


def _made(given: argparse.Namespace) -> tuple[Study, TargetEntry]:
    """Return the corpus, measured, and its target; made on the first call."""
    folder = given.home / f"corpus-{given.documents}"
    workspace = Workspace(folder / "home")
    if not (folder / "corpus.parquet").exists():
        folder.mkdir(parents=True, exist_ok=True)
        described = _descriptions(given.descriptions)
        pq.write_table(_corpus(described, given.documents), folder / "corpus.parquet")
        wanted = [text for text, section in described if section in HELD_OUT]
        chosen = np.argsort(uniform(key64(wanted), seed=0, salt="target"))[:1000]
        pq.write_table(pa.table({"text": [wanted[k] for k in chosen]}), folder / "target.parquet")
    corpus = open_corpus(folder / "corpus.parquet", roles={"text": "text", "id": "id"})
    measured = (documents_step(), columns_step(corpus), tokens_step(), exact_step(), words_step(), perplexity_step())
    kept = tuple(step for step in measured if step.name != "words")
    study = Study.open(corpus, workspace, steps=(*measured, facts_step(kept)))
    texts = pq.read_table(folder / "target.parquet").column("text").to_pylist()
    return study, save_target(workspace, "descriptions", texts, origin="sections held out")


def _descriptions(given: str) -> list[tuple[str, str]]:
    """Return descriptions with their section, English."""
    if given != "apt":
        table = pq.read_table(given, columns=["text", "section"]).drop_null()
        return list(zip(table.column("text").to_pylist(), table.column("section").to_pylist(), strict=True))
    read = subprocess.run(["apt-cache", "dumpavail"], check=True, capture_output=True, text=True).stdout
    found = []
    for entry in read.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in entry.splitlines() if ": " in line and line[0] != " ")
        text = entry.partition("\nDescription")[2].partition(": ")[2]
        if text and "Section" in fields:
            found.append((text.replace("\n .\n", "\n\n").replace("\n ", "\n").strip(), fields["Section"]))
    return found


def _corpus(described: Sequence[tuple[str, str]], documents: int) -> pa.Table:
    """Return the polluted corpus: a fifth descriptions, a quarter docstrings, the rest noise, adverts and copies."""
    random = np.random.default_rng(0)
    sections = [text for text, section in described if section not in HELD_OUT]
    counts = {name: int(part * documents) for name, part in _PARTS.items()}
    clean = [sections[k] for k in random.permutation(len(sections))[: counts["description"]]]
    code = list(_docstrings(counts["docstring"]))
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz0123456789#%/=+   "))
    parts = {
        "description": clean,
        "docstring": code,
        "noise": ["".join(random.choice(letters, size=random.integers(200, 1200))) for _ in range(counts["noise"])],
        "advert": [_advert(random) for _ in range(counts["advert"])],
    }
    everything = [text for texts in parts.values() for text in texts]
    # Few texts copied often, as crawls have them.
    copied = random.choice(len(everything), 40, replace=False)
    parts["copy"] = [everything[k] for k in random.choice(copied, counts["copy"])]
    rows = [(name, text) for name, texts in parts.items() for text in texts]
    return pa.table(
        {
            "id": [f"{name}-{number:06d}" for number, (name, _) in enumerate(rows)],
            "text": pa.array([text for _, text in rows], pa.large_string()),
            "source": [name for name, _ in rows],
        }
    )


_PARTS = {"description": 0.2, "docstring": 0.25, "noise": 0.2, "advert": 0.15, "copy": 0.2}
_OFFERS = ("watches", "loans", "pills", "tickets", "followers", "coins", "diplomas", "vacations")
_CALLS = ("CLICK HERE", "ACT NOW", "LIMITED OFFER", "100% FREE", "WIN BIG", "CALL TODAY", "NO RISK", "BUY 2 GET 1")


def _advert(random: np.random.Generator) -> str:
    """Return one advertisement."""
    lines = []
    for _ in range(int(random.integers(4, 14))):
        call, offer = random.choice(_CALLS), random.choice(_OFFERS)
        lines.append(f"{call}!!! Best {offer} for only ${random.integers(1, 999)}.99, save {random.integers(5, 95)}%")
    return "\n".join(lines)


def _docstrings(count: int) -> Iterator[str]:
    """Yield docstrings of the installed packages, files in the order of a hash of their path."""
    root = Path(sysconfig.get_paths()["purelib"])
    names = sorted(str(path.relative_to(root)) for path in root.rglob("*.py"))
    for place in np.argsort(uniform(key64(names), seed=0, salt="files")):
        try:
            tree = ast.parse((root / names[place]).read_text("utf-8"))
        except (OSError, SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                text = ast.get_docstring(node)
                if text and len(text) >= LEAST:
                    yield text[:3000]
                    count -= 1
                    if count == 0:
                        return


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
    bench = bed.bench
    chosen = {share: kept_copies(bed.study, _relevant(bed, entry, "classifier", share)) for share in SHARES}
    everything = random_copies(bench, deduplicated=False)
    middle = int((bench.bytes * chosen[0.3])[bench.allowed].sum())
    for size in given.sizes:
        plan = ProxyPlan(size, given.tokens, given.seeds, (), given.device)
        arms = []
        for seed in range(plan.seeds):
            wanted = [(RECIPE, 1.0, chosen[0.3], 10**12), (RANDOM, 1.0, everything, middle)]
            wanted += [(EVERYTHING, 1.0, everything, 10**12)]
            wanted += [(SHARE, share / 0.3, chosen[share], 10**12) for share in SHARES if share != 0.3]
            for name, part, copies, budget in wanted:
                drawn = training_set(bench, copies, budget=budget, seed=seed, salt="training set")
                arms.append(Arm(name, part, seed, drawn.rows, drawn.copies))
        start, cpu = time.perf_counter(), time.process_time()
        found = ProxyGround(bed, plan).measure(arms, progress=_lines())
        _print(found, wall=time.perf_counter() - start, cpu=time.process_time() - cpu)
        (given.home / f"curves-{size}-{given.tokens}.json").write_text(json.dumps(found.to_json(), indent=1))


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


def _lines() -> TrackedProgress:
    """Return a progress that prints a line now and then."""
    return TrackedProgress(
        lambda state: print(f"  {state.step}: {state.fraction:.0%}, {state.elapsed:.0f} s", flush=True), interval=30.0
    )


def _recipes(bed: EffectStudy, entry: TargetEntry) -> dict[str, Recipe]:
    """Return the recipes whose order is compared."""
    build = OPERATORS.build
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
        ("docstring", "description"),
        ("noise", "description"),
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
        for name, kept in copies.items():
            for seed in range(plan.seeds):
                drawn = training_set(bench, kept, budget=given.tokens, seed=seed, salt="training set")
                arms.append(Arm(name, 1.0, seed, drawn.rows, drawn.copies))
        trials = ProxyGround(bed, replace(plan)).trials(arms, progress=_lines())
        losses = np.array([trials[place].losses[-1] for place in range(len(arms))])
        scores[size] = losses.reshape(len(copies), plan.seeds).mean(1)
    _print_agreement(list(copies), scores, given)


def _print_agreement(names: Sequence[str], scores: dict[str, NDArray[np.float64]], given: argparse.Namespace) -> None:
    print(f"\n{len(names)} recipes, {given.tokens:,} bytes each, {given.seeds} seed(s); target bits per byte:\n")
    print(f"| recipe | {' | '.join(scores)} |\n|---|{'---|' * len(scores)}")
    for place, name in enumerate(names):
        print(f"| {name} | {' | '.join(f'{values[place]:.3f}' for values in scores.values())} |")
    largest = list(scores)[-1]
    a, b = np.triu_indices(len(names), 1)
    wanted = np.sign(scores[largest][a] - scores[largest][b])
    print(f"\n| measured with | rank correlation with {largest} | decisions that agree |\n|---|---|---|")
    for name, values in scores.items():
        if name != largest:
            agree = int((np.sign(values[a] - values[b]) == wanted).sum())
            print(f"| {name} | {spearmanr(values, scores[largest]).statistic:.2f} | {agree} of {len(a)} |")


if __name__ == "__main__":
    raise SystemExit(main())
