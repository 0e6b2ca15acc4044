"""References under a name: what other corpora or evaluation files hold, ready for rules to choose."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tamis.analytics.references import put_reference
from tamis.analytics.shingles import Unit
from tamis.data.errors import SettingError
from tamis.data.names import check_name, inside
from tamis.data.parquet import write_bytes
from tamis.data.workspace import Workspace


@dataclass(frozen=True)
class ReferenceEntry:
    """A stored reference.

    Attributes:
        name: in the workspace.
        digest: what rules name.
        origin: names of the files it was made from.
        unit, n: what a shingle is.
    """

    name: str
    digest: str
    origin: tuple[str, ...]
    unit: Unit
    n: int


def save_reference(
    workspace: Workspace,
    name: str,
    paths: Sequence[str | Path],
    *,
    n: int,
    unit: Unit = "word",
    text: str | None = None,
) -> ReferenceEntry:
    """Read files, store what they hold as hashes, and give it a name.

    Args:
        workspace: where.
        name: an allowed file name; an entry of this name is replaced, rules keep the digest they name.
        paths: files, folders or globs.
        n, unit: a shingle; 13 words for evaluation files, 5 for near-duplicates.
        text: the text column; found by name otherwise.

    Raises:
        SettingError: the name is not allowed, or no file is given.
        CorpusError, RoleError: as ``open_corpus``.
    """
    path = _path(workspace, name)
    if not paths:
        raise SettingError("A reference is made of files", fix="name one or more files, folders or globs")
    digest = put_reference(paths, workspace, unit=unit, n=n, text=text)
    entry = ReferenceEntry(name, digest, tuple(Path(each).name for each in paths), unit, n)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, json.dumps(asdict(entry), sort_keys=True).encode())
    return entry


def list_references(workspace: Workspace) -> dict[str, ReferenceEntry]:
    """Return the references of a workspace by name, sorted."""
    found = {}
    for path in sorted((workspace.root / "references").glob("*.json")):
        value = json.loads(path.read_bytes())
        found[value["name"]] = ReferenceEntry(**{**value, "origin": tuple(value["origin"])})
    return found


def _path(workspace: Workspace, name: str) -> Path:
    return inside(
        workspace.root / "references", f"{check_name(name, what='Reference name')}.json", what="Reference name"
    )
