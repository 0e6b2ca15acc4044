"""Names that a model gave to clusters: kept beside those people gave, with where each comes from."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path

from tamis.data.lock import Lock
from tamis.data.names import inside
from tamis.data.parquet import write_bytes


@dataclass(frozen=True)
class ModelName:
    """A name with its provenance.

    Attributes:
        name: plain text.
        model: which model gave it.
        terms: digest of the words and snippets it was shown.
    """

    name: str
    model: str
    terms: str


def model_names(root: Path, clustering: str) -> dict[int, ModelName]:
    """Return the names a model gave to clusters of a clustering, by cluster number.

    Args:
        root: the workspace.
        clustering: digest of the clustering.
    """
    path = _path(root, clustering)
    if not path.is_file():
        return {}
    return {int(number): ModelName(**value) for number, value in json.loads(path.read_bytes()).items()}


def keep_model_name(root: Path, clustering: str, cluster: int, name: ModelName | None) -> None:
    """Keep the name a model gave to a cluster; None forgets it.

    Raises:
        LockedError: somebody else is naming at this moment.
    """
    _change(root, clustering, {cluster: name})


def forget_model_names(root: Path, clustering: str) -> int:
    """Forget all names a model gave to the clusters of a clustering; return how many there were."""
    known = model_names(root, clustering)
    _change(root, clustering, dict.fromkeys(known))
    return len(known)


def carry_model_names(root: Path, clustering: str, *, to: str, without: Collection[int] = ()) -> None:
    """Give the model's names of one clustering to another that numbers its clusters alike; see ``carry_names``."""
    there = model_names(root, to)
    old = model_names(root, clustering).items()
    _change(root, to, {number: name for number, name in old if number not in without and number not in there})


def _change(root: Path, clustering: str, changed: dict[int, ModelName | None]) -> None:
    if not changed:
        return
    path = _path(root, clustering)
    path.parent.mkdir(parents=True, exist_ok=True)
    with Lock(path.with_suffix(".lock"), what="The names of the clusters"):
        names: dict[int, ModelName | None] = {**model_names(root, clustering), **changed}
        value = {str(number): asdict(name) for number, name in sorted(names.items()) if name is not None}
        write_bytes(path, json.dumps(value, ensure_ascii=False, indent=1).encode())


def _path(root: Path, clustering: str) -> Path:
    return inside(root / "cluster-names", f"{clustering[:40]}.model.json", what="Clustering")
