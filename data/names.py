"""Names that become files: an allow-list of characters, and paths that never leave their folder."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from tamis.data.errors import SettingError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
ALLOWED = "1 to 96 letters, digits, dots, dashes and underscores, beginning with a letter or digit"


def check_name(name: str, *, what: str = "Name") -> str:
    """Return ``name`` when it is safe as a file name.

    Raises:
        SettingError: the name is empty, too long or has other characters.
    """
    if not _NAME.fullmatch(name):
        raise SettingError(f"{what} is not allowed", value=name, allowed=ALLOWED)
    return name


def near_name(text: str, *, what: str = "Name") -> str:
    """Return the allowed name that is nearest to what a person typed: ``my target`` gives ``my-target``.

    Letters lose their accents; every run of other characters becomes one dash.

    Raises:
        SettingError: no letter a to z and no digit is left.
    """
    if _NAME.fullmatch(text):
        return text
    folded = "".join(mark for mark in unicodedata.normalize("NFKD", text) if not unicodedata.combining(mark))
    name = re.sub(r"-{2,}", "-", re.sub(r"[^A-Za-z0-9._-]+", "-", folded)).strip("-._")[:96].rstrip("-._")
    if not name:
        raise SettingError(f"{what} is not allowed", value=text, allowed=ALLOWED)
    return name


def inside(folder: Path, name: str, *, what: str = "Name") -> Path:
    """Return ``folder / name``, checked: the name is allowed and the resolved path stays inside the folder.

    Raises:
        SettingError: the name is not allowed or a link leads outside.
    """
    path = folder / check_name(name, what=what)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise SettingError(f"{what} leads outside its folder", value=name, allowed=ALLOWED)
    return path
