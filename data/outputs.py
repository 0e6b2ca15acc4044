"""Folders for results: never inside the corpus they come from."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tamis.data.errors import StoreError
from tamis.data.listing import made_by_tamis

Made = TypeVar("Made")


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


def check_space(folder: Path, needed: int, what: str) -> None:
    """Check that the disk has room for what is about to be written.

    Args:
        folder: where it is written; need not exist yet.
        needed: bytes, about.
        what: what it is, in the plural.

    Raises:
        StoreError: the disk has less.
    """
    above = next(each for each in (folder, *folder.parents) if each.exists())
    free = shutil.disk_usage(above).free
    if free < needed:
        said = f"The disk has {free / 1e9:,.1f} GB left and the {what} need about {needed / 1e9:,.1f} GB"
        raise StoreError(said, value=str(above), fix="free some space or choose another folder")


def find_made(target: Path, read: Callable[[Path], Made]) -> Made | None:
    """Return what an earlier call made at ``target``, None where nothing is; an empty folder is removed.

    Args:
        target: the output folder.
        read: reads what is there; raises ``StoreError`` where it is something else.

    Raises:
        StoreError: something else is at this path.
    """
    if not target.exists():
        return None
    try:
        return read(target)
    except StoreError:
        if target.is_dir() and not any(target.iterdir()):
            target.rmdir()
            return None
        raise StoreError("Something else is at this path", value=str(target), fix="choose another folder") from None


def _unseen(target: Path, corpus: Path) -> bool:
    """Say whether opening the corpus skips the target: it is hidden or inside a workspace."""
    parts = target.relative_to(corpus).parts
    between = [corpus.joinpath(*parts[:count]) for count in range(1, len(parts))]
    return any(part.startswith((".", "_")) for part in parts) or any(map(made_by_tamis, between))
