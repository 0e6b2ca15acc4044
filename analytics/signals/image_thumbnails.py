"""Thumbnails: small pictures, made once by the step ``pictures``, stored as JPEG, read one by one, shown as WebP."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import sha256
from io import BytesIO
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tamis.analytics.signals.image_areas import area_means
from tamis.analytics.steps.per_row import PICTURES_STEP
from tamis.data.artifact import Artifact
from tamis.data.corpus import Corpus
from tamis.data.documents import Documents
from tamis.data.errors import CorpusError, PictureError, StoreError
from tamis.data.picture import Picture, read_picture
from tamis.data.picture_source import LOST, pictures_at, states_pictures

Side = Literal[128, 320]
SMALL: Side = 128
LARGE: Side = 320
STORED_QUALITY, QUALITY, METHOD = 90, 75, 0
"""Settings of the JPEG that is stored and of the WebP that leaves: JPEG takes a sixth of the time of WebP at its
fastest method, 0, for twice the bytes, and at this quality little is lost."""


LARGE_FROM = 1 << 21
"""Pixels from which on the large thumbnail is stored: those of smaller pictures are made when somebody looks."""


def first_size(height: int, width: int) -> tuple[int, int]:
    """Return rows and columns of the larger thumbnail that is stored of a picture."""
    return reduced_size(height, width, SMALL if height * width < LARGE_FROM else LARGE)


def make_thumbnails(first: NDArray[np.uint8], area: int) -> tuple[bytes, bytes]:
    """Return the small and the large thumbnail of a picture as it looks on white, as they are stored: JPEG.

    The longest side is at most 128 and 320, never more than the picture's. The large one is empty for pictures of less
    than ``LARGE_FROM`` pixels.

    Args:
        first: the picture in ``first_size``, uint8 (H, W, 4).
        area: pixels of the picture.
    """
    return _jpeg(reduced(first, SMALL)), b"" if area < LARGE_FROM else _jpeg(first)


def thumbnail_of(picture: Picture, size: Side = SMALL) -> bytes:
    """Return a thumbnail as it leaves: WebP."""
    return _webp(Image.fromarray(reduced(picture.on_white().samples, size)[:, :, :3]))


def reduced_size(height: int, width: int, side: int) -> tuple[int, int]:
    """Return rows and columns of a picture whose longest side becomes at most ``side``."""
    longest = max(height, width, side)
    rows, columns = (max(1, (2 * each * side + longest) // (2 * longest)) for each in (height, width))
    return rows, columns


def reduced(samples: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return a picture of four channels whose longest side is at most ``side``: means of areas."""
    height, width, _ = samples.shape
    size = reduced_size(height, width, side)
    return samples if size == (height, width) else _locked(area_means(samples, *size))


def _locked(samples: NDArray[np.uint8]) -> NDArray[np.uint8]:
    samples.flags.writeable = False
    return samples


def _jpeg(samples: NDArray[np.uint8]) -> bytes:
    out = BytesIO()
    image = Image.frombuffer("RGBX", samples.shape[1::-1], samples, "raw", "RGBX", 0, 1)
    image.save(out, "JPEG", quality=STORED_QUALITY)
    return out.getvalue()


def _webp(image: Image.Image) -> bytes:
    out = BytesIO()
    image.save(out, "WEBP", quality=QUALITY, method=METHOD)
    return out.getvalue()


def joined(pictures: Sequence[tuple[bytes, bytes]]) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int64]]:
    """Return thumbnails one after another, uint8 each, and where they end, int64 (n, 2): of small and of large ones."""
    small, large = (np.frombuffer(b"".join(each[at] for each in pictures), dtype=np.uint8) for at in (0, 1))
    sizes = np.array([[len(each) for each in pair] for pair in pictures], dtype=np.int64).reshape(-1, 2)
    return small, large, np.cumsum(sizes, axis=0)


def thumbnails(
    artifact: Artifact, corpus: Corpus, documents: Documents, rows: NDArray[np.int64] | Sequence[int], *,
    size: Side = SMALL,
) -> list[bytes]:  # fmt: skip
    """Return thumbnails of documents as WebP, in the requested order.

    Args:
        artifact: of the step ``pictures``.
        corpus: the corpus.
        documents: its documents.
        rows: facts rows.
        size: longest side.

    Raises:
        StoreError: another artifact, or a damaged one.
        CorpusError: a picture whose large thumbnail is not stored is gone or was changed.
    """
    if artifact.manifest.step != PICTURES_STEP:
        raise StoreError("Thumbnails are kept by another step", value=artifact.manifest.step, allowed=PICTURES_STEP)
    name, column = ("small", 0) if size == SMALL else ("large", 1)
    firsts = np.array([shard.first for shard in corpus.shards()])
    positions = documents.order[np.asarray(rows, dtype=np.int64)]
    shards = np.searchsorted(firsts, positions, side="right") - 1
    found = [b""] * len(positions)
    for shard in np.unique(shards).tolist():
        ends = artifact.array(f"ends-{shard:05d}", mmap=True)
        held = artifact.array(f"{name}-{shard:05d}", mmap=True)
        for at in np.flatnonzero(shards == shard).tolist():
            row = int(positions[at] - firsts[shard])
            begin, end = int(ends[row - 1, column]) if row else 0, int(ends[row, column])
            found[at] = held[begin:end].tobytes()
    missing = np.array([at for at, each in enumerate(found) if not each], dtype=np.int64)
    sources = iter(measured_pictures(artifact, corpus, positions[missing]))
    made = [partial(_from_stored, each) if each else partial(_from_picture, next(sources), size) for each in found]
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda make: make(), made))


def measured_pictures(artifact: Artifact, corpus: Corpus, positions: NDArray[np.int64]) -> list[bytes]:
    """Return the encoded pictures at source positions, in the requested order, as the step ``pictures`` saw them.

    Args:
        artifact: of the step.
        corpus: the corpus.
        positions: int64 (m,), of sound rows.

    Raises:
        CorpusError: a file is gone or was changed.
    """
    found: list[bytes] = []
    for held in pictures_at(corpus, positions):
        if isinstance(held, PictureError):
            raise CorpusError(f"This picture is lost: {held.what}", fix=LOST)
        found.append(held)
    if states_pictures(corpus):
        return found
    # Files that a column names are hashed as one when the corpus is opened, not each.
    firsts = np.array([shard.first for shard in corpus.shards()])
    for held, position in zip(found, positions.tolist(), strict=True):
        shard = int(np.searchsorted(firsts, position, side="right")) - 1
        known = artifact.table(f"part-{shard:05d}", columns=["sha256"]).column(0)[position - int(firsts[shard])]
        if sha256(held).digest() != known.as_py():
            raise CorpusError("The file of this picture was changed since the analysis", fix=LOST)
    return found


def _from_stored(jpeg: bytes) -> bytes:
    return _webp(Image.open(BytesIO(jpeg)))


def _from_picture(held: bytes, size: Side) -> bytes:
    return thumbnail_of(read_picture(held), size)
