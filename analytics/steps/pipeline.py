"""The analysis of a corpus: steps in order, each run once, stored as an artifact and resumed after an interruption."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from weakref import WeakValueDictionary

from tamis.analytics.facts.column_info import COLUMNS, ColumnInfo
from tamis.analytics.facts.facts import Facts
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.engine import Engine, LocalEngine
from tamis.analytics.steps.facts_step import facts_so_far, read_facts
from tamis.analytics.steps.growth import Growth
from tamis.analytics.steps.step import Estimate, Size, StepContext, StepSpec
from tamis.data.artifact import Artifact
from tamis.data.corpus import Corpus
from tamis.data.corpus_states import CorpusStates
from tamis.data.documents import Documents, check_ids
from tamis.data.errors import JobError, LockedError
from tamis.data.known_parts import KnownParts
from tamis.data.progress import NullProgress, Progress
from tamis.data.shapes import PICTURE
from tamis.data.store import ArtifactKey, Store
from tamis.data.workspace import Workspace

__all__ = [
    "Analysis",
    "Estimate",
    "PlannedStep",
    "Size",
    "StepContext",
    "StepSpec",
    "analyze",
    "find_analysis_so_far",
    "plan_steps",
    "running_order",
    "size_of",
]

_WAIT_SECONDS = 0.5


@dataclass(frozen=True)
class PlannedStep:
    """A step, the key of its artifact, and whether the artifact exists.

    Attributes:
        spec: the step.
        key: key of its artifact.
        estimate: cost of the step.
        done: whether the artifact is complete in the store.
    """

    spec: StepSpec
    key: ArtifactKey
    estimate: Estimate
    done: bool


@dataclass(frozen=True)
class Analysis:
    """The result of the analysis of a corpus.

    Attributes:
        corpus: the corpus.
        documents: its documents.
        artifacts: complete artifacts by step name.
        joined: of an unfinished analysis the steps whose columns the facts will have; of those that are done the facts
            are joined in memory and not stored.
        stand_ins: of an unfinished analysis the step whose columns stand in for those of another one, by the name of
            that one, until it is done.
    """

    corpus: Corpus
    documents: Documents
    artifacts: Mapping[str, Artifact]
    joined: tuple[str, ...] = ()
    stand_ins: Mapping[str, str] = field(default_factory=dict)

    def facts(self) -> Facts:
        """Return the facts table, loaded into memory on the first call.

        Raises:
            JobError: the analysis was made without the facts step.
        """
        return self._facts

    @cached_property
    def _facts(self) -> Facts:
        if "facts" in self.artifacts:
            return read_facts(self.artifacts["facts"])
        if not self.joined:
            raise JobError("This analysis has no facts table", value=sorted(self.artifacts), fix="run the step facts")
        sources = {name: name if name in self.artifacts else self.stand_ins.get(name, "") for name in self.joined}
        there = {name: self.artifacts[source] for name, source in sources.items() if source in self.artifacts}
        return facts_so_far(self.documents, there, corpus=self.corpus.fingerprint)


def size_of(corpus: Corpus) -> Size:
    """Return the size of a corpus for estimates."""
    return Size(corpus.rows, sum(shard.bytes for shard in corpus.shards()))


def sort_steps(steps: Sequence[StepSpec]) -> tuple[StepSpec, ...]:
    """Return the steps so that each comes after those it reads, otherwise in the given order.

    Raises:
        JobError: a step occurs twice, reads a missing one, or steps read each other in a circle.
    """
    names = [step.name for step in steps]
    if len(set(names)) != len(names):
        raise JobError("A step occurs twice", value=names)
    for step in steps:
        missing = set(step.upstream) - set(names)
        if missing:
            raise JobError(f"Step {step.name} reads missing steps", value=sorted(missing), allowed=names)
    sorter = TopologicalSorter({step.name: step.upstream for step in steps})
    try:
        sorter.prepare()
    except CycleError as error:
        circle = [name for name in names if name in error.args[1]]
        raise JobError("Steps read each other in a circle", value=circle) from None
    result: list[StepSpec] = []
    ready: list[int] = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heappush(ready, names.index(name))
        result.append(steps[heappop(ready)])
        sorter.done(result[-1].name)
    return tuple(result)


def plan_steps(corpus: Corpus, workspace: Workspace, steps: Sequence[StepSpec]) -> tuple[PlannedStep, ...]:
    """Return the steps in running order with keys, costs and existing artifacts; runs nothing.

    A key names its upstream keys, not their content, so the whole plan is known before anything runs.
    """
    size, store = size_of(corpus), workspace.store
    keys: dict[str, ArtifactKey] = {}
    plan = []
    for step in sort_steps(steps):
        upstream = tuple(keys[name].digest for name in step.upstream)
        key = ArtifactKey(step.name, step.version, corpus.text_fingerprint, step.params, upstream)
        keys[step.name] = key
        plan.append(PlannedStep(step, key, step.estimate(size), store.find(key) is not None))
    return tuple(plan)


def running_order(plan: Sequence[PlannedStep], first: Sequence[str]) -> tuple[PlannedStep, ...]:
    """Return the steps of a plan that are not done in the order in which they run.

    Args:
        plan: of ``plan_steps``.
        first: names of steps, each with all that it reads to run before the steps after it and before those not named.
    """
    todo = {step.spec.name: step for step in plan if not step.done}
    ordered: dict[str, PlannedStep] = {}
    for name in ("documents", *first, *todo):
        if name in todo:
            reads = _reads(todo, name)
            ordered |= {each: step for each, step in todo.items() if each in reads and each not in ordered}
    return tuple(ordered.values())


def _reads(todo: Mapping[str, PlannedStep], name: str) -> set[str]:
    """Return a step and the steps among ``todo`` that it reads, directly or not."""
    found, waiting = set(), [name]
    while waiting:
        each = waiting.pop()
        if each in todo and each not in found:
            found.add(each)
            waiting += todo[each].spec.upstream
    return found


def find_analysis_so_far(corpus: Corpus, workspace: Workspace, plan: Sequence[PlannedStep]) -> Analysis | None:
    """Return what is done of an analysis, None while the documents have no ids; runs nothing.

    Args:
        corpus: the corpus.
        workspace: holds the artifacts.
        plan: of all its steps.
    """
    found = {step.spec.name: workspace.store.find(step.key) for step in plan}
    there = {name: artifact for name, artifact in found.items() if artifact is not None}
    if "documents" not in there:
        return None
    joined = [name for step in plan if step.spec.name == "facts" for name in step.spec.upstream]
    documents = _read(there["documents"])
    return Analysis(_knowing(corpus, documents), documents, there, tuple(joined))


def analyze(
    corpus: Corpus,
    workspace: Workspace,
    *,
    steps: Sequence[StepSpec],
    documents: Documents | None = None,
    engine: Engine | None = None,
    progress: Progress | None = None,
    first: Callable[[], Sequence[str]] = tuple,
) -> Analysis:
    """Run the missing steps of an analysis and return all artifacts.

    Args:
        corpus: what to analyse.
        workspace: stores the artifacts.
        steps: the steps to run; the documents step is added if missing.
        documents: those of this corpus, where they were read before: a million take a sixth of a second.
        engine: makes the parts; None for this process.
        progress: receives reports; a cancelled run keeps its finished shards.
        first: returns the steps to run before the others, see ``running_order``; asked before every step. The order
            changes no byte.

    Raises:
        Cancelled: a person stopped the work.
        TamisError: as the steps raise.
    """
    watch = NullProgress() if progress is None else progress
    chosen = tuple(steps)
    if all(step.name != "documents" for step in chosen):
        chosen = (documents_step(corpus), *chosen)
    plan = plan_steps(corpus, workspace, chosen)
    watch.plan({step.spec.name: step.estimate.seconds for step in plan if not step.done})
    artifacts: dict[str, Artifact] = {}
    growth = Growth(KnownParts(workspace.store.root), corpus)
    known, documents = documents, None
    todo = {step.spec.name: replace(step, done=False) for step in plan}
    while todo:
        planned = todo.pop(running_order(tuple(todo.values()), first())[0].spec.name)
        watch.check()
        artifacts[planned.spec.name] = _complete(
            corpus, workspace, planned, artifacts, documents, engine, watch, growth
        )
        if planned.spec.name == "documents":
            documents = _documents(corpus, artifacts["documents"], known)
            corpus = _knowing(corpus, documents)
    if documents is None:
        raise JobError("The documents step did not run", value=sorted(artifacts))
    if "facts" in artifacts:
        states = CorpusStates.of(workspace.root, corpus)
        states.note(corpus)
        states.note_map(corpus, artifacts)
    return Analysis(corpus, documents, artifacts)


def _documents(corpus: Corpus, artifact: Artifact, known: Documents | None) -> Documents:
    """Return the documents of an artifact, the known ones if they are these."""
    if known is not None and known.digest == artifact.digest:
        return known
    found = _read(artifact)
    check_ids(corpus, found)
    return found


def _knowing(corpus: Corpus, documents: Documents) -> Corpus:
    """Return the corpus; one of pictures knows of those that cannot be decoded."""
    if corpus.shape.kind != PICTURE or not documents.errors.num_rows:
        return corpus
    return corpus.without(documents.errors.column("position").to_numpy())


_DOCUMENTS: WeakValueDictionary[str, Documents] = WeakValueDictionary()


def _read(artifact: Artifact) -> Documents:
    """Return the documents of an artifact; those that someone in this process still holds are not read again."""
    found = _DOCUMENTS.get(artifact.digest)
    if found is None:
        found = Documents.read(artifact)
        _DOCUMENTS[artifact.digest] = found
    return found


def _complete(
    corpus: Corpus,
    workspace: Workspace,
    planned: PlannedStep,
    artifacts: Mapping[str, Artifact],
    documents: Documents | None,
    engine: Engine | None,
    progress: Progress,
    growth: Growth,
) -> Artifact:
    """Return the artifact of a step: found, waited for, or made."""
    store, spec = workspace.store, planned.spec
    while True:
        found = store.find(planned.key)
        if found is not None:
            store.settle(planned.key)
            return found
        try:
            with store.writer(planned.key) as out:
                # Another process may have finished it before the lock was taken.
                found = store.find(planned.key)
                if found is not None:
                    return found
                progress.step(spec.name, corpus.rows)
                inputs = {name: artifacts[name] for name in spec.upstream}
                context = (corpus, inputs, out, spec.params, progress, workspace.models, documents, workspace)
                spec.run(StepContext(*context, engine or LocalEngine(), growth))
            growth.record()
            return _committed(store, planned)
        except LockedError:
            progress.check()
            time.sleep(_WAIT_SECONDS)


def _committed(store: Store, planned: PlannedStep) -> Artifact:
    found = store.find(planned.key)
    if found is None:
        raise JobError(f"Step {planned.spec.name} ended without committing its artifact")
    return found


COLUMNS.declare(
    "documents",
    ColumnInfo(
        name="id",
        type="text",
        title="Id",
        role="id",
        help="Identifier of the document.",
    ),
    ColumnInfo(
        name="bytes",
        type="integer",
        title="Size",
        role="size",
        help="Length of the text in UTF-8 bytes.",
        unit="bytes",
        low=0,
    ),
)
