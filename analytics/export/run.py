"""Running a bundle on a corpus: the same recipe, headless, into a folder that appears only when it is complete.

curated/                 the kept documents, sorted by id, all columns of the source
lines.parquet            what the run adds to each line of JSON Lines
pictures.parquet         names, sizes and checksums of a folder of pictures
selection.parquet        copies, position, weight and deciding step of every document
ledger.parquet           why each dropped document was dropped
errors.parquet           rows that are not documents, lines and files left out
recipe.yaml, run.json    what was run, counts, checksums, agreement with the lock
README.md                which of these files are the data, for people and for loaders
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tamis.analytics.export.bundle import (
    RECIPE_FILE,
    Bundle,
    locked_counts,
    unpack_bundle,
)
from tamis.analytics.export.bundle_study import open_for, study_for
from tamis.analytics.export.curated import (
    CURATED_VERSION,
    EDITS,
    CuratedOptions,
    check_format,
    check_format_of,
    write_curated,
)
from tamis.analytics.export.lock import LockedFile, tool_versions
from tamis.analytics.export.run_errors import errors_table
from tamis.analytics.export.run_folder import EditCount, Run, edit_counts, kept_promises, readme, summary
from tamis.analytics.export.run_splits import across_splits
from tamis.analytics.export.verify import Verification, compare
from tamis.analytics.operators.operator import TextOperator
from tamis.analytics.recipe.ledger import LEDGER_SCHEMA, ledger_blocks
from tamis.analytics.recipe.outcome import Outcome, Selection
from tamis.analytics.recipe.plan import attach
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.signals.tokens import tokens_step
from tamis.analytics.steps.corpus_columns import unread_columns
from tamis.analytics.steps.engine import Engine
from tamis.analytics.study.contamination import contamination_of_steps
from tamis.analytics.study.study import Study
from tamis.data.errors import StoreError
from tamis.data.hashing import digest, file_sha256
from tamis.data.listing import CURATED, LOCK_FILE, PICTURES_TABLE, RUN_FILE
from tamis.data.lock import Lock
from tamis.data.markers import Markers, WrittenFile
from tamis.data.opening import OnBad
from tamis.data.outputs import find_made, output_folder
from tamis.data.parquet import parquet_rows, sync, write_blocks, write_bytes, write_parquet
from tamis.data.path_columns import PathColumns
from tamis.data.progress import NullProgress, Progress
from tamis.data.workspace import Workspace

__all__ = ["Run", "run_bundle", "summary", "verify_bundle"]

DONE, FORMAT = ".done", "format"


def run_bundle(
    bundle: Bundle | str | Path,
    path: str | Path,
    out: str | Path,
    *,
    workspace: Workspace | None = None,
    roles: Mapping[str, str] | None = None,
    by_hand: Collection[str] | None = None,
    on_bad_file: OnBad = "fail",
    on_bad_line: OnBad = "fail",
    path_columns: PathColumns | Sequence[str] = "found",
    options: CuratedOptions | None = None,
    tokenizer: str | None = None,
    engine: Engine | None = None,
    progress: Progress | None = None,
) -> Run:
    """Run a bundle on a corpus and write everything into ``out``.

    A killed run is started again with the same call: finished shards of the analysis are in the workspace, complete
    curated files in the draft of the folder, and the result has the same bytes. A finished run with the same identity
    is returned unchanged.

    Args:
        bundle: an opened bundle, its folder, or a recipe file.
        path: the corpus.
        out: the folder to make.
        workspace: where measurements are kept; None for the default one.
        roles: columns by role; None for those in the lock.
        by_hand: which of them a person chose; see ``open_corpus``.
        on_bad_file: whether a bad file ends the run or is left out.
        on_bad_line: the same for a bad line of JSON Lines or CSV.
        path_columns: which columns are read from paths, as ``open_corpus`` takes it.
        options: how curated files are written.
        tokenizer: counts tokens; None for that of the lock where it is packaged, else the one chosen for the corpus.
        engine: measures shards elsewhere, which changes no byte.
        progress: where to report.

    Raises:
        LockedError: another process writes the same folder.
        SettingError: unknown format, or one that the documents of the corpus do not have.
        StoreError: something else, also a run in another format, is at ``out``, it lies inside the corpus, or the disk
            is full.
        TamisError: as opening, analysis and recipe raise.
    """
    chosen = options or CuratedOptions()
    check_format(chosen.format)
    home, watch = workspace or Workspace.default(), progress or NullProgress()
    opened = open_bundle(bundle, home)
    opening: dict[str, Any] = {"on_bad_file": on_bad_file, "on_bad_line": on_bad_line, "path_columns": path_columns}
    corpus = open_for(opened, path, home, roles=roles, by_hand=by_hand, opening=opening)
    check_format_of(chosen.format, corpus)
    counted = {} if tokenizer is None else {"tokens": dict(tokens_step(tokenizer).params)}
    identity = digest({"bundle": opened.digest, "corpus": corpus.fingerprint, "options": chosen.plain, **counted})
    target = output_folder(out, corpus.path)
    with Lock(target.with_name(f".{target.name}.lock"), what=f"Run {target}") as lock:
        finished = _find_finished(target, identity, chosen.format)
        if finished is not None:
            return finished
        draft = target.with_name(f".{target.name}.partial")
        _check_draft(draft, chosen.format)
        study = study_for(opened, corpus, home, tokenizer=tokenizer, engine=engine, progress=watch)
        _write(draft, opened, study, study.evaluate(opened.recipe, progress=watch), identity, chosen, watch)
        if not lock.is_mine():
            raise StoreError("Another process has taken over this run", value=str(target))
        draft.rename(target)
        sync(target.parent)
    return Run.open(target)


def open_bundle(bundle: Bundle | str | Path, workspace: Workspace) -> Bundle:
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


def _find_finished(target: Path, identity: str, format: str) -> Run | None:
    """Return the finished run at ``target`` when it has this identity.

    Raises:
        StoreError: something else is there.
    """
    run = find_made(target, Run.open)
    if run is None:
        return None
    if run.format != format:
        raise _other_format("There is a run in another format at this path", target, run.format, format)
    if run.identity != identity:
        raise StoreError("There is another run at this path", value=str(target), fix="choose another folder")
    run.check_files()
    return run


def _check_draft(draft: Path, format: str) -> None:
    """Raise ``StoreError`` if an unfinished run in another format is at ``draft``."""
    try:
        found = (draft / DONE / FORMAT).read_text()
    except OSError:
        return
    if found != format:
        raise _other_format("An unfinished run in another format is at this path", draft, found, format)


def _other_format(what: str, place: Path, found: str, wanted: str) -> StoreError:
    fix = f"its format is {found}, not {wanted}: run with --format {found}, choose another folder, or remove it"
    return StoreError(what, value=str(place), fix=fix)


def _write(
    draft: Path,
    bundle: Bundle,
    study: Study,
    outcome: Outcome,
    identity: str,
    options: CuratedOptions,
    progress: Progress,
) -> None:
    """Write all files of a run into its draft folder, the manifest last."""
    facts = attach(study.facts, bundle.recipe.measures(), study.evidence)
    selection = Selection.from_outcome(outcome, facts)
    verification = compare(bundle, study, outcome) if bundle.lock is not None else None
    made_for = {"run": identity, "recipe": bundle.recipe.digest, "selection": selection.digest}
    tools = tool_versions() | {"curated files": str(CURATED_VERSION)}
    markers = Markers(draft / DONE, made_for | {"tools": digest(tools)})
    _clear(draft, markers, options.format)
    write_bytes(markers.folder / FORMAT, options.format.encode())
    progress.step("selection and ledger", 1, "files")
    write_bytes(draft / RECIPE_FILE, bundle.recipe.to_yaml().encode())
    markers.mark(WrittenFile.at(draft / RECIPE_FILE, rows=0))
    if bundle.lock is not None:
        write_bytes(draft / LOCK_FILE, bundle.lock.to_json())
    write_parquet(selection.table(), draft / "selection.parquet")
    write_blocks(ledger_blocks(outcome, facts, study.evidence), LEDGER_SCHEMA, draft / "ledger.parquet")
    errors = errors_table(study.corpus, study.documents)
    write_parquet(errors, draft / "errors.parquet")
    write_bytes(draft / "README.md", readme(options.format).encode())
    written = write_curated(
        draft, study.corpus, study.documents, outcome, options=options, markers=markers, progress=progress
    )
    shutil.rmtree(markers.folder)
    counts = locked_counts(outcome, selection)
    files = tuple(item for item in study.corpus.left_out if item.line is None)
    run = Run(
        folder=draft,
        identity=identity,
        recipe=bundle.recipe.digest,
        selection=selection.digest,
        corpus=study.corpus.fingerprint,
        counts=counts,
        errors=errors.num_rows - len(files),
        files=_listed(draft, written),
        agrees=None if verification is None else verification.ok,
        difference="" if verification is None or verification.ok else verification.sentence,
        tools=tools,
        promised=kept_promises(bundle.lock, counts),
        roles=study.corpus.roles.known(),
        unread=unread_columns(study.corpus, bundle.recipe.columns(), study.evidence.steps),
        left_out=files,
        lines_left_out=len(study.corpus.left_out) - len(files),
        repaired=study.documents.repaired,
        notes=(*study.corpus.notes, *study.documents.warnings, *_cautions(bundle.recipe)),
        across_splits=across_splits(study.corpus, study.documents, outcome),
        edited=_count_edits(draft, bundle.recipe),
        format=options.format,
        contamination=contamination_of_steps(study, [(step.id, step.operator) for step in bundle.recipe.active]),
    )
    write_bytes(draft / RUN_FILE, run.to_json())
    sync(draft)


def _cautions(recipe: Recipe) -> tuple[str, ...]:
    found = ((step.id, step.operator.caution()) for step in recipe.active)
    return tuple(f"step {name}: {caution}" for name, caution in found if caution)


def _count_edits(draft: Path, recipe: Recipe) -> tuple[EditCount, ...]:
    """Return the edit counts of the text steps from the files of a draft."""
    steps = [step.id for step in recipe.active if isinstance(step.operator, TextOperator)]
    return edit_counts(pq.read_table(draft / EDITS), steps) if steps else ()


def _clear(draft: Path, markers: Markers, format: str) -> None:
    """Make the draft folder; of an earlier one, only complete curated files of the same run stay.

    Files of pictures have no markers: they are compared when they are placed.
    """
    draft.mkdir(parents=True, exist_ok=True)
    placed = draft / CURATED if format == "folder" and markers.whole(draft / RECIPE_FILE) else None
    for path in sorted(draft.rglob("*")):
        if placed is not None and placed in path.parents:
            continue
        if path.is_file() and path.parent != markers.folder and markers.whole(path) is None:
            path.unlink()


def _listed(folder: Path, curated: Sequence[WrittenFile]) -> tuple[LockedFile, ...]:
    rows = {f"{CURATED}/{file.name}": file.rows for file in curated}
    # The table of pictures names those of a folder.
    pictures = (folder / PICTURES_TABLE).is_file()
    found = [path for path in folder.rglob("*") if path.is_file()]
    names = sorted(path.relative_to(folder).as_posix() for path in found)
    if pictures:
        names = [name for name in names if name in rows or not name.startswith(f"{CURATED}/")]
    return tuple(_describe_file(folder / name, name, rows.get(name)) for name in names)


def _describe_file(path: Path, name: str, rows: int | None) -> LockedFile:
    if rows is None:
        rows = parquet_rows(path) if path.suffix == ".parquet" else 0
    return LockedFile(name, file_sha256(path), path.stat().st_size, rows)


def verify_bundle(
    bundle: Bundle | str | Path,
    path: str | Path,
    *,
    workspace: Workspace | None = None,
    roles: Mapping[str, str] | None = None,
    on_bad_file: OnBad = "fail",
    on_bad_line: OnBad = "fail",
    path_columns: PathColumns | Sequence[str] = "found",
    tokenizer: str | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Run a bundle's recipe on a corpus without writing anything, and compare with its lock.

    Raises:
        VerifyError: the bundle has no lock.
        TamisError: as opening, analysis and recipe raise.
    """
    home = workspace or Workspace.default()
    opened = open_bundle(bundle, home)
    opening: dict[str, Any] = {"on_bad_file": on_bad_file, "on_bad_line": on_bad_line, "path_columns": path_columns}
    corpus = open_for(opened, path, home, roles=roles, opening=opening)
    study = study_for(opened, corpus, home, tokenizer=tokenizer, progress=progress)
    return compare(opened, study, study.evaluate(opened.recipe, progress=progress))
