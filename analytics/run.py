"""Running a bundle on a corpus: the same recipe, headless, into a folder that appears only when it is whole.

curated/part-*.parquet   the kept documents, sorted by id, all columns of the source
selection.parquet        copies, position, weight and deciding step of every document
ledger.parquet           why each dropped document was dropped
errors.parquet           rows that are not documents
recipe.yaml, run.json    what was run, counts, checksums, agreement with the lock
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tamis.analytics.bundle import ALWAYS, LOCK_FILE, RECIPE_FILE, Bundle, locked_counts, needed_steps, unpack_bundle
from tamis.analytics.curate import CuratedOptions, write_curated
from tamis.analytics.ledger import ledger
from tamis.analytics.locking import LockedCount, LockedFile, tool_versions
from tamis.analytics.outcome import Outcome
from tamis.analytics.pipeline import analysis_steps
from tamis.analytics.plan import attach
from tamis.analytics.recipe import Recipe
from tamis.analytics.selection import Selection
from tamis.analytics.step import StepSpec
from tamis.analytics.study import Study
from tamis.analytics.verify import Verification, compare
from tamis.data.corpus import Corpus, open_corpus
from tamis.data.errors import StoreError
from tamis.data.hashing import digest, file_sha256
from tamis.data.lock import Lock
from tamis.data.opening import OnBadFile
from tamis.data.parquet import sync, write_bytes, write_parquet
from tamis.data.progress import NullProgress, Progress
from tamis.data.workspace import Workspace

RUN_FILE = "run.json"
RUN_VERSION = 1


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        folder: where it is.
        identity: digest of recipe, plain data, corpus and options.
        recipe: digest of the recipe.
        selection: digest of the selection.
        corpus: fingerprint of the corpus.
        counts: input first, then one per active step.
        errors: rows that are not documents.
        files: every file of the folder but the manifest.
        agrees: whether everything is as the bundle's lock says; None without a lock.
        difference: the first difference from the lock as a sentence, empty when there is none.
        tools: versions.
        run_version: of this format.
    """

    folder: Path
    identity: str
    recipe: str
    selection: str
    corpus: str
    counts: tuple[LockedCount, ...]
    errors: int
    files: tuple[LockedFile, ...]
    agrees: bool | None
    difference: str
    tools: Mapping[str, str]
    run_version: int = RUN_VERSION

    def to_json(self) -> bytes:
        """Return the manifest; it does not say where the folder is."""
        value = {key: item for key, item in asdict(self).items() if key != "folder"}
        return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def open(cls, folder: str | Path) -> Run:
        """Read the manifest of a finished run.

        Raises:
            StoreError: there is no finished run.
        """
        path = Path(folder)
        try:
            value = json.loads((path / RUN_FILE).read_bytes())
            value["counts"] = tuple(LockedCount(**item) for item in value["counts"])
            value["files"] = tuple(LockedFile(**item) for item in value["files"])
            return cls(folder=path, **value)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise StoreError("There is no finished run here", value=str(folder), fix="run the bundle again") from error

    def check_files(self) -> None:
        """Compare every file with its checksum.

        Raises:
            StoreError: naming the first file that is missing or differs.
        """
        for file in self.files:
            path = self.folder / file.name
            if not path.is_file() or file_sha256(path) != file.sha256:
                raise StoreError("A file of the run is missing or was changed", value=file.name)


def run_bundle(
    bundle: Bundle | str | Path,
    path: str | Path,
    out: str | Path,
    *,
    workspace: Workspace | None = None,
    roles: Mapping[str, str] | None = None,
    on_bad_file: OnBadFile = "fail",
    options: CuratedOptions | None = None,
    progress: Progress | None = None,
) -> Run:
    """Run a bundle on a corpus and write everything into ``out``.

    A killed run is started again with the same call: finished shards of the analysis are found in the workspace, the
    folder is written anew, and the result has the same bytes. A finished run of the same thing is returned as it is.

    Args:
        bundle: an opened bundle, its folder, or a recipe file.
        path: the corpus.
        out: the folder to make.
        workspace: where measurements are kept; the default one otherwise.
        roles: columns by role; those the lock names otherwise.
        on_bad_file: whether a bad file ends the run or is left out.
        options: how curated files are written.
        progress: where to report.

    Raises:
        LockedError: another process writes the same folder.
        StoreError: something else is at ``out``, or the disk is full.
        TamisError: as opening, analysis and recipe raise.
    """
    home, watch = workspace or Workspace.default(), progress or NullProgress()
    opened = _opened(bundle, home)
    corpus = open_for(opened, path, home, roles=roles, on_bad_file=on_bad_file)
    chosen = options or CuratedOptions()
    identity = digest({"bundle": opened.digest, "corpus": corpus.fingerprint, "options": asdict(chosen)})
    target = Path(out).expanduser().absolute()
    with Lock(target.with_name(f".{target.name}.lock"), what=f"Run {target}") as lock:
        finished = _finished(target, identity)
        if finished is not None:
            return finished
        study = study_for(opened, corpus, home, progress=watch)
        outcome = study.evaluate(opened.recipe, progress=watch)
        draft = target.with_name(f".{target.name}.partial")
        shutil.rmtree(draft, ignore_errors=True)
        run = _write(draft, opened, study, outcome, identity, chosen, watch)
        if not lock.is_mine():
            raise StoreError("Another process has taken this run over", value=str(target))
        draft.rename(target)
        sync(target.parent)
    return Run.open(target) if run.folder != target else run


def _opened(bundle: Bundle | str | Path, workspace: Workspace) -> Bundle:
    """Return the bundle; an archive is unpacked into the workspace first, once."""
    if isinstance(bundle, Bundle):
        return bundle
    path = Path(bundle)
    if not (path.is_file() and path.suffix == ".zip"):
        return Bundle.open(path)
    folder = workspace.root / "unpacked" / file_sha256(path)
    if not (folder / RECIPE_FILE).is_file():
        shutil.rmtree(folder, ignore_errors=True)
        return unpack_bundle(path, folder)
    return Bundle.open(folder)


def _finished(target: Path, identity: str) -> Run | None:
    """Return the finished run at ``target`` when it is the same one.

    Raises:
        StoreError: something else is there.
    """
    if not target.exists():
        return None
    try:
        run = Run.open(target)
    except StoreError:
        if target.is_dir() and not any(target.iterdir()):
            target.rmdir()
            return None
        raise StoreError("Something else is at this path", value=str(target), fix="choose another folder") from None
    if run.identity != identity:
        raise StoreError("There is another run at this path", value=str(target), fix="choose another folder")
    run.check_files()
    return run


def open_for(
    bundle: Bundle,
    path: str | Path,
    workspace: Workspace,
    *,
    roles: Mapping[str, str] | None = None,
    on_bad_file: OnBadFile = "fail",
) -> Corpus:
    """Open a corpus with the roles that the lock names, as far as the corpus has those columns.

    Raises:
        CorpusError: as ``open_corpus``.
    """
    corpus = open_corpus(path, roles=roles, on_bad_file=on_bad_file, probes=workspace.probes)
    if roles is not None or bundle.lock is None:
        return corpus
    known = bundle.lock.corpus.roles
    wanted = {role: known.get(role, "") for role in corpus.explicit_roles}
    fitting = {role: name for role, name in wanted.items() if not name or name.split(".")[0] in corpus.schema.names}
    return corpus.with_roles({role: name for role, name in fitting.items() if name or role != "text"})


def study_for(
    bundle: Bundle,
    corpus: Corpus,
    workspace: Workspace,
    *,
    also: Collection[str] = (),
    progress: Progress | None = None,
) -> Study:
    """Analyse a corpus as far as a bundle's recipe needs, and measure what it asks for.

    Args:
        bundle: the recipe with its lock and plain data.
        corpus: what to analyse.
        workspace: where artifacts are kept.
        also: further analysis steps to run, by name.
        progress: where to report.

    Raises:
        TamisError: as the steps raise.
    """
    bundle.sources.lend(bundle.recipe.assets(), workspace)
    steps = steps_for(bundle, analysis_steps(corpus, workspace), also=also)
    study = Study.open(corpus, workspace, steps=steps, frozen=bundle.sources, progress=progress)
    study.measure(bundle.recipe, progress=progress)
    return study


def steps_for(bundle: Bundle, steps: Sequence[StepSpec], *, also: Collection[str] = ()) -> tuple[StepSpec, ...]:
    """Return the analysis steps a recipe needs: those its lock names and ``also``, or all when it has no lock."""
    from tamis.analytics.assembly import facts_step

    if bundle.lock is None:
        return tuple(steps)
    measured = {measure.column for measure in bundle.recipe.measures()}
    unknown = bundle.recipe.columns() - set(bundle.lock.columns) - measured - {"id", "bytes", *ALWAYS}
    if unknown:
        return tuple(steps)
    chosen = [step for step in needed_steps(steps, {*bundle.lock.columns.values(), *also}) if step.name != "facts"]
    return (*chosen, facts_step(chosen))


def _write(
    draft: Path,
    bundle: Bundle,
    study: Study,
    outcome: Outcome,
    identity: str,
    options: CuratedOptions,
    progress: Progress,
) -> Run:
    """Write all files of a run into its draft folder, the manifest last."""
    facts = attach(study.facts, bundle.recipe.measures(), study.evidence)
    selection = Selection.from_outcome(outcome, facts)
    verification = compare(bundle, study, outcome) if bundle.lock is not None else None
    draft.mkdir(parents=True)
    progress.step("selection and ledger", 1, "files")
    write_bytes(draft / RECIPE_FILE, bundle.recipe.to_yaml().encode())
    if bundle.lock is not None:
        write_bytes(draft / LOCK_FILE, bundle.lock.to_json())
    write_parquet(selection.table(), draft / "selection.parquet")
    write_parquet(ledger(outcome, facts), draft / "ledger.parquet")
    write_parquet(study.documents.errors.select(["position", "reason"]), draft / "errors.parquet")
    write_curated(draft, study.corpus, study.documents, outcome, options=options, progress=progress)
    run = Run(
        folder=draft,
        identity=identity,
        recipe=bundle.recipe.digest,
        selection=selection.digest,
        corpus=study.corpus.fingerprint,
        counts=locked_counts(outcome, selection),
        errors=study.documents.errors.num_rows,
        files=_listed(draft),
        agrees=None if verification is None else verification.ok,
        difference="" if verification is None or verification.ok else verification.sentence,
        tools=tool_versions(),
    )
    write_bytes(draft / RUN_FILE, run.to_json())
    sync(draft)
    return run


def _listed(folder: Path) -> tuple[LockedFile, ...]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return tuple(
        LockedFile(path.relative_to(folder).as_posix(), file_sha256(path), path.stat().st_size) for path in files
    )


def verify_bundle(
    bundle: Bundle | str | Path,
    path: str | Path,
    *,
    workspace: Workspace | None = None,
    roles: Mapping[str, str] | None = None,
    on_bad_file: OnBadFile = "fail",
    progress: Progress | None = None,
) -> Verification:
    """Run a bundle's recipe on a corpus without writing anything, and compare with its lock.

    Raises:
        VerifyError: the bundle has no lock.
        TamisError: as opening, analysis and recipe raise.
    """
    home = workspace or Workspace.default()
    opened = _opened(bundle, home)
    corpus = open_for(opened, path, home, roles=roles, on_bad_file=on_bad_file)
    study = study_for(opened, corpus, home, progress=progress)
    return compare(opened, study, study.evaluate(opened.recipe, progress=progress))


def summary(run: Run) -> dict[str, Any]:
    """Return the figures of a run as plain values, for a terminal or a page."""
    first, last = run.counts[0], run.counts[-1]
    return {
        "kept": last.documents,
        "dropped": first.documents - last.documents,
        "errors": run.errors,
        "rows": first.documents + run.errors,
        "tokens": last.tokens,
        "selection": run.selection,
    }


def recipe_of(run: Run) -> Recipe:
    """Return the recipe a run executed."""
    return Recipe.from_yaml((run.folder / RECIPE_FILE).read_text("utf-8"))
