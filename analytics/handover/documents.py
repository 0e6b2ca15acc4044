"""The documents beside prepared data, computed from ledger and index: card, summary of content, catalogue entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq

from tamis.analytics.effect.dataset_card import table, to_card
from tamis.analytics.effect.report import GROUPED_BY, Report, collect_report
from tamis.analytics.export.lock import LockedFile
from tamis.analytics.handover.croissant import croissant
from tamis.analytics.handover.figures import DataMakeup, compose
from tamis.analytics.handover.tables import licence_table, source_table
from tamis.analytics.handover.training_summary import SummaryInput, training_summary
from tamis.analytics.operators.text import PiiRedaction
from tamis.analytics.recipe.outcome import Outcome
from tamis.analytics.steps.engine import Engine
from tamis.analytics.study.groups import group_counts
from tamis.analytics.study.scene import Scene
from tamis.analytics.study.standard_analysis import some_steps
from tamis.analytics.study.study import Study
from tamis.analytics.training.data import TrainingData
from tamis.analytics.training.folder import INDEX, SHARDS, WrittenSplits
from tamis.analytics.training.trace import DOCUMENTS
from tamis.analytics.training.writers import FormatWriter
from tamis.data.hashing import file_sha256
from tamis.data.parquet import write_bytes
from tamis.data.progress import Progress

CARD, CROISSANT, SUMMARY = "README.md", "croissant.json", "training_content_summary.md"
NO_PAGE = "https://example.org/not-published"
"""Address of data without a page: Croissant demands one, and this one is reserved for documentation."""


@dataclass(frozen=True, eq=False)
class HandOver:
    """What the documents are computed from.

    Attributes:
        study: of the recipe.
        outcome: what the recipe did.
        writer: the format.
        splits: that were written.
        written: their files.
        license, url: of the data, as a person states them.
        engine: measures shards elsewhere.
        progress: where to report.
    """

    study: Study
    outcome: Outcome
    writer: FormatWriter
    splits: Sequence[TrainingData]
    written: WrittenSplits
    license: str
    url: str
    engine: Engine | None
    progress: Progress


def write_documents(folder: Path, given: HandOver) -> tuple[str, ...]:
    """Write the documents; return remarks as sentences.

    Raises:
        StoreError: the disk is full.
    """
    steps = some_steps(given.study.corpus, given.study.workspace, ("columns", "language", "tokens"))
    about = Study.open(
        given.study.corpus, given.study.workspace, steps=steps, engine=given.engine, progress=given.progress
    )
    indexes = [folder / INDEX / f"{data.split}.parquet" for data in given.splits]
    composition = compose(about.facts, indexes)
    report = _report(given, about)
    write_bytes(folder / CARD, _card(given, report, composition).encode("utf-8", "replace"))
    write_bytes(folder / SUMMARY, training_summary(_known(given, composition)).encode("utf-8", "replace"))
    write_bytes(folder / CROISSANT, _catalogue_entry(folder, given, report))
    if composition.licence_column is None:
        return ("The corpus has no column of licences; the card and the summary say so",)
    return ()


def _report(given: HandOver, about: Study) -> Report:
    """Return the report on the recipe, with the composition by every column that the corpus has."""
    report = collect_report(given.study, given.outcome.recipe, examples=0)
    scene = Scene(about.facts, (), given.outcome)
    names = [name for name in GROUPED_BY if name in about.facts.columns]
    return replace(report, groups={name: group_counts(scene, name, limit=20).table for name in names})


def _card(given: HandOver, report: Report, composition: DataMakeup) -> str:
    files = [
        {"split": data.split, "path": pattern}
        for data in given.splits
        if (pattern := given.writer.pattern(data.split)) is not None
    ]
    configs = [{"config_name": "default", "data_files": files}] if files else []
    return to_card(report, license=given.license, configs=configs, sections=(_files(given), _sources(composition)))


def _files(given: HandOver) -> str:
    lines = ["## Files\n", f"Format: {given.writer.name}. In Python:\n", f"```python\n{_reading(given)}\n```\n"]
    counts: list[tuple[object, ...]] = [
        (each.split, each.samples, each.tokens or "text", each.shards) for each in given.written.counts
    ]
    rows = table(("split", "samples", "tokens", "shards"), counts)
    index = (
        "`index/SPLIT.parquet` says which documents and bytes each sample holds, `index/documents.parquet` what each"
        " step of the recipe compared, `shards.parquet` which samples are in which file; `tamis trace` reads them.\n"
    )
    return "\n".join([*lines, rows, index])


def _reading(given: HandOver) -> str:
    last = given.written.counts[0].shards - 1
    return given.writer.reading.replace("{00000..00000}", f"{{00000..{last:05d}}}")


def _sources(composition: DataMakeup) -> str:
    licences = "" if composition.licences is None else f"\n{licence_table(composition)}"
    return f"## Sources and licences\n\n{source_table(composition)}{licences}"


def _known(given: HandOver, composition: DataMakeup) -> SummaryInput:
    steps = [step.operator for step in given.outcome.recipe.active]
    return SummaryInput(
        title=given.outcome.recipe.title,
        composition=composition,
        tokenizer=given.splits[0].tokenizer,
        steps=[operator.sentence() for operator in steps],
        personal=[operator.sentence() for operator in steps if isinstance(operator, PiiRedaction)],
        fingerprint=given.study.corpus.fingerprint,
        content=given.written.content,
    )


def _catalogue_entry(folder: Path, given: HandOver, report: Report) -> bytes:
    """Return the Croissant file: all files written so far, and the tables of the index as record sets."""
    shards = given.written.shards.to_pylist()
    files = [LockedFile(row["file"], row["sha256"], row["bytes"]) for row in shards]
    names = [SHARDS, f"{INDEX}/{DOCUMENTS}", *(f"{INDEX}/{data.split}.parquet" for data in given.splits)]
    files += [LockedFile(name, file_sha256(folder / name), (folder / name).stat().st_size) for name in names]
    return croissant(
        name=report.recipe.title,
        description=f"Training data as {given.writer.name}, curated from {report.corpus} by a recipe of"
        f" {len(report.recipe.active)} steps; content {given.written.content}",
        version="1.0.0",
        license=given.license,
        url=given.url or NO_PAGE,
        files=sorted(files, key=lambda file: file.name),
        tables=[(name, pq.read_schema(folder / name)) for name in names],
    )
