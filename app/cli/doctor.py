"""The command that checks the installation and the workspace."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from tamis.app.cli.terminal import app, out
from tamis.data.workspace import Workspace

_MARKS = {"ok": "ok     ", "warning": "warning", "failed": "FAILED "}


@app.command()
def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="Remove dead locks and damaged artifacts first.")] = False,
    fast: Annotated[bool, typer.Option("--fast", help="Do not read every stored byte.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print findings as JSON.")] = False,
) -> None:
    """Check the installation and the workspace, and print what to do; exit code 1 when a check fails."""
    # Late: SQLAlchemy.
    from tamis.data.health import examine, repair

    workspace = Workspace.default()
    removed = repair(workspace) if fix else ()
    findings = examine(workspace, checksums=not fast)
    if as_json:
        value = {"removed": [str(orphan.path) for orphan in removed], "findings": [asdict(each) for each in findings]}
        out.print_json(json.dumps(value))
    else:
        for orphan in removed:
            out.print(f"removed {orphan.kind} {orphan.path.name}: {orphan.reason}", markup=False)
        for each in findings:
            out.print(f"{_MARKS[each.state]} {each.check}: {each.said}", markup=False)
            if each.fix:
                out.print(f"        {each.fix}", markup=False)
    if any(each.state == "failed" for each in findings):
        raise typer.Exit(1)
