"""Names of clusters in the workspace, by clustering: those that people gave and those that a model gave."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tamis.data.errors import SettingError
from tamis.data.lock import Lock
from tamis.data.names import inside
from tamis.data.parquet import write_bytes

LONGEST = 80


@dataclass(frozen=True)
class ModelName:
    """A name with its provenance.

    Attributes:
        name: plain text.
        model: which model gave it.
        terms: digest of the words and snippets that the model received.
    """

    name: str
    model: str
    terms: str


def read_people_names(root: Path, clustering: str) -> dict[int, str]:
    """Return the names that people gave to clusters of a clustering, by cluster number.

    Args:
        root: the workspace.
        clustering: digest of the clustering.
    """
    return {number: str(name) for number, name in _read(_people(root, clustering)).items()}


def name_cluster(root: Path, clustering: str, cluster: int, name: str) -> None:
    """Give a cluster a name; an empty name restores the one made from its words.

    Raises:
        SettingError: the name is too long or holds characters that cannot be printed.
        LockedError: another process is writing the names.
    """
    chosen = name.strip()
    if len(chosen) > LONGEST or not chosen.isprintable():
        raise SettingError("Name of a cluster", value=name, allowed=f"at most {LONGEST} printable characters")
    _change(_people(root, clustering), {cluster: chosen or None})


def carry_names(root: Path, clustering: str, *, to: str, without: Collection[int] = ()) -> None:
    """Copy the names of one clustering, people's and the model's, to another with the same cluster numbers.

    Args:
        root: the workspace.
        clustering: digest of the clustering with the names.
        to: digest of the other clustering; it keeps the names it already has.
        without: clusters that have changed and get no name.

    Raises:
        LockedError: another process is writing the names.
    """
    for path in (_people, _model):
        there = _read(path(root, to))
        old = _read(path(root, clustering)).items()
        _change(path(root, to), {number: name for number, name in old if number not in {*without, *there}})


def read_model_names(root: Path, clustering: str) -> dict[int, ModelName]:
    """Return the names that a model gave to clusters of a clustering, by cluster number."""
    return {number: ModelName(**value) for number, value in _read(_model(root, clustering)).items()}


def keep_model_name(root: Path, clustering: str, cluster: int, name: ModelName | None) -> None:
    """Store the name that a model gave to a cluster; None deletes it.

    Raises:
        LockedError: another process is writing the names.
    """
    _change(_model(root, clustering), {cluster: None if name is None else asdict(name)})


def forget_model_names(root: Path, clustering: str) -> int:
    """Delete all names that a model gave to the clusters of a clustering; return their number."""
    known = _read(_model(root, clustering))
    _change(_model(root, clustering), dict.fromkeys(known))
    return len(known)


def _people(root: Path, clustering: str) -> Path:
    return inside(root / "cluster-names", f"{clustering[:40]}.json", what="Clustering")


def _model(root: Path, clustering: str) -> Path:
    return inside(root / "cluster-names", f"{clustering[:40]}.model.json", what="Clustering")


def _read(path: Path) -> dict[int, Any]:
    if not path.is_file():
        return {}
    return {int(number): value for number, value in json.loads(path.read_bytes()).items()}


def _change(path: Path, changed: Mapping[int, Any]) -> None:
    """Rewrite the names with the changed ones; None deletes a name."""
    if not changed:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with Lock(path.with_suffix(".lock"), what="The names of the clusters"):
        names = _read(path) | dict(changed)
        value = {str(number): name for number, name in sorted(names.items()) if name is not None}
        write_bytes(path, json.dumps(value, ensure_ascii=False, indent=1).encode())
