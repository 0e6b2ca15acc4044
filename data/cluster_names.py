"""Names that people gave to clusters: kept in the workspace, one file per clustering; an empty name takes it back."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from tamis.data.errors import SettingError
from tamis.data.lock import Lock
from tamis.data.names import inside
from tamis.data.parquet import write_bytes

LONGEST = 80


def given_names(root: Path, clustering: str) -> dict[int, str]:
    """Return the names given to clusters of a clustering, by cluster number.

    Args:
        root: the workspace.
        clustering: digest of the clustering.
    """
    path = _path(root, clustering)
    if not path.is_file():
        return {}
    return {int(number): str(name) for number, name in json.loads(path.read_bytes()).items()}


def name_cluster(root: Path, clustering: str, cluster: int, name: str) -> None:
    """Give a cluster a name; an empty one brings back the name made from its words.

    Raises:
        SettingError: the name is too long or holds characters that cannot be printed.
        LockedError: somebody else is naming at this moment.
    """
    chosen = name.strip()
    if len(chosen) > LONGEST or not chosen.isprintable():
        raise SettingError("Name of a cluster", value=name, allowed=f"at most {LONGEST} printable characters")
    path = _path(root, clustering)
    path.parent.mkdir(parents=True, exist_ok=True)
    with Lock(path.with_suffix(".lock"), what="The names of the clusters"):
        names = given_names(root, clustering)
        names.pop(cluster, None)
        if chosen:
            names[cluster] = chosen
        value = {str(number): names[number] for number in sorted(names)}
        write_bytes(path, json.dumps(value, ensure_ascii=False, indent=1).encode())


def carry_names(root: Path, clustering: str, *, to: str, without: Collection[int] = ()) -> None:
    """Give the names of one clustering to another that numbers its clusters alike.

    Args:
        root: the workspace.
        clustering: digest of the clustering with the names.
        to: digest of the other one; names given there stay.
        without: clusters that are something else now.
    """
    there = given_names(root, to)
    for number, name in given_names(root, clustering).items():
        if number not in without and number not in there:
            name_cluster(root, to, number, name)


def _path(root: Path, clustering: str) -> Path:
    return inside(root / "cluster-names", f"{clustering[:40]}.json", what="Clustering")
