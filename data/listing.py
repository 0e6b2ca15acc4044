"""The files of a corpus, and a sentence for each file or folder that is left out."""

from __future__ import annotations

import glob
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tamis.data.errors import CorpusError
from tamis.data.formats import ONE_EACH, SUFFIXES, format_of, is_parquet
from tamis.data.kinds import DESCRIBES, choose_kind, is_picture_file, is_text_file

RUN_FILE, LOCK_FILE, CORPORA_FILE = "run.json", "recipe.lock.json", "corpora.json"
CURATED = "curated"
PICTURES_TABLE = "pictures.parquet"
"""In the folder of a run that wrote files of pictures: name below ``CURATED``, bytes and sha256, a row each."""
_SHOWN = 3


@dataclass(frozen=True)
class FileListing:
    """The files of a corpus.

    Attributes:
        root: folder that holds them.
        files: sorted by path.
        notes: what is left out, one sentence per reason.
        one_each: the format of files that are one document each, empty for others.
        beside: files that describe pictures: ``metadata.jsonl``, ``metadata.csv``, COCO-like JSON.
    """

    root: Path
    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()
    one_each: str = ""
    beside: tuple[Path, ...] = ()


def list_files(path: str | Path) -> FileListing:
    """Return the data files of a file, a folder (with sub-folders) or a glob.

    A file that is named, or matched by a glob, may be Parquet by its first bytes alone; in a folder only a file without
    a suffix. Runs, bundles and workspaces of Tamis inside a folder are not part of the corpus; if the folder is a run,
    its curated files are.

    Raises:
        CorpusError: the path has no files, or none of a known format.
    """
    given = Path(path).expanduser().absolute()
    left = _LeftOut()
    if given.is_dir():
        root, found = given, list(_walk(given, left))
    elif given.is_file():
        root, found = given.parent, [given]
    else:
        root = _fixed_part(given)
        found = [item for item in root.glob(str(given.relative_to(root))) if item.is_file()]
        found = list(_without_made(found, root, left))
    if not found and not left.any:
        if given.is_dir():
            raise CorpusError("There is no file in this folder", value=str(path), allowed="a folder that holds data")
        raise CorpusError("There is nothing to open", value=str(path), allowed="a file, a folder or a glob")
    files = sorted(item for item in found if _is_data(item, left, named=not given.is_dir()))
    files, left_by = choose_kind(files, folder=given.is_dir())
    beside = tuple(left_by.pop(DESCRIBES, ()))
    for reason, others in left_by.items():
        left.add(reason, others)
    notes = left.notes(root)
    if not files:
        raise CorpusError(
            "No file has a known format",
            value=[item.name for item in sorted(found)[:5]],
            allowed=f"{', '.join(SUFFIXES)}; for text and code such as .txt, .md, .py; for pictures such as .jpg, .png",
            fix="; ".join(notes) or None,
        )
    kind = (format_of(files[0]) or ("", ""))[0]
    return FileListing(root, tuple(files), notes, kind if kind in ONE_EACH else "", beside)


def made_by_tamis(folder: Path) -> str | None:
    """Return whether a folder is a run, a bundle or a workspace of Tamis; None for any other folder."""
    if (folder / RUN_FILE).is_file() and _is_run(folder / RUN_FILE):
        return "a run"
    if (folder / LOCK_FILE).is_file():
        return "a bundle"
    if (folder / CORPORA_FILE).is_file() and (folder / "store").is_dir():
        return "a workspace"
    return None


def _is_run(manifest: Path) -> bool:
    try:
        return "run_version" in json.loads(manifest.read_bytes())
    except (OSError, ValueError, TypeError):
        return False


class _LeftOut:
    """Files left out, by reason, in order of first occurrence."""

    def __init__(self) -> None:
        self._found: dict[str, list[Path]] = {}

    @property
    def any(self) -> bool:
        return bool(self._found)

    def add(self, reason: str, files: Sequence[Path]) -> None:
        """Add files; ``{}`` in the reason stands for "1 file" or "7 files"."""
        if files:
            self._found.setdefault(reason, []).extend(files)

    def notes(self, root: Path) -> tuple[str, ...]:
        """Return a sentence per reason with a count and the first names."""
        return tuple(f"left out: {_sentence(reason, files, root)}" for reason, files in self._found.items())


def _sentence(reason: str, files: Sequence[Path], root: Path) -> str:
    count = f"{len(files):,} file" + ("" if len(files) == 1 else "s")
    names = ", ".join(item.relative_to(root).as_posix() for item in sorted(files)[:_SHOWN])
    more = f" and {len(files) - _SHOWN:,} more" if len(files) > _SHOWN else ""
    return f"{reason.format(count)} ({names}{more})"


def _walk(folder: Path, left: _LeftOut) -> Iterator[Path]:
    """Yield the files of a folder, without those that are hidden or made by Tamis."""
    start = folder / CURATED if made_by_tamis(folder) == "a run" and (folder / CURATED).is_dir() else folder
    if start != folder:
        beside = [item for item in folder.iterdir() if item.is_file()]
        left.add("{} beside the curated files of a run", beside)
    found = sorted(item for item in start.rglob("*") if item.is_file())
    shown = {item for item in found if not _hidden(item, start)}
    hidden = [item for item in found if item not in shown and format_of(item) and not _is_document(item)]
    left.add("{} of data whose name or folder begins with . or _", hidden)
    yield from _without_made((item for item in found if item in shown), start, left)


def _without_made(found: Iterator[Path] | Sequence[Path], root: Path, left: _LeftOut) -> Iterator[Path]:
    """Yield the files that are not inside a folder that Tamis made below the root."""
    known: dict[Path, str | None] = {root: None}

    def made(folder: Path) -> str | None:
        if folder not in known:
            known[folder] = made(folder.parent) or made_by_tamis(folder)
        return known[folder]

    for item in found:
        kind = made(item.parent)
        if kind is None:
            yield item
        else:
            left.add(f"{{}} of {kind} of Tamis", [item])


def _is_data(item: Path, left: _LeftOut, *, named: bool) -> bool:
    """Say whether a file is read, and record the reason if not."""
    known = format_of(item)
    if known is None and (named or not item.suffix) and is_parquet(item):
        return True
    if known is None:
        left.add("{} without a known format", [item])
        return False
    if known[0] == "parquet" and item.suffix.lower() not in (".parquet", ".pq") and not (named or is_parquet(item)):
        left.add("{} of Parquet compressed as a whole, to be unpacked first", [item])
        return False
    return True


def _fixed_part(pattern: Path) -> Path:
    """Return the folder that contains all matches of a glob."""
    pieces = pattern.parts
    fixed = next((index for index, piece in enumerate(pieces) if glob.has_magic(piece)), len(pieces) - 1)
    return Path(*pieces[:fixed])


def _hidden(item: Path, root: Path) -> bool:
    """Say whether a file is passed over; source code has names such as ``__init__.py``, cameras ``_DSC1.jpg``."""
    signs = "." if _is_document(item) else (".", "_")
    return any(piece.startswith(signs) for piece in item.relative_to(root).parts)


def _is_document(item: Path) -> bool:
    return is_text_file(item) or is_picture_file(item)
