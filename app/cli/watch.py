"""The command that curates a growing folder."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from tamis.app.cli.progress import bar
from tamis.app.cli.terminal import app, err, local, out
from tamis.data.listing import list_files


@app.command()
def watch(
    folder: Annotated[str, typer.Argument(help="The folder that grows.", callback=local)],
    recipe: Annotated[str, typer.Option("--recipe", help="Folder of a bundle, or a recipe.yaml.")],
    target: Annotated[Path, typer.Option("--out", "-o", help="Folder of the parts.")],
    *,
    once: Annotated[bool, typer.Option("--once", help="Curate what has come and end.")] = False,
    every: Annotated[float, typer.Option(min=1, help="Seconds between two looks.")] = 60,
    settle: Annotated[float, typer.Option(min=0, help="Seconds a file must rest before it is read.")] = 10,
    format: Annotated[
        Literal["parquet", "jsonl", "jsonl.zst", "arrow", "folder", "webdataset", "paths"],
        typer.Option(help="Format of the curated files; folder, webdataset and paths are for pictures."),
    ] = "parquet",
) -> None:
    """Curate a growing folder: new files become a part of their own, their duplicates judged against all before."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.export.curated import CuratedOptions
    from tamis.analytics.export.watch import watch_once

    options = CuratedOptions(format=format)
    while True:
        if once or _rests(folder, settle):
            with bar(err) as progress:
                batch = watch_once(recipe, folder, target, options=options, progress=progress)
            if batch is not None:
                said = f"{len(batch.files):,} files, {batch.kept:,} of {batch.documents:,} documents kept"
                out.print(f"{batch.part}: {said}, selection {batch.selection[:12]}", markup=False)
            elif once:
                out.print("nothing new")
        if once:
            return
        time.sleep(every)


def _rests(folder: str, seconds: float) -> bool:
    """Return whether no file of a folder was written within so many seconds."""
    now = time.time()
    return all(now - file.stat().st_mtime >= seconds for file in list_files(folder).files)
