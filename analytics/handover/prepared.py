"""The folder of prepared training data and its manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tamis.analytics.export.lock import LockedCount, LockedFile, check_files
from tamis.analytics.recipe.admissions import AdmittingStep
from tamis.analytics.training.folder import SplitCount
from tamis.analytics.training.trace import PREPARE_FILE
from tamis.data.errors import StoreError

PREPARE_VERSION = 1


@dataclass(frozen=True, repr=False)
class Prepared:
    """Finished training data.

    Attributes:
        folder: where it is.
        identity: digest of recipe, plain data, corpus and options.
        format: as ``--as`` takes it.
        shard_mb: megabytes of a shard at most.
        recipe: digest of the recipe.
        selection: digest of the selection.
        corpus: fingerprint of the corpus.
        plan: digest of everything that decides which sample holds what.
        content: digest of all samples in order, the same for every format and size of shards.
        splits: what each split holds, in the order of training.
        steps: of the recipe that decide documents.
        counts: input first, then one per active step.
        summary: figures of each split: items, tokens, padding, documents cut.
        leaks: verified pairs of near-duplicates in different splits; None where none were looked for.
        tokenizer: that made the tokens, None where the data is text.
        files: every file of the folder except the manifest.
        agrees: whether all results match the bundle's lock; None without a lock.
        difference: the first difference from the lock as a sentence, empty when there is none.
        tools: versions.
        roles: path of the column of each role.
        notes: remarks, as sentences.
        prepare_version: of this format.
    """

    folder: Path
    identity: str
    format: str
    shard_mb: int
    recipe: str
    selection: str
    corpus: str
    plan: str
    content: str
    splits: tuple[SplitCount, ...]
    steps: tuple[AdmittingStep, ...]
    counts: tuple[LockedCount, ...]
    summary: tuple[Mapping[str, Any], ...]
    leaks: int | None
    tokenizer: str | None
    files: tuple[LockedFile, ...]
    agrees: bool | None
    difference: str
    tools: Mapping[str, str]
    roles: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    prepare_version: int = PREPARE_VERSION

    def __repr__(self) -> str:
        held = ", ".join(f"{each.split} {each.samples:,}" for each in self.splits)
        return f"Training data in {self.folder} as {self.format}: {held} samples, content {self.content[:12]}"

    def to_json(self) -> bytes:
        """Return the manifest, without the path of the folder."""
        value = {key: item for key, item in asdict(self).items() if key != "folder"}
        return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def open(cls, folder: str | Path) -> Prepared:
        """Read the manifest of prepared data.

        Raises:
            StoreError: there is none.
        """
        path = Path(folder)
        try:
            value = json.loads((path / PREPARE_FILE).read_bytes())
            value["splits"] = tuple(SplitCount(**item) for item in value["splits"])
            value["steps"] = tuple(AdmittingStep(**item) for item in value["steps"])
            value["counts"] = tuple(LockedCount(**item) for item in value["counts"])
            value["files"] = tuple(LockedFile(**item) for item in value["files"])
            value["summary"] = tuple(value["summary"])
            value["notes"] = tuple(value["notes"])
            return cls(folder=path, **value)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise StoreError("There is no prepared training data here", value=str(folder), fix=str(error)) from error

    def check_files(self) -> None:
        """Compare every file with its checksum.

        Raises:
            StoreError: naming the first file that is missing or differs.
        """
        check_files(self.folder, self.files, of="the training data")
