"""Commands that measure the effect of a recipe on a target and write the report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tamis.app.cli.progress import bar, watch
from tamis.app.cli.terminal import CorpusPath, app, err, out, read_text
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

RecipeFile = Annotated[Path, typer.Argument(help="A recipe.yaml.")]
TargetFile = Annotated[
    Path | None,
    typer.Option(
        "--target", help="Texts of the domain that the model is for: Parquet, JSONL, CSV or text.", show_default=False
    ),
]


@app.command()
def evaluate(
    recipe: RecipeFile,
    path: CorpusPath,
    target: TargetFile = None,
    proxy: Annotated[
        str | None,
        typer.Option(help="Train transformers of this size: 0.5M, 2M, 8M or 30M parameters.", show_default=False),
    ] = None,
    tokens: Annotated[
        int, typer.Option(help="Tokens that every model reads, with --proxy: bytes, unless --tokenizer is given.")
    ] = 2_000_000,
    seeds: Annotated[int, typer.Option(help="Models per selection, with --proxy; 3 or more give an interval.")] = 3,
    share: Annotated[
        list[float] | None,
        typer.Option(
            help="With --proxy, also train on this part of the selection; repeat for more.", show_default="0.1 and 0.3"
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda, with --proxy.")] = "cpu",
    tokenizer: Annotated[
        str,
        typer.Option(
            help="What models of --proxy read: bytes, a tokenizer.json, its folder, a name in the local Hugging Face"
            " cache, or tiktoken: and a name or a file of ranks."
        ),
    ] = "bytes",
) -> None:
    """Measure what a recipe does against random selections of the same size, with intervals and a verdict.

    Without --proxy a small n-gram model answers in minutes. With it transformers are trained in the background:
    Ctrl+C leaves them running, and a run that was stopped goes on where it was.
    """
    if proxy is not None:
        _train_proxies(recipe, path, target, (proxy, tokens, seeds, share, device, tokenizer))
        return
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.effect.evaluation import evaluate_effect
    from tamis.analytics.effect.headline import headline_of, small_target
    from tamis.analytics.effect.purpose import EffectStudy
    from tamis.analytics.effect.target import import_target
    from tamis.analytics.recipe.recipe import Recipe
    from tamis.analytics.study.study import Study

    workspace = Workspace.default()
    wanted = Recipe.from_yaml(read_text(recipe))
    corpus = open_corpus(path, probes=workspace.probes)
    entry = import_target(workspace, target) if target else None
    with bar(err) as progress:
        study = Study.open(corpus, workspace, progress=progress)
        effect = evaluate_effect(EffectStudy.open(study, entry, progress=progress), wanted, progress=progress)
    for difference in effect.differences:
        out.print(f"  {difference.sentence}", markup=False)
    for note in effect.notes:
        out.print(f"  note: {note}", markup=False)
    headline = headline_of(effect)
    if entry is not None and (warning := small_target(effect, entry.documents)):
        out.print(f"  {warning}", markup=False)
    if headline is not None or effect.unit == "bytes":
        out.print(headline.title if headline else "no target given, so there is no verdict", markup=False)


def _train_proxies(
    recipe: Path, path: str, target: Path | None, given: tuple[str, int, int, list[float] | None, str, str]
) -> None:
    """Start the job that trains proxy models, follow it and print what it found."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.effect.proxy_plan import ProxyPlan, tokenizer_anywhere
    from tamis.analytics.effect.proxy_training import precision_of
    from tamis.analytics.effect.target import import_target
    from tamis.analytics.recipe.recipe import Recipe
    from tamis.app.jobs.proxy import read_proxy, start_proxy
    from tamis.data.errors import SettingError

    size, tokens, seeds, shares, device, tokenizer = given
    parts = tuple(ProxyPlan().shares if shares is None else shares)
    plan = ProxyPlan(size, tokens, seeds, parts, device, tokenizer_anywhere(tokenizer))  # type: ignore[arg-type]
    if target is None:
        raise SettingError("Proxy models need a target", value="none", fix="give one with --target")
    precision_of(plan.spec, plan.device)
    workspace = Workspace.default()
    wanted = Recipe.from_yaml(read_text(recipe))
    corpus = open_corpus(path, probes=workspace.probes)
    entry = import_target(workspace, target)
    about = f"about {plan.seconds / 60:.0f} min on two processors"
    if plan.has_tokenizer:
        about += f"; {plan.spec.parameters:,} parameters each, with the {plan.spec.symbols:,} symbols of {tokenizer}"
    err.print(f"  {plan.models} models of {size}, {about}", markup=False)
    job = watch(err, start_proxy(corpus, workspace, wanted, entry.name, plan))
    found = read_proxy(workspace, job)
    if found is None or found.headline is None:
        raise SettingError("The models have no result", value=job.id, fix="start it again")
    for sentence in found.sentences:
        out.print(f"  {sentence}", markup=False)
    for note in filter(None, [found.caution, found.trust]):
        out.print(f"  note: {note}", markup=False)
    out.print(f"{found.headline.verdict.capitalize()} for {found.target}", markup=False)


@app.command()
def report(
    recipe: RecipeFile,
    path: CorpusPath,
    html: Annotated[Path, typer.Option("--out", "-o", help="HTML file to write.")],
    card: Annotated[Path | None, typer.Option(help="Also write a dataset card here.", show_default=False)] = None,
    target: TargetFile = None,
    measure: Annotated[bool, typer.Option(help="Measure the effect too.")] = True,
    examples: Annotated[int, typer.Option(min=0, max=50, help="Documents quoted per step; 0 quotes none.")] = 3,
) -> None:
    """Write one self-contained HTML file: recipe, funnel, effect, mix, examples, provenance; and a dataset card."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.effect.report_writer import write_report
    from tamis.analytics.effect.target import import_target
    from tamis.analytics.recipe.recipe import Recipe
    from tamis.analytics.study.study import Study
    from tamis.app.jobs.mixture import find_dials
    from tamis.app.jobs.proxy import find_proxies

    workspace = Workspace.default()
    wanted = Recipe.from_yaml(read_text(recipe))
    corpus = open_corpus(path, probes=workspace.probes)
    entry = import_target(workspace, target) if target else None
    proxies = find_proxies(workspace, corpus.fingerprint, wanted.digest, entry.digest) if entry else ()
    dials = find_dials(workspace, corpus.fingerprint, wanted, entry.digest) if entry else ()
    with bar(err) as progress:
        study = Study.open(corpus, workspace, progress=progress)
        write_report(
            study, wanted, html, card=card, target=entry, measure=measure, proxies=proxies, dials=dials,
            examples=examples, progress=progress,
        )  # fmt: skip
    out.print(f"wrote {html}" + (f" and {card}" if card else ""), markup=False)
