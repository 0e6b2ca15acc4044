"""Bundles: what an export writes and a run executes.

recipe.yaml         what to do, for people; diffable
recipe.lock.json    the corpus it was made on and its results there
artifacts/          id sets, frozen clusterings, centroids, tuned embedding models: plain data named by digest
"""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tamis.analytics.export.bundle_sources import TUNED_PREFIX, BundleSources, write_clustering
from tamis.analytics.export.lock import BundleLock, LockedCorpus, LockedCount, LockedFile, LockedStep, tool_versions
from tamis.analytics.export.sample_predictions import locked_sample
from tamis.analytics.operators.token_costs import COST_COLUMNS
from tamis.analytics.recipe.outcome import Outcome, Selection
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.steps.measures import clustering_of, steps_of
from tamis.analytics.steps.step import StepSpec
from tamis.analytics.study.study import Study, find_artifact
from tamis.analytics.training.plan import TrainingPlan, has_training
from tamis.data.errors import RecipeError, StoreError
from tamis.data.hashing import digest, file_sha256
from tamis.data.listing import LOCK_FILE
from tamis.data.names import inside
from tamis.data.outputs import output_folder
from tamis.data.parquet import sync, write_bytes

RECIPE_FILE, ARTIFACTS = "recipe.yaml", "artifacts"
MAX_FILE = 2 << 30
MAX_FILES = 1_000
ALWAYS = ("n_tokens",)
"""Facts columns that counts need with any recipe."""


@dataclass(frozen=True)
class Bundle:
    """An opened bundle.

    Attributes:
        folder: where it is.
        recipe: what to do.
        lock: its results on the corpus it was made on; None for a recipe without a lock.
    """

    folder: Path
    recipe: Recipe
    lock: BundleLock | None

    @classmethod
    def open(cls, path: str | Path) -> Bundle:
        """Open a bundle folder, or a recipe file on its own.

        Raises:
            RecipeError: there is no recipe, or recipe or lock are not valid.
            StoreError: a file of the bundle is missing or damaged; the message names it.
        """
        given = Path(path)
        file = given if given.is_file() else given / RECIPE_FILE
        if not file.is_file():
            raise RecipeError("There is no recipe here", value=str(path), allowed=f"a folder with {RECIPE_FILE}")
        recipe = Recipe.from_file(file)
        lock_file = file.with_name(LOCK_FILE)
        lock = BundleLock.from_json(lock_file.read_bytes()) if given.is_dir() and lock_file.is_file() else None
        bundle = cls(file.parent, recipe, lock)
        for locked in lock.artifacts if lock else ():
            found = inside(bundle.artifacts, locked.name, what="File of the bundle")
            if not found.is_file() or file_sha256(found) != locked.sha256:
                raise StoreError(
                    "A file of the bundle is missing or damaged", value=locked.name, fix="export the bundle again"
                )
        return bundle

    @property
    def artifacts(self) -> Path:
        """Return the folder of plain data."""
        return self.folder / ARTIFACTS

    @property
    def sources(self) -> BundleSources:
        """Return the id sets and clusterings that the bundle carries."""
        return BundleSources(self.artifacts)

    @property
    def digest(self) -> str:
        """Return the digest of what the bundle does: recipe and plain data."""
        files = [] if self.lock is None else sorted(item.sha256 for item in self.lock.artifacts)
        return digest({"recipe": self.recipe.digest, "artifacts": files})

    def zipped(self) -> bytes:
        """Return the folder as a ZIP archive; the same bundle gives the same bytes."""
        stream = io.BytesIO()
        files = sorted(path for path in self.folder.rglob("*") if path.is_file())
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in files:
                info = zipfile.ZipInfo(str(path.relative_to(self.folder)), date_time=(1980, 1, 1, 0, 0, 0))
                info.external_attr = 0o644 << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, path.read_bytes())
        return stream.getvalue()


def unpack_bundle(archive: str | Path, folder: str | Path) -> Bundle:
    """Unpack a bundle that ``Bundle.zipped`` packed, and open it.

    Raises:
        RecipeError: not a ZIP archive, or with names or sizes that a bundle may not have.
        StoreError: a file is damaged, or ``folder`` is not empty.
    """
    target = Path(folder).expanduser().absolute()
    if target.exists() and any(target.iterdir()):
        raise StoreError("Something else is at this path", value=str(target), fix="choose another folder")
    try:
        with zipfile.ZipFile(archive) as packed:
            if len(packed.infolist()) > MAX_FILES:
                raise RecipeError("Archive holds too many files", value=len(packed.infolist()), allowed=str(MAX_FILES))
            for info in packed.infolist():
                parts = info.filename.split("/")
                if not (parts in ([RECIPE_FILE], [LOCK_FILE]) or (len(parts) == 2 and parts[0] == ARTIFACTS)):
                    raise RecipeError("Archive holds something that is not part of a bundle", value=info.filename)
                if info.file_size > MAX_FILE:
                    raise RecipeError("A file of the archive is too large", value=info.filename)
                home = target if len(parts) == 1 else target / ARTIFACTS
                write_bytes(inside(home, parts[-1], what="File of the bundle"), packed.read(info))
    except (zipfile.BadZipFile, OSError) as error:
        raise RecipeError("Archive cannot be read", value=str(error)) from None
    return Bundle.open(target)


def export_bundle(folder: str | Path, *, study: Study, recipe: Recipe, replace: bool = False) -> Bundle:
    """Write a bundle and return it. The folder appears only when it is complete.

    Args:
        folder: where to write; must not exist, except with ``replace`` or as the same bundle.
        study: the corpus the recipe was made on.
        recipe: what to export; it is evaluated once more.
        replace: put the new bundle in place of an old one.

    Raises:
        StoreError: something else is at ``folder``, it lies inside the corpus, or the disk is full.
        RecipeError: as ``plan.evaluate``.
    """
    target = output_folder(folder, study.corpus.path)
    if target.exists() and not (target / RECIPE_FILE).is_file():
        raise StoreError("Something else is at this path", value=str(target), fix="choose another folder")
    outcome = study.evaluate(recipe)
    draft = target.with_name(f".{target.name}.partial")
    shutil.rmtree(draft, ignore_errors=True)
    files = _write_artifacts(draft / ARTIFACTS, study, recipe)
    lock = make_lock(study, outcome, files)
    write_bytes(draft / RECIPE_FILE, recipe.to_yaml().encode())
    write_bytes(draft / LOCK_FILE, lock.to_json())
    if target.exists():
        same = (target / LOCK_FILE).is_file() and (target / LOCK_FILE).read_bytes() == lock.to_json()
        if not (same or replace):
            shutil.rmtree(draft)
            raise StoreError("There is another bundle at this path", value=str(target), fix="choose another name")
        shutil.rmtree(target)
    draft.rename(target)
    sync(target.parent)
    return Bundle.open(target)


def _write_artifacts(folder: Path, study: Study, recipe: Recipe) -> tuple[LockedFile, ...]:
    """Copy the assets that the recipe names by digest, and return the files."""
    folder.mkdir(parents=True)
    for asset in recipe.assets():
        path = _asset_file(study, asset)
        write_bytes(folder / path.name, path.read_bytes())
    for measure in recipe.measures():
        if measure.kind == "cluster":
            clustering = study.evidence.frozen.clustering(clustering_of(measure))
            write_clustering(folder, clustering)
    for model in tuned_models(study, recipe):
        write_bytes(folder / f"{TUNED_PREFIX}{model}.parquet", study.workspace.asset_path(model).read_bytes())
    return tuple(LockedFile(path.name, file_sha256(path), path.stat().st_size) for path in sorted(folder.iterdir()))


def tuned_models(study: Study, recipe: Recipe) -> tuple[str, ...]:
    """Return the tuned embedding models that a recipe's clusters, concepts and scorers depend on, by digest."""
    kinds = {measure.kind for measure in recipe.measures()}
    spaces = set()
    for measure in recipe.measures():
        if measure.kind == "cluster":
            clustering = study.evidence.frozen.clustering(clustering_of(measure))
            spaces |= {clustering.space} if clustering.tier == "tuned" else set()
    embedded = find_artifact(study, "embeddings") if kinds & {"concept", "relevance"} else None
    if embedded is not None and embedded.facts["tier"] == "tuned":
        spaces.add(str(embedded.facts["space"]))
    return tuple(sorted(space for space in spaces if study.workspace.asset_path(space).is_file()))


def _asset_file(study: Study, asset: str) -> Path:
    """Return the file of a stored asset: an id set or table, or a value."""
    table = study.workspace.asset_path(asset)
    value = table.with_suffix(".json")
    for path in (table, value):
        if path.is_file():
            return path
    raise StoreError("A rule names something that is not stored here", value=asset, fix="make the rule again")


def columns_read(recipe: Recipe) -> frozenset[str]:
    """Return the facts columns that a recipe and its counts read, where the facts have them."""
    costs = frozenset(COST_COLUMNS if "n_tokens" in recipe.columns() else ())
    return recipe.columns() | costs | frozenset(ALWAYS)


def make_lock(study: Study, outcome: Outcome, files: Sequence[LockedFile] = ()) -> BundleLock:
    """Return the lock of an outcome.

    Raises:
        RecipeError: its steps of training cannot work on the corpus.
        SettingError: their tokenizer or template cannot be used.
    """
    recipe, corpus, documents = outcome.recipe, study.corpus, study.documents
    columns = {
        name: study.facts.columns[name].step
        for name in sorted(columns_read(recipe))
        if name in study.facts.columns and study.facts.columns[name].step
    }
    selection = Selection.from_outcome(outcome, study.facts)
    steps = needed_steps(study.evidence.steps, set(columns.values()))
    return BundleLock(
        recipe=recipe.digest,
        selection=selection.digest,
        corpus=LockedCorpus(
            fingerprint=corpus.fingerprint,
            files=tuple(LockedFile(file.format, file.sha256, file.bytes, file.rows) for file in corpus.files),
            schema={field.name: str(field.type) for field in corpus.schema},
            roles=corpus.roles.known(),
            rows=corpus.rows,
            documents=documents.n,
            errors=documents.errors.num_rows,
            ids=selection.step_digest(0),
            texts=documents.texts,
        ),
        steps=locked_steps([*steps, *steps_of(recipe.measures(), study.evidence.steps)]),
        columns=columns,
        counts=locked_counts(outcome, selection),
        resolved=_plain(outcome.resolved),
        artifacts=tuple(files),
        tools=tool_versions(),
        sample=locked_sample(study, outcome),
        training=TrainingPlan.make(study, outcome).digest if has_training(recipe) else None,
    )


def locked_steps(steps: Iterable[StepSpec]) -> tuple[LockedStep, ...]:
    """Return the identity of steps, sorted by name, without the steps that only join others."""
    chosen = {step.name: step for step in steps if step.name != "facts"}
    return tuple(LockedStep(name, chosen[name].version, _plain(chosen[name].params)) for name in sorted(chosen))


def locked_counts(outcome: Outcome, selection: Selection) -> tuple[LockedCount, ...]:
    """Return the counts of an outcome with the digest of what each step dropped."""
    return tuple(LockedCount.of(count, selection.step_digest(k)) for k, count in enumerate(outcome.counts))


def needed_steps(steps: Sequence[StepSpec], wanted: set[str]) -> tuple[StepSpec, ...]:
    """Return the analysis steps called ``wanted`` and all they depend on, in order; documents always."""
    known = {step.name: step for step in steps}
    needed: set[str] = set()
    waiting = ["documents", *(name for name in wanted if name in known)]
    while waiting:
        name = waiting.pop()
        if name in known and name not in needed:
            needed.add(name)
            waiting.extend(known[name].upstream)
    return tuple(step for step in steps if step.name in needed)


def _plain(value: Any) -> Any:
    """Return mappings and sequences as JSON has them."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
