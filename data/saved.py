"""Recipes and views that people saved under a name: entries that never change; the newest of a name counts.

Each is a small JSON file named by its digest in the workspace's folder ``saved``; what it stands for is an asset.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from tamis.data.errors import SettingError, StoreError
from tamis.data.hashing import canonical_json, digest
from tamis.data.names import near_name
from tamis.data.parquet import write_bytes
from tamis.data.workspace import Workspace

FOLDER = "saved"
SavedKind = Literal["recipe", "view"]
LONGEST_NAME = 96


@dataclass(frozen=True)
class SavedEntry:
    """Something that was saved.

    Attributes:
        kind: what it is.
        name: given by the person, as an allowed name.
        content: digest of the value in the workspace.
        who: the person, empty when nobody gave a name.
        at: time, UTC, ISO 8601.
        corpus: name of the corpus of a view, empty for recipes.
    """

    kind: SavedKind
    name: str
    content: str
    who: str
    at: str
    corpus: str = ""

    @property
    def key(self) -> str:
        """Return the name of its file without suffix."""
        return digest(asdict(self))


def save_entry(
    workspace: Workspace, kind: SavedKind, name: str, value: Any, *, who: str, at: str, corpus: str = ""
) -> SavedEntry:
    """Save a JSON value under the allowed name nearest to the given one, and return its entry.

    An older entry of that name stays; ``list_saved`` puts the newest first.

    Raises:
        SettingError: the name has no letter or digit.
    """
    known = near_name(name.strip(), what="Name")
    entry = SavedEntry(kind, known, workspace.put_value(value), who, at, corpus)
    path = workspace.root / FOLDER / f"{entry.key}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, canonical_json(asdict(entry)))
    return entry


def list_saved(workspace: Workspace, kind: SavedKind) -> tuple[SavedEntry, ...]:
    """Return what was saved of a kind, the latest first.

    Raises:
        StoreError: a file is damaged.
    """
    found = []
    for path in (workspace.root / FOLDER).glob("*.json"):
        try:
            entry = SavedEntry(**json.loads(path.read_bytes()))
        except FileNotFoundError:
            continue  # Removed meanwhile.
        except (OSError, ValueError, TypeError) as error:
            raise StoreError(f"Cannot read {path}: {error}", fix="remove the file") from error
        if entry.kind not in get_args(SavedKind):
            raise StoreError("A saved entry has an unknown kind", value=entry.kind, allowed=get_args(SavedKind))
        found += [entry] if entry.kind == kind else []
    return tuple(sorted(found, key=lambda entry: (entry.at, entry.key), reverse=True))


def remove_saved(workspace: Workspace, entry: SavedEntry) -> None:
    """Remove an entry; what it stands for stays in the workspace.

    Raises:
        SettingError: there is no such entry.
    """
    path = workspace.root / FOLDER / f"{entry.key}.json"
    try:
        path.unlink()
    except FileNotFoundError:
        raise SettingError("There is no such saved entry", value=entry.name) from None
