"""The command on duplicates across data sets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from tamis.app.cli.options import RoleOptions, spread
from tamis.app.cli.progress import bar
from tamis.app.cli.terminal import CorpusPath, app, err, out, read_text
from tamis.data.errors import SettingError
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace


@app.command()
@spread
def duplicates(
    path: CorpusPath,
    order: Annotated[
        list[str] | None,
        typer.Option("--order", help="A source, the first one first; may be repeated.", show_default=False),
    ] = None,
    by: Annotated[Literal["source"], typer.Option("--by", help="What a data set is.")] = "source",
    near: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            max=1,
            help="Also nearly equal texts: the smallest similarity; only equal texts if absent.",
            show_default=False,
        ),
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="A recipe.yaml with a duplicate step instead.", show_default=False)
    ] = None,
    step: Annotated[str | None, typer.Option(help="Id of that step, if it has several.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print rows of JSON.")] = False,
    *,
    roles: RoleOptions,
) -> None:
    """Say which data set had an item first: documents that repeat one of another source, set by set; exact."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.recipe.recipe import Recipe
    from tamis.analytics.study.lineage import lineage_recipe, study_lineage
    from tamis.analytics.study.study import Study

    if (recipe is None) == (not order):
        raise SettingError("Give the order of the sources, or a recipe that states it", allowed="--order or --recipe")
    wanted = Recipe.from_yaml(read_text(recipe)) if recipe is not None else lineage_recipe(order or (), near=near)
    workspace = Workspace.default()
    corpus = open_corpus(path, roles=roles.chosen, probes=workspace.probes)
    with bar(err) as progress:
        study = Study.open(corpus, workspace, progress=progress)
        found = study_lineage(study, wanted, step=step, progress=progress)
    if as_json:
        for row in (*found.table().to_pylist(), *found.pairs().to_pylist()):
            typer.echo(json.dumps(row, ensure_ascii=False))
        return
    for row in found.table().to_pylist():
        out.print(
            f"  {row['set']:<24} {row['documents']:>12,} documents: {row['kept']:,} first here,"
            f" {row['repeats_others']:,} had by an earlier set, {row['repeats_itself']:,} repeated inside,"
            f" {row['repeated_by_others']:,} repeated by later sets",
            markup=False,
        )
    for row in found.pairs().to_pylist():
        if row["first"] != row["repeated_in"]:
            out.print(
                f"  {row['repeated_in']} repeats {row['documents']:,} documents ({row['tokens']:,} tokens) of"
                f" {row['first']}",
                markup=False,
            )
    out.print("exact; a document counts for the kept document it repeats")
