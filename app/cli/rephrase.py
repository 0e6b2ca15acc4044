"""Commands for rephrasing: requests for a model, and its answers checked."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from tamis.app.cli.progress import bar
from tamis.app.cli.terminal import CorpusPath, app, err, out, read_text
from tamis.data.open_corpus import open_corpus
from tamis.data.parquet import write_bytes, write_parquet
from tamis.data.workspace import Workspace

rephrase = typer.Typer(no_args_is_help=True, help="Candidates for rewriting, and rewritten texts.")
app.add_typer(rephrase, name="rephrase")

_STYLES = (
    "Styles to alternate, separated by commas: plain, encyclopedic, question-answer, conversation, summary (those if"
    " empty), table, faq, tutorial, dialogue, maths."
)


@rephrase.command("requests")
def requests(
    path: CorpusPath,
    file: Annotated[Path, typer.Option("--out", "-o", help="JSONL file to write; it quotes the documents.")],
    model: Annotated[str, typer.Option(help="Name of the model that will answer.")],
    quality: Annotated[str, typer.Option(help="Column that says how good a document is; higher is better.")],
    recipe: Annotated[Path | None, typer.Option(help="Only documents this recipe keeps.", show_default=False)] = None,
    relevance: Annotated[str | None, typer.Option(help="Column of the relevance score.", show_default=False)] = None,
    count: Annotated[int, typer.Option(min=1, help="How many documents.")] = 100,
    styles: Annotated[str, typer.Option(help=_STYLES)] = "",
) -> None:
    """Write requests in the chat-completions batch form for relevant, good documents of scarce concepts."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.export.rephrase import DEFAULT_STYLES, candidates, request_lines
    from tamis.analytics.recipe.recipe import Recipe
    from tamis.analytics.study.study import Study

    workspace = Workspace.default()
    with bar(err) as progress:
        study = Study.open(open_corpus(path, probes=workspace.probes), workspace, progress=progress)
        outcome = None
        if recipe is not None:
            wanted = Recipe.from_yaml(read_text(recipe))
            study.measure(wanted, progress=progress)
            outcome = study.evaluate(wanted)
    chosen = tuple(part.strip() for part in styles.split(",") if part.strip()) or DEFAULT_STYLES
    found = candidates(study.facts, outcome, quality=quality, relevance=relevance, count=count, styles=chosen)
    write_bytes(file, request_lines(study, found, model=model))
    out.print(f"wrote {len(found):,} requests to {file}", markup=False)


@rephrase.command("import")
def import_(
    answers: Annotated[Path, typer.Argument(help="JSONL answers of the batch.")],
    path: CorpusPath,
    file: Annotated[Path, typer.Option("--out", "-o", help="Parquet file to write: text, parent_id, style, model.")],
) -> None:
    """Check every answer against its source (length, copied passages, invented numbers) and keep those that pass."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.export.rephrase import check_rewrites, rewrites_table
    from tamis.analytics.study.study import Study

    workspace = Workspace.default()
    with bar(err) as progress:
        study = Study.open(open_corpus(path, probes=workspace.probes), workspace, progress=progress)
    found = check_rewrites(study, read_text(answers).split("\n"))
    table = rewrites_table(found)
    write_parquet(table, file)
    for reason, number in Counter(item.fault.split(":")[0] for item in found if item.fault).most_common():
        out.print(f"  refused {number:,}: {reason}", markup=False)
    out.print(f"wrote {table.num_rows:,} of {len(found):,} rewritten texts to {file}", markup=False)
