"""Pictures of a corpus before its analysis, decoded on the spot: for the few on screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tamis.analytics.signals.image_thumbnails import thumbnail_of
from tamis.data.corpus import Corpus
from tamis.data.errors import PictureError
from tamis.data.picture import read_picture
from tamis.data.picture_source import pictures_at


@dataclass(frozen=True)
class PictureInFile:
    """A row of a corpus of pictures.

    Attributes:
        row: its source position.
        caption: empty without one.
        thumbnail: WebP, longest side at most 128, empty where the row is no picture.
        reason: why it is none, empty for pictures.
    """

    row: int
    caption: str
    thumbnail: bytes
    reason: str = ""


def pictures_in_files(corpus: Corpus, positions: Sequence[int]) -> list[PictureInFile]:
    """Return rows at source positions, in the requested order.

    Raises:
        CorpusError: a file was changed since the corpus was opened.
    """
    wanted = np.asarray(positions, dtype=np.int64)
    captions: list[str | None] = [""] * len(wanted)
    if "caption" in corpus.shape.columns and len(wanted):
        captions = corpus.texts_of(
            corpus.take(wanted, columns=[corpus.head(corpus.shape.columns["caption"])])
        ).to_pylist()
    found = []
    for row, caption, held in zip(wanted.tolist(), captions, pictures_at(corpus, wanted), strict=True):
        try:
            if isinstance(held, PictureError):
                raise held
            thumbnail, reason = thumbnail_of(read_picture(held)), ""
        except PictureError as error:
            thumbnail, reason = b"", error.what
        found.append(PictureInFile(row, caption or "", thumbnail, reason))
    return found
