"""Thumbnails: small pictures as WebP, made once by the step ``pictures`` and read one by one."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tamis.analytics.signals.image_pixels import area_means
from tamis.analytics.steps.per_row import PICTURES_STEP
from tamis.data.artifact import Artifact
from tamis.data.corpus import Corpus
from tamis.data.documents import Documents
from tamis.data.errors import StoreError
from tamis.data.picture import Picture

Side = Literal[128, 320]
SMALL: Side = 128
LARGE: Side = 320
QUALITY, METHOD = 75, 0
"""Settings of the WebP encoder: method 0 takes a quarter of the time of the usual 4, for a fifth more bytes."""


def make_thumbnails(picture: Picture) -> tuple[bytes, bytes]:
    """Return the small and the large thumbnail as WebP: longest side at most 128 and 320, never enlarged."""
    pixels = picture.pixels
    if picture.alpha is not None:
        pixels = np.concatenate([pixels, picture.alpha[:, :, None]], axis=2)
    large = _reduced(pixels, LARGE)
    small = _reduced(large, SMALL)
    encoded = _webp(large)
    return encoded if small is large else _webp(small), encoded


def _reduced(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    height, width, _ = pixels.shape
    longest = max(height, width)
    if longest <= side:
        return pixels
    size = [max(1, (2 * each * side + longest) // (2 * longest)) for each in (height, width)]
    return np.asarray(area_means(np.ascontiguousarray(pixels), *size))


def _webp(pixels: NDArray[np.uint8]) -> bytes:
    out = BytesIO()
    Image.fromarray(pixels).save(out, "WEBP", quality=QUALITY, method=METHOD)
    return out.getvalue()


def joined(pictures: Sequence[tuple[bytes, bytes]]) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int64]]:
    """Return thumbnails one after another, uint8 each, and where they end, int64 (n, 2): of small and of large ones."""
    small, large = (np.frombuffer(b"".join(each[at] for each in pictures), dtype=np.uint8) for at in (0, 1))
    sizes = np.array([[len(each) for each in pair] for pair in pictures], dtype=np.int64).reshape(-1, 2)
    return small, large, np.cumsum(sizes, axis=0)


class _Study(Protocol):
    @property
    def corpus(self) -> Corpus: ...


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
    """
    if artifact.manifest.step != PICTURES_STEP:
        raise StoreError("Thumbnails are kept by another step", value=artifact.manifest.step, allowed=PICTURES_STEP)
    wanted = np.asarray(rows, dtype=np.int64)
    found = []
    firsts = [shard.first for shard in corpus.shards()]
    for position in documents.order[wanted].tolist():
        shard = int(np.searchsorted(firsts, position, side="right")) - 1
        ends = artifact.array(f"ends-{shard:05d}", mmap=True)[:, 0 if size == SMALL else 1]
        row = position - firsts[shard]
        held = artifact.array(f"{'small' if size == SMALL else 'large'}-{shard:05d}", mmap=True)
        found.append(held[int(ends[row - 1]) if row else 0 : int(ends[row])].tobytes())
    return found
