"""What stands beside picture files: metadata by file name, COCO-like JSON, and a text file of the same name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

import pyarrow as pa

from tamis.data.csv_reader import CsvReader
from tamis.data.errors import CorpusError
from tamis.data.formats import Cut, Reader, detect_compression, format_of
from tamis.data.jsonl_reader import JsonlReader
from tamis.data.repair import Repairs, repair
from tamis.data.schema import conform, union

FILE_NAME = "file_name"
"""Column of ``metadata.jsonl`` and ``metadata.csv`` that names the picture, relative to their own folder."""

CAPTION = "caption"
CAPTION_SUFFIXES = (".txt",)
_METADATA = "metadata"
_TAKEN = ("image", "path", "extension")
_MOST_JSON = 1 << 30
_HEAD = 1 << 16


def describes(path: PurePath) -> bool:
    """Say whether a file describes pictures by its name: ``metadata.jsonl`` or ``metadata.csv``, packed or not."""
    kind, _ = format_of(path) or ("", "")
    return path.name.split(".")[0].lower() == _METADATA and kind in ("jsonl", "csv") and ".json" not in path.suffixes


def is_coco(path: Path) -> bool:
    """Say whether a JSON file states images and annotations as COCO does; looks at its beginning only."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD).lstrip()
    except OSError:
        return False
    return head.startswith(b"{") and any(key in head for key in (b'"images"', b'"annotations"'))


@dataclass(frozen=True)
class Beside:
    """What stands beside pictures.

    Attributes:
        table: a row a picture, in their order; no column for nothing.
        notes: what names no picture or cannot be a column, one sentence each.
    """

    table: pa.Table
    notes: tuple[str, ...]

    @classmethod
    def read(cls, root: Path, files: Sequence[Path], names: Sequence[str]) -> Beside:
        """Read the files that describe pictures.

        Args:
            root: folder of the corpus.
            files: what describes them.
            names: the pictures, paths below the root.

        Raises:
            CorpusError: a file cannot be read, or two of them state one picture.
        """
        places = {name: row for row, name in enumerate(names)}
        captions = [file for file in files if file.suffix.lower() in CAPTION_SUFFIXES]
        coco = [file for file in files if file.suffix.lower() == ".json"]
        tables, notes = [], []
        if coco:
            told = ", ".join(file.relative_to(root).as_posix() for file in coco)
            tables.append((told, _coco(root, coco, places)))
        for file in files:
            if file in captions or file in coco:
                continue
            table, found = _metadata(root, file)
            notes += [f"{file.name}: column {name} is left out: every picture has its own" for name in found]
            tables.append((file.relative_to(root).as_posix(), table))
        rows = _placed(tables, places, notes)
        if captions and (not rows.num_columns or CAPTION not in rows.column_names):
            texts = _captions(root, captions, names)
            rows = rows.append_column(CAPTION, texts) if rows.num_columns else pa.table({CAPTION: texts})
        return cls(rows, tuple(notes))


_Named = tuple[Sequence[str], pa.Table]
"""Paths of pictures below the root, and a row for each."""


def _placed(tables: Sequence[tuple[str, _Named]], places: Mapping[str, int], notes: list[str]) -> pa.Table:
    """Return the rows of several files, one for each picture, NULL where no file states it."""
    if not tables:
        return pa.table({})
    schema, differences = union({name: table.schema for name, (_, table) in tables})
    notes += [each for each in differences if len(tables) > 1]
    order: list[int | None] = [None] * len(places)
    held, at = [], 0
    for file, (names, table) in tables:
        unknown = 0
        for row, name in enumerate(names):
            place = places.get(name)
            if place is None:
                unknown += 1
            elif order[place] is not None:
                raise CorpusError("Two lines describe one picture", value=f"{name} in {file}", fix="keep one of them")
            else:
                order[place] = at + row
        if unknown:
            notes.append(f"{file} names {unknown:,} picture{'' if unknown == 1 else 's'} without a file")
        arrays = [
            conform(table.column(field.name).combine_chunks(), field.type)
            if field.name in table.column_names
            else pa.nulls(table.num_rows, field.type)
            for field in schema
        ]
        held.append(pa.table(arrays, schema=schema))
        at += table.num_rows
    whole = pa.concat_tables(held)
    return whole.take(pa.array(order, pa.int64())) if whole.num_columns else pa.table({})


def _metadata(root: Path, file: Path) -> tuple[_Named, list[str]]:
    """Return the rows of ``metadata.jsonl`` or ``metadata.csv``, and the columns left out."""
    kind, named = format_of(file) or ("jsonl", "")
    compression = detect_compression(file, named)
    reader: Reader = JsonlReader(compression, False) if kind == "jsonl" else CsvReader(compression, False)
    probe = reader.probe(file, thorough=False)
    if FILE_NAME not in probe.schema.names:
        raise CorpusError(
            f"{file.relative_to(root).as_posix()} names no pictures", value=probe.schema.names,
            fix=f"name each picture in a column {FILE_NAME}",
        )  # fmt: skip
    cut = Cut(probe.marks, tuple(probe.schema.names), 1 << 16, 64 << 20)
    batches = list(reader.read(file, probe, cut, Repairs()))
    table = pa.Table.from_batches(batches, schema=probe.schema)
    folder = PurePosixPath(file.parent.relative_to(root).as_posix())
    given = table.column(FILE_NAME).to_pylist()
    names = [_below(folder, str(name)) if name is not None else "" for name in given]
    left = [name for name in table.column_names if name in _TAKEN]
    return (names, table.drop_columns([FILE_NAME, *left])), left


def _below(folder: PurePosixPath, name: str) -> str:
    """Return a path below the root; ``.`` steps vanish."""
    return (folder / name.replace("\\", "/")).as_posix().removeprefix("./")


def _coco(root: Path, files: Sequence[Path], places: Mapping[str, int]) -> _Named:
    """Return captions and categories of COCO-like files; several may describe the same pictures.

    A picture has its captions joined by line feeds in the order of the files, its categories sorted and joined by
    commas, and as its label the category if there is one only.
    """
    captions: dict[str, list[str]] = {}
    kinds: dict[str, set[str]] = {}
    pictures: dict[str, None] = {}
    for file in files:
        images, categories, annotations = _read_coco(root, file)
        names = dict(zip(images, _found(root, file, images.values(), places), strict=True))
        pictures |= dict.fromkeys(names.values())
        for image, each in annotations:
            if isinstance(each.get(CAPTION), str):
                captions.setdefault(names[image], []).append(repair(each[CAPTION]))
            if each.get("category_id") in categories:
                kinds.setdefault(names[image], set()).add(repair(categories[each["category_id"]]))
    columns: dict[str, list[str | None]] = {}
    if captions:
        columns[CAPTION] = ["\n".join(captions[name]) if name in captions else None for name in pictures]
    if kinds:
        columns["categories"] = [", ".join(sorted(kinds[name])) if name in kinds else None for name in pictures]
        columns["label"] = [next(iter(kinds[name])) if len(kinds.get(name, ())) == 1 else None for name in pictures]
    table = pa.table({key: pa.array(values, pa.large_string()) for key, values in columns.items()})
    if not columns:
        table = pa.table({"in_annotations": pa.array([True] * len(pictures))})
    return list(pictures), table


def _read_coco(root: Path, file: Path) -> tuple[dict[Any, str], dict[Any, str], list[tuple[Any, Mapping[str, Any]]]]:
    """Return names of files by image, names by category, and annotations with their images.

    Raises:
        CorpusError: it is too large, or not like COCO.
    """
    name = file.relative_to(root).as_posix()
    try:
        if file.stat().st_size > _MOST_JSON:
            raise CorpusError(f"{name} is larger than {_MOST_JSON >> 30} GiB", fix="split it by images")
        told = json.loads(file.read_bytes())
        images = {each["id"]: str(each["file_name"]) for each in told["images"]}
        categories = {each["id"]: str(each["name"]) for each in told.get("categories", ())}
        return images, categories, list(_by_image(told.get("annotations", ()), images))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CorpusError(f"{name} is not COCO-like JSON: {type(error).__name__} {error}") from error


def _by_image(annotations: Any, images: Mapping[Any, str]) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    for each in annotations:
        if each["image_id"] in images:
            yield each["image_id"], each


def _found(root: Path, file: Path, names: Any, places: Mapping[str, int]) -> Iterator[str]:
    """Yield the path of each picture: beside the file, below the root, or the only one of its name."""
    folder = PurePosixPath(file.parent.relative_to(root).as_posix())
    last: dict[str, str] = {}
    for path in places:
        short = path.rpartition("/")[2]
        last[short] = "" if short in last else path
    for name in names:
        tries = (_below(folder, name), _below(PurePosixPath(), name), last.get(name.rpartition("/")[2], ""))
        yield next((each for each in tries if each in places), name)


def _captions(root: Path, files: Sequence[Path], names: Sequence[str]) -> pa.Array:
    """Return the text beside each picture that has the same name, without white space around it."""
    there = {repair(file.relative_to(root).with_suffix("").as_posix()): file for file in sorted(files)}
    found: list[str | None] = []
    for name in names:
        file = there.get(name.rpartition(".")[0])
        try:
            raw = None if file is None else file.read_bytes()
        except OSError as error:
            raise CorpusError(f"{file} cannot be read: {error.strerror or error}") from error
        text = None if raw is None else repair(raw.decode("utf-8", "surrogateescape").removeprefix("\ufeff").strip())
        found.append(text)
    return pa.array(found, pa.large_string())
