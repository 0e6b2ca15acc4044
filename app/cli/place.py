"""The command that places new documents on the map of a corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tamis.app.cli.options import RoleOptions, spread
from tamis.app.cli.progress import bar
from tamis.app.cli.terminal import CorpusPath, app, err, local, out
from tamis.data.corpus import open_corpus
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
