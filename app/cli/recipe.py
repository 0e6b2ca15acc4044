"""Commands that work with recipes and bundles: run, verify, export, freeze, schema, diff."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tamis.app.cli.options import ReadingOptions, RoleOptions, Tokenizer, spread
from tamis.app.cli.progress import bar
from tamis.app.cli.terminal import (
    CorpusPath,
    app,
    count,
    err,
    out,
    print_notes,
)
from tamis.data.open_corpus import open_corpus
from tamis.data.parquet import write_bytes
from tamis.data.roles import ROLES
from tamis.data.shapes import spoken_role
from tamis.data.workspace import Workspace

if TYPE_CHECKING:
    from tamis.analytics.export.run import Run
    from tamis.analytics.recipe.recipe import Recipe
    from tamis.analytics.study.study import Study


@app.command()
@spread
def run(
    bundle: Annotated[str, typer.Argument(help="Folder of a bundle, or a recipe.yaml.")],
    path: CorpusPath,
    folder: Annotated[Path, typer.Option("--out", "-o", help="Folder to make.")],
    *,
    roles: RoleOptions,
    reading: ReadingOptions,
    tokenizer: Tokenizer = None,
    repeat: Annotated[bool, typer.Option(help="Write a document once per copy instead of a count of copies.")] = False,
    ordered: Annotated[bool, typer.Option(help="Write in the recipe's order instead of by id.")] = False,
    format: Annotated[
        Literal["parquet", "jsonl", "jsonl.zst", "arrow", "folder", "webdataset", "paths"],
        typer.Option(help="Format of the curated files; folder, webdataset and paths are for pictures."),
    ] = "parquet",
    engine: Annotated[Literal["local", "ray"], typer.Option(help="Where shards are measured.")] = "local",
    address: Annotated[str, typer.Option(help="Ray cluster, host:port; local starts one here.")] = "local",
    partitions: Annotated[
        int | None, typer.Option(help="Blocks of shards on a cluster; one per shard by default.", show_default=False)
    ] = None,
    batch: Annotated[int, typer.Option(help="Most shards that one task on a cluster measures at once.")] = 1,
) -> None:
    """Run a recipe on a corpus: curated files, selection, ledger of what was dropped and why, manifest."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.export.curated import CuratedOptions
    from tamis.analytics.export.run import run_bundle
    from tamis.analytics.steps.ray_engine import connect

    with (
        connect(address, partitions=partitions, batch=batch) if engine == "ray" else nullcontext() as cluster,
        bar(err) as progress,
    ):
        done = run_bundle(
            bundle, path, folder, roles=roles.chosen or None, tokenizer=tokenizer,
            options=CuratedOptions(repeat=repeat, ordered=ordered, origin=reading.origin, format=format),
            engine=cluster, progress=progress, **reading.chosen,
        )  # fmt: skip
    print_notes(done.notes, where="run.json has all")
    _print_predictions(bundle, done)
    before = done.counts[0]
    for after in done.counts[1:]:
        # Pictures without captions have no tokens.
        tokens = f"  {after.tokens:>14,} tokens" if before.tokens else ""
        out.print(f"  {after.step:<28} {after.documents:>12,} documents{tokens}", markup=False)
    taken = ", ".join(f"{role}={spoken_role(done.roles[role])}" for role in ROLES if role in done.roles)
    out.print(f"  roles: {taken}", markup=False)
    if done.unread:
        out.print(f"  columns that no rule read: {', '.join(done.unread)}", markup=False)
    for edit in done.edited:
        empty = f", {edit.emptied:,} left empty" if edit.emptied else ""
        out.print(
            f"  {edit.step:<28} {edit.documents:>12,} texts changed{empty},"
            f" {edit.bytes_before:,} -> {edit.bytes_after:,} bytes",
            markup=False,
        )
    last = done.counts[-1]
    dropped = before.documents - last.documents
    out.print(
        f"{before.documents + done.errors:,} rows = {last.documents:,} kept + {dropped:,} dropped"
        f" + {done.errors:,} errors"
    )
    if done.left_out or done.lines_left_out:
        left = f"{count(len(done.left_out), 'file')} and {count(done.lines_left_out, 'line')}"
        out.print(
            f"left out: {left}, listed in {folder}/errors.parquet; these lines are among the errors", markup=False
        )
    for step, sets in done.contamination.items():
        for each in sets:
            out.print(f"  {step}, evaluation set {each.name}: {each.sentence}", markup=False)
    for across in done.across_splits:
        out.print(f"across splits, {across.sentence}", markup=False)
    out.print(f"selection {done.selection}")
    if done.agrees is not None:
        out.print("agrees with the bundle's lock" if done.agrees else f"differs from the lock: {done.difference}")


def _print_predictions(bundle: str, done: Run) -> None:
    """Print what a recipe made on a sample predicted for the whole corpus, beside the actual counts."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.export.bundle import Bundle
    from tamis.analytics.study.extrapolation import MEANING

    if not done.promised:
        return
    lock = Bundle.open(bundle).lock
    assert lock is not None and lock.sample is not None
    drawn = lock.sample
    out.print(
        f"made on {drawn.drawn:,} of {drawn.documents:,} documents (by keyed hash within {len(drawn.strata)} sources,"
        f" seed {drawn.seed}); documents predicted for the whole (95%) against actual:"
    )
    for each in done.promised:
        word = "" if each.inside else "  outside"
        out.print(f"  {each.step:<28} {each.low:>12,} to {each.high:<12,} {each.actual:>12,}{word}", markup=False)
        out.print(f"    {MEANING[each.method]}", markup=False)


@app.command()
@spread
def verify(
    bundle: Annotated[str, typer.Argument(help="Folder of a bundle.")],
    path: CorpusPath,
    *,
    reading: ReadingOptions,
    tokenizer: Tokenizer = None,
) -> None:
    """Run a bundle again without writing anything and compare every step with its lock."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.export.run import verify_bundle

    with bar(err) as progress:
        result = verify_bundle(bundle, path, tokenizer=tokenizer, progress=progress, **reading.chosen)
    for note in result.notes:
        out.print(f"  note: {note}", markup=False)
    result.require()
    out.print(result.sentence, markup=False)


@app.command()
@spread
def export(
    recipe: Annotated[Path, typer.Argument(help="A recipe.yaml.")],
    path: CorpusPath,
    folder: Annotated[Path, typer.Option("--out", "-o", help="Folder to make, of the bundle or the rules.")],
    tool: Annotated[
        Literal["sql", "datatrove", "data-juicer"] | None,
        typer.Option(
            "--as", help="Write the rules for sql, datatrove or data-juicer instead of a bundle.", show_default=False
        ),
    ] = None,
    *,
    roles: RoleOptions,
    reading: ReadingOptions,
    tokenizer: Tokenizer = None,
) -> None:
    """Write a bundle: the recipe with a lock of everything it depends on, evaluated on a corpus; or its rules."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.export.bundle import export_bundle
    from tamis.analytics.export.tools import write_rules
    from tamis.analytics.recipe.recipe import Recipe
    from tamis.data.outputs import output_folder

    wanted = Recipe.from_file(recipe)
    output_folder(folder, path)
    study = measure_study(wanted, path, roles, reading, tokenizer=tokenizer)
    if tool is None:
        out.print(f"{export_bundle(folder, study=study, recipe=wanted).folder}", markup=False)
        return
    written = write_rules(folder, study=study, recipe=wanted, tool=tool)
    out.print(f"{folder / written.file} reads {written.table}", markup=False)
    for loss in written.losses:
        out.print(f"  {'left out' if loss.dropped else 'differs'}: {loss.step}: {loss.what}", markup=False)
    if not written.losses:
        out.print("  nothing gets lost")


def measure_study(
    recipe: Recipe, path: str, roles: RoleOptions, reading: ReadingOptions, *, tokenizer: str | None
) -> Study:
    """Open a corpus and measure everything that a recipe needs."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.signals.tokens import replace_tokenizer
    from tamis.analytics.study.standard_analysis import analysis_steps
    from tamis.analytics.study.study import Study

    workspace = Workspace.default()
    corpus = open_corpus(path, roles=roles.chosen, probes=workspace.probes, **reading.chosen)
    print_notes(corpus.notes)
    steps = analysis_steps(corpus, workspace)
    steps = steps if tokenizer is None else replace_tokenizer(steps, tokenizer)
    with bar(err) as progress:
        study = Study.open(corpus, workspace, steps=steps, progress=progress)
        study.measure(recipe, progress=progress)
    return study


@app.command()
@spread
def freeze(
    recipe: Annotated[Path, typer.Argument(help="A recipe.yaml.")],
    path: CorpusPath,
    file: Annotated[Path, typer.Option("--out", "-o", help="The recipe.yaml to write.")],
    steps: Annotated[
        list[str] | None, typer.Option("--step", help="Only this step; may be repeated.", show_default=False)
    ] = None,
    *,
    roles: RoleOptions,
    reading: ReadingOptions,
    tokenizer: Tokenizer = None,
) -> None:
    """Replace percentiles by their values on a corpus: fixed numbers that record where they came from."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.recipe.plan import freeze_bands
    from tamis.analytics.recipe.recipe import Recipe

    wanted = Recipe.from_file(recipe)
    study = measure_study(wanted, path, roles, reading, tokenizer=tokenizer)
    outcome = study.evaluate(wanted)
    frozen = freeze_bands(wanted, outcome=outcome, corpus=study.corpus.fingerprint, steps=steps)
    write_bytes(file, frozen.to_yaml().encode())
    for before, after in zip(wanted, frozen, strict=True):
        if before != after:
            out.print(f"  {after.id}: {after.operator.sentence()}", markup=False)
    out.print(f"wrote {file}, digest {frozen.digest[:16]}", markup=False)


@app.command()
def schema(
    file: Annotated[
        Path | None, typer.Option("--out", "-o", help="JSON file to write instead of printing.", show_default=False)
    ] = None,
) -> None:
    """Print the JSON Schema of a recipe, for editors that complete and check it."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.recipe.schema import recipe_schema

    text = json.dumps(recipe_schema(), indent=1, ensure_ascii=False)
    if file is None:
        typer.echo(text)
        return
    write_bytes(file, f"{text}\n".encode())
    out.print(f"wrote {file}", markup=False)
    out.print(f"  first line of a recipe: # yaml-language-server: $schema={file.name}", markup=False)


@app.command()
def diff(
    before: Annotated[str, typer.Argument(help="Folder of a bundle.")],
    after: Annotated[str, typer.Argument(help="Folder of another bundle.")],
    path: Annotated[str | None, typer.Argument(help="A corpus, to compare documents too.", show_default=False)] = None,
) -> None:
    """Compare two bundles: changed rules, and on a corpus the changed documents with reasons."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.export.bundle import Bundle
    from tamis.analytics.export.diff import diff_bundles, diff_recipes

    old, new = Bundle.open(before), Bundle.open(after)
    changes = diff_recipes(old.recipe, new.recipe)
    for change in changes:
        out.print(f"  {change.change:<9} {change.step}: {change.after or change.before}", markup=False)
        for name, was, now in change.params:
            out.print(f"              {name}: {was} -> {now}", markup=False)
    if not changes:
        out.print("  the rules are the same")
    if path is None:
        return
    with bar(err) as progress:
        whole = diff_bundles(old, new, path, progress=progress)
    found = whole.documents
    out.print(f"{found.same:,} documents the same, {found.gained:,} gained, {found.lost:,} lost")
    if any(whole.training):
        was, now = (digest[:16] if digest else "none" for digest in whole.training)
        out.print(f"the plan of training is the same: {now}" if was == now else f"plan of training: {was} -> {now}")
    for row in found.reasons.to_pylist():
        out.print("  " + "  ".join(f"{name}={value}" for name, value in row.items()), markup=False)
    for row in found.groups.to_pylist():
        out.print("  " + "  ".join(f"{name}={value}" for name, value in row.items()), markup=False)
