"""The command that asks a model for the names of clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tamis.app.cli.options import RoleOptions, spread
from tamis.app.cli.progress import bar, watch
from tamis.app.cli.terminal import CorpusPath, app, err, out
from tamis.data.chat import ChatEndpoint
from tamis.data.cluster_names import forget_model_names
from tamis.data.errors import SettingError
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

if TYPE_CHECKING:
    from tamis.analytics.map.model_names import NamingPlan


@app.command()
@spread
def names(
    path: CorpusPath,
    endpoint: Annotated[
        str | None, typer.Option(help="OpenAI-compatible address, as https://host/v1.", show_default=False)
    ] = None,
    model: Annotated[str, typer.Option(help="Name of the model there.", show_default=False)] = "",
    key_env: Annotated[
        str, typer.Option("--key-env", metavar="VAR", help="Environment variable that holds the key.")
    ] = "",
    snippets: Annotated[int, typer.Option(help="Beginnings of documents sent per cluster; 0 sends words only.")] = 3,
    yes: Annotated[bool, typer.Option("--yes", help="Send without asking.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Print every message instead of sending any.")] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Delete the names that models gave, send nothing.")] = False,
    *,
    roles: RoleOptions,
) -> None:
    """Ask a model to name the clusters of an analysed corpus, after showing what would leave this machine."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.map.model_names import plan_naming
    from tamis.analytics.steps.pipeline import analyze
    from tamis.analytics.study.standard_analysis import analysis_steps
    from tamis.app.jobs.clusters import start_naming

    chosen = None if endpoint is None else ChatEndpoint(endpoint, model, key_env)
    workspace = Workspace.default()
    corpus = open_corpus(path, roles=roles.chosen, probes=workspace.probes)
    with bar(err) as progress:
        analysis = analyze(corpus, workspace, steps=analysis_steps(corpus, workspace), progress=progress)
        asked = plan_naming(analysis, workspace.root, model, snippets=snippets, progress=progress)
    if forget:
        out.print(f"forgot {forget_model_names(workspace.root, asked.clustering):,} names")
        return
    if show:
        _print_messages(asked, len(asked.questions))
        return
    if chosen is None:
        raise SettingError(
            "There is no endpoint or no model", fix="tamis names PATH --endpoint URL --model NAME, or --show"
        )
    chosen.require_key()
    out.print(asked.sentence(chosen), markup=False)
    if not asked.questions:
        return
    if not yes:
        _print_messages(asked, 1)
        if not typer.confirm("Send this?"):
            out.print("nothing was sent")
            return
    done = watch(err, start_naming(corpus, workspace, chosen, snippets=snippets)).result
    out.print(
        f"{done['named']:,} clusters named, {done['refused']:,} answers were no name, {done['unanswered']:,} no answers"
    )


def _print_messages(asked: NamingPlan, most: int) -> None:
    """Print the first messages exactly as they are sent."""
    for question in asked.questions[:most]:
        for message in question.messages:
            out.print(f"{message['role']}: {message['content']}", markup=False)
        out.print()
    if len(asked.questions) > most:
        out.print(f"and {len(asked.questions) - most:,} more of this form; --show prints them all")
