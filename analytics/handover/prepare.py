"""From a bundle and a corpus to the files a trainer reads: a folder that appears only when it is complete.

train/, validation/, test/   the samples in the format of a library
index/SPLIT.parquet          which documents and bytes each sample holds
index/leaks.parquet          near-duplicates in different splits, none where the split keeps them together
index/documents.parquet      what each step of the recipe compared, of every kept document
shards.parquet               files, their samples and checksums
recipe.yaml, prepare.json    what was run, counts, digests, checksums
README.md, croissant.json    the data for people, for the hub and for catalogues
training_content_summary.md  the summary of training content of the EU's AI Act
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tamis.analytics.export.bundle import RECIPE_FILE, Bundle, locked_counts
from tamis.analytics.export.bundle_study import open_for, study_for
from tamis.analytics.export.curated import PICTURE_FORMATS
from tamis.analytics.export.lock import LockedFile, tool_versions
from tamis.analytics.export.run import open_bundle
from tamis.analytics.export.verify import compare
from tamis.analytics.handover.documents import HandOver, write_documents
from tamis.analytics.handover.prepared import PREPARE_VERSION, Prepared
from tamis.analytics.recipe.admissions import admission_blocks, admission_schema, admitting_steps
from tamis.analytics.recipe.outcome import Selection
from tamis.analytics.recipe.plan import attach
from tamis.analytics.signals.tokens import tokens_step
from tamis.analytics.steps.engine import Engine
from tamis.analytics.training.built import BuiltPlan, SplitSummary, build, estimate
from tamis.analytics.training.data import TrainingData
from tamis.analytics.training.folder import INDEX, WrittenSplits, make_folder, write_splits
from tamis.analytics.training.plan import TrainingPlan
from tamis.analytics.training.shards import DEFAULT_MB, shard_bytes
from tamis.analytics.training.trace import DOCUMENTS, PREPARE_FILE
from tamis.analytics.training.writers import WRITERS, FormatWriter
from tamis.data.errors import SettingError, StoreError
from tamis.data.hashing import digest, file_sha256
from tamis.data.listing import LOCK_FILE
from tamis.data.opening import OnBad
from tamis.data.outputs import check_space, find_made, output_folder
from tamis.data.parquet import parquet_rows, write_blocks, write_bytes, write_parquet
from tamis.data.path_columns import PathColumns
from tamis.data.progress import NullProgress, Progress
from tamis.data.shapes import PICTURE
from tamis.data.workspace import Workspace

LEAKS = "leaks.parquet"
"""In the folder of the index: verified twins in different splits, none where the split keeps them together."""

TOKENS_PER_SECOND = 2e6
"""Tokens that are made a second, about, on two processors; for estimates."""


@dataclass(frozen=True)
class PrepareOptions:
    """How training data is written.

    Attributes:
        format: of the files, a name in ``WRITERS``.
        shard_mb: megabytes of content of a shard at most.
        license: of the data, an identifier of the hub.
        url: of its page, empty if it has none.
    """

    format: str
    shard_mb: int = DEFAULT_MB
    license: str = "unknown"
    url: str = ""


@dataclass(frozen=True)
class PrepareEstimate:
    """What a run is about to write.

    Attributes:
        splits: figures of each, tokens estimated from the counts of the analysis.
        bytes: of all samples, about.
        seconds: of making tokens and writing, about.
    """

    splits: tuple[SplitSummary, ...]
    bytes: int
    seconds: float


def prepare_bundle(
    bundle: Bundle | str | Path,
    path: str | Path,
    out: str | Path,
    options: PrepareOptions,
    *,
    workspace: Workspace | None = None,
    roles: Mapping[str, str] | None = None,
    by_hand: Collection[str] | None = None,
    on_bad_file: OnBad = "fail",
    on_bad_line: OnBad = "fail",
    path_columns: PathColumns | Sequence[str] = "found",
    tokenizer: str | None = None,
    engine: Engine | None = None,
    announce: Callable[[PrepareEstimate], None] | None = None,
    progress: Progress | None = None,
) -> Prepared:
    """Run a bundle on a corpus and write the training data into ``out``.

    A killed run is started again with the same call: finished shards stay, and the result has the same bytes. Finished
    data with the same identity is returned unchanged.

    Args:
        bundle: an opened bundle, its folder, or a recipe file.
        path: the corpus.
        out: the folder to make.
        options: format and size of shards, licence.
        workspace: where measurements are kept; None for the default one.
        roles, by_hand, on_bad_file, on_bad_line, path_columns, tokenizer, engine: as ``run_bundle`` takes them.
        announce: called with the estimate, before anything is written.
        progress: where to report.

    Raises:
        LockedError: another process writes the same folder.
        SettingError: unknown format, a library or tokenizer that is missing, samples that the format cannot hold, an
            empty split, a corpus of pictures.
        StoreError: something else is at ``out``, it lies inside the corpus, or the disk is full.
        TamisError: as opening, analysis, recipe and plan raise.
    """
    writer, most = WRITERS[options.format], shard_bytes(options.shard_mb)
    writer.load()
    home, watch = workspace or Workspace.default(), progress or NullProgress()
    opened = open_bundle(bundle, home)
    opening: dict[str, Any] = {"on_bad_file": on_bad_file, "on_bad_line": on_bad_line, "path_columns": path_columns}
    corpus = open_for(opened, path, home, roles=roles, by_hand=by_hand, opening=opening)
    if corpus.shape.kind == PICTURE:
        raise SettingError(
            "A corpus of pictures has no samples of text to prepare", value=corpus.name, allowed=PICTURE_FORMATS[:3],
            fix="trainers read its curated files: tamis run --format webdataset, with --ordered for a recipe's order",
        )  # fmt: skip
    counted = {} if tokenizer is None else {"tokens": dict(tokens_step(tokenizer).params)}
    made_of = {"bundle": opened.digest, "corpus": corpus.fingerprint, "options": asdict(options), **counted}
    identity = digest({**made_of, "prepare": PREPARE_VERSION})
    target = output_folder(out, corpus.path)
    if (finished := _find_finished(target, identity)) is not None:
        return finished
    study = study_for(opened, corpus, home, tokenizer=tokenizer, engine=engine, progress=watch)
    outcome = study.evaluate(opened.recipe, progress=watch)
    plan = TrainingPlan.make(study, outcome, progress=watch)
    writer.check(plan.form)
    expected = _expect(plan, writer)
    check_space(target.parent, expected.bytes, "training data")
    if announce is not None:
        announce(expected)
    built = build(plan, engine=engine, progress=watch)
    splits = tuple(built.data.values())
    check_splits(splits)
    job = _Preparation(opened, built, splits, writer, options, most, identity, engine, watch)
    make_folder(target, job.write, what="Training data")
    return Prepared.open(target)


def check_splits(splits: Sequence[TrainingData]) -> None:
    """Say before anything is written which split has no samples.

    Raises:
        SettingError: a split is empty.
    """
    for data in splits:
        if not data.samples:
            fix = "give it a larger share, keep more documents, or remove its share from the step `split`"
            raise SettingError("A split has no samples", value=data.split, fix=fix)


def _find_finished(target: Path, identity: str) -> Prepared | None:
    """Return finished data with this identity at ``target``.

    Raises:
        StoreError: something else is there.
    """
    found = find_made(target, Prepared.open)
    if found is None:
        return None
    if found.identity != identity:
        raise StoreError("There is other training data here", value=str(target), fix="choose another folder")
    found.check_files()
    return found


def _expect(plan: TrainingPlan, writer: FormatWriter) -> PrepareEstimate:
    splits = estimate(plan)
    whole = sum(each.bytes + each.samples * writer.overhead for each in splits)
    tokens = sum(each.tokens for each in splits)
    return PrepareEstimate(splits, whole, whole / writer.speed + tokens / TOKENS_PER_SECOND)


@dataclass(frozen=True)
class _Preparation:
    """One call of ``prepare_bundle``, ready to write."""

    bundle: Bundle
    built: BuiltPlan
    splits: tuple[TrainingData, ...]
    writer: FormatWriter
    options: PrepareOptions
    most: int
    identity: str
    engine: Engine | None
    watch: Progress

    def write(self, draft: Path, state: Path) -> None:
        """Write everything into the draft, the manifest last."""
        recipe, plan = self.bundle.recipe, self.built.plan
        study, outcome = plan.study, plan.outcome
        facts = attach(study.facts, recipe.measures(), study.evidence)
        tools = self._tools()
        made_for = {"run": self.identity, "plan": plan.digest, "tools": digest(tools)}
        written = write_splits(
            draft, state, self.splits, self.writer, most=self.most, made_for=made_for, progress=self.watch
        )
        self.watch.step("what let documents in", 1, "files")
        blocks = admission_blocks(outcome, facts)
        write_blocks(blocks, admission_schema(outcome), draft / INDEX / DOCUMENTS)
        if plan.leaks is not None:
            write_parquet(plan.leaks.table, draft / INDEX / LEAKS)
        write_bytes(draft / RECIPE_FILE, recipe.to_yaml().encode())
        if self.bundle.lock is not None:
            write_bytes(draft / LOCK_FILE, self.bundle.lock.to_json())
        selection = Selection.from_outcome(outcome, facts)
        verification = compare(self.bundle, study, outcome) if self.bundle.lock is not None else None
        handed = HandOver(
            study=study, outcome=outcome, writer=self.writer, splits=self.splits, written=written,
            license=self.options.license, url=self.options.url, engine=self.engine, progress=self.watch,
        )  # fmt: skip
        notes = write_documents(draft, handed)
        prepared = Prepared(
            folder=draft,
            identity=self.identity,
            format=self.options.format,
            shard_mb=self.options.shard_mb,
            recipe=recipe.digest,
            selection=selection.digest,
            corpus=study.corpus.fingerprint,
            plan=plan.digest,
            content=written.content,
            splits=written.counts,
            steps=admitting_steps(outcome),
            counts=locked_counts(outcome, selection),
            summary=tuple(each.plain() for each in self.built.summary),
            leaks=None if plan.leaks is None else plan.leaks.pairs,
            tokenizer=self.splits[0].tokenizer,
            files=describe_files(draft, written),
            agrees=None if verification is None else verification.ok,
            difference="" if verification is None or verification.ok else verification.sentence,
            tools=tools,
            roles=study.corpus.roles.known(),
            notes=(*study.corpus.notes, *study.documents.warnings, *notes),
        )
        write_bytes(draft / PREPARE_FILE, prepared.to_json())

    def _tools(self) -> dict[str, str]:
        found = tool_versions() | {"prepare": str(PREPARE_VERSION)}
        for name in self.writer.packages:
            try:
                found[name] = version(name)
            except PackageNotFoundError:
                continue
        return found


def describe_files(folder: Path, written: WrittenSplits) -> tuple[LockedFile, ...]:
    """Return every file of a folder with its checksum, by name; shards are not read again."""
    known = dict(zip(*(written.shards.column(name).to_pylist() for name in ("file", "sha256")), strict=True))
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return tuple(
        LockedFile(
            name, known.get(name) or file_sha256(folder / name), (folder / name).stat().st_size,
            parquet_rows(folder / name) if name.endswith(".parquet") else 0,
        )
        for name in names
    )  # fmt: skip
