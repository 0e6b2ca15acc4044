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
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

SHOWN_NOTES = 30

Host = Annotated[str, typer.Option(help="Address to serve on; other machines need a login.")]
Port = Annotated[int, typer.Option(help="Port to serve on.")]
Login = Annotated[str, typer.Option(help="How people log in: open (this machine only), oidc or proxy.")]
Site = Annotated[
    list[str] | None, typer.Option(help="Host name that browsers use for this server.", show_default=False)
]
UserHeader = Annotated[str, typer.Option(help="Header in which the proxy names the person.")]
TextRole = Annotated[
    str | None, typer.Option(help="Column of the text; page.text for a nested column.", show_default=False)
]
IdRole = Annotated[str | None, typer.Option(help="Column of unique ids.", show_default=False)]
SourceRole = Annotated[str | None, typer.Option(help="Column of the source of a document.", show_default=False)]
LanguageRole = Annotated[str | None, typer.Option(help="Column of the stated language.", show_default=False)]
LabelRole = Annotated[str | None, typer.Option(help="Column of labels, for probes and colours.", show_default=False)]
Tier = Annotated[
    str | None,
    typer.Option(
        help="Embedding: auto (precise if it takes less than five minutes, else tuned), fast, tuned, precise.",
        show_default=False,
    ),
]
Model = Annotated[
    str | None, typer.Option(help="Model of the precise tier: a folder or a cached name.", show_default=False)
]
Tokenizer = Annotated[
    str | None,
    typer.Option(
        help="What counts tokens: minilm-bytes (default), minilm-wordpiece, a tokenizer.json, its folder or a cached"
        " name.",
        show_default=False,
    ),
]
Vectors = Annotated[
    str | None, typer.Option(help="Your own vectors: a column of lists, or npy file or folder.", show_default=False)
]
Coordinates = Annotated[
    str | None, typer.Option(help="Your own map: two columns of numbers, as X,Y.", show_default=False)
]
MapSetting = Annotated[
    list[str] | None,
    typer.Option("--map", help="Further setting of the map, as min_cluster_size=50.", show_default=False),
]
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
        help="The corpus: file, folder or glob of Parquet, JSONL or CSV, or s3://, gs://, https://, hf://.",
        callback=local,
    ),
]
Skip = Annotated[bool, typer.Option("--skip-bad-files", help="Leave out files that cannot be read, and name them.")]
SkipLines = Annotated[
    bool, typer.Option("--skip-bad-lines", help="Leave out lines that cannot be read, and say how many and where.")
]
Origin = Annotated[
    bool, typer.Option("--origin", help="Add the columns file and, where names tell it, split; a run writes them, too.")
]
Name = Annotated[str | None, typer.Option(help="Name in the workspace.", show_default=False)]


def roles_of(**roles: str | None) -> dict[str, str]:
    """Return the roles of columns."""
    return {role: column for role, column in roles.items() if column is not None}


def opening_of(*, skip_bad_files: bool, skip_bad_lines: bool, origin: bool = False) -> dict[str, Any]:
    """Return the options for ``open_corpus``."""
    given: dict[str, Any] = {"on_bad_file": "skip"} if skip_bad_files else {}
    given |= {"on_bad_line": "skip"} if skip_bad_lines else {}
    return given | ({"path_columns": "all"} if origin else {})


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
