"""The same small pictures in every form a corpus of pictures has."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageDraw

KINDS = (("PNG", ".png"), ("JPEG", ".jpg"), ("WEBP", ".webp"), ("GIF", ".gif"), ("BMP", ".bmp"))
LABELS = ("bus", "train", "dog")
ORIENTATION = 274


@dataclass(frozen=True)
class DrawnPicture:
    """An encoded picture with what is said of it.

    Attributes:
        name: of its file, the same for some of them under other labels.
        raw: its bytes.
        caption: None where it has none.
        label: one of ``LABELS``.
    """

    name: str
    raw: bytes
    caption: str | None
    label: str

    @property
    def path(self) -> str:
        """Return its path in a folder by label."""
        return f"{self.label}/{self.name}"


def draw(number: int) -> bytes:
    """Return an encoded picture that differs from all others; one in five is turned by its EXIF data."""
    kind, _ = KINDS[number % len(KINDS)]
    image = Image.new("RGB", (40 + number % 9, 30 + number % 7), (number * 5 % 256, 90, 160))
    ImageDraw.Draw(image).rectangle((number % 17, 3, 12 + number % 23, 20), fill=(250, number * 3 % 256, 0))
    sink, options = io.BytesIO(), {}
    if kind == "JPEG":
        exif = Image.Exif()
        exif[ORIENTATION] = 6
        options = {"exif": exif}
    image.save(sink, kind, **options)
    return sink.getvalue()


def draw_pictures(count: int = 40) -> list[DrawnPicture]:
    """Return pictures of all kinds, some of one name, some without a caption."""
    drawn = []
    for number in range(count):
        suffix = KINDS[number % len(KINDS)][1]
        name = "test_tube" if number % 8 == 0 else f"picture {number}"
        caption = None if number % 6 == 5 else f"A drawing, number {number} of them, says “ü”"
        drawn.append(DrawnPicture(f"{name}{suffix}", draw(number), caption, LABELS[number * 7 // 5 % 3]))
    seen: dict[str, DrawnPicture] = {}
    for each in drawn:
        seen.setdefault(each.path, each)
    return sorted(seen.values(), key=lambda each: each.path)


def write_folder(folder: Path, pictures: Sequence[DrawnPicture]) -> Path:
    """Write files by label, with ``metadata.jsonl``."""
    lines = []
    for each in pictures:
        (folder / each.path).parent.mkdir(parents=True, exist_ok=True)
        (folder / each.path).write_bytes(each.raw)
        lines.append(json.dumps({"file_name": each.path, "caption": each.caption, "label": each.label}))
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def write_structs(folder: Path, pictures: Sequence[DrawnPicture]) -> Path:
    """Write Parquet with bytes and paths, as ``datasets`` does."""
    images = [{"bytes": each.raw, "path": each.name} for each in pictures]
    return _table(folder, pictures, pa.array(images, pa.struct([("bytes", pa.binary()), ("path", pa.string())])))


def write_bytes_column(folder: Path, pictures: Sequence[DrawnPicture]) -> Path:
    """Write Parquet with plain bytes, in the opposite order."""
    turned = list(reversed(pictures))
    return _table(folder, turned, pa.array([each.raw for each in turned], pa.binary()))


def write_named(folder: Path, pictures: Sequence[DrawnPicture]) -> Path:
    """Write JSON Lines that name files beside them."""
    write_folder(folder, pictures)
    (folder / "metadata.jsonl").unlink()
    lines = [json.dumps({"image": each.path, "caption": each.caption, "label": each.label}) for each in pictures]
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def write_tars(folder: Path, pictures: Sequence[DrawnPicture]) -> Path:
    """Write two WebDataset tars."""
    folder.mkdir(parents=True)
    for part in range(2):
        with tarfile.open(folder / f"{part}.tar", "w") as tar:
            for number, each in enumerate(pictures):
                if number % 2 == part:
                    members = {Path(each.name).suffix: each.raw, ".json": json.dumps({"label": each.label}).encode()}
                    if each.caption is not None:
                        members[".txt"] = each.caption.encode()
                    for end, raw in members.items():
                        info = tarfile.TarInfo(f"{number:04d}{end}")
                        info.size = len(raw)
                        tar.addfile(info, io.BytesIO(raw))
    return folder


def _table(folder: Path, pictures: Sequence[DrawnPicture], images: pa.Array) -> Path:
    folder.mkdir(parents=True)
    columns = {
        "image": images,
        "caption": pa.array([each.caption for each in pictures]),
        "label": pa.array([each.label for each in pictures]),
    }
    pq.write_table(pa.table(columns), folder / "a.parquet")
    return folder


FORMS: Mapping[str, Callable[[Path, Sequence[DrawnPicture]], Path]] = {
    "folder": write_folder, "structs": write_structs, "bytes": write_bytes_column, "named": write_named,
    "tars": write_tars,
}  # fmt: skip
"""Writers of a corpus by form."""
