"""Items of evaluation files as texts, their prompt, answer and passage apart.

A file with a column of prompts has items of parts: ``prompt``, ``answer`` and ``passage``, each where it is known, and
``whole``, the prompt and the answer joined by a blank line where an item has both. A passage is often a public text, so
it is part of no other. Of conversations the prompt is all before the last answer, and the answer is that. Any other
file has items of one part, ``whole``. Lists of texts count as their texts, one a line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tamis.data.corpus import Corpus
from tamis.data.errors import SettingError
from tamis.data.open_corpus import open_corpus
from tamis.data.schema import type_at
from tamis.data.workspace import Workspace

Part = Literal["prompt", "answer", "passage", "whole"]
PARTS: tuple[Part, ...] = get_args(Part)
NAMES: Mapping[str, tuple[str, ...]] = {
    "prompt": ("question", "prompt", "query", "problem", "instruction", "input"),
    "answer": ("answer", "answers.text", "answers", "completion", "output", "response", "solution", "ground_truth"),
    "passage": ("passage", "context", "article", "document", "support", "story"),
}
"""Names by which the columns of parts are found, the first that a file has."""

ITEMS = pa.schema(
    [("set", pa.string()), ("file", pa.string()), ("row", pa.int64()), *((part, pa.large_string()) for part in PARTS)]
)

_SCOPES = {"prompt": "prompt", "answer": "response"}


@dataclass(frozen=True)
class PartColumns:
    """The columns of an evaluation file by part, as paths; None for the one that is found by name.

    Attributes:
        prompt, answer, passage: the parts.
        text: the column of items of one part; no other may be named beside it.
    """

    prompt: str | None = None
    answer: str | None = None
    passage: str | None = None
    text: str | None = None

    def __post_init__(self) -> None:
        if self.text is not None and any((self.prompt, self.answer, self.passage)):
            raise SettingError(
                "Items have either one text or parts", value=asdict(self), fix="name the text, or prompt and answer"
            )

    @property
    def named(self) -> dict[str, str]:
        """Return the columns that a person named, by part or ``text``."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def read_items(paths: Sequence[str | Path], workspace: Workspace, columns: PartColumns | None = None) -> pa.Table:
    """Return the items of evaluation files, ``ITEMS``, by set, file and row.

    Each path is one set, named by its last part without suffix, or by its folder too where two paths would share a
    name. Rows without any text are left out; ``row`` counts from 0 within a file.

    Args:
        paths: files, folders or globs, each opened as a corpus.
        workspace: keeps probes of the files.
        columns: which columns hold the parts.

    Raises:
        SettingError: no path is given, two sets share a name, or a named column holds no text.
        CorpusError, RoleError: as ``open_corpus``.
    """
    chosen = columns or PartColumns()
    if not paths:
        raise SettingError("Evaluation sets are made of files", fix="name one or more files, folders or globs")
    tables = [
        table
        for path, name in zip(paths, set_names(paths), strict=True)
        for table in _items_of(_open(path, workspace, chosen), name, chosen)
    ]
    return pa.concat_tables([ITEMS.empty_table(), *tables]).sort_by(
        [("set", "ascending"), ("file", "ascending"), ("row", "ascending")]
    )


def set_names(paths: Sequence[str | Path]) -> list[str]:
    """Return the name of the set of each path.

    Raises:
        SettingError: two paths have one name even with their folders.
    """
    places = [Path(path) for path in paths]
    short = [place.name.split(".")[0] or place.name for place in places]
    names = [
        f"{place.parent.name}/{name}" if short.count(name) > 1 else name
        for place, name in zip(places, short, strict=True)
    ]
    if len(set(names)) < len(names):
        raise SettingError("Two evaluation sets have one name", value=names, fix="name each path once, or rename one")
    return names


def _open(path: str | Path, workspace: Workspace, columns: PartColumns) -> Corpus:
    text = columns.text or columns.prompt
    return open_corpus(path, roles=None if text is None else {"text": text}, probes=workspace.probes)


def _items_of(corpus: Corpus, name: str, columns: PartColumns) -> Iterator[pa.Table]:
    """Yield the items of one set, a table a batch."""
    held = _columns(corpus, columns)
    wanted = list(corpus.shape.paths) if held is None else list(held.values())
    ends = np.cumsum([source.rows for source in corpus.files])
    files = pa.array([source.name for source in corpus.files], pa.string())
    for shard in corpus.shards():
        place = shard.first
        for batch in corpus.batches(shard, columns=wanted):
            if held is None:
                texts = {part: corpus.in_scope(scope).texts_of(batch) for part, scope in _SCOPES.items()}
            else:
                texts = {part: as_text(batch.column(k)) for k, part in enumerate(held)}
            there = np.arange(place, place + batch.num_rows)
            which = np.searchsorted(ends, there, side="right")
            found = {part: texts.get(part, pa.nulls(batch.num_rows, pa.large_string())) for part in PARTS}
            if "whole" not in texts:
                found["whole"] = pc.binary_join_element_wise(found["prompt"], found["answer"], _text("\n\n"))
            rows = pa.array(there - np.append(0, ends)[which], pa.int64())
            same = pa.repeat(pa.scalar(name), batch.num_rows)
            table = pa.table([same, files.take(pa.array(which)), rows, *found.values()], schema=ITEMS)
            yield table.filter(pc.invert(_all_null(table)))
            place += batch.num_rows


def _all_null(table: pa.Table) -> pa.ChunkedArray:
    found = table.column(PARTS[0]).is_null()
    for part in PARTS[1:]:
        found = pc.and_(found, table.column(part).is_null())
    return found


def _columns(corpus: Corpus, columns: PartColumns) -> dict[str, str] | None:
    """Return the path of the column of each part that the set has; None where rows are conversations.

    Raises:
        SettingError: a named column is missing or holds no text.
    """
    named = columns.named
    for part, path in named.items():
        if not _is_texts(corpus, path):
            raise SettingError(
                f"Column {path} cannot be the {part} of an evaluation set",
                value=str(type_at(corpus.schema, path) or "no such column"),
                allowed="a column of texts or of lists of texts",
                fix=f"the columns are: {', '.join(corpus.schema.names)}",
            )
    if columns.text is not None:
        return {"whole": columns.text}
    found = {part: named.get(part) or _by_name(corpus, names) for part, names in NAMES.items()}
    if found["prompt"] is None:
        return None if corpus.shape.kind not in ("text", "template") else {"whole": corpus.roles.text}
    return {part: path for part, path in found.items() if path is not None}


def _by_name(corpus: Corpus, names: Sequence[str]) -> str | None:
    return next((name for name in names if _is_texts(corpus, name)), None)


def _is_texts(corpus: Corpus, path: str) -> bool:
    kind = type_at(corpus.schema, path)
    if kind is not None and (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        kind = kind.value_type
    return kind is not None and (pa.types.is_string(kind) or pa.types.is_large_string(kind))


def as_text(column: pa.Array) -> pa.LargeStringArray:
    """Return texts, or lists of texts joined by line feeds, as large_string (n,); NULL stays NULL."""
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        texts = column.cast(pa.large_list(pa.large_string()))
        return pc.binary_join(texts, _text("\n"))
    return column.cast(pa.large_string())


def _text(value: str) -> pa.LargeStringScalar:
    return pa.scalar(value, pa.large_string())
