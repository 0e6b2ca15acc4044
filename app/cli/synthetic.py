"""The command that measures how much synthetic text is good for a target."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tamis.app.cli.progress import watch
from tamis.app.cli.terminal import CorpusPath, app, err, out, read_text
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace


@app.command("synthetic-share")
def synthetic_share(
    path: CorpusPath,
    target: Annotated[Path, typer.Option("--target", help="Texts of the domain that the model is for.")],
    tokens: Annotated[int, typer.Option(min=1, help="The token budget at every share.")],
    synthetic: Annotated[list[str], typer.Option(help="A value of the column that is synthetic; repeat for more.")],
    by: Annotated[str, typer.Option(help="The column of provenance.")] = "source",
    share: Annotated[
        list[float] | None,
        typer.Option(help="A share of synthetic tokens; repeat for more.", show_default="0, 0.1, 0.3 and 0.5"),
    ] = None,
    max_copies: Annotated[int, typer.Option(min=1, max=100, help="How often a document may be repeated.")] = 4,
    recipe: Annotated[
        Path | None, typer.Option(help="Rules before the mixture: a recipe.yaml.", show_default=False)
    ] = None,
) -> None:
    """Fill one budget with several shares of synthetic text and measure the target's bits per byte at each.

    It runs in the background, and the report of a recipe that begins with these rules shows it.
    """
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.effect.synthetic_dial import SHARES, DialParams
    from tamis.analytics.effect.target import import_target
    from tamis.analytics.recipe.recipe import Recipe
    from tamis.app.jobs.mixture import read_dial, start_dial

    params = DialParams(by, tuple(sorted(synthetic)), tokens, tuple(share) if share else SHARES, max_copies)
    workspace = Workspace.default()
    before = Recipe.from_yaml(read_text(recipe)) if recipe is not None else Recipe()
    corpus = open_corpus(path, probes=workspace.probes)
    entry = import_target(workspace, target)
    found = read_dial(workspace, watch(err, start_dial(corpus, workspace, entry.name, before, params)))
    for point in found.points:
        out.print(f"  {point.sentence}", markup=False)
    out.print(f"fewest bits at {found.best.share:.0%} synthetic, {found.budget_bytes:,} bytes each", markup=False)
