"""What a folder is read as, where files of several kinds lie in it: data before text, data before descriptions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path, PurePath

from tamis.data.errors import CorpusError
from tamis.data.formats import PICTURE_SUFFIXES, TEXT_SUFFIXES, detect_compression, format_of
from tamis.data.json_reader import JsonContent, json_content
from tamis.data.picture_notes import CAPTION_SUFFIXES, describes, is_coco

_RANKS = {"parquet": 0, "jsonl": 0, "csv": 0, "arrow": 1, "warc": 2, "tar": 3}
_JSON, _TEXT, _PICTURE = 4, 5, 6

DESCRIBES = "{} that describes pictures"
"""Reason of the files that are not read as data but beside pictures."""

FEW = 4
"""One kind of documents is left out beside another that has this many times as many files; else nobody can tell."""

STATE, SPLITS = "state.json", "dataset_dict.json"
_DESCRIPTIONS = (STATE, SPLITS, "dataset_info.json")

_DESCRIPTION = "{} beside data, taken as a description"
_OTHER = "{} of another format beside data"
_DOCUMENTS = "{} of text or code beside data"
_ABOUT = frozenset(("readme", "license", "licence", "copying", "notice", "authors", "credits", "changelog"))
_DRAWINGS = (".svg", ".svgz", ".heic", ".heif", ".jxl", ".eps", ".psd")
_PICTURES = "{} of pictures beside data or text; of data, those that a column names are read"
_CACHED = "{} of Arrow that the saved dataset does not name"

LeftBy = dict[str, list[Path]]
"""Files that are left out, by reason; ``{}`` in it stands for the count."""


def is_text_file(path: PurePath) -> bool:
    """Say whether a name ends as that of text or source code does."""
    return path.suffix.lower() in TEXT_SUFFIXES


def is_picture_file(path: PurePath) -> bool:
    """Say whether a name ends as that of a picture does."""
    return path.suffix.lower() in PICTURE_SUFFIXES


def choose_kind(files: Sequence[Path], *, folder: bool) -> tuple[list[Path], LeftBy]:
    """Return the files that are read together, and the others by reason.

    A folder is read as the first of these that it holds: Parquet, JSON Lines and CSV; Arrow; WARC; tar; JSON; text and
    code. JSON beside text is data if it is JSON Lines or has more bytes of records than there is text. What is named or
    matched by a glob is read, but text only where there is nothing else.

    Args:
        files: of a known format, sorted.
        folder: whether a folder was opened.
    """
    left: LeftBy = {}
    pictures = [file for file in files if is_picture_file(file)]
    if pictures:
        others = [file for file in files if not is_picture_file(file)]
        if _are_pictures(pictures, others, folder=folder):
            return pictures, _left_beside(pictures, others)
        _leave(left, _PICTURES, pictures)
        files = others
    ranks = {file: _rank(file) for file in files}
    best = min(ranks.values(), default=_TEXT)
    if not folder:
        kept = [file for file in files if ranks[file] < _TEXT] or list(files)
        _leave(left, _DOCUMENTS, [file for file in files if file not in set(kept)])
        return kept, left
    if best == _JSON and _TEXT in ranks.values():
        best = _json_or_text(ranks)
    kept = [file for file in files if ranks[file] == best]
    if best == _RANKS["arrow"]:
        kept = _named_by_state(kept, left)
    for file in files:
        if ranks[file] == _JSON != best and not (best == _RANKS["arrow"] and file.name in _DESCRIPTIONS):
            _leave(left, _DESCRIPTION, [file])
        elif ranks[file] not in (_JSON, best):
            _leave(left, _DOCUMENTS if ranks[file] == _TEXT else _OTHER, [file])
    return kept, left


def _are_pictures(pictures: Sequence[Path], others: Sequence[Path], *, folder: bool) -> bool:
    """Say whether files are read as pictures, not as the data or text beside them.

    Raises:
        CorpusError: they are texts and pictures, and neither is a quarter of the other.
    """
    data = [file for file in others if _rank(file) < _JSON and not (folder and describes(file))]
    if data or not folder:
        return not others
    stems = _stems(pictures)
    texts = [
        file for file in others
        if _rank(file) == _TEXT and not (_is_caption(file, stems) or _is_about(file) or _is_of_drawing(file))
    ]  # fmt: skip
    if FEW * len(pictures) <= len(texts) or FEW * len(texts) <= len(pictures):
        return len(pictures) > len(texts)
    raise CorpusError(
        f"The folder holds {_count(texts, 'text')} and {_count(pictures, 'picture')}: a corpus is one or the other",
        fix="open one kind by a pattern, such as 'FOLDER/**/*.jpg' or 'FOLDER/**/*.md', or move them apart; the "
        "caption of a picture is a text file of the same name beside it",
    )


def _count(files: Sequence[Path], name: str) -> str:
    return f"{len(files):,} {name}{'' if len(files) == 1 else 's'}"


def _is_about(file: PurePath) -> bool:
    """Say whether a text is about its folder, not one of its documents."""
    return file.name.split(".")[0].lower() in _ABOUT


def _stems(files: Sequence[Path]) -> frozenset[Path]:
    return frozenset(file.with_suffix("") for file in files)


def _is_caption(file: Path, stems: frozenset[Path]) -> bool:
    return file.suffix.lower() in CAPTION_SUFFIXES and file.with_suffix("") in stems


def _is_of_drawing(file: Path) -> bool:
    """Say whether a text is the caption of a picture of a kind that is not read."""
    return file.suffix.lower() in CAPTION_SUFFIXES and any(file.with_suffix(end).exists() for end in _DRAWINGS)


def _left_beside(pictures: Sequence[Path], others: Sequence[Path]) -> LeftBy:
    """Return the files beside pictures by reason; those that describe them by ``DESCRIBES``."""
    left: LeftBy = {}
    stems = _stems(pictures)
    for file in others:
        if describes(file) or _is_caption(file, stems) or (_rank(file) == _JSON and is_coco(file)):
            _leave(left, DESCRIBES, [file])
        else:
            _leave(left, "{} of text or code beside pictures" if _rank(file) == _TEXT else _DESCRIPTION, [file])
    return left


def worth_copying(files: Sequence[PurePath], *, folder: bool) -> list[PurePath]:
    """Return the files that may be read when only their names are known: JSON may turn out to be data."""
    ranks = {file: _rank(file) for file in files if format_of(file)}
    if folder and all(rank >= _JSON or describes(file) for file, rank in ranks.items()):
        return list(ranks)
    if not folder:
        return [file for file in ranks if ranks[file] < _TEXT] or list(ranks)
    best = min(ranks.values(), default=_TEXT)
    return [file for file in ranks if best >= _JSON or ranks[file] in (best, _JSON)]


def _leave(left: LeftBy, reason: str, files: Sequence[Path]) -> None:
    if files:
        left.setdefault(reason, []).extend(files)


def _rank(file: PurePath) -> int:
    kind, _ = format_of(file) or ("parquet", "")
    if is_picture_file(file):
        return _PICTURE
    if file.suffix.lower() == ".json":
        return _JSON
    return _RANKS.get(kind, _TEXT)


def _json_or_text(ranks: dict[Path, int]) -> int:
    """Return the rank that is read where JSON lies beside text and code."""
    records = {file: _content(file) for file, rank in ranks.items() if rank == _JSON}
    if "lines" in records.values():
        return _JSON
    size = sum(file.stat().st_size for file, content in records.items() if content == "records")
    texts = sum(file.stat().st_size for file, rank in ranks.items() if rank == _TEXT)
    return _JSON if size > texts else _TEXT


def _content(file: Path) -> JsonContent:
    try:
        return json_content(file, detect_compression(file, ""))
    except (OSError, CorpusError):
        return "object"


def _named_by_state(files: Sequence[Path], left: LeftBy) -> list[Path]:
    """Return the files that saved datasets name; other Arrow files beside their state are caches.

    Raises:
        CorpusError: a dataset keeps a selection of rows apart from the rows.
    """
    kept = []
    states = {folder: _read(folder / STATE) for folder in {file.parent for file in files}}
    for file in files:
        state = states[file.parent]
        if state.get("_indices_data_files"):
            raise CorpusError(
                f"{file.parent.name or file.parent} keeps a selection of rows in a file of its own",
                fix="save it again with datasets: load_from_disk(...).flatten_indices().save_to_disk(...)",
            )
        named = state.get("_data_files")
        if isinstance(named, list) and file.name not in [each.get("filename") for each in named]:
            _leave(left, _CACHED, [file])
        else:
            kept.append(file)
    return kept


def saved_split(folder: Path) -> str | None:
    """Return the split that a folder of a saved ``DatasetDict`` is, None for any other folder."""
    splits = _read(folder.parent / SPLITS).get("splits")
    return folder.name if isinstance(splits, list) and folder.name in splits else None


def _read(path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
