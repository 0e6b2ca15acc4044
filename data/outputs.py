"""Folders for results: never inside the corpus they come from."""

from __future__ import annotations

from pathlib import Path

from tamis.data.errors import StoreError
from tamis.data.listing import made_by_tamis


def output_folder(out: str | Path, corpus: str | Path) -> Path:
    """Return the absolute path of the output folder.

    Args:
        out: the requested folder.
        corpus: path by which the corpus was opened.

    Raises:
        StoreError: the path is a broken link or lies below a file, or the corpus would read the output as its own data
            when it is opened again.
    """
    target = Path(out).expanduser().absolute()
    if target.is_symlink() and not target.exists():
        raise StoreError("The output is a broken link", value=str(target), fix="remove the link, or make its target")
    above = next(folder for folder in target.parents if folder.exists() or folder.is_symlink())
    if not above.is_dir():
        raise StoreError("The output lies below a path that is not a folder", value=str(above), fix="choose another")
    folder, inside = Path(corpus).expanduser().resolve(), target.resolve()
    if folder.is_dir() and inside.is_relative_to(folder) and not _unseen(inside, folder):
        raise StoreError(
            "The output lies inside the corpus", value=str(target), allowed=f"a folder outside of {folder}"
        )
    return target


def _unseen(target: Path, corpus: Path) -> bool:
    """Say whether opening the corpus skips the target: it is hidden or inside a workspace."""
    parts = target.relative_to(corpus).parts
    between = [corpus.joinpath(*parts[:count]) for count in range(1, len(parts))]
    return any(part.startswith((".", "_")) for part in parts) or any(map(made_by_tamis, between))
