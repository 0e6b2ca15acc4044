"""The workspace: the folder of everything that Tamis stores.

Layout::

    store/      artifacts (``tamis.data.store``)
    models/     model cache
    assets/     id sets, tables and values that recipes name by digest
    jobs/       background jobs (``tamis.data.jobs``)
    bundles/    bundles exported from the dashboard
    runs/       runs started from the dashboard
    probes/     probes of files, by content
    options/    choices about embedding, map and clusters, by corpus
    cluster-names/  names people and models gave to clusters, by clustering
    saved/      recipes and views that people saved under a name (``tamis.data.saved``)
    corpora.json
    people.json     roles of people (``tamis.data.people``), if defined
    reviews.sqlite  reviews (``tamis.data.reviews``), unless another database is set
    secrets.toml    settings of the login, if defined
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tamis.data.errors import SettingError, StoreError
from tamis.data.hashing import canonical_json, digest, digest_of_texts, file_sha256
from tamis.data.lock import Lock
from tamis.data.names import check_name, inside
from tamis.data.parquet import read_parquet, write_bytes, write_parquet
from tamis.data.store import Store


@dataclass(frozen=True)
class CorpusEntry:
    """A corpus that was opened in the workspace.

    Attributes:
        name: name in the workspace.
        path: absolute path of the file, folder or glob.
        roles: roles set by hand; the others are detected.
        fingerprint: of the corpus when it was last opened.
        opening: further arguments, see ``Corpus.opening``.
    """

    name: str
    path: str
    roles: Mapping[str, str] = field(default_factory=dict)
    fingerprint: str = ""
    opening: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Workspace:
    """A folder of artifacts, models, assets and jobs.

    Attributes:
        root: the folder; it and its sub-folders are created on the first write.
    """

    root: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Path(self.root).expanduser().absolute())

    @classmethod
    def default(cls) -> Workspace:
        """Return the workspace of ``TAMIS_HOME``, or ``~/.tamis``."""
        return cls(Path(os.environ.get("TAMIS_HOME") or "~/.tamis"))

    @property
    def store(self) -> Store:
        """Return the artifact store."""
        return Store(self.root / "store")

    @property
    def models(self) -> Path:
        """Return the model cache folder: ``TAMIS_MODELS`` if set, so that workspaces can share one."""
        shared = os.environ.get("TAMIS_MODELS")
        return Path(shared).expanduser().absolute() if shared else self._folder("models")

    @property
    def jobs(self) -> Path:
        """Return the folder of background jobs."""
        return self._folder("jobs")

    @property
    def bundles(self) -> Path:
        """Return the folder of bundles exported from the dashboard."""
        return self._folder("bundles")

    @property
    def runs(self) -> Path:
        """Return the folder of runs started from the dashboard."""
        return self._folder("runs")

    @property
    def assets(self) -> Path:
        """Return the folder of assets."""
        return self._folder("assets")

    @property
    def probes(self) -> Path:
        """Return the folder where ``open_corpus`` caches probes of files, by content."""
        return self._folder("probes")

    def _folder(self, name: str) -> Path:
        path = self.root / name
        if path.is_dir():  # Making it once more waits for the disk.
            return path
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingError(
                f"The workspace folder cannot be made: {error}",
                value=str(path),
                fix="set TAMIS_HOME to a folder of yours",
            ) from error
        return path

    # Assets: immutable files named by their content.

    def put_ids(self, ids: Iterable[str] | pa.Array) -> str:
        """Store a set of document ids and return its digest: sha256 of the canonical JSON of the sorted ids."""
        texts = pa.array(ids if isinstance(ids, pa.Array) else list(ids), pa.large_string())
        if not pc.all(pc.less(texts.slice(0, max(len(texts) - 1, 0)), texts.slice(1)), min_count=0).as_py():
            texts = texts.unique()
            texts = texts.take(pc.sort_indices(texts))
        name = digest_of_texts(texts)
        path = self.asset_path(name)
        if not path.is_file():
            write_parquet(pa.table({"id": texts}), path, plain=True)
        return name

    def ids(self, digest_of_ids: str) -> pa.Array:
        """Return a stored id set, large_string (n,), sorted and without repeats.

        Raises:
            StoreError: unknown digest, or the stored ids do not match it.
        """
        column = read_parquet(self._known(digest_of_ids)).column("id").combine_chunks()
        if digest_of_texts(column) != digest_of_ids:
            raise StoreError("The stored id set does not have the digest it is named by", value=digest_of_ids)
        return column

    def put_table(self, table: pa.Table) -> str:
        """Store a table and return the sha256 of its deterministic Parquet file."""
        draft = self.assets / f"draft-{os.getpid()}-{id(table)}.parquet"
        write_parquet(table, draft)
        name = file_sha256(draft)
        draft.replace(self.asset_path(name))
        return name

    def table(self, digest_of_table: str) -> pa.Table:
        """Return a stored table.

        Raises:
            StoreError: unknown digest or damaged file.
        """
        path = self._known(digest_of_table)
        if file_sha256(path) != digest_of_table:
            raise StoreError("The stored table is damaged: its checksum differs", value=str(path))
        return read_parquet(path)

    def put_value(self, value: Any) -> str:
        """Store a JSON value and return the sha256 of its canonical form."""
        data = canonical_json(value)
        name = digest(value)
        path = inside(self.assets, f"{name}.json", what="Asset")
        if not path.is_file():
            write_bytes(path, data)
        return name

    def value(self, digest_of_value: str) -> Any:
        """Return a stored JSON value.

        Raises:
            StoreError: unknown digest or damaged file.
        """
        path = inside(self.assets, f"{check_name(digest_of_value, what='Asset')}.json", what="Asset")
        try:
            value = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise StoreError("There is no such asset in this workspace", value=digest_of_value) from error
        if digest(value) != digest_of_value:
            raise StoreError("The stored value is damaged: its checksum differs", value=str(path))
        return value

    def asset_path(self, digest_of_asset: str) -> Path:
        """Return the path of the id set or table with this digest; it may not exist."""
        return inside(self.assets, f"{check_name(digest_of_asset, what='Asset')}.parquet", what="Asset")

    def _known(self, digest_of_asset: str) -> Path:
        path = self.asset_path(digest_of_asset)
        if not path.is_file():
            raise StoreError(
                "There is no such asset in this workspace", value=digest_of_asset, fix="import the bundle it belongs to"
            )
        return path

    # Registry of opened corpora.

    def corpora(self) -> dict[str, CorpusEntry]:
        """Return the corpora opened here, by name, sorted.

        Raises:
            StoreError: the registry cannot be read.
        """
        path = self.root / "corpora.json"
        if not path.is_file():
            return {}
        try:
            entries = [CorpusEntry(**entry) for entry in json.loads(path.read_bytes())]
        except (OSError, ValueError, TypeError) as error:
            raise StoreError(f"Cannot read {path}: {error}", fix="remove it; corpora can be opened again") from error
        return {entry.name: entry for entry in sorted(entries, key=lambda entry: entry.name)}

    def corpus(self, name: str) -> CorpusEntry:
        """Return one registered corpus.

        Raises:
            SettingError: unknown name.
        """
        known = self.corpora()
        if name not in known:
            raise SettingError("No corpus of this name was opened here", value=name, allowed=known)
        return known[name]

    def remember(self, entry: CorpusEntry) -> None:
        """Add or replace a corpus in the registry.

        Raises:
            SettingError: the name is not allowed.
        """
        check_name(entry.name, what="Corpus name")
        self._change(add=entry)

    def forget(self, name: str) -> None:
        """Remove a corpus from the registry; its files and artifacts stay."""
        self._change(remove=name)

    def _change(self, *, add: CorpusEntry | None = None, remove: str | None = None) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        with Lock(self.root / "corpora.lock", what="The list of corpora"):
            known = self.corpora()
            if add is not None:
                known[add.name] = add
            if remove is not None:
                known.pop(remove, None)
            rows = [
                asdict(entry) | {"roles": dict(entry.roles), "opening": dict(entry.opening)} for entry in known.values()
            ]
            write_bytes(self.root / "corpora.json", json.dumps(rows, indent=1, sort_keys=True).encode() + b"\n")
