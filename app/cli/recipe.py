"""Commands that work with recipes and bundles: run, verify, export, diff."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tamis.app.cli.progress import bar
from tamis.app.cli.terminal import (
    CorpusPath,
    IdRole,
    LabelRole,
    LanguageRole,
    Origin,
    Skip,
    SkipLines,
    SourceRole,
    TextRole,
    Tokenizer,
    app,
    err,
    opening_of,
    out,
    print_notes,
    read_text,
    roles_of,
)
from tamis.data.corpus import open_corpus
from tamis.data.roles import ROLES
from tamis.data.workspace import Workspace

if TYPE_CHECKING:
    from tamis.analytics.export.run import Run


@app.command()
def run(
    bundle: Annotated[str, typer.Argument(help="Folder of a bundle, or a recipe.yaml.")],
    path: CorpusPath,
    folder: Annotated[Path, typer.Option("--out", "-o", help="Folder to make.")],
    text: TextRole = None,
    id: IdRole = None,
    source: SourceRole = None,
    language: LanguageRole = None,
    label: LabelRole = None,
    skip_bad_files: Skip = False,
    skip_bad_lines: SkipLines = False,
    origin: Origin = False,
    tokenizer: Tokenizer = None,
    repeat: Annotated[bool, typer.Option(help="Write a document once per copy instead of stating copies.")] = False,
    ordered: Annotated[bool, typer.Option(help="Write in the recipe's order instead of by id.")] = False,
    engine: Annotated[Literal["local", "ray"], typer.Option(help="Where shards are measured.")] = "local",
    address: Annotated[str, typer.Option(help="Ray cluster, host:port; local starts one here.")] = "local",
    partitions: Annotated[
        int | None, typer.Option(help="Blocks of shards on a cluster; one per shard by default.", show_default=False)
    ] = None,
    batch: Annotated[int, typer.Option(help="Shards a task on a cluster makes at once, at most.")] = 1,
) -> None:
    """Run a recipe on a corpus: curated Parquet, selection, ledger of what was dropped and why, manifest."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.export.curated import CuratedOptions
    from tamis.analytics.export.run import run_bundle
    from tamis.analytics.steps.ray_engine import connect

    chosen = roles_of(text=text, id=id, source=source, language=language, label=label)
    with (
        connect(address, partitions=partitions, batch=batch) if engine == "ray" else nullcontext() as cluster,
        bar(err) as progress,
    ):
        done = run_bundle(
            bundle, path, folder, roles=chosen or None, tokenizer=tokenizer,
            options=CuratedOptions(repeat=repeat, ordered=ordered, origin=origin), engine=cluster, progress=progress,
            **opening_of(skip_bad_files=skip_bad_files, skip_bad_lines=skip_bad_lines, origin=origin),
        )  # fmt: skip
    print_notes(done.notes, where="run.json has all")
    _against_the_sample(bundle, done)
    before = done.counts[0]
    for count in done.counts[1:]:
        out.print(f"  {count.step:<28} {count.documents:>12,} documents  {count.tokens:>14,} tokens", markup=False)
    roles = ", ".join(f"{role}={done.roles[role]}" for role in ROLES if role in done.roles)
    out.print(f"  roles: {roles}", markup=False)
    if done.unread:
        out.print(f"  columns that no rule looked at: {', '.join(done.unread)}", markup=False)
    last = done.counts[-1]
    dropped = before.documents - last.documents
    out.print(
        f"{before.documents + done.errors:,} rows = {last.documents:,} kept + {dropped:,} dropped"
        f" + {done.errors:,} errors"
    )
    if done.left_out or done.lines_left_out:
        left = f"{len(done.left_out):,} files and {done.lines_left_out:,} lines"
        out.print(
            f"left out: {left}, listed in {folder}/errors.parquet; these lines are among the errors", markup=False
        )
    for across in done.across_splits:
        out.print(f"across splits, {across.sentence}", markup=False)
    out.print(f"selection {done.selection}")
    if done.agrees is not None:
        out.print("agrees with the bundle's lock" if done.agrees else f"differs from the lock: {done.difference}")


def _against_the_sample(bundle: str, done: Run) -> None:
    """Print what a recipe made on a sample promised for the whole, beside what came."""
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
def verify(
    bundle: Annotated[str, typer.Argument(help="Folder of a bundle.")],
    path: CorpusPath,
    skip_bad_files: Skip = False,
    skip_bad_lines: SkipLines = False,
    tokenizer: Tokenizer = None,
) -> None:
    """Run a bundle again without writing anything and compare every step with its lock."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.export.run import verify_bundle

    with bar(err) as progress:
        opening = opening_of(skip_bad_files=skip_bad_files, skip_bad_lines=skip_bad_lines)
        result = verify_bundle(bundle, path, tokenizer=tokenizer, progress=progress, **opening)
    for note in result.notes:
        out.print(f"  note: {note}", markup=False)
    result.require()
    out.print(result.sentence, markup=False)


@app.command()
def export(
    recipe: Annotated[Path, typer.Argument(help="A recipe.yaml.")],
    path: CorpusPath,
    folder: Annotated[Path, typer.Option("--out", "-o", help="Folder of the bundle to make.")],
    text: TextRole = None,
    id: IdRole = None,
    source: SourceRole = None,
    language: LanguageRole = None,
    label: LabelRole = None,
    skip_bad_files: Skip = False,
    skip_bad_lines: SkipLines = False,
    origin: Origin = False,
    tokenizer: Tokenizer = None,
) -> None:
    """Write a bundle: the recipe with a lock of everything it depends on, evaluated on a corpus."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.export.bundle import export_bundle
    from tamis.analytics.recipe.recipe import Recipe
    from tamis.analytics.signals.tokens import counted_by
    from tamis.analytics.study.standard_analysis import analysis_steps
    from tamis.analytics.study.study import Study
    from tamis.app.cli.progress import bar
    from tamis.data.outputs import output_folder

    workspace = Workspace.default()
    roles = roles_of(text=text, id=id, source=source, language=language, label=label)
    opening = opening_of(skip_bad_files=skip_bad_files, skip_bad_lines=skip_bad_lines, origin=origin)
    corpus = open_corpus(path, roles=roles, probes=workspace.probes, **opening)
    output_folder(folder, corpus.path)
    print_notes(corpus.notes)
    with bar(err) as progress:
        steps = analysis_steps(corpus, workspace)
        steps = steps if tokenizer is None else counted_by(steps, tokenizer)
        study = Study.open(corpus, workspace, steps=steps, progress=progress)
        study.measure(Recipe.from_yaml(read_text(recipe)), progress=progress)
    bundle = export_bundle(folder, study=study, recipe=Recipe.from_yaml(read_text(recipe)))
    out.print(f"{bundle.folder}", markup=False)


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
        found = diff_bundles(old, new, path, progress=progress).documents
    out.print(f"{found.same:,} documents the same, {found.gained:,} gained, {found.lost:,} lost")
    for row in found.reasons.to_pylist():
        out.print("  " + "  ".join(f"{name}={value}" for name, value in row.items()), markup=False)
    for row in found.groups.to_pylist():
        out.print("  " + "  ".join(f"{name}={value}" for name, value in row.items()), markup=False)
