"""Steps of an analysis: their definition, input and cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from tamis.analytics.steps.engine import Engine, K, LocalEngine, Part, Work
from tamis.analytics.steps.growth import Growth
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
    """The size of a corpus.

    Attributes:
        documents: number of rows.
        bytes: decompressed bytes of its files.
    """

    documents: int
    bytes: int


@dataclass(frozen=True)
class Estimate:
    """The cost of a step on two cores.

    Attributes:
        seconds: wall time.
        disk_bytes: size of the artifact.
    """

    seconds: float
    disk_bytes: int


@dataclass
class StepContext:
    """The input of a running step.

    Attributes:
        corpus: the corpus.
        inputs: complete artifacts of the upstream steps, by step name.
        out: writer of this step's artifact; the step ends with ``out.commit``.
        params: the step's parameters.
        progress: receives reports; call ``progress.check`` between pieces of work.
        models: folder of the model cache.
        found: the documents, None only while they are being found.
        workspace: holds stored tables, for steps that read one.
        engine: makes the pieces of the work passed to ``fill``.
        growth: takes over what earlier analyses made of the same rows; None to make everything.
    """

    corpus: Corpus
    inputs: Mapping[str, Artifact]
    out: ArtifactWriter
    params: Mapping[str, Any]
    progress: Progress
    models: Path
    found: Documents | None = None
    workspace: Workspace | None = None
    engine: Engine = field(default_factory=LocalEngine)
    growth: Growth | None = None

    @property
    def documents(self) -> Documents:
        """Return the documents.

        Raises:
            JobError: called by the documents step itself.
        """
        if self.found is None:
            raise JobError("The documents are unknown before the documents step")
        return self.found

    def stored(self, digest: str) -> pa.Table:
        """Return a stored table by its digest.

        Raises:
            JobError: there is no workspace.
            StoreError: the workspace does not have the table.
        """
        if self.workspace is None:
            raise JobError("This step reads a stored table and has no workspace", value=digest)
        return self.workspace.table(digest)

    def shards_to_do(self) -> Iterator[Shard]:
        """Yield the shards whose part is not written yet, for inputs that only this machine can read.

        Checks for cancellation before each. Progress advances by the documents of a shard when the next one is
        requested.
        """
        for shard in self.corpus.shards():
            self.progress.check()
            if not self.out.has_part(shard.part):
                yield shard
            self.progress.advance(shard.rows)

    def fill(self, work: Work[K]) -> None:
        """Write the parts of a work that are not written yet: taken over where they are known, else by the engine.

        Pieces that an earlier, stopped run finished count as done.

        Raises:
            Cancelled: a person stopped the work; finished pieces stay.
            TamisError: as the pieces raise.
        """
        todo = []
        for piece in work.pieces:
            if all(self.out.has_part(name) for name in work.parts(piece)):
                self.progress.advance(work.rows(piece))
            else:
                todo.append(piece)
        if self.growth is None or work.rows_of is None:
            self._make(work, todo)
            return
        shards = cast("Work[Shard]", work)
        filling = self.growth.filling(shards, work.rows_of, self.corpus, self.out, self.found)
        self._make(shards, filling.run(cast("list[Shard]", todo), self.engine, self.progress))
        self.growth.note(filling)

    def _make(self, work: Work[K], todo: Sequence[K]) -> None:
        # A piece is written while the next one is made, for the disk is slow.
        with ThreadPoolExecutor(1) as pen:
            writing: Future[None] | None = None
            for piece, made in self.engine.made(work, todo, self.corpus, self.progress):
                if writing is not None:
                    writing.result()
                writing = pen.submit(self._write, {name: made[name] for name in work.parts(piece)})
            if writing is not None:
                writing.result()

    def _write(self, parts: Mapping[str, Part]) -> None:
        for name, value in parts.items():
            if isinstance(value, pa.Table):
                self.out.write_table(name, value)
            else:
                self.out.write_array(name, value)


@dataclass(frozen=True)
class StepSpec:
    """One step of an analysis.

    Attributes:
        name: unique among the steps of an analysis, also in artifact keys.
        version: code version, raised whenever the same input gives another result.
        upstream: names of the steps whose artifacts it reads.
        params: everything else the result depends on, JSON values.
        title: title shown while it runs.
        estimate: cost by size of the corpus.
        run: does the work and commits the artifact.
    """

    name: str
    version: int
    upstream: tuple[str, ...]
    params: Mapping[str, Any]
    title: str
    estimate: Callable[[Size], Estimate]
    run: Callable[[StepContext], None]
