"""Commands that export and import the review store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tamis.app.cli.terminal import app, out
from tamis.data.workspace import Workspace

reviews = typer.Typer(no_args_is_help=True, help="Reviews of documents, clusters and recipes.")
app.add_typer(reviews, name="reviews")


@reviews.command("export")
def export(
    path: Annotated[Path, typer.Argument(help="File to write: .jsonl or .parquet.")],
    corpus: Annotated[
        str | None, typer.Option(help="Only this corpus of the workspace, by name.", show_default=False)
    ] = None,
) -> None:
    """Write all review events: names of reviewers, ids of documents, decisions, and notes as people wrote them."""
    # Late: duckdb, numba and sqlglot.
    from tamis.app.dashboard.open_corpus import corpus_of
    from tamis.data.review_files import write_events
    from tamis.data.reviews import ReviewStore

    workspace = Workspace.default()
    fingerprint = None
    if corpus is not None:
        entry = workspace.corpus(corpus)
        fingerprint = corpus_of(workspace, entry).text_fingerprint
    events = ReviewStore.of(workspace.root).events(fingerprint)
    write_events(events, path)
    out.print(f"wrote {len(events):,} events to {path}", markup=False)


@reviews.command("import")
def import_(path: Annotated[Path, typer.Argument(help="A file that the export wrote.")]) -> None:
    """Add the events of a file; known events are skipped."""
    # Late: SQLAlchemy.
    from tamis.data.review_files import read_events
    from tamis.data.reviews import ReviewStore

    events = read_events(path)
    new = ReviewStore.of(Workspace.default().root).add_all(events)
    out.print(f"{new:,} of {len(events):,} events are new", markup=False)
