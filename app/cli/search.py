"""The command that searches a corpus by meaning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tamis.app.cli.options import RoleOptions, spread
from tamis.app.cli.progress import bar
from tamis.app.cli.terminal import CorpusPath, app, err, out
from tamis.data.open_corpus import open_corpus
from tamis.data.parquet import write_bytes
from tamis.data.workspace import Workspace

LINE = 100
"""Characters of a document shown."""
_BLOCK = 1_000
"""Documents read at once."""


@app.command()
@spread
def search(
    path: CorpusPath,
    sentence: Annotated[str, typer.Argument(help="What the documents should mean.")],
    number: Annotated[int, typer.Option("--number", min=1, help="The nearest so many documents.")] = 20,
    floor: Annotated[
        float | None, typer.Option(min=-1, max=1, help="All documents of at least this cosine instead.")
    ] = None,
    target: Annotated[
        Path | None, typer.Option("--out", help="Write a recipe that keeps exactly these documents.")
    ] = None,
    *,
    roles: RoleOptions,
) -> None:
    """List the documents of an analysed corpus that are nearest in meaning to a sentence.

    A line a document: its cosine, its id, and how it begins; of a picture the name of its file and its caption.
    """
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.recipe.recipe import Recipe
    from tamis.analytics.study.lines import line_with_file
    from tamis.analytics.study.meaning import floor_of, nearest_above, ranking, sentence_embedder, sentence_example
    from tamis.analytics.study.pictures import read_rows
    from tamis.analytics.study.study import Study

    workspace = Workspace.default()
    corpus = open_corpus(path, roles=roles.chosen, probes=workspace.probes)
    with bar(err) as progress:
        study = Study.open(corpus, workspace, progress=progress)
        example = sentence_example(study, sentence, sentence_embedder(study))
        facts = ranking(study, example, progress=progress)
    cut = floor_of(facts, example.column, documents=number) if floor is None else floor
    rule = example.rule(cut)
    order = nearest_above(facts.numbers(example.column), cut)
    values = facts.numbers(example.column)
    for first in range(0, len(order), _BLOCK):
        rows = order[first : first + _BLOCK].tolist()
        for row, document in zip(rows, read_rows(study, rows), strict=True):
            words = line_with_file(document, length=LINE)
            out.print(f"{values[row]:.4f}  {facts.ids[row]}  {words}", markup=False)
    out.print(f"{len(order):,} documents, exact, by cosine of {example.tier} vectors", markup=False)
    if target is not None:
        write_bytes(target, Recipe().with_operator(rule).to_yaml().encode())
        out.print(f"wrote {target}", markup=False)
