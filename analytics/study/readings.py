"""Documents as people read them: their turns, what each says, and where marked places lie. For the few on screen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from tamis.data.corpus import Corpus
from tamis.data.message import JSON, MalformedError, Path
from tamis.data.part_spans import Span, part_starts, spans_in_parts
from tamis.data.parts import IMAGE, KINDS, ROLES, MessagePart, Parts
from tamis.data.row_parts import read_row
from tamis.data.shapes import Shape

MOST_REFERENCE = 200
_SIDES = ("chosen", "rejected")
_REFERENCE_KEYS = ("url", "image_url", "image", "video_url", "video", "input_audio", "audio", "path", "file", "file_id",
                   "filename", "source")  # fmt: skip


@dataclass(frozen=True)
class ReadPart:
    """One piece of a document.

    Attributes:
        role: one of ``parts.ROLES``.
        kind: one of ``parts.KINDS``.
        text: as it stands in the row; of an image what it refers to, at most ``MOST_REFERENCE`` characters.
        turn: number of the turn, from 0.
        word: the source's own word for the role, empty where a column gives the role.
        start: the character of the document's text at which it begins, -1 if it is not in the text.
        field: the column it comes from, of a template only.
    """

    role: str
    kind: str
    text: str
    turn: int
    word: str = ""
    start: int = -1
    field: str = ""

    @property
    def title(self) -> str:
        """Return the word that says who speaks: the role, of a template the column."""
        return self.field or self.role


@dataclass(frozen=True)
class ReadPicture:
    """The picture of a document.

    Attributes:
        row: facts row of the document.
        id: its id.
        address: where a browser finds it, without its size; a page knows it.
        name: its path below the folder that was opened, empty where it is no file of its own.
    """

    row: int
    id: str
    address: str = ""
    name: str = ""


@dataclass(frozen=True)
class Reading:
    """A document or a row that is none.

    Attributes:
        text: its text, the parts joined; of a picture its caption.
        kind: of its shape, one of ``shapes.KIND_NAMES``.
        parts: of any shape but plain text and pictures.
        reason: why the row is no document, empty for documents.
        picture: of a document that is one.
    """

    text: str
    kind: str = "text"
    parts: tuple[ReadPart, ...] = ()
    reason: str = ""
    picture: ReadPicture | None = None

    @property
    def turns(self) -> int:
        """Return the number of turns, 0 for plain text."""
        return len({part.turn for part in self.parts})

    def places(self, spans: Sequence[Span]) -> list[list[Span]]:
        """Return spans of the text as spans of each part."""
        return spans_in_parts(spans, [part.start for part in self.parts], [part.text for part in self.parts])

    def gist(self, spans: Sequence[Span] = ()) -> list[int]:
        """Return the places of the few parts that say what the document is about.

        Those with marked places, at most two; else the first turn of the user and what follows it: an answer, or both
        sides of a pair.
        """
        marked = [place for place, found in enumerate(self.places(spans)) if found]
        if marked:
            return marked[:2]
        said = [place for place, part in enumerate(self.parts) if part.text.strip() and part.kind in ("text", "image")]
        said = said or [place for place, part in enumerate(self.parts) if part.text.strip()]
        asked = next((place for place in said if self.parts[place].role == "user"), None)
        begin = said[:1] if asked is None else [asked]
        sides = [next((place for place in said if self.parts[place].role == side), None) for side in _SIDES]
        if any(side is not None for side in sides):
            return [*begin, *(side for side in sides if side is not None and side not in begin)]
        replies = [place for place in said if begin and place > begin[0] and self.parts[place].role != "system"]
        return begin + next(([place] for place in replies if self.parts[place].role != "user"), replies[:1])


def read_documents(corpus: Corpus, rows: pa.Table) -> list[Reading]:
    """Return whole rows of a corpus, as ``take`` and ``fetch`` give them, as documents to read."""
    shape = corpus.shape
    if shape.kind == "text":
        texts = corpus.texts_of(rows).to_pylist()
        return [Reading(text or "", reason="" if text is not None else "it has no text") for text in texts]
    heads = list(dict.fromkeys(place[0] for place in corpus.places.values()))
    return [_read(shape, row, corpus.places) for row in rows.select(heads).to_pylist()]


def _read(shape: Shape, row: Mapping[str, Any], places: Mapping[str, Path]) -> Reading:
    try:
        parts = read_row(shape, {path: _at(row, place) for path, place in places.items()}, places)
    except MalformedError as error:
        return Reading("", shape.kind, reason=str(error))
    text = shape.join(Parts.of([parts]))[0].as_py()
    starts = part_starts(shape, parts)
    return Reading(text, shape.kind, tuple(_part(shape, row, *each) for each in zip(parts, starts, strict=True)))


def _part(shape: Shape, row: Mapping[str, Any], part: MessagePart, start: int) -> ReadPart:
    text = _reference(_at(row, part.path)) if part.kind == IMAGE else part.text
    field = shape.fields[part.turn] if shape.kind == "template" else ""
    return ReadPart(ROLES[part.role], KINDS[part.kind], text, part.turn, part.word, start, field)


def _at(value: Any, path: Path) -> Any:
    """Return what a path leads to in a row, None where something on the way is missing."""
    for step in path:
        if value is None:
            return None
        if step == JSON:
            value = json.loads(value)
        elif isinstance(step, int):
            value = value[step]
        else:
            value = value.get(step)
    return value


def _reference(item: Any) -> str:
    """Return what an image, sound or file refers to, of data in the row only its type."""
    while isinstance(item, Mapping):
        item = next((item[key] for key in _REFERENCE_KEYS if item.get(key)), None)
    if not isinstance(item, str):
        return ""
    return item.split(",")[0] if item.startswith("data:") else item[:MOST_REFERENCE]


@dataclass(frozen=True)
class ShapePreview:
    """What a shape makes of the first rows of a corpus.

    Attributes:
        rows: number of rows looked at.
        readings: the first of them.
        reasons: why rows are no documents, and how many of each, the most frequent first.
    """

    rows: int
    readings: tuple[Reading, ...]
    reasons: tuple[tuple[str, int], ...]

    @property
    def refused(self) -> int:
        """Return how many of the rows are no documents."""
        return sum(number for _, number in self.reasons)


def preview_shape(corpus: Corpus, *, rows: int = 1_000, shown: int = 5) -> ShapePreview:
    """Return what the shape of a corpus makes of its first rows.

    Raises:
        CorpusError: a file is damaged or was changed since the corpus was opened.
    """
    table = corpus.take(np.arange(min(rows, corpus.rows)))
    if corpus.shape.kind == "text":
        missing = corpus.texts_of(table).null_count
        reasons = [("it has no text", missing)] if missing else []
    else:
        reasons = count_reasons(corpus.parts(table).reasons)
    return ShapePreview(table.num_rows, tuple(read_documents(corpus, table.slice(0, shown))), tuple(reasons))


def count_reasons(reasons: pa.Array | pa.ChunkedArray) -> list[tuple[str, int]]:
    """Return each reason and how often it is given, the most frequent first, without NULL."""
    counted = [(str(each["values"]), int(each["counts"])) for each in reasons.drop_null().value_counts().to_pylist()]
    return sorted(counted, key=lambda item: (-item[1], item[0]))
