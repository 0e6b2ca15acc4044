"""The command that serves agents."""

from __future__ import annotations

from typing import Annotated

import typer

from tamis.app.cli.terminal import app
from tamis.data import people
from tamis.data.errors import SettingError
from tamis.data.people import People
from tamis.data.workspace import Workspace


@app.command()
def mcp(
    corpora: Annotated[
        list[str] | None,
        typer.Argument(help="Corpora of the workspace that agents may ask about; all by default.", show_default=False),
    ] = None,
    allow_texts: Annotated[
        bool, typer.Option("--allow-texts", help="Let texts leave; without it only ids, counts and signals do.")
    ] = False,
    allow_proposals: Annotated[
        bool, typer.Option("--allow-proposals", help="Let agents propose recipes, which a person must approve.")
    ] = False,
    by: Annotated[str, typer.Option("--by", help="Your name: proposals are made in it.", show_default=False)] = "",
    seconds: Annotated[
        float, typer.Option(min=0, help="Longest measurement, as estimated, that a question may start.")
    ] = 60,
) -> None:
    """Serve agents by the Model Context Protocol over standard input and output; they only read unless allowed more."""
    workspace = Workspace.default()
    person = ""
    if allow_proposals:
        if not by.strip():
            raise SettingError("Proposals are made in the name of a person", fix="add --by NAME")
        person = by.strip()
        people.check_person(person)
        people.require(People.of(workspace.root).role(person, otherwise="owner"), "reviewer", to="propose recipes")
    try:
        # Late: mcp, duckdb, numba and sqlglot.
        from tamis.app.agents.server import agent_server
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("mcp", "mcp_types"):
            raise
        raise SettingError("The package mcp is not installed", fix="pip install 'tamis[mcp]'") from None

    server = agent_server(workspace, corpora=tuple(corpora or ()), texts=allow_texts, person=person, seconds=seconds)
    server.run("stdio")
