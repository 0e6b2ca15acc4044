"""The command line. It holds no logic: every command calls the same functions as the dashboard and Python.

Help and small commands answer at once: a module that imports a heavy library is imported inside the commands that
need it, and the line above such an import names the library.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from tamis.app.cli import (
    agents,
    classifier,
    contamination,
    corpus,
    doctor,
    drift,
    duplicates,
    effect,
    mixture,
    names,
    people,
    place,
    proposals,
    quality,
    recipe,
    rephrase,
    review,
    search,
    suggest,
    synthetic,
    training,
    watch,
)
from tamis.app.cli.docs import write_docs
from tamis.app.cli.terminal import app, err, out
from tamis.data.errors import TamisError

__all__ = [
    "agents",
    "app",
    "classifier",
    "contamination",
    "corpus",
    "doctor",
    "drift",
    "duplicates",
    "effect",
    "main",
    "mixture",
    "names",
    "people",
    "place",
    "proposals",
    "quality",
    "recipe",
    "rephrase",
    "review",
    "search",
    "suggest",
    "synthetic",
    "training",
    "watch",
]


def main() -> None:
    """Run the command line; a ``TamisError`` is one message and exit code 2."""
    # On a busy machine torch threads that wait by spinning are ten times slower; processes started here inherit this.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        app(standalone_mode=True)
    except TamisError as error:
        err.print(f"tamis: {error}", markup=False)
        sys.exit(2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


@app.command()
def docs(root: Annotated[Path, typer.Option(help="The project's folder.")] = Path()) -> None:
    """Write the pages of the documentation that follow from operators, signals and commands."""
    for page in write_docs(root, app):
        out.print(f"wrote {page}", markup=False)


if __name__ == "__main__":
    main()
