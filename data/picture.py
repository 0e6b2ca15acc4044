"""One picture: encoded bytes to pixels, or the reason why they are none."""

from __future__ import annotations

import struct
import threading
import warnings
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from io import BytesIO

import numpy as np
import pyarrow as pa
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

_IN_ONE = 8 << 20
"""Bytes of pixels that the library keeps in one piece of memory; its pieces have 16 MiB."""

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

    Colour profiles are not applied, CMYK becomes RGB by the plain formula, samples of 16 bits lose their low byte, a
    palette is looked up.

    Attributes:
        words: uint32 (h, w), a word a pixel: red in its lowest byte, then green, blue, and how opaque it is.
        has_alpha: whether some pixel is not opaque.
        format: ``jpeg``, ``png``, ``webp``, ``gif``, ``bmp``, ``tiff`` or ``avif``, by the content.
        mode: the library's name for the samples of the file, such as ``RGB``, ``L``, ``P``, ``CMYK``, ``I;16``.
        frames: number of frames or pages; the pixels are those of the first.
    """

    words: NDArray[np.uint32]
    has_alpha: bool
    format: str
    mode: str
    frames: int

    @property
    def width(self) -> int:
        """Return the number of columns."""
        return self.words.shape[1]

    @property
    def height(self) -> int:
        """Return the number of rows."""
        return self.words.shape[0]

    @property
    def samples(self) -> NDArray[np.uint8]:
        """Return red, green, blue and alpha, uint8 (h, w, 4)."""
        return self.words.view(np.uint8).reshape(*self.words.shape, 4)

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """Return red, green and blue, uint8 (h, w, 3)."""
        return self.samples[:, :, :3]

    @property
    def alpha(self) -> NDArray[np.uint8] | None:
        """Return how opaque each pixel is, uint8 (h, w); None where all are."""
        return self.samples[:, :, 3] if self.has_alpha else None

    def on_white(self) -> Picture:
        """Return the picture as it looks on white, without transparency."""
        if not self.has_alpha:
            return self
        alpha = self.samples[:, :, 3:].astype(np.uint16)
        shown = np.full((*self.words.shape, 4), 255, dtype=np.uint8)
        shown[:, :, :3] = (self.pixels * alpha + (255 - alpha) * np.uint16(255) + 127) // 255
        return replace(self, words=_locked(shown.view(np.uint32)[:, :, 0]), has_alpha=False)


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
            words, has_alpha = _words(turned)
        except PictureError:
            raise
        except Exception as error:  # The decoders raise OSError, SyntaxError, ValueError, struct.error and others.
            raise PictureError(f"the {FORMATS[image.format or '']} is damaged or cut short ({_said(error)})") from error
    return Picture(words, has_alpha, FORMATS[image.format or ""], image.mode, _frames(image))


def _opened(raw: bytes) -> Image.Image:
    """Return the picture with its header read."""
    try:
        image = Image.open(BytesIO(raw), formats=[name for name in FORMATS if name != "MPO"])
    except UnidentifiedImageError as error:
        raise PictureError(_what_else(raw)) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureError(_too_large()) from error
    except Exception as error:  # As above: a damaged header.
        raise PictureError(f"the {_begins_as(raw) or 'picture'} is damaged or cut short ({_said(error)})") from error
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


def _words(image: Image.Image) -> tuple[NDArray[np.uint32], bool]:
    """Return a word a pixel, and whether some pixel is not opaque."""
    if image.mode in _WIDE:
        raise PictureError(f"samples of 32 bits ({image.mode}) have no stated range")
    if image.mode.startswith("I;16"):
        grey = np.asarray(image).astype(np.uint32) >> np.uint32(8)
        return _locked(grey * np.uint32(0x010101) + np.uint32(0xFF000000)), False
    if image.has_transparency_data:
        words = _shared(image.convert("RGBA"))
        has_alpha = bool((words < np.uint32(0xFF000000)).any())
        return words, has_alpha
    return _shared(image if image.mode == "RGB" else image.convert("RGB")), False


def _shared(image: Image.Image) -> NDArray[np.uint32]:
    """Return the words of a picture of four bytes a pixel; without a copy where its rows lie in one piece."""
    width, height = image.size
    if width * height * 4 <= _IN_ONE:
        return _view(image)
    words = np.empty((height, width), dtype=np.uint32)
    step = max(1, _IN_ONE // (4 * width))
    for top in range(0, height, step):
        bottom = min(height, top + step)
        words[top:bottom] = _view(image.crop((0, top, width, bottom)))
    return _locked(words)


def _view(image: Image.Image) -> NDArray[np.uint32]:
    held: NDArray[np.uint8] = pa.array(image).values.to_numpy(zero_copy_only=True)
    return held.view(np.uint32).reshape(image.height, image.width)


def _locked(words: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return an array that nobody writes: kernels are compiled for such arrays only."""
    words.flags.writeable = False
    return words


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


_BEGINS = {
    b"\xff\xd8\xff": "jpeg", b"\x89PNG\r\n\x1a\n": "png", b"GIF8": "gif", b"BM": "bmp", b"II*\0": "tiff",
    b"MM\0*": "tiff", b"RIFF": "webp",
}  # fmt: skip


def _begins_as(raw: bytes) -> str | None:
    """Return the format that the first bytes state, None if they state none that is read."""
    if raw[4:12] == b"ftypavif":
        return "avif"
    return next((kind for magic, kind in _BEGINS.items() if raw.startswith(magic)), None)


_HEIF = (b"heic", b"heix", b"hevc", b"mif1", b"msf1")


def _bits_of_jpeg(raw: bytes) -> int:
    """Return the bits of a sample that the header of a JPEG states, 8 where it states none."""
    place = 2
    while place + 5 <= len(raw) and raw[place] == 0xFF:
        marker, size = raw[place + 1], int.from_bytes(raw[place + 2 : place + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return raw[place + 4]
        place += 2 + size
    return 8


def _what_else(raw: bytes) -> str:
    """Return why bytes that no decoder takes are no picture."""
    begun = _begins_as(raw)
    bits = _bits_of_jpeg(raw) if begun == "jpeg" else 8
    if bits != 8:
        return f"a jpeg of {bits} bits a sample is not read"
    if raw[4:8] == b"ftyp" and raw[8:12] in _HEIF:
        return "HEIC and HEIF are not read"
    if begun is not None:
        return f"the {begun} is damaged or cut short"
    found = next((what for magic, what in _OTHERS.items() if raw.lstrip()[: len(magic)].lower() == magic.lower()), None)
    if found is not None:
        return f"it is {found}, not a picture"
    if not raw.strip(b"\0"):
        return "it holds nothing but zero bytes"
    return f"it is not a picture that is read ({', '.join(dict.fromkeys(FORMATS.values()))})"


def _said(error: Exception) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0][:100]
