"""Thumbnails: small pictures as WebP, made once by the step ``pictures`` and read one by one."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tamis.analytics.signals.image_pixels import area_means
from tamis.analytics.steps.per_row import PICTURES_STEP
from tamis.data.artifact import Artifact
from tamis.data.corpus import Corpus
from tamis.data.documents import Documents
from tamis.data.errors import PictureError, StoreError
from tamis.data.picture import Picture, read_picture
from tamis.data.picture_source import Held, pictures_at

Side = Literal[128, 320]
SMALL: Side = 128
LARGE: Side = 320
QUALITY, METHOD = 75, 0
"""Settings of the WebP encoder: method 0 takes a quarter of the time of the usual 4, for a fifth more bytes."""


LARGE_FROM = 1 << 21
"""Pixels from which on the large thumbnail is stored: those of smaller pictures are made when somebody looks."""


def make_thumbnails(picture: Picture) -> tuple[bytes, bytes]:
    """Return the small and the large thumbnail of a picture as it looks on white, WebP.

    The longest side is at most 128 and 320, never more than the picture's. The large one is empty for pictures of less
    than ``LARGE_FROM`` pixels.
    """
    if picture.words.size < LARGE_FROM:
        return _webp(reduced(picture.samples, SMALL)), b""
    large = reduced(picture.samples, LARGE)
    return _webp(reduced(large, SMALL)), _webp(large)


def reduced(samples: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return a picture of four channels whose longest side is at most ``side``: means of areas."""
    height, width, _ = samples.shape
    longest = max(height, width)
    if longest <= side:
        return samples
    size = [max(1, (2 * each * side + longest) // (2 * longest)) for each in (height, width)]
    return _locked(area_means(samples, *size))


def _locked(samples: NDArray[np.uint8]) -> NDArray[np.uint8]:
    samples.flags.writeable = False
    return samples


def _webp(samples: NDArray[np.uint8]) -> bytes:
    out = BytesIO()
    Image.fromarray(np.ascontiguousarray(samples[:, :, :3])).save(out, "WEBP", quality=QUALITY, method=METHOD)
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
    missing = [at for at, each in enumerate(found) if not each]
    if not missing:
        return found
    with ThreadPoolExecutor() as pool:
        made = pool.map(partial(_from_picture, size=size), pictures_at(corpus, positions[missing]))
        for at, thumbnail in zip(missing, made, strict=True):
            found[at] = thumbnail
    return found


def _from_picture(held: Held, *, size: Side) -> bytes:
    if isinstance(held, PictureError):
        raise held
    return _webp(reduced(read_picture(held).on_white().samples, size))
