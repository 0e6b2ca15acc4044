"""The command that lists and sets the roles of people."""

from __future__ import annotations

from typing import Annotated

import typer

from tamis.app.cli.terminal import app, out
from tamis.data.errors import SettingError
from tamis.data.people import MEANING, People, change_people, role_named
from tamis.data.workspace import Workspace


@app.command()
def people(
    name: Annotated[
        str | None,
        typer.Argument(help="Name or address as the login gives it; * for everyone not named.", show_default=False),
    ] = None,
    role: Annotated[
        str | None, typer.Option(help="viewer, reviewer, owner, or nobody to keep out.", show_default=False)
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove this person's role.")] = False,
) -> None:
    """List who may do what in this workspace, or give one person a role."""
    root = Workspace.default().root
    if name is None:
        if role or remove:
            raise SettingError("A role needs a name", fix="tamis people NAME --role viewer")
        known = People.of(root)
    else:
        if (role is None) != remove:
            raise SettingError("Give either a role or --remove", value=name, allowed=MEANING)
        known = change_people(root, name, None if role is None else role_named(role))
    for person, given in sorted(known.roles.items()):
        out.print(f"{person:<40} {given:<9} {MEANING[given]}", markup=False)
    others = known.others or "owner on this machine, viewer behind a login"
    out.print(f"{'everyone else':<40} {others}", markup=False)
