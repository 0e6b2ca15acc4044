"""From a sample of prepared data back to its documents: which, which bytes, which rules let them in, how often."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tamis.analytics.recipe.admissions import THRESHOLD, VALUE
from tamis.analytics.training.folder import INDEX, SHARDS
from tamis.data.errors import SettingError, StoreError
from tamis.data.nearest import did_you_mean

DOCUMENTS = "documents.parquet"
"""In the folder of the index: a row per kept document, see ``admissions.admission_blocks``."""

PREPARE_FILE = "prepare.json"


@dataclass(frozen=True)
class TracedRule:
    """A step of the recipe that saw a document and kept it.

    Attributes:
        step: its id.
        sentence: the rule in words.
        value: what it compared, None where it has no value.
        threshold: what it compared it with, None where it has none.
    """

    step: str
    sentence: str
    value: str | None
    threshold: str | None


@dataclass(frozen=True)
class TracedDocument:
    """A document that is in a sample.

    Attributes:
        id: of the document.
        copies: that the recipe gave it.
        times: how often it comes in each split, over copies and epochs.
        rules: steps that let it in.
    """

    id: str
    copies: int
    times: Mapping[str, int]
    rules: tuple[TracedRule, ...]


@dataclass(frozen=True)
class TracedPiece:
    """A piece of a sample: a part of a document's edited text.

    Attributes:
        document: id of the document.
        copy, epoch: which of its appearances.
        tokens: first and last token, the last exclusive; (0, 0) in texts.
        bytes: first and last byte of UTF-8, the last exclusive.
    """

    document: str
    copy: int
    epoch: int
    tokens: tuple[int, int]
    bytes: tuple[int, int]


@dataclass(frozen=True)
class TracedSample:
    """A sample and where it comes from.

    Attributes:
        split: of the sample.
        file: that holds it.
        sample: its number in the shard, from 0.
        number: its number in the split, from 0.
        pieces: in order.
        documents: by first appearance in it.
    """

    split: str
    file: str
    sample: int
    number: int
    pieces: tuple[TracedPiece, ...]
    documents: tuple[TracedDocument, ...]


def trace_sample(folder: str | Path, shard: str, sample: int) -> TracedSample:
    """Return where a sample of prepared training data comes from.

    Args:
        folder: made by ``tamis prepare``.
        shard: a file of it, such as ``train/data-00000-of-00001.arrow``, or split and number, such as ``train/0``.
        sample: its number within the shard, from 0.

    Raises:
        StoreError: there is no prepared data.
        SettingError: there is no such shard or sample.
    """
    out = Path(folder)
    try:
        about = json.loads((out / PREPARE_FILE).read_bytes())
        shards = pq.read_table(out / SHARDS).to_pylist()
    except (OSError, ValueError) as error:
        raise StoreError("There is no prepared training data here", value=str(folder), fix=str(error)) from error
    found = _find_shard(shards, shard)
    if not 0 <= sample < found["samples"]:
        raise SettingError("The shard has no such sample", value=sample, allowed=f"0 to {found['samples'] - 1}")
    number = found["first_sample"] + sample
    index = out / INDEX / f"{found['split']}.parquet"
    rows = pq.read_table(index, filters=[("sample", "=", number)]).to_pylist()
    pieces = tuple(
        TracedPiece(
            row["document_id"], row["copy"], row["epoch"],
            (row["first_token"], row["last_token"]), (row["first_byte"], row["last_byte"]),
        )
        for row in rows
    )  # fmt: skip
    documents = _documents(out, about, list(dict.fromkeys(piece.document for piece in pieces)))
    return TracedSample(found["split"], found["file"], sample, number, pieces, documents)


def _find_shard(shards: list[dict[str, Any]], name: str) -> dict[str, Any]:
    for row in shards:
        if name in (row["file"], row["file"].partition("/")[2], f"{row['split']}/{row['shard']}"):
            return row
    known = [row["file"] for row in shards]
    fix = did_you_mean(name, known) or "name a file or SPLIT/NUMBER"
    raise SettingError("There is no such shard", value=name, allowed=known if len(known) < 20 else known[:20], fix=fix)


def _documents(out: Path, about: Mapping[str, Any], ids: list[str]) -> tuple[TracedDocument, ...]:
    wanted = pc.field("document_id").isin(pa.array(ids, pa.string()))
    times: dict[str, Counter[str]] = {name: Counter() for name in ids}
    for split in about["splits"]:
        # A copy that is cut comes once, however many pieces it has.
        columns = ["document_id", "copy", "epoch"]
        table = pq.read_table(out / INDEX / f"{split['split']}.parquet", columns=columns, filters=wanted)
        for row in table.group_by(columns).aggregate([]).to_pylist():
            times[row["document_id"]][split["split"]] += 1
    kept = pc.field("id").isin(pa.array(ids, pa.string()))
    rows = {row["id"]: row for row in pq.read_table(out / INDEX / DOCUMENTS, filters=kept).to_pylist()}
    found = []
    for name in ids:
        row = rows[name]
        rules = tuple(
            TracedRule(
                step["id"], step["sentence"], row.get(f"{VALUE}{step['id']}"),
                row.get(f"{THRESHOLD}{step['id']}", step["threshold"]),
            )
            for step in about["steps"]
        )  # fmt: skip
        found.append(TracedDocument(name, row["copies"], dict(times[name]), rules))
    return tuple(found)
