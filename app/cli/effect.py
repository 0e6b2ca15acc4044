"""Commands that measure the effect of a recipe on a target and write the report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tamis.app.cli.progress import bar
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
def evaluate(recipe: RecipeFile, path: CorpusPath, target: TargetFile = None) -> None:
    """Measure what a recipe does against random selections of the same size, with intervals and a verdict."""
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
    out.print(headline.title if headline else "no target given, so there is no verdict", markup=False)


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

    workspace = Workspace.default()
    wanted = Recipe.from_yaml(read_text(recipe))
    corpus = open_corpus(path, probes=workspace.probes)
    entry = import_target(workspace, target) if target else None
    with bar(err) as progress:
        study = Study.open(corpus, workspace, progress=progress)
        write_report(
            study, wanted, html, card=card, target=entry, measure=measure, examples=examples, progress=progress
        )
    out.print(f"wrote {html}" + (f" and {card}" if card else ""), markup=False)
