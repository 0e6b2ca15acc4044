"""Small pictures made on the spot: sound ones of many kinds, and damaged ones with what is wrong with them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

HEIGHT, WIDTH = 40, 56


def scene(seed: int = 0, *, height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint8]:
    """Return smooth colours with noise, uint8 (height, width, 3)."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 255, (5, 6, 3), dtype=np.uint8))
    smooth = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)).astype(np.int64)
    return np.clip(smooth + rng.normal(0, 4, smooth.shape), 0, 255).astype(np.uint8)


def encoded(pixels: NDArray[Any] | Image.Image, kind: str, **options: Any) -> bytes:
    """Return a picture as a file."""
    out = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(out, kind, **options)
    return out.getvalue()


def turned(pixels: NDArray[np.uint8], orientation: int, kind: str = "PNG") -> bytes:
    """Return a picture whose EXIF data say that it is to be turned."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(pixels, kind, exif=exif)


def _others() -> list[Image.Image]:
    """Return further frames; fresh ones, for the library keeps on a frame how it was saved as JPEG."""
    return [Image.fromarray(scene(k)) for k in (1, 2)]


def sound() -> Mapping[str, tuple[bytes, tuple[str, str, int]]]:
    """Return files that are pictures by name, each with its format, mode and number of frames."""
    pixels = scene()
    image = Image.fromarray(pixels)
    grey16 = Image.fromarray(np.arange(HEIGHT * WIDTH, dtype=np.uint16).reshape(HEIGHT, WIDTH) * 29)
    clear = image.convert("RGBA")
    clear.putalpha(Image.fromarray(np.linspace(0, 255, HEIGHT * WIDTH).astype(np.uint8).reshape(HEIGHT, WIDTH)))
    palette = image.quantize(8)
    return {
        "plain.jpg": (encoded(image, "JPEG"), ("jpeg", "RGB", 1)),
        "progressive.jpg": (encoded(image, "JPEG", progressive=True), ("jpeg", "RGB", 1)),
        "cmyk.jpg": (encoded(image.convert("CMYK"), "JPEG"), ("jpeg", "CMYK", 1)),
        "grey.jpg": (encoded(image.convert("L"), "JPEG"), ("jpeg", "L", 1)),
        "two in one.jpg": (encoded(image, "MPO", save_all=True, append_images=_others()[:1]), ("jpeg", "RGB", 2)),
        "16 bit.png": (encoded(grey16, "PNG"), ("png", "I;16", 1)),
        "palette.png": (encoded(palette, "PNG"), ("png", "P", 1)),
        "palette with a clear colour.png": (encoded(palette, "PNG", transparency=0), ("png", "P", 1)),
        "grey and alpha.png": (encoded(clear.convert("LA"), "PNG"), ("png", "LA", 1)),
        "clear.png": (encoded(clear, "PNG"), ("png", "RGBA", 1)),
        "one bit.png": (encoded(image.convert("1"), "PNG"), ("png", "1", 1)),
        "animated.png": (encoded(image, "PNG", save_all=True, append_images=_others()), ("png", "RGB", 3)),
        "turned.png": (turned(pixels, 6), ("png", "RGB", 1)),
        "a png.jpg": (encoded(image, "PNG"), ("png", "RGB", 1)),
        "lossless.webp": (encoded(image, "WEBP", lossless=True), ("webp", "RGB", 1)),
        "animated.webp": (encoded(image, "WEBP", save_all=True, append_images=_others()), ("webp", "RGB", 3)),
        "animated.gif": (encoded(image, "GIF", save_all=True, append_images=_others()), ("gif", "P", 3)),
        "plain.bmp": (encoded(image, "BMP"), ("bmp", "RGB", 1)),
        "packed.tif": (encoded(image, "TIFF", compression="tiff_lzw"), ("tiff", "RGB", 1)),
        "pages.tif": (encoded(image, "TIFF", save_all=True, append_images=_others()), ("tiff", "RGB", 3)),
        "plain.avif": (encoded(image, "AVIF"), ("avif", "RGB", 1)),
        "dot.png": (encoded(scene(height=1, width=1), "PNG"), ("png", "RGB", 1)),
        "wide.png": (encoded(scene(height=8, width=30_000), "PNG"), ("png", "RGB", 1)),
    }


def damaged() -> Mapping[str, tuple[bytes, str]]:
    """Return files that are none by name, each with what must be said of it."""
    image = Image.fromarray(scene())
    cut = {
        f"cut.{name}": (raw[: len(raw) // 2], f"the {kind} is damaged or cut short")
        for name, kind, raw in (
            ("jpg", "jpeg", encoded(image, "JPEG")),
            ("png", "png", encoded(image, "PNG")),
            ("gif", "gif", encoded(image, "GIF")),
            ("bmp", "bmp", encoded(image, "BMP")),
            ("tif", "tiff", encoded(image, "TIFF", compression="tiff_lzw")),
        )
    }
    flipped = bytearray(encoded(image, "PNG"))
    flipped[len(flipped) // 2] ^= 0xFF
    floats = Image.fromarray(np.linspace(0, 1, HEIGHT * WIDTH, dtype=np.float32).reshape(HEIGHT, WIDTH))
    return {
        **cut,
        "cut.webp": (encoded(image, "WEBP")[:200], "the webp is damaged or cut short"),
        "cut.avif": (encoded(image, "AVIF")[:200], "the avif is damaged or cut short"),
        "flipped.png": (bytes(flipped), "the png is damaged or cut short"),
        "12 bits.jpg": (twelve_bits(encoded(image, "JPEG")), "a jpeg of 12 bits a sample is not read"),
        "phone.jpg": (b"\0\0\0\x18ftypheic" + bytes(60), "HEIC and HEIF are not read"),
        "zip.jpg": (b"PK\x03\x04" + bytes(60), "it is a zip archive, not a picture"),
        "drawing.png": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "it is SVG, a vector drawing, not a picture"),
        "page.jpg": (b"<!DOCTYPE html><html></html>", "it is a web page, not a picture"),
        "words.jpg": (b"not found", "it is not a picture that is read"),
        "zeros.jpg": (bytes(500), "it holds nothing but zero bytes"),
        "empty.png": (b"", "the picture has no bytes"),
        "floats.tif": (encoded(floats, "TIFF"), "samples of 32 bits (F) have no stated range"),
        "bomb.png": (encoded(Image.new("1", (10_000, 9_000)), "PNG"), "more than 89 megapixels"),
        "larger bomb.png": (encoded(Image.new("1", (20_000, 9_000)), "PNG"), "more than 89 megapixels"),
        "bomb.webp": (_webp_header(16_000, 16_000), "more than 89 megapixels"),
    }


def twelve_bits(raw: bytes) -> bytes:
    """Return a JPEG whose frame states 12 bits a sample."""
    place = raw.index(b"\xff\xc0") + 4
    return raw[:place] + b"\x0c" + raw[place + 1 :]


def _webp_header(width: int, height: int) -> bytes:
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + (100).to_bytes(4, "little") + b"WEBPVP8X" + (10).to_bytes(4, "little") + bytes(4) + canvas


def write_files(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files below a folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder
