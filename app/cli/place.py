"""Commands about two corpora: new documents on the map of one, and both side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tamis.app.cli.options import RoleOptions, spread
from tamis.app.cli.progress import bar
from tamis.app.cli.terminal import CorpusPath, app, err, local, out
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace


@app.command()
@spread
def place(
    path: CorpusPath,
    new: Annotated[str, typer.Argument(help="The new documents: a corpus of the same text column.", callback=local)],
    target: Annotated[Path, typer.Option("--out", help="Parquet file to write, one row per new document.")],
    *,
    roles: RoleOptions,
) -> None:
    """Place new documents on the map of an analysed corpus, in its clusters, without computing the map again."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.map.new_documents import FrozenMap, place_corpus
    from tamis.analytics.steps.pipeline import analyze
    from tamis.analytics.study.standard_analysis import analysis_steps

    workspace = Workspace.default()
    corpus = open_corpus(path, roles=roles.chosen, probes=workspace.probes)
    newcomers = open_corpus(new, roles=RoleOptions(text=roles.text, id=roles.id).chosen, probes=workspace.probes)
    with bar(err) as progress:
        analysis = analyze(corpus, workspace, steps=analysis_steps(corpus, workspace), progress=progress)
        frozen = FrozenMap.of(analysis, workspace)
        done = place_corpus(frozen, newcomers, workspace, target, progress=progress)
    out.print(
        f"placed {done.documents:,} documents in {target}: {done.known:,} are on the map already, "
        f"{done.without:,} have no embedding",
        markup=False,
    )


@app.command()
def beside(
    path: CorpusPath,
    other: Annotated[str, typer.Argument(help="The other corpus.", callback=local)],
    *,
    signals: Annotated[int, typer.Option(min=1, max=500, help="Signals to show, the most different first.")] = 15,
) -> None:
    """Set two corpora side by side: sizes, signals, languages, sources, labels. Missing analyses are made first."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.study.queries import side_by_side
    from tamis.analytics.study.study import Study

    workspace = Workspace.default()
    with bar(err) as progress:
        facts = [
            Study.open(open_corpus(each, probes=workspace.probes), workspace, progress=progress).facts
            for each in (path, other)
        ]
    found = side_by_side(*facts)
    for name, first, second in (
        ("documents", found.first.documents, found.second.documents),
        ("tokens", found.first.tokens, found.second.tokens),
        ("bytes", found.first.bytes, found.second.bytes),
    ):
        out.print(f"{name:<34} {first:>14,} {second:>14,}", markup=False)
    out.print(f"\nmedians, and the distance of the distributions (at most {found.sampled:,} documents of each)")
    for row in found.signals.slice(0, signals).to_pylist():
        figures = f"{row['first']:>14.4g} {row['second']:>14.4g} {row['distance']:>7.3f}"
        out.print(f"{row['signal']:<34} {figures}", markup=False)
    out.print("\nshares of documents")
    for row in found.groups.to_pylist():
        name = f"{row['column']}: {row['value'] or '(none)'}"
        out.print(f"{name[:34]:<34} {row['first']:>14.2%} {row['second']:>14.2%}", markup=False)
