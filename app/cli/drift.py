"""The command that compares the new part of a corpus with the old one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tamis.app.cli.options import RoleOptions, spread
from tamis.app.cli.progress import bar
from tamis.app.cli.terminal import app, err, local, out, read_text
from tamis.data.corpus_states import file_contents, new_documents
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace


@app.command()
@spread
def drift(
    old: Annotated[str, typer.Argument(help="The old files: a file, a folder or a glob.", callback=local)],
    new: Annotated[str, typer.Argument(help="The grown corpus: it holds the old files and new ones.", callback=local)],
    *,
    signals: Annotated[int, typer.Option(min=1, max=500, help="Signals to show, the most different first.")] = 10,
    recipe: Annotated[
        Path | None,
        typer.Option(help="Also compare the scores of the taught concepts in this recipe.yaml.", show_default=False),
    ] = None,
    near: Annotated[bool, typer.Option(help="Also count new documents that nearly repeat an old one.")] = True,
    roles: RoleOptions,
) -> None:
    """Compare the new files of a corpus with the old ones: sizes, signals, languages, clusters, duplicates, concepts.

    All of it is exact. Concepts are those taught on either path in the dashboard, and those of --recipe.
    """
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.effect.taught_concept import concept_drift
    from tamis.analytics.operators.relevance import EmbeddingClassifier
    from tamis.analytics.recipe.recipe import Recipe
    from tamis.analytics.study.drift import SIMILAR, find_drift
    from tamis.analytics.study.study import Study
    from tamis.app.jobs.teach import taught_concepts

    workspace = Workspace.default()
    given = Recipe.from_yaml(read_text(recipe)) if recipe is not None else Recipe()
    corpus = open_corpus(new, roles=roles.chosen, probes=workspace.probes)
    before = open_corpus(old, roles=roles.chosen, probes=workspace.probes)
    known = file_contents(before)
    rules = [step.operator for step in given.active if isinstance(step.operator, EmbeddingClassifier)]
    for each in (corpus, before):
        rules += [concept.rule() for concept in taught_concepts(workspace, each).values()]
    with bar(err) as progress:
        study = Study.open(corpus, workspace, progress=progress)
        found = find_drift(study, known, near=near, signals=signals, progress=progress)
        new_ones = new_documents(corpus, study.documents, known)
        concepts = concept_drift(study, rules, new_ones, progress=progress) if rules else {}
    out.print(f"{'':<34} {'old':>14} {'new':>14}", markup=False)
    for name in ("documents", "tokens", "bytes"):
        out.print(f"{name:<34} {getattr(found.old, name):>14,} {getattr(found.new, name):>14,}", markup=False)
    if found.repeated is not None:
        out.print(f"{'new, but an exact copy of an old one':<49} {found.repeated:>14,}", markup=False)
    if found.similar is not None:
        said = f"new, but {SIMILAR:.0%} alike to an old one"
        out.print(f"{said:<49} {found.similar:>14,}", markup=False)
    out.print("\nmedians, and the chance that a new document has the larger value (50% is no difference)")
    for row in found.signals:
        out.print(f"{row.column:<34} {row.rest:>14.4g} {row.selected:>14.4g} {row.auc:>7.1%}", markup=False)
    out.print("\nshares of documents, the most different first")
    for column, table in found.groups.items():
        for each in table.to_pylist():
            name = f"{column}: {each['value'] or '(none)'}"
            out.print(f"{name[:34]:<34} {each['first']:>14.2%} {each['second']:>14.2%}", markup=False)
    if concepts:
        out.print("\ntaught concepts: median probability, and the chance that a new document scores higher")
    for name, score in concepts.items():
        said = "drifts: label some of the new documents and teach again" if score.drifts else "no drift to speak of"
        figures = f"{score.old_median:>14.2f} {score.new_median:>14.2f} {score.higher:>7.1%}"
        out.print(f"{name[:34]:<34} {figures}  {said}", markup=False)
