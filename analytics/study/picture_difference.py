"""Two pictures side by side: where they differ, once they lie on each other."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SEEN = 16
"""Difference of a pixel, of 255 in its strongest channel, from which people see it; smaller ones come from encoding."""
STRONGER = 4
"""Times the difference is made brighter in the picture."""
_REACH = 3
_COARSE = 48
_PAPER = (128, 128, 128)
"""What stands behind transparent pixels: neither black nor white drawings are lost on it."""


@dataclass(frozen=True)
class PictureDifference:
    """Where two pictures differ.

    Attributes:
        picture: WebP: black where they are the same, ``STRONGER`` times the absolute difference elsewhere.
        mean: absolute difference of all pixels and channels, 0 to 255.
        share: of the pixels that differ by more than ``SEEN`` in a channel, 0 to 1.
        shift: pixels of the left picture by which the right one was moved to lie on it, (right, down).
    """

    picture: bytes
    mean: float
    share: float
    shift: tuple[int, int]


def picture_difference(left: bytes, right: bytes) -> PictureDifference:
    """Compare two thumbnails.

    The right one takes the size of the left one and is moved by at most 6% of a side to where the mean absolute
    difference of small grey pictures is least; of equal places the nearest, then the first, wins.

    Args:
        left, right: pictures that Pillow reads.
    """
    one = _opened(left)
    other = _opened(right).resize(one.size, Image.Resampling.LANCZOS)
    small = (_COARSE, _COARSE)
    down, aside = _best_shift(*(np.asarray(each.convert("L").resize(small)) for each in (one, other)))
    width, height = one.size
    shift = (round(aside * width / _COARSE), round(down * height / _COARSE))
    first = np.asarray(one, dtype=np.int16)
    difference = np.abs(first - _moved(np.asarray(other, dtype=np.int16), shift))
    bright = np.minimum(difference * STRONGER, 255).astype(np.uint8)
    seen = float(np.mean(difference.max(axis=2) > SEEN))
    return PictureDifference(_webp(Image.fromarray(bright)), float(difference.mean()), seen, shift)


def _opened(data: bytes) -> Image.Image:
    """Return a picture in RGB, transparent pixels on grey."""
    with Image.open(BytesIO(data)) as found:
        drawn = found.convert("RGBA")
    paper = Image.new("RGBA", drawn.size, (*_PAPER, 255))
    return Image.alpha_composite(paper, drawn).convert("RGB")


def _best_shift(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> tuple[int, int]:
    """Return by how many pixels (down, right) the other grey picture is moved to lie on the first."""
    places = [(down, aside) for down in range(-_REACH, _REACH + 1) for aside in range(-_REACH, _REACH + 1)]
    first, second = one.astype(np.int16), other.astype(np.int16)
    inner = slice(_REACH, -_REACH)

    def apart(place: tuple[int, int]) -> tuple[float, int, tuple[int, int]]:
        moved = np.roll(second, place, axis=(0, 1))
        distance = float(np.abs(first[inner, inner] - moved[inner, inner]).mean())
        return distance, abs(place[0]) + abs(place[1]), place

    return min(map(apart, places))[2]


def _moved(pixels: NDArray[np.int16], shift: tuple[int, int]) -> NDArray[np.int16]:
    """Return a picture moved to the right and down; its edge goes on where nothing moved in."""
    aside, down = shift
    height, width = pixels.shape[:2]
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - aside, 0, width - 1)
    return pixels[rows][:, columns]


def _webp(picture: Image.Image) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, "WEBP", quality=85, method=4)
    return buffer.getvalue()
