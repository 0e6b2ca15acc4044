"""One picture: encoded bytes to pixels, or the reason why they are none."""

from __future__ import annotations

import struct
import threading
import warnings
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from tamis.data.errors import PictureError

FORMATS = {
    "JPEG": "jpeg", "MPO": "jpeg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "BMP": "bmp", "TIFF": "tiff",
    "AVIF": "avif",
}  # fmt: skip
"""Formats that are read: name in the library to name here. No vector format is one: it is a program, not pixels."""

MOST_PIXELS = 89_478_485
"""Pixels above which a picture is not decoded: a quarter of a GiB at three bytes each; the library warns there."""

MOST_PICTURE_BYTES = 256 << 20
"""Bytes above which an encoded picture is not read."""

_LARGE = 1 << 24
"""Pixels from which on pictures are decoded one at a time, so that memory does not grow with the number of threads."""

_ONE = threading.Lock()
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
_WIDE = ("I", "F")
# What the library warns of, such as EXIF data that cannot be read, changes no pixel.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture, turned as its EXIF data say.

    Attributes:
        pixels: uint8 (h, w, 3), red, green and blue; colour profiles are not applied, CMYK becomes RGB by the plain
            formula, samples of 16 bits lose their low byte, a palette is looked up.
        alpha: uint8 (h, w), how opaque each pixel is; None where all of it is.
        format: ``jpeg``, ``png``, ``webp``, ``gif``, ``bmp``, ``tiff`` or ``avif``, by the content.
        mode: the library's name for the samples of the file, such as ``RGB``, ``L``, ``P``, ``CMYK``, ``I;16``.
        frames: number of frames or pages; the pixels are those of the first.
    """

    pixels: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None
    format: str
    mode: str
    frames: int

    @property
    def width(self) -> int:
        """Return the number of columns."""
        return self.pixels.shape[1]

    @property
    def height(self) -> int:
        """Return the number of rows."""
        return self.pixels.shape[0]

    def on_white(self) -> NDArray[np.uint8]:
        """Return the pixels as they look on white, uint8 (h, w, 3)."""
        if self.alpha is None:
            return self.pixels
        alpha = self.alpha[:, :, None].astype(np.uint16)
        return ((self.pixels * alpha + (255 - alpha) * np.uint16(255) + 127) // 255).astype(np.uint8)


def read_picture(raw: bytes) -> Picture:
    """Return the decoded picture, its first frame where there are several.

    Its size is checked before anything is decoded.

    Raises:
        PictureError: not a picture, damaged, cut short, too large, or of a kind that is not read.
    """
    if not raw:
        raise PictureError("the picture has no bytes")
    if len(raw) > MOST_PICTURE_BYTES:
        raise PictureError(f"the picture is larger than {MOST_PICTURE_BYTES >> 20} MiB")
    _check_size(*(_webp_size(raw) or (1, 1)))
    image = _opened(raw)
    _check_size(*image.size)
    with _turn_of(image.size):
        try:
            image.load()
            turned = _turned(image)
            pixels, alpha = _samples(turned)
        except PictureError:
            raise
        except Exception as error:  # The decoders raise OSError, SyntaxError, ValueError, struct.error and others.
            raise PictureError(f"the {FORMATS[image.format or '']} is damaged or cut short ({_said(error)})") from error
    return Picture(pixels, alpha, FORMATS[image.format or ""], image.mode, _frames(image))


def _opened(raw: bytes) -> Image.Image:
    """Return the picture with its header read."""
    try:
        image = Image.open(BytesIO(raw), formats=[name for name in FORMATS if name != "MPO"])
    except UnidentifiedImageError as error:
        raise PictureError(_what_else(raw)) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureError(_too_large()) from error
    except Exception as error:  # As above: a damaged header.
        raise PictureError(f"the picture is damaged ({_said(error)})") from error
    if image.format not in FORMATS:
        raise PictureError(f"pictures of the kind {image.format} are not read")
    return image


def _check_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise PictureError(f"{_too_large()}: {width:,} x {height:,}")


def _too_large() -> str:
    return f"the picture has more than {MOST_PIXELS / 1e6:.0f} megapixels"


def _turn_of(size: tuple[int, int]) -> AbstractContextManager[object]:
    return _ONE if size[0] * size[1] >= _LARGE else nullcontext()


def _turned(image: Image.Image) -> Image.Image:
    """Return the picture turned as its EXIF data say; EXIF data that cannot be read say nothing."""
    try:
        method = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # Raised for many forms of damage; the pixels are sound.
        method = None
    return image if method is None else image.transpose(method)


def _samples(image: Image.Image) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Return red, green and blue, and how opaque each pixel is."""
    mode = image.mode
    if mode in _WIDE:
        raise PictureError(f"samples of 32 bits ({mode}) have no stated range")
    if mode.startswith("I;16"):
        grey = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2), None
    if image.has_transparency_data:
        both = np.asarray(image.convert("RGBA"))
        alpha = np.ascontiguousarray(both[:, :, 3])
        return np.ascontiguousarray(both[:, :, :3]), alpha if alpha.min(initial=255) < 255 else None
    return np.asarray(image if mode == "RGB" else image.convert("RGB")), None


def _frames(image: Image.Image) -> int:
    try:
        return max(1, int(getattr(image, "n_frames", 1)))
    except Exception:  # Later frames may be damaged; the first is sound.
        return 1


def _webp_size(raw: bytes) -> tuple[int, int] | None:
    """Return width and height of a WebP by its header: the library makes room for it when it opens it."""
    if raw[:4] != b"RIFF" or raw[8:12] != b"WEBP" or len(raw) < 30:
        return None
    if raw[12:16] == b"VP8X":
        return 1 + int.from_bytes(raw[24:27], "little"), 1 + int.from_bytes(raw[27:30], "little")
    if raw[12:16] == b"VP8L":
        bits = int.from_bytes(raw[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack("<HH", raw[26:30])
    return width & 0x3FFF, height & 0x3FFF


_OTHERS = {
    b"PK\x03\x04": "a zip archive", b"%PDF": "a PDF", b"\x1f\x8b": "gzip", b"<svg": "SVG, a vector drawing",
    b"<?xml": "XML (SVG?)", b"<!DOC": "a web page", b"<html": "a web page", b"PAR1": "Parquet",
}  # fmt: skip


def _what_else(raw: bytes) -> str:
    """Return why bytes that no decoder takes are no picture."""
    found = next((what for magic, what in _OTHERS.items() if raw.lstrip()[: len(magic)].lower() == magic.lower()), None)
    if found is not None:
        return f"it is {found}, not a picture"
    if not raw.strip(b"\0"):
        return "it holds nothing but zero bytes"
    return f"it is not a picture that is read ({', '.join(dict.fromkeys(FORMATS.values()))})"


def _said(error: Exception) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0][:100]
