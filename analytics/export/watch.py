"""Curating a folder that grows: each batch of new files becomes a part, and no part is ever changed.

The recipe is evaluated on all files each time, so duplicates are judged against all that came before; what earlier
analyses measured is taken over. A part holds the kept documents of its files and the ledger of the dropped ones.
``selection.parquet`` is that of one run over all files, to the byte. If a decision about an earlier batch would change,
nothing is written.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.export.bundle import Bundle
from tamis.analytics.export.bundle_study import open_for, study_for
from tamis.analytics.export.curated import CuratedOptions, write_curated
from tamis.analytics.export.watch_rules import check_watchable
from tamis.analytics.operators.keep_policy import Keeping
from tamis.analytics.recipe.ledger import LEDGER_SCHEMA, ledger_blocks
from tamis.analytics.recipe.outcome import Outcome, Selection
from tamis.analytics.recipe.plan import attach
from tamis.analytics.study.pictures import is_pictured
from tamis.analytics.study.study import Study
from tamis.data.corpus import Corpus
from tamis.data.corpus_states import file_contents, new_documents
from tamis.data.errors import CorpusError, RecipeError, StoreError
from tamis.data.formats import ONE_EACH
from tamis.data.lock import Lock
from tamis.data.outputs import output_folder
from tamis.data.parquet import sync, write_blocks, write_bytes, write_parquet
from tamis.data.progress import NullProgress, Progress
from tamis.data.workspace import Workspace

STATE, SELECTION, LEDGER = "watch.json", "selection.parquet", "ledger.parquet"
WATCH_VERSION = 1


@dataclass(frozen=True)
class WatchedBatch:
    """The files that came together, and what became of their documents.

    Attributes:
        part: name of the folder with the kept documents and the ledger.
        files: names and sha256 of the files, sorted by sha256.
        documents, kept: how many.
        decisions: sha256 over what was decided of each document, in the order of the files.
        selection: digest of the selection of all files up to this batch.
    """

    part: str
    files: tuple[tuple[str, str], ...]
    documents: int
    kept: int
    decisions: str
    selection: str


@dataclass(frozen=True)
class WatchState:
    """The record of a watched folder.

    Attributes:
        recipe: digest of the recipe.
        roles: path of the column of each role, found in the first batch.
        batches: all parts, the first one first.
    """

    recipe: str
    roles: Mapping[str, str] = field(default_factory=dict)
    batches: tuple[WatchedBatch, ...] = ()

    @classmethod
    def read(cls, out: Path, recipe: str) -> WatchState:
        """Return the record in a folder; a new one if there is none.

        Raises:
            StoreError: the record cannot be read, or is of another recipe.
        """
        path = out / STATE
        if not path.is_file():
            if out.exists() and any(not each.name.startswith(".") for each in out.iterdir()):
                raise StoreError("Something else is at this path", value=str(out), fix="choose another folder")
            return cls(recipe)
        try:
            value = json.loads(path.read_bytes())
            batches = tuple(
                WatchedBatch(**{**each, "files": tuple((name, sha256) for name, sha256 in each["files"])})
                for each in value["batches"]
            )
            found = cls(value["recipe"], value["roles"], batches)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"Cannot read {path}", fix="choose another folder") from error
        if found.recipe != recipe:
            raise StoreError(
                "This folder is curated by another recipe", value=recipe[:12], allowed=found.recipe[:12],
                fix="choose another folder for another recipe",
            )  # fmt: skip
        return found

    def to_json(self) -> bytes:
        """Return the record as JSON."""
        return json.dumps({"watch": WATCH_VERSION, **asdict(self)}, indent=1, sort_keys=True).encode() + b"\n"


def watch_once(
    bundle: Bundle | str | Path,
    folder: str | Path,
    out: str | Path,
    *,
    workspace: Workspace | None = None,
    options: CuratedOptions | None = None,
    progress: Progress | None = None,
) -> WatchedBatch | None:
    """Curate the files that came since the last batch; return the batch, None if nothing came.

    A killed call is started again with the same arguments: parts are whole or absent, and have the same bytes.

    Args:
        bundle: an opened bundle, its folder, or a recipe file.
        folder: the corpus that grows; files of earlier batches must stay as they are.
        out: the folder with the parts.
        workspace: where measurements are kept; None for the default one.
        options: how curated files are written.
        progress: where to report.

    Raises:
        RecipeError: the recipe may have to take back what it decided, or would have to now.
        CorpusError: a file of an earlier batch is gone or was changed, or two files have the same content.
        LockedError: another process writes the same folder.
        TamisError: as opening, analysis and recipe raise.
    """
    home, watch = workspace or Workspace.default(), progress or NullProgress()
    opened = bundle if isinstance(bundle, Bundle) else Bundle.open(Path(bundle))
    check_watchable(opened.recipe)
    target = output_folder(out, folder)
    with Lock(target.with_name(f".{target.name}.lock"), what=f"Watch {target}"):
        state = WatchState.read(target, opened.recipe.digest)
        corpus = open_for(opened, folder, home, roles=dict(state.roles) or None, by_hand=() if state.roles else None)
        known = {sha256 for batch in state.batches for _, sha256 in batch.files}
        _check_files(corpus, state)
        if known == set(file_contents(corpus)):
            return None
        study = study_for(opened, corpus, home, progress=watch)
        _check_ids(opened, study)
        outcome = study.evaluate(opened.recipe, progress=watch)
        _check_decisions(study, outcome, state)
        return _write(target, opened, study, outcome, state, options or CuratedOptions(), watch)


def _check_files(corpus: Corpus, state: WatchState) -> None:
    if any(opened.format in ONE_EACH for opened in corpus.opened):
        one, instead = ("picture", "Parquet or tar shards") if is_pictured(corpus) else ("text", "JSON Lines")
        raise CorpusError(
            f"Files of one {one} each cannot be watched", value=corpus.name, fix=f"write {instead} instead"
        )
    contents = file_contents(corpus)
    there = set(contents)
    gone = [name for batch in state.batches for name, sha256 in batch.files if sha256 not in there]
    if gone:
        raise CorpusError(
            "A file of an earlier batch is gone or was changed", value=gone[0],
            fix="put it back, or curate the whole folder into another one",
        )  # fmt: skip
    twice = [sha256 for sha256, count in Counter(contents).items() if count > 1]
    if twice:
        names = [file.name for file in corpus.files if file.sha256 == twice[0]]
        raise CorpusError("Two files have the same content", value=names, fix="remove one of them")


def _check_ids(bundle: Bundle, study: Study) -> None:
    by_id = [
        step.id for step in bundle.recipe.active
        if isinstance(step.operator, Keeping) and step.operator.keep == "first id"
    ]  # fmt: skip
    if by_id and study.documents.id_source != "column":
        raise RecipeError(
            f"Step {by_id[0]} keeps the first id, and ids are made of the texts here", value=study.corpus.name,
            allowed="a column of ids that grow", fix="give the corpus such a column, or keep the oldest by a date",
        )  # fmt: skip


def _check_decisions(study: Study, outcome: Outcome, state: WatchState) -> None:
    """Check that what was decided of earlier batches is decided again."""
    for batch in state.batches:
        if _decisions(study, outcome, _of(study, batch)) != batch.decisions:
            raise RecipeError(
                f"The new files change what was decided of {batch.part}", value=outcome.recipe.digest[:12],
                allowed="documents that come later and dates or ids that grow",
                fix="see docs/growth.md for when this happens, or curate the whole folder again with tamis run",
            )  # fmt: skip


def _of(study: Study, batch: WatchedBatch) -> NDArray[np.bool_]:
    """Return which documents are of a batch, bool (n,)."""
    others = set(file_contents(study.corpus)) - {sha256 for _, sha256 in batch.files}
    return new_documents(study.corpus, study.documents, others)


def _decisions(study: Study, outcome: Outcome, mask: NDArray[np.bool_]) -> str:
    """Return the sha256 over the deciding steps and copies of some documents in source order."""
    rows = np.flatnonzero(mask)
    rows = rows[np.argsort(study.documents.order[rows], kind="stable")]
    state = hashlib.sha256(np.ascontiguousarray(outcome.deciding[rows], dtype="<i2").tobytes())
    state.update(np.ascontiguousarray(outcome.copies[rows], dtype="<i4").tobytes())
    return state.hexdigest()


def _write(
    target: Path,
    bundle: Bundle,
    study: Study,
    outcome: Outcome,
    state: WatchState,
    options: CuratedOptions,
    progress: Progress,
) -> WatchedBatch:
    """Write the part of the new files, the selection of all files, and the record, which makes the batch count."""
    known = {sha256 for batch in state.batches for _, sha256 in batch.files}
    new = new_documents(study.corpus, study.documents, known)
    facts = attach(study.facts, bundle.recipe.measures(), study.evidence)
    selection = Selection.from_outcome(outcome, facts)
    name = f"part-{len(state.batches) + 1:05d}"
    draft, part = target / f".{name}.partial", target / name
    for unfinished in (draft, part):
        shutil.rmtree(unfinished, ignore_errors=True)
    for unfinished in target.glob(".*.tmp"):
        unfinished.unlink()
    draft.mkdir(parents=True)
    own = replace(outcome, deciding=np.where(new, outcome.deciding, 0).astype(np.int16), copies=outcome.copies * new)
    write_blocks(ledger_blocks(own, facts, study.evidence), LEDGER_SCHEMA, draft / LEDGER)
    write_curated(draft, study.corpus, study.documents, own, options=options, progress=progress)
    sync(draft)
    draft.rename(part)
    write_parquet(selection.table(), target / SELECTION)
    files = sorted((file.sha256, file.name) for file in study.corpus.files if file.sha256 not in known)
    batch = WatchedBatch(
        name,
        tuple((file, sha256) for sha256, file in files),
        int(np.count_nonzero(new)),
        int(np.count_nonzero(own.copies)),
        _decisions(study, outcome, new),
        selection.digest,
    )
    roles = state.roles or study.corpus.explicit_roles
    write_bytes(target / STATE, replace(state, roles=roles, batches=(*state.batches, batch)).to_json())
    return batch
