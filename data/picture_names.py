"""Names of picture files in a folder: the end by content, safe on every system, no two alike."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath

_ENDS = {"jpg": ".jpg", "png": ".png", "gif": ".gif", "webp": ".webp", "bmp": ".bmp", "tif": ".tif", "avif": ".avif"}
_SAME = {".jpeg": "jpg", ".jpe": "jpg", ".jfif": "jpg", ".tiff": "tif", ".apng": "png", ".dib": "bmp", ".avifs": "avif"}
_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_MOST_BYTES = 120
"""Bytes of a part of a path; systems allow 255, and a number may follow."""


def picture_suffix(raw: bytes, name: str = "") -> str:
    """Return the end of the name of a picture file.

    Args:
        raw: its first bytes, at least 32.
        name: the name it had; its end is kept where it says what the bytes are.
    """
    kind = _kind(raw)
    own = PurePosixPath(name).suffix.lower()
    if not kind:
        return own
    return own if own in (_ENDS[kind], f".{kind}") or _SAME.get(own) == kind else _ENDS[kind]


def _kind(raw: bytes) -> str:
    starts = {b"\xff\xd8\xff": "jpg", b"\x89PNG": "png", b"GIF8": "gif", b"BM": "bmp", b"II*\0": "tif", b"MM\0*": "tif"}
    if raw[:4] == b"RIFF" and raw[8:12] == b"WEBP":
        return "webp"
    if raw[4:8] == b"ftyp" and b"avi" in raw[8:32]:
        return "avif"
    return next((kind for start, kind in starts.items() if raw.startswith(start)), "")


def safe_name(text: str) -> str:
    """Return a text as a part of a path that every system takes, empty where nothing of it is left."""
    name = _UNSAFE.sub("_", unicodedata.normalize("NFC", text)).lstrip("._ ").rstrip(". ")
    cut = name.encode()[:_MOST_BYTES].decode(errors="ignore").rstrip(". ")
    return f"{cut}_" if _RESERVED.fullmatch(cut) else cut


class FileNames:
    """The names given in a folder so far: each is given once, also where capitals are not told apart."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def give(self, folder: str, stem: str, suffix: str) -> str:
        """Return a path that was not given before: with a number where this one was.

        Args:
            folder: below the folder of all, empty for itself.
            stem: the wished name without its end.
            suffix: its end, with the dot.
        """
        base = f"{folder}/{stem}" if folder else stem
        path, number = base + suffix, 1
        while path.casefold() in self._taken:
            number += 1
            path = f"{base}-{number}{suffix}"
        self._taken.add(path.casefold())
        return path
