"""Lists of phrases per language, found in texts: how answers refuse, and how they name themselves.

A list is a text file. Its first line is ``# name@version``; sections ``[en]`` hold one phrase a line. Sections
``[names]`` and ``[makers]`` fill the places ``{name}`` and ``{maker}`` of the others. A file of the same name in the
folder ``phrases`` of the workspace takes the place of the packaged one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.data.errors import SettingError

FOLDER = "phrases"
REFUSALS, IDENTITY = "refusals", "identity"
GAP = 80
"""Most characters that three dots in a phrase stand for."""
BEFORE, AFTER = 240, 160
"""Characters around the beginning of a name in which a phrase with it is looked for."""
_SLOTS = {"names": "{name}", "makers": "{maker}"}
_UNSPACED = ("zh", "ja")
_HEAD = re.compile(r"#\s*([a-z_]+@[0-9]+)\s*")
_SECTION = re.compile(r"\[([a-z_-]+)\]")
_BLANK = r"[\t-\r\x1c-\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]"


@dataclass(frozen=True)
class PhraseList:
    """Phrases that are looked for without regard to case.

    Attributes:
        key: ``name@version`` and the beginning of the digest of the file: it changes with every edit.
        sections: phrases by section.
        characters: how many characters of a text are read, None for all.
    """

    key: str
    sections: Mapping[str, tuple[str, ...]]
    characters: int | None = None

    @classmethod
    def parse(cls, text: str, *, source: str, characters: int | None = None) -> PhraseList:
        """Read a list.

        Raises:
            SettingError: its first line states no name@version, or a line stands in no section.
        """
        lines = text.splitlines()
        head = _HEAD.fullmatch(lines[0]) if lines else None
        if head is None:
            raise SettingError("A list of phrases begins with a line # name@version", value=source)
        found: dict[str, list[str]] = {}
        section = ""
        for line in (line.strip() for line in lines[1:]):
            named = _SECTION.fullmatch(line)
            if named:
                section = named[1]
            elif line and not line.startswith("#"):
                if not section:
                    raise SettingError(
                        "A phrase stands before the first section", value=line, allowed="[en]", fix=source
                    )
                found.setdefault(section, []).append(line.lower())
        made = cls(
            f"{head[1]}-{sha256(text.encode()).hexdigest()[:12]}",
            {name: tuple(phrases) for name, phrases in found.items()},
            characters,
        )
        if not made._expressions:
            raise SettingError("A list of phrases holds no phrase", value=source)
        return made

    def find(self, text: str) -> tuple[int, int] | None:
        """Return where the first phrase stands in a text, in code points, None if there is none."""
        read = text if self.characters is None else text[: self.characters]
        for begin, end in self._windows(read):
            match = self._pattern.search(read, begin, end)
            if match:
                return match.span()
        return None

    def found_in(self, texts: pa.Array) -> NDArray[np.bool_]:
        """Say which texts of a large_string array (n,) hold a phrase, bool (n,)."""
        read = texts if self.characters is None else pc.utf8_slice_codeunits(texts, 0, self.characters)
        maybe = pc.match_substring_regex(read, self._sieve, ignore_case=True)
        found = np.asarray(pc.fill_null(maybe, False).to_numpy(zero_copy_only=False), dtype=np.bool_)
        for row in np.flatnonzero(found):
            found[row] = self.find(read[int(row)].as_py()) is not None
        return found

    def _windows(self, text: str) -> list[tuple[int, int]]:
        """Return the ranges in which a phrase can stand: around each name and maker, if every phrase has one."""
        lower = text.lower()
        if not self._anchors or len(lower) != len(text):
            return [(0, len(text))]
        hits = sorted(match.start() for name in self._anchors for match in re.finditer(re.escape(name), lower))
        return [(max(0, hit - BEFORE), min(len(text), hit + AFTER)) for hit in hits]

    @cached_property
    def _anchors(self) -> tuple[str, ...]:
        """Return the first words of names and makers, none if a phrase has neither."""
        if not all("{" in phrase for _, phrase in self._expressions):
            return ()
        names = {phrase.split()[0] for source in _SLOTS for phrase in self.sections.get(source, ())}
        return tuple(sorted(names))

    @cached_property
    def _expressions(self) -> tuple[tuple[str, str], ...]:
        """Return language and phrase of all phrases whose places can be filled."""
        return tuple(
            (name, phrase)
            for name, phrases in self.sections.items()
            if name not in _SLOTS
            for phrase in phrases
            if all(slot not in phrase or self.sections.get(source) for source, slot in _SLOTS.items())
        )

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        fillings = {slot: _either(self.sections.get(name, ())) for name, slot in _SLOTS.items()}
        spaced = [_expression(phrase, fillings) for name, phrase in self._expressions if name not in _UNSPACED]
        others = [_expression(phrase, fillings) for name, phrase in self._expressions if name in _UNSPACED]
        bounded = [rf"(?<!\w)(?:{'|'.join(spaced)})(?!\w)"] if spaced else []
        return re.compile("|".join([*bounded, *others]), re.IGNORECASE)

    @cached_property
    def _sieve(self) -> str:
        """Return a pattern for RE2 that every text with a phrase matches: of each phrase its first firm piece."""
        firm = set()
        for _, phrase in self._expressions:
            source = next((name for name, slot in _SLOTS.items() if slot in phrase), None)
            firm |= set(self.sections[source]) if source else {phrase.partition("...")[0].strip()}
        return "|".join(_sieved(piece) for piece in sorted(firm))


def _either(phrases: Iterable[str]) -> str:
    ordered = sorted(phrases, key=lambda phrase: (-len(phrase), phrase))
    return f"(?:{'|'.join(_plain(phrase) for phrase in ordered)})"


def _plain(text: str) -> str:
    return r"\s+".join(re.escape(word).replace("'", "['’]") for word in text.split())


def _expression(phrase: str, fillings: Mapping[str, str]) -> str:
    """Return the pattern of one phrase."""
    pieces = []
    for piece in re.split(r"(\s*\.\.\.\s*|\{name\}|\{maker\})", phrase):
        if piece in fillings:
            pieces.append(fillings[piece])
        elif piece.strip() == "...":
            pieces.append(rf"[^.!?。！？\n]{{0,{GAP}}}?")
        else:
            before, after = (r"\s+" if piece.strip() and edge.isspace() else "" for edge in (piece[:1], piece[-1:]))
            pieces.append((before + _plain(piece) + after) if piece.strip() else r"\s+" if piece else "")
    return "".join(pieces)


def _sieved(piece: str) -> str:
    special = set("\\.+*?()|[]{}^$")
    words = ["".join("\\" + mark if mark in special else mark for mark in word) for word in piece.split()]
    edge = r"\b" if piece[0].isascii() and piece[0].isalnum() else ""
    return edge + f"{_BLANK}+".join(words).replace("'", "['’]")


def packaged_list(name: str) -> PhraseList:
    """Return a list that comes with the program: ``refusals`` or ``identity``."""
    text = (files("tamis.analytics.signals") / FOLDER / f"{name}.txt").read_text("utf-8")
    return PhraseList.parse(text, source=f"{name}.txt", characters=_READ[name])


def workspace_list(root: Path, name: str) -> PhraseList:
    """Return a list of the workspace's folder ``phrases``, or the packaged one if it is not there.

    Raises:
        SettingError: the file of the workspace is no list of phrases.
    """
    path = root / FOLDER / f"{name}.txt"
    if not path.is_file():
        return packaged_list(name)
    try:
        return PhraseList.parse(path.read_text("utf-8"), source=str(path), characters=_READ[name])
    except UnicodeDecodeError as error:
        raise SettingError("A list of phrases is text in UTF-8", value=str(path)) from error


_READ = {REFUSALS: 300, IDENTITY: None}
