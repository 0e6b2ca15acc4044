"""Pictures with known duplicates: ``edited_pictures.py OUT --pictures 2000 --packages FOLDER``

The originals are drawings, photographs on nothing and parts of landscape photographs, from packages of Debian, fetched
by ``apt-get download``. No two of them look alike: of those whose 64 x 64 pixels correlate above 0.9, one is left out.
Each gets one copy per edit, in files ``NUMBER.EDIT.jpg`` or ``.png``; ``NUMBER.original`` is the original.
"""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.random import Generator, default_rng
from PIL import Image, ImageDraw, ImageFont, ImageOps

DRAWINGS, CUTOUTS = "openclipart-png", "tuxpaint-stamps-default"
LANDSCAPES = ("gnome-backgrounds", "mate-backgrounds", "plasma-workspace-wallpapers")
SERIES = "stars"
"""A folder of 1,378 drawings made by one formula, most of which are near-duplicates of others."""
LONGEST, TILE = 800, (640, 480)
ALIKE = 0.9


def unpack(folder: Path, package: str) -> Path:
    """Fetch a package once and return the folder of its files."""
    own = folder / package
    if not own.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", package], cwd=folder, check=True)
        (held,) = folder.glob(f"{package}_*.deb")
        subprocess.run(["dpkg-deb", "-x", held, own], check=True)
    return own


def candidates(folder: Path, chance: Generator) -> Iterator[tuple[str, Image.Image]]:
    """Yield kind and picture without end of drawings, cut-outs and parts of landscapes in turn, each on white."""
    files = [shuffled(unpack(folder, name), chance) for name in (DRAWINGS, CUTOUTS)]
    wide = [path for name in LANDSCAPES for path in shuffled(unpack(folder, name), chance)]
    tiles = tiles_of(wide, chance)
    places = [0, 0]
    while True:
        for at, kind in enumerate(("drawing", "cutout")):
            if places[at] < len(files[at]):
                places[at] += 1
                yield kind, opened(files[at][places[at] - 1])
        tile = next(tiles, None)
        if tile is not None:
            yield "landscape", tile


def shuffled(folder: Path, chance: Generator) -> list[Path]:
    """Return the pictures of a folder in an order of chance."""
    found = sorted(
        path for path in folder.rglob("*")
        if path.suffix in (".png", ".jpg", ".webp") and path.is_file() and SERIES not in path.parts
    )  # fmt: skip
    return [found[k] for k in chance.permutation(len(found))]


def opened(path: Path) -> Image.Image:
    """Return a picture on white, its longest side at most 800."""
    image = Image.open(path).convert("RGBA")
    image.thumbnail((LONGEST, LONGEST))
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def tiles_of(paths: Sequence[Path], chance: Generator) -> Iterator[Image.Image]:
    """Yield parts of large pictures that do not overlap, in an order of chance."""
    boxes = []
    for path in paths:
        width, height = Image.open(path).size
        if path.suffix in (".jpg", ".webp") and width >= 1900:
            wide, high = width // 3, height // 3
            boxes += [(path, (i * wide, j * high, (i + 1) * wide, (j + 1) * high)) for i in range(3) for j in range(3)]
    for k in chance.permutation(len(boxes)):
        path, box = boxes[k]
        yield ImageOps.fit(Image.open(path).convert("RGB").crop(box), TILE)


def originals(folder: Path, count: int, chance: Generator) -> Iterator[tuple[str, Image.Image]]:
    """Yield pictures no two of which look alike, without those of hardly any content."""
    seen = np.empty((0, 64 * 64 * 3), dtype=np.float32)
    for kind, image in candidates(folder, chance):
        flat = np.asarray(image.resize((64, 64), Image.Resampling.BOX), dtype=np.float32).ravel()
        flat -= flat.mean()
        if min(image.size) < 64 or flat.std() < 8:
            continue
        flat /= np.linalg.norm(flat)
        if len(seen) and (seen @ flat).max() > ALIKE:
            continue
        seen = np.concatenate([seen, flat[None]])
        yield kind, image
        if len(seen) == count:
            return


def resized(image: Image.Image, chance: Generator) -> Image.Image:
    """Scale to 40 to 80%."""
    scale = chance.uniform(0.4, 0.8)
    return image.resize([max(8, round(side * scale)) for side in image.size], Image.Resampling.LANCZOS)


def reencoded(image: Image.Image, chance: Generator) -> Image.Image:
    """Encode as JPEG of quality 30 to 95."""
    stream = BytesIO()
    image.save(stream, "JPEG", quality=int(chance.integers(30, 96)))
    return Image.open(stream)


def cropped_corner(image: Image.Image, chance: Generator) -> Image.Image:
    """Cut 5% off the width and the height, at sides of chance."""
    width, height = image.size
    wide, high = round(width * 0.95), round(height * 0.95)
    left, top = (int(chance.integers(0, more + 1)) for more in (width - wide, height - high))
    return image.crop((left, top, left + wide, top + high))


def cropped_sides(image: Image.Image, chance: Generator) -> Image.Image:
    """Cut 5% off each of the four sides."""
    width, height = image.size
    return image.crop((round(width * 0.05), round(height * 0.05), round(width * 0.95), round(height * 0.95)))


def watermarked(image: Image.Image, chance: Generator) -> Image.Image:
    """Write across the middle, half transparent."""
    layer = Image.new("RGBA", image.size, (0, 0, 0, 0))
    pen, size = ImageDraw.Draw(layer), max(12, image.width // 9)
    font = ImageFont.load_default(size)
    place = (image.width * chance.uniform(0.05, 0.3), image.height * chance.uniform(0.3, 0.6))
    shade = int(chance.choice([0, 255]))
    pen.text(place, "© SAMPLE PHOTO", font=font, fill=(shade, shade, shade, 128))
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


def padded(image: Image.Image, chance: Generator) -> Image.Image:
    """Add a border of 4 to 12% on all sides, or above and below only."""
    share, colour = chance.uniform(0.04, 0.12), str(chance.choice(["white", "black"]))
    wide, high = (round(side * share) for side in image.size)
    return ImageOps.expand(image, (wide * int(chance.integers(0, 2)), high), colour)


def shifted(image: Image.Image, chance: Generator) -> Image.Image:
    """Make all colours lighter or darker by 20 to 50 of 255."""
    by = int(chance.integers(20, 51)) * int(chance.choice([-1, 1]))
    return Image.fromarray(np.clip(np.asarray(image, dtype=np.int16) + by, 0, 255).astype(np.uint8))


EDITS: dict[str, Callable[[Image.Image, Generator], Image.Image]] = {
    "resized": resized,
    "reencoded": reencoded,
    "cropped_corner": cropped_corner,
    "cropped_sides": cropped_sides,
    "watermarked": watermarked,
    "padded": padded,
    "shifted": shifted,
}


def write(out: Path, packages: Path, count: int) -> None:
    """Write all pictures."""
    out.mkdir(parents=True, exist_ok=True)
    for number, (kind, image) in enumerate(originals(packages, count, default_rng(7))):
        chance = default_rng([11, number])
        suffix = "png" if kind == "drawing" else "jpg"
        image.save(out / f"{number:05d}.original.{suffix}", quality=92)
        for name, edit in EDITS.items():
            made = edit(image, chance)
            end = "jpg" if name == "reencoded" else suffix
            how = {"quality": "keep"} if name == "reencoded" else {"quality": 90}
            made.save(out / f"{number:05d}.{name}.{end}", **how)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pictures", type=int, default=2_000)
    parser.add_argument("--packages", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    write(chosen.out, chosen.packages, chosen.pictures)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
