"""Steps of an analysis: what each one is, what it is given, what it will cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
from numpy.typing import NDArray

from tamis.data.artifact import Artifact
from tamis.data.artifact_writer import ArtifactWriter
from tamis.data.corpus import Corpus
from tamis.data.documents import Documents
from tamis.data.errors import JobError
from tamis.data.progress import Progress
from tamis.data.shards import Shard
from tamis.data.workspace import Workspace


@dataclass(frozen=True)
class Size:
    """How large a corpus is.

    Attributes:
        documents: number of rows.
        bytes: decompressed bytes of its files.
    """

    documents: int
    bytes: int


@dataclass(frozen=True)
class Estimate:
    """What a step will cost on two cores.

    Attributes:
        seconds: wall time.
        disk_bytes: size of the artifact.
    """

    seconds: float
    disk_bytes: int


@dataclass
class StepContext:
    """What a running step is given.

    Attributes:
        corpus: the corpus.
        inputs: complete artifacts of the upstream steps, by step name.
        out: writer of this step's artifact; the step ends with ``out.commit``.
        params: the step's parameters.
        progress: where to report; call ``progress.check`` between pieces of work.
        models: folder of the model cache.
        found: the documents, None only while they are being found.
        workspace: where stored tables are, for steps that read one.
    """

    corpus: Corpus
    inputs: Mapping[str, Artifact]
    out: ArtifactWriter
    params: Mapping[str, Any]
    progress: Progress
    models: Path
    found: Documents | None = None
    workspace: Workspace | None = None

    @property
    def documents(self) -> Documents:
        """Return the documents.

        Raises:
            JobError: the documents step itself asks.
        """
        if self.found is None:
            raise JobError("The documents are not known before the step that finds them")
        return self.found

    def stored(self, digest: str) -> pa.Table:
        """Return a stored table by its digest.

        Raises:
            JobError: there is no workspace.
            StoreError: the workspace does not have it.
        """
        if self.workspace is None:
            raise JobError("This step reads a stored table and has no workspace", value=digest)
        return self.workspace.table(digest)

    def shards_to_do(self) -> Iterator[Shard]:
        """Yield the shards whose part is not written yet, checking for cancellation before each.

        Shards that an earlier, stopped run finished count as done. Progress advances by the documents of a shard when
        the next one is asked for.
        """
        for shard in self.corpus.shards():
            self.progress.check()
            if not self.out.has_part(shard.part):
                yield shard
            self.progress.advance(shard.rows)


@dataclass(frozen=True)
class ShardWork:
    """The parts of an artifact that are made from one shard of the corpus alone.

    Attributes:
        parts: names of a shard's parts, the last one written last.
        make: makes them: tables or arrays by name.
    """

    parts: Callable[[Shard], tuple[str, ...]]
    make: Callable[[Corpus, Shard], Mapping[str, pa.Table | NDArray[Any]]]

    @classmethod
    def of_table(cls, make: Callable[[Corpus, Shard], pa.Table]) -> ShardWork:
        """Return the work of a step whose only part of a shard is one table."""
        return cls(lambda shard: (shard.part,), lambda corpus, shard: {shard.part: make(corpus, shard)})


@dataclass(frozen=True)
class StepSpec:
    """One step of an analysis.

    Attributes:
        name: unique among the steps of an analysis, also in artifact keys.
        version: code version, raised whenever the same input gives another result.
        upstream: names of the steps whose artifacts it reads.
        params: everything else the result depends on, JSON values.
        title: what people read while it runs.
        estimate: cost by size of the corpus.
        run: does the work and commits the artifact.
        work: what of it needs one shard of the corpus and nothing else, so that other machines may do it.
    """

    name: str
    version: int
    upstream: tuple[str, ...]
    params: Mapping[str, Any]
    title: str
    estimate: Callable[[Size], Estimate]
    run: Callable[[StepContext], None]
    work: ShardWork | None = None


class ShardEngine(Protocol):
    """Something that makes parts elsewhere."""

    def fill(self, spec: StepSpec, context: StepContext) -> None:
        """Write missing parts of a step's artifact, which the step then finds; it may leave some or all out."""
