"""The files of a corpus as others see them: what they are, what identifies their rows, what was left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tamis.data.hashing import digest
from tamis.data.opening import READER_VERSION, LeftOut, OpenedFile
from tamis.data.parts import CONVENTION, WHOLE
from tamis.data.roles import Roles
from tamis.data.shapes import Shape


@dataclass(frozen=True)
class SourceFile:
    """One file of a corpus.

    Attributes:
        path: path of the file.
        name: path below the corpus root.
        format: ``parquet``, ``jsonl`` or ``csv``.
        compression: empty, ``gz``, ``zst``, ``bz2`` or ``xz``.
        bytes: size on disk.
        sha256: of its content.
        rows: number of rows.
        recoded: columns read in another form than the file holds, see ``formats.Probe``.
        maker: name and version of the package that made the texts of web pages, else empty.
        path_values: columns taken from its path, as text.
        named: digest of the picture files that it names, empty where it holds its pictures, or none.
    """

    path: Path
    name: str
    format: str
    compression: str
    bytes: int
    sha256: str
    rows: int
    recoded: tuple[str, ...] = ()
    maker: str = ""
    path_values: Mapping[str, str | None] = field(default_factory=dict)
    named: str = ""


def source_file(item: OpenedFile) -> SourceFile:
    """Return the description of an opened file."""
    read = (item.probe.rows, item.probe.recoded, item.probe.maker, item.path_texts)
    return SourceFile(item.path, item.name, item.format, item.compression, item.bytes, item.sha256, *read)


def left_out_notes(left_out: Sequence[LeftOut]) -> Iterator[str]:
    """Yield a sentence for every file left out, and one for the lines of every file."""
    lines: dict[str, list[LeftOut]] = {}
    for item in left_out:
        if item.line is None:
            yield f"left out: {item.reason}"
        else:
            lines.setdefault(item.file, []).append(item)
    for file, bad in lines.items():
        count = f"{len(bad):,} line" + ("" if len(bad) == 1 else "s")
        yield f"left out: {count} of {file}, the first is line {bad[0].line}: it {bad[0].reason}"


def fingerprint_of(files: Sequence[SourceFile], roles: Roles) -> str:
    """Return the fingerprint of a corpus: sha256 over the contents of its files and its roles."""
    return _digest_of(files, _of_all(roles))


def _of_all(roles: Roles) -> dict[str, str]:
    """Return the roles with the shape of whole documents: what a corpus is does not depend on a scope."""
    shape = Shape.parse(roles.text)
    return roles.known() | ({} if shape is None else {"text": shape.in_scope(WHOLE).spec, "convention": CONVENTION})


def text_fingerprint_of(files: Sequence[SourceFile], roles: Roles) -> str:
    """Return the same over the text and id roles only."""
    return _digest_of(
        files, {role: path for role, path in _of_all(roles).items() if role in ("text", "id", "convention")}
    )


def _digest_of(files: Sequence[SourceFile], roles: Mapping[str, str]) -> str:
    contents = [
        [
            *(file.sha256, file.format, file.compression),
            *([list(file.recoded)] if file.recoded else []),
            *([file.maker] if file.maker else []),
            *([dict(file.path_values)] if file.path_values else []),
            *([{"pictures": file.named}] if file.named else []),
        ]
        for file in files
    ]
    return digest({"reader": READER_VERSION, "files": contents, "roles": roles})
