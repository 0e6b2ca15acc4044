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
from tamis.data.parquet import write_bytes
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
            help="Also nearly equal documents: the smallest similarity; only equal ones if absent.",
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
    from tamis.analytics.study.pictures import is_pictured
    from tamis.analytics.study.study import Study

    if (recipe is None) == (not order):
        raise SettingError("Give the order of the sources, or a recipe that states it", allowed="--order or --recipe")
    workspace = Workspace.default()
    corpus = open_corpus(path, roles=roles.chosen, probes=workspace.probes)
    wanted = (
        Recipe.from_yaml(read_text(recipe))
        if recipe is not None
        else lineage_recipe(order or (), near=near, pictures=is_pictured(corpus))
    )
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
            tokens = f" ({row['tokens']:,} tokens)" if corpus.shape.has_texts else ""
            out.print(
                f"  {row['repeated_in']} repeats {row['documents']:,} documents{tokens} of {row['first']}", markup=False
            )
    out.print("exact; a document counts for the kept document it repeats")


@app.command("cut-spans")
def cut_spans(
    path: CorpusPath,
    written: Annotated[Path, typer.Option("--out", "-o", help="Write the recipe with the step here.")],
    length: Annotated[int, typer.Option(min=20, help="Bytes that must be the same in a row.")] = 200,
    recipe: Annotated[
        Path | None, typer.Option(help="Put the step before the steps of this recipe.yaml.", show_default=False)
    ] = None,
) -> None:
    """Find spans that earlier documents have, byte for byte, and write a recipe that cuts them from the texts."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.operators.repeated_text import SubstringDedup
    from tamis.analytics.recipe.recipe import Recipe
    from tamis.analytics.study.duplicate_sources import freeze_spans
    from tamis.analytics.study.study import Study

    after = Recipe.from_yaml(read_text(recipe)) if recipe is not None else Recipe(title="Repeated spans cut")
    rule, workspace = SubstringDedup(length=length), Workspace.default()
    corpus = open_corpus(path, probes=workspace.probes)
    with bar(err) as progress:
        study = Study.open(corpus, workspace, progress=progress)
        study.measure(Recipe().with_operator(rule), progress=progress)
        step = freeze_spans(study, rule)
    facts = study.evidence.artifact(rule.measures()[0]).facts
    changed = after.with_operator(step)
    changed = changed.moved(changed.steps[-1].id, to=0) if len(after) else changed
    write_bytes(written, changed.to_yaml().encode())
    out.print(f"{facts['spans']:,} spans of {facts['bytes']:,} bytes; wrote {written}", markup=False)
