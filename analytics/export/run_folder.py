"""The folder of a finished run and its manifest."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tamis.analytics.export.lock import BundleLock, LockedCount, LockedFile, check_files
from tamis.analytics.export.run_splits import Across
from tamis.analytics.study.contamination import SetCount
from tamis.analytics.study.extrapolation import Method
from tamis.data.errors import StoreError
from tamis.data.listing import CURATED, PICTURES_TABLE, RUN_FILE
from tamis.data.opening import LeftOut

RUN_VERSION = 3
"""3 added ``roles``, ``unread``, ``left_out``, ``lines_left_out``, ``repaired``, ``notes``, ``across_splits`` and rows
of the files; version 2 is still readable."""

_README = """---
configs:
- config_name: default
  data_files: curated/{files}
---

# A curated corpus

`curated/` holds the kept documents; {loading}.
`selection.parquet` says what became of every document of the source, `ledger.parquet` why one was dropped,
`errors.parquet` which rows are no documents. {more}`recipe.yaml` is what was run, `run.json` has counts and checksums.
"""

_LOADED = "`datasets.load_dataset` reads them from this folder as it is"
_MAPPED = f"{_LOADED}, `datasets.load_from_disk` from `curated/`"
_LINES = "`lines.parquet` has a row per line: file,\nline, id and what the run adds. "
_FOLDER = (
    "`pictures.parquet` has name, size and checksum of every picture.\nA picture is a link to the file of the source "
    "where both lie on one file system: copy it before you change it. "
)
_FILES = {"folder": "**", "webdataset": "*.tar", "paths": "*.parquet"}
_TARS = f"{_LOADED}, and `webdataset.WebDataset`"


def readme(format: str) -> str:
    """Return README.md of a run's folder; the front matter tells loaders which files are the data."""
    loading = {"arrow": _MAPPED, "webdataset": _TARS}.get(format, _LOADED)
    more = _FOLDER if format == "folder" else _LINES if format.startswith("jsonl") else ""
    return _README.format(files=_FILES.get(format, f"*.{format}"), loading=loading, more=more)


@dataclass(frozen=True)
class Promise:
    """The prediction of a recipe made on a sample for a step, beside the actual count.

    Attributes:
        step: id of the step.
        low, middle, high: documents predicted to be left, 95%.
        method: how the prediction was derived.
        actual: documents left.
        inside: whether ``actual`` lies between low and high.
    """

    step: str
    low: int
    middle: int
    high: int
    method: Method
    actual: int
    inside: bool


@dataclass(frozen=True)
class EditCount:
    """The edits of a text step on the kept documents.

    Attributes:
        step: id of the step.
        documents: texts it changed.
        emptied: texts it left empty; they stay in the curated files and in the counts of the steps.
        bytes_before, bytes_after: of the texts it changed.
    """

    step: str
    documents: int
    emptied: int
    bytes_before: int
    bytes_after: int


def edit_counts(edits: pa.Table, steps: Sequence[str]) -> tuple[EditCount, ...]:
    """Return the counts of some steps, in their order, from the rows of ``edits.parquet``."""
    found = []
    for step in steps:
        own = edits.filter(pc.equal(edits.column("step"), step))
        before, after = own.column("bytes_before").to_numpy(), own.column("bytes_after").to_numpy()
        emptied = int(((after == 0) & (before > 0)).sum())
        found.append(EditCount(step, own.num_rows, emptied, int(before.sum()), int(after.sum())))
    return tuple(found)


def kept_promises(lock: BundleLock | None, counts: Sequence[LockedCount]) -> tuple[Promise, ...]:
    """Return predicted against actual per step; empty where the corpus is not the one the sample was drawn from."""
    if lock is None or lock.sample is None or lock.sample.documents != counts[0].documents:
        return ()
    left = {count.step: count.documents for count in counts[1:]}
    return tuple(
        Promise(each.step, each.low, each.middle, each.high, each.method, left[each.step], each.holds(left[each.step]))
        for each in lock.sample.predictions
        if each.step in left
    )


@dataclass(frozen=True, repr=False)
class Run:
    """A finished run.

    Attributes:
        folder: where it is.
        identity: digest of recipe, plain data, corpus and options.
        recipe: digest of the recipe.
        selection: digest of the selection.
        corpus: fingerprint of the corpus.
        counts: input first, then one per active step.
        errors: rows and lines that are not documents.
        files: every file of the folder except the manifest.
        agrees: whether all results match the bundle's lock; None without a lock.
        difference: the first difference from the lock as a sentence, empty when there is none.
        tools: versions.
        roles: path of the column of each role.
        unread: columns of the corpus without a role that no rule read, by path.
        promised: for a recipe made on a sample of this corpus, predicted and actual counts of each step.
        edited: what each text step changed, in order; empty without text steps.
        left_out: files that were left out, and why.
        lines_left_out: number of lines that were left out; ``errors.parquet`` lists them.
        repaired: texts that held bytes or code points that are not Unicode.
        notes: remarks on the corpus, as sentences.
        across_splits: documents dropped for a twin that was kept in another split.
        format: of the curated files; stated in the manifest unless it is Parquet.
        contamination: of each step with evaluation sets, by id, the counts of each set; over all documents of the
            corpus, whatever other steps dropped. Absent without such steps.
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
    promised: tuple[Promise, ...] = ()
    edited: tuple[EditCount, ...] = ()
    roles: Mapping[str, str] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    lines_left_out: int = 0
    repaired: int = 0
    notes: tuple[str, ...] = ()
    across_splits: tuple[Across, ...] = ()
    format: str = "parquet"
    contamination: Mapping[str, tuple[SetCount, ...]] = field(default_factory=dict)
    run_version: int = RUN_VERSION

    def __repr__(self) -> str:
        before, after = self.counts[0].documents, self.counts[-1].documents
        counted = (
            f"{before + self.errors:,} rows = {after:,} kept + {before - after:,} dropped + {self.errors:,} errors"
        )
        return f"Run in {self.folder}: {counted}, selection {self.selection[:12]}"

    def to_json(self) -> bytes:
        """Return the manifest, without the path of the folder."""
        value = {key: item for key, item in asdict(self).items() if key != "folder"}
        for name in ("edited", "contamination"):
            if not value[name]:
                del value[name]
        if self.format == "parquet":
            del value["format"]
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
            value["promised"] = tuple(Promise(**item) for item in value.get("promised", ()))
            value["edited"] = tuple(EditCount(**item) for item in value.get("edited", ()))
            value["unread"] = tuple(value.get("unread", ()))
            value["left_out"] = tuple(LeftOut(**item) for item in value.get("left_out", ()))
            value["across_splits"] = tuple(Across(**item) for item in value.get("across_splits", ()))
            value["notes"] = tuple(value.get("notes", ()))
            value["contamination"] = {
                step: tuple(SetCount.of(item) for item in counts)
                for step, counts in value.get("contamination", {}).items()
            }
            return cls(folder=path, **value)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise StoreError("There is no finished run here", value=str(folder), fix="run the bundle again") from error

    def check_files(self) -> None:
        """Compare every file with its checksum.

        Raises:
            StoreError: naming the first file that is missing or differs.
        """
        check_files(self.folder, self.files, of="the run")
        if (self.folder / PICTURES_TABLE).is_file():
            check_files(self.folder / CURATED, _placed(self.folder / PICTURES_TABLE), of="the run")


def _placed(table: Path) -> Iterator[LockedFile]:
    """Yield the files that the table of pictures names."""
    for batch in pq.ParquetFile(table).iter_batches():
        for row in batch.to_pylist():
            yield LockedFile(row["file_name"], row["sha256"], row["bytes"])


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
