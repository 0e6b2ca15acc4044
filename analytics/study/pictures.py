"""Pictures for the pages: thumbnails of the analysis, and the whole picture of a document, encoded again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from tamis.analytics.facts.facts import Facts
from tamis.analytics.signals.image_thumbnails import LARGE, SMALL, measured_pictures, thumbnails
from tamis.analytics.steps.per_row import PICTURES_STEP
from tamis.analytics.study.picture_difference import PictureDifference, picture_difference
from tamis.analytics.study.readings import Reading, ReadPicture, read_documents
from tamis.analytics.study.scene import Scene
from tamis.analytics.study.study import Study, find_artifact
from tamis.data.artifact import Artifact
from tamis.data.corpus import Corpus
from tamis.data.errors import StoreError
from tamis.data.picture import Picture, read_picture
from tamis.data.repair import is_text
from tamis.data.schema import type_at
from tamis.data.shapes import PICTURE

WHOLE = "full"
LARGEST, LONGEST = 2048, 16_383
"""What bounds a whole picture as it is shown, in pixels: the side of a square with as many, and the length of a strip,
for WebP holds no longer one."""
COMPARED_FACTS = ("width", "height", "image_format", "bytes_per_pixel", "sharpness", "brightness", "label", "source")
"""What tells near duplicates apart, where it is known."""
COMPARED = str(LARGE)


def is_pictured(corpus: Corpus) -> bool:
    """Return whether the documents of a corpus are pictures."""
    return corpus.shape.kind == PICTURE


def read_pictures(study: Study, rows: Sequence[int], size: str) -> list[bytes]:
    """Return pictures of documents as WebP bytes, by facts row.

    Args:
        study: an analysed corpus of pictures.
        rows: facts rows.
        size: longest side of the thumbnails in pixels, or ``full`` for the pictures themselves, decoded and encoded
            again, see ``whole_picture``.

    Raises:
        StoreError: there is no such row.
        CorpusError: a file is damaged or was changed since the corpus was opened.
    """
    for row in rows:
        if not 0 <= row < study.facts.n:
            raise StoreError("There is no such document", value=row, allowed=f"0 to {study.facts.n - 1}")
    if size == WHOLE:
        return [_whole(study, row) for row in rows]
    wanted, facts = np.asarray(rows, dtype=np.int64), study.facts
    small = np.ones(len(wanted), dtype=bool)
    if size != str(SMALL):
        # A picture that fits into the small thumbnail has no larger one.
        small = np.maximum(facts.numbers("width"), facts.numbers("height"))[wanted] <= SMALL
    found: dict[int, bytes] = {}
    for side, mine in ((SMALL, wanted[small]), (LARGE, wanted[~small])):
        if len(mine):
            made = thumbnails(_made(study), study.corpus, study.documents, mine, size=side)
            found |= dict(zip(mine.tolist(), made, strict=True))
    return [found[int(row)] for row in rows]


def _made(study: Study) -> Artifact:
    """Return what the step made; it is looked up once."""
    key = ("pictures", study.facts.digest)
    found: Artifact | None = study.facts.memo.get(key)
    if found is None:
        found = find_artifact(study, PICTURES_STEP)
        if found is None:
            raise StoreError("The pictures of this corpus are not looked at yet", fix="wait for the analysis")
        study.facts.memo.keep(key, found)
    return found


def prepare_pictures(study: Study) -> None:
    """Compare the stored thumbnails with their checksums, once in a process, before the first of each is asked for."""
    made = _made(study)
    for part in (*made.parts("ends-"), *made.parts("small-"), *made.parts("large-")):
        made.array(part, mmap=True)


def _whole(study: Study, row: int) -> bytes:
    def make() -> bytes:
        [raw] = measured_pictures(_made(study), study.corpus, study.documents.order[[row]])
        return whole_picture(read_picture(raw))

    found: bytes = study.facts.memo.through(("whole picture", study.facts.digest, row), make, size=len)
    return found


def whole_picture(picture: Picture) -> bytes:
    """Return a decoded picture as WebP, made smaller where ``LARGEST`` or ``LONGEST`` bound it."""
    pixels = picture.pixels
    if picture.alpha is not None:
        pixels = np.dstack([pixels, picture.alpha])
    shown = Image.fromarray(pixels)
    scale = min(LARGEST / math.sqrt(shown.width * shown.height), LONGEST / max(shown.size))
    if scale < 1:
        side = [max(1, int(scale * each)) for each in shown.size]
        shown = shown.resize((side[0], side[1]), Image.Resampling.LANCZOS, reducing_gap=2.0)
    buffer = BytesIO()
    # Small pictures are icons and drawings, whose every pixel is looked at.
    shown.save(buffer, "WEBP", quality=90, method=1, lossless=max(shown.size) <= 256)
    return buffer.getvalue()


def compare_pictures(study: Study, left: int, right: int) -> PictureDifference:
    """Return where the large thumbnails of two documents differ, by facts row; see ``picture_difference``."""
    key = ("picture difference", study.facts.digest, left, right)
    found: PictureDifference = study.facts.memo.through(
        key,
        lambda: picture_difference(*read_pictures(study, [left, right], COMPARED)),
        size=lambda each: 200 + len(each.picture),
    )
    return found


def picture_readings(study: Study, rows: Sequence[int]) -> list[Reading]:
    """Return documents as pictures, by facts row: each with its row, id and name, its caption as its text.

    The pictures themselves are not read.

    Raises:
        CorpusError: a file is damaged or was changed since the corpus was opened.
    """
    corpus, wanted = study.corpus, np.asarray(rows, dtype=np.int64)
    caption = corpus.shape.columns.get("caption")
    # Pictures in files of their own are named by their path; one beside bytes would be read with them.
    path = corpus.shape.columns[PICTURE]
    kind = type_at(corpus.schema, path)
    files = kind is not None and is_text(kind) and corpus.head(path) == path
    columns = [*([corpus.head(caption)] if caption else []), *([path] if files else [])]
    words = names = [""] * len(wanted)
    if columns and len(wanted):
        table = corpus.fetch(study.documents, wanted, columns=columns)
        words = corpus.texts_of(table).to_pylist() if caption else words
        names = table.column(path).to_pylist() if files else names
    ids = study.facts.ids.take(pa.array(wanted)).to_pylist()
    return [
        Reading(each or "", PICTURE, picture=ReadPicture(int(row), str(own), name=name or ""))
        for each, row, own, name in zip(words, wanted, ids, names, strict=True)
    ]


def read_rows(study: Study, rows: Sequence[int]) -> list[Reading]:
    """Return a few documents of any kind as people read them, by facts row.

    Raises:
        CorpusError: a file is damaged or was changed since the corpus was opened.
    """
    if is_pictured(study.corpus):
        return picture_readings(study, rows)
    return read_documents(study.corpus, study.corpus.fetch(study.documents, np.asarray(rows, dtype=np.int64)))


def picture_signals(facts: Facts) -> tuple[str, ...]:
    """Return the numeric columns that are measured on pictures, in the order of the facts."""
    return tuple(name for name, info in facts.columns.items() if info.step == PICTURES_STEP and info.numeric)


def spread_rows(scene: Scene, *, column: str, n: int) -> NDArray[np.int64]:
    """Return facts rows that show what the values of a column look like, in ascending order of the values.

    The documents with a value are ranked by it, equal ones by row, and cut into ``n`` equal parts; the middle document
    stands for each. Fewer where there are fewer documents or equal places.

    Args:
        scene: the documents.
        column: a numeric column.
        n: number of rows.
    """
    values = scene.facts.numbers(column)
    rows = np.flatnonzero(np.isfinite(values))
    if not len(rows):
        return rows
    middles = np.unique(((np.arange(n) + 0.5) * len(rows) / n).astype(np.int64))
    ranked = np.lexsort((rows, values[rows]))
    found: NDArray[np.int64] = rows[ranked[middles]]
    return found


def compared_facts(scene: Scene, *, rows: tuple[int, int]) -> list[tuple[str, str, str]]:
    """Return title and both values of the columns that tell two pictures apart, as text."""
    facts = scene.facts
    names = [name for name in COMPARED_FACTS if name in facts.columns]
    one, other = facts.table(names, np.asarray(rows)).to_pylist()
    return [(facts.info(name).title, _said(one[name]), _said(other[name])) for name in names]


def _said(value: object) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class PictureTotals:
    """Figures of all pictures of a corpus.

    Attributes:
        bytes: of the encoded pictures.
        width, height: medians, pixels.
        least, most: megapixels of the smallest and the largest.
        captions: number of pictures with a caption, None where the corpus has no captions.
    """

    bytes: int
    width: int
    height: int
    least: float
    most: float
    captions: int | None


def picture_totals(scene: Scene) -> PictureTotals:
    """Return the figures of all pictures, exact."""
    facts = scene.facts

    def medians(name: str) -> int:
        return int(np.median(facts.numbers(name))) if facts.n else 0

    areas = facts.numbers("megapixels")
    captions = int(np.count_nonzero(facts.numbers("n_tokens") > 0)) if "n_tokens" in facts.columns else None
    return PictureTotals(
        int(facts.numbers("image_bytes").sum()),
        medians("width"),
        medians("height"),
        float(areas.min(initial=np.inf)) if facts.n else 0.0,
        float(areas.max(initial=0.0)),
        captions,
    )
