"""The command that proposes a recipe for a target."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tamis.app.cli.progress import bar
from tamis.app.cli.terminal import CorpusPath, app, err, out
from tamis.data.open_corpus import open_corpus
from tamis.data.parquet import write_bytes
from tamis.data.workspace import Workspace

if TYPE_CHECKING:
    from tamis.analytics.effect.halving import HalvingResult


@app.command()
def suggest(
    path: CorpusPath,
    target: Annotated[Path, typer.Option("--target", help="Texts of the domain that the model is for.")],
    tokens: Annotated[int, typer.Option(min=1, help="The token budget of the recipe: the most that it keeps.")],
    written: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the proposed recipe.yaml here.", show_default=False)
    ] = None,
    start: Annotated[int, typer.Option(min=1, help="Recipes to start from; the best third meets the next model.")] = 27,
    last: Annotated[str, typer.Option(help="The largest model: n-gram, 0.5M, 2M or 8M.")] = "0.5M",
    read: Annotated[int, typer.Option(min=1, help="Bytes that a transformer reads.")] = 400_000,
    seeds: Annotated[int, typer.Option(min=1, help="Models per recipe in the final; one before it.")] = 2,
    by: Annotated[
        str | None,
        typer.Option(
            help="The column whose groups are mixed, empty for none; by default sources or clusters.",
            show_default=False,
        ),
    ] = None,
    near: Annotated[bool, typer.Option(help="Try near-duplicates too, which need a longer measurement.")] = False,
) -> None:
    """Search for the recipe that needs the fewest bits for a target at a token budget, and say why it is this one.

    Filters, duplicates, scores, ways to spend the budget or a part of it, mixtures and orders of training are tried:
    many recipes on a small model, the best third on a larger one each time. The largest also judges every published
    rule set as it is, and what differs from the best in one choice. The half of the target kept for the verdict is
    not read: judge the recipe with tamis evaluate.
    """
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.effect.halving import search_recipe
    from tamis.analytics.effect.halving_plan import SearchPlan
    from tamis.analytics.effect.target import import_target
    from tamis.analytics.study.study import Study

    plan = SearchPlan(tokens, start=start, last=last, read=read, seeds=seeds, near=near, by=by)  # type: ignore[arg-type]
    workspace = Workspace.default()
    corpus = open_corpus(path, probes=workspace.probes)
    entry = import_target(workspace, target)
    with bar(err) as progress:
        study = Study.open(corpus, workspace, progress=progress)
        found = search_recipe(study, entry, plan, progress=progress)
    _say(found)
    if written is not None:
        write_bytes(written, found.recipe.to_yaml().encode())
        out.print(f"wrote {written}", markup=False)


def _say(found: HalvingResult) -> None:
    """Print every trial, the reasons and the recipe."""
    for trial in found.trials:
        loss = "       " if trial.loss is None else f"{trial.loss:7.4f}"
        mark = "stays" if trial.kept else "goes "
        out.print(f"  {trial.number:>3} {trial.model:<20} {loss} {mark} {trial.sentence}: {trial.why}", markup=False)
    for line in found.reasons:
        out.print(f"- {line}", markup=False)
    out.print(f"proposed at {found.plan.tokens:,} tokens: {found.way.sentence()}", markup=False)
