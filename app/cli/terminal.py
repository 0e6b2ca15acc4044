"""What all commands share: the program, its two consoles, and common options."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from tamis.app.cli.progress import bar
from tamis.data.errors import SettingError
from tamis.data.remote import fetch, is_remote
from tamis.data.workspace import Workspace

app = typer.Typer(
    name="tamis",
    help="Inspect and curate training data: see a corpus, choose rules in the browser, export an exact recipe.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
_CONTROLS = frozenset({*range(32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)} - {9, 10})
"""What a terminal obeys instead of showing it, and what turns the direction of text, other than tab and line feed."""


def escape_controls(text: str) -> str:
    """Return text with control characters written as escapes, as ``\\x1b``."""
    return "".join(repr(sign)[1:-1] if ord(sign) in _CONTROLS else sign for sign in text)


class PlainConsole(Console):
    """A console that prints text as it stands: no markup, and nothing of a corpus steers the terminal."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, highlight=False, soft_wrap=True)

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as ``rich`` does, text with its control characters escaped."""
        shown = [escape_controls(each) if isinstance(each, str) else each for each in objects]
        super().print(*shown, **options)


out = PlainConsole()
err = PlainConsole(stderr=True)

SHOWN_NOTES = 30

Host = Annotated[str, typer.Option(help="Address to serve on; other machines need a login.")]
Port = Annotated[int, typer.Option(help="Port to serve on.")]
Login = Annotated[str, typer.Option(help="How people log in: open (this machine only), oidc or proxy.")]
Site = Annotated[
    list[str] | None, typer.Option(help="Host name that browsers use for this server.", show_default=False)
]
UserHeader = Annotated[str, typer.Option(help="Header in which the proxy names the person.")]
SampleSize = Annotated[
    str | None,
    typer.Option(
        "--sample", help="Work on a sample drawn by keyed hash within each source: 200k, 1M, 5%.", show_default=False
    ),
]


def local(path: str | None) -> str | None:
    """Return a path unchanged, and for an address the path of its copy in the workspace."""

    if path is None or not is_remote(path):
        return path

    with bar(err) as progress:
        return str(fetch(path, Workspace.default().root, progress=progress))


CorpusPath = Annotated[
    str,
    typer.Argument(
        help="The corpus: file, folder or glob (Parquet, JSON, CSV, Arrow, text, tar, WARC), or s3://, gs://, https://, hf://.",
        callback=local,
    ),
]
Name = Annotated[str | None, typer.Option(help="Name in the workspace.", show_default=False)]


def count(number: int, noun: str) -> str:
    """Return a number with its noun, as ``1 file`` or ``2,000 files``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def print_notes(notes: Sequence[str], *, where: str = "the Overview lists all") -> None:
    """Print the first notes about a corpus, and how many more there are."""
    for note in notes[:SHOWN_NOTES]:
        out.print(f"  {note}", markup=False)
    if len(notes) > SHOWN_NOTES:
        out.print(f"  and {len(notes) - SHOWN_NOTES:,} more notes; {where}", markup=False)


def read_text(path: Path) -> str:
    """Return a small text file.

    Raises:
        SettingError: it is missing, too large or not UTF-8.
    """
    try:
        if path.stat().st_size > 1 << 20:
            raise SettingError("The file is too large for a recipe", value=str(path), allowed="up to 1 MB")
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"The file cannot be read: {error}", value=str(path)) from None
