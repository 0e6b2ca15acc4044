"""Boilerplate: lines and paragraphs that many documents of one source share, such as notices, menus and footers.

A passage is a line or a paragraph; its hash ignores case, white space and punctuation. It counts once per document, and
documents with the same normalised text count once, so copies of a document do not turn all of it into boilerplate.
Passages with few words are left out, since headings repeat legitimately.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.duplicates.exact import exact_step
from tamis.analytics.steps.engine import Part, PieceInput, Work, shard_work
from tamis.analytics.steps.measures import MEASURES, SUPPORTING, Measure, MeasureKind, step_name
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.analytics.text.block import utf8_buffers
from tamis.analytics.text.normal_form import CONVENTION, normalise
from tamis.analytics.text.siphash import hash_slices
from tamis.data.artifact import Artifact
from tamis.data.corpus import Corpus
from tamis.data.documents import Documents, load_column
from tamis.data.shards import Shard

Passage = Literal["line", "paragraph"]


@dataclass(frozen=True, eq=False)
class Passages:
    """The lines or paragraphs of consecutive texts.

    Attributes:
        data: uint8, the UTF-8 bytes of the texts.
        edges: int64 (p + 1,), where each passage begins in ``data``; its line feeds belong to it, so that all
            passages joined are the texts.
        starts: int64 (n + 1,), which passages belong to each text.
        hashes: uint64 (p,), of the normalised passage.
        words: int32 (p,), words of the normalised passage, 0 for a passage without letters, digits and symbols.
    """

    data: NDArray[np.uint8]
    edges: NDArray[np.int64]
    starts: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    words: NDArray[np.int32]

    @classmethod
    def of(cls, texts: pa.Array, *, unit: Passage) -> Passages:
        """Cut texts into lines, or into paragraphs: runs of lines between blank lines."""
        offsets, data = utf8_buffers(texts)
        first, end = (int(offsets[0]), int(offsets[-1])) if len(texts) else (0, 0)
        edges = np.empty(end - first + len(texts) + 1, dtype=np.int64)
        starts = np.zeros(len(texts) + 1, dtype=np.int64)
        count = _cut(offsets, data, unit == "paragraph", edges, starts)
        edges = edges[: count + 1]
        normal = normalise(edges, data)
        return cls(data, edges, starts, hash_slices(normal.data, normal.offsets)[:, 0], normal.words)

    def __len__(self) -> int:
        return len(self.edges) - 1

    @property
    def owners(self) -> NDArray[np.int64]:
        """Return the text each passage belongs to, int64 (p,)."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Return the bytes of each passage, line feeds included, int64 (p,)."""
        return np.diff(self.edges)

    def joined(self, keep: NDArray[np.bool_], texts: pa.Array) -> pa.LargeStringArray:
        """Return the texts with only some of their passages, large_string (n,); NULL stays NULL.

        Args:
            keep: bool (p,), the passages that stay.
            texts: the texts that were cut, (n,).
        """
        edges = self.edges.astype(np.int64)
        pieces = pa.LargeStringArray.from_buffers(len(self), pa.py_buffer(edges), pa.py_buffer(self.data))
        counts = np.bincount(self.owners[keep], minlength=len(texts))
        lists = pa.LargeListArray.from_arrays(pa.array(np.append(0, np.cumsum(counts))), pieces.filter(pa.array(keep)))
        joined = pc.binary_join(lists, pa.scalar("", pa.large_string()))
        return pc.if_else(texts.is_valid(), joined, pa.scalar(None, pa.large_string()))

    def text(self, passage: int) -> str:
        """Return one passage without the white space around it."""
        return self.data[self.edges[passage] : self.edges[passage + 1]].tobytes().decode("utf-8", "replace").strip()


def passage_hash(passage: str) -> int:
    """Return the hash that ``Passages.hashes`` holds for a passage."""
    data = np.frombuffer(passage.encode("utf-8"), dtype=np.uint8)
    normal = normalise(np.array([0, len(data)]), data)
    return int(hash_slices(normal.data, normal.offsets)[0, 0])


@njit(cache=True, nogil=True)
def _cut(offsets, data, paragraphs, edges, starts):  # type: ignore[no-untyped-def]
    count = 0
    edges[0] = offsets[0]
    for n in range(len(offsets) - 1):
        begin, end = offsets[n], offsets[n + 1]
        i, gap, seen = begin, False, False
        while i < end:
            line, visible = i, False
            while i < end and data[i] != 10:
                visible = visible or data[i] > 32
                i += 1
            i += 1
            if line > begin and (not paragraphs or (visible and gap and seen)):
                count += 1
                edges[count] = line
            gap, seen = not visible, seen or visible
        if end > begin:
            count += 1
            edges[count] = end
        starts[n + 1] = count
    return count


KIND = "boilerplate"
LISTED = 1000
"""Number of the most frequent passages whose text is stored, so that people can choose from them."""


@dataclass(frozen=True)
class BoilerplateParams:
    """The definition of boilerplate.

    Attributes:
        unit: lines or paragraphs.
        documents: a passage in at least so many documents of a source is boilerplate in that source.
        words: fewest words of a passage.
    """

    unit: Passage = "line"
    documents: int = 10
    words: int = 3

    @property
    def column(self) -> str:
        """Return the name of the measured column."""
        return f"boilerplate_{self.unit}_{self.documents}_{self.words}"

    @property
    def measure(self) -> Measure:
        """Return the measure with these parameters."""
        return Measure(KIND, tuple(sorted(asdict(self).items())), column=self.column)


@dataclass(frozen=True, eq=False)
class Frequent:
    """Boilerplate passages.

    Attributes:
        keys: uint64 (k,), ascending, of (source, passage).
        counts: int64 (k,), documents of the source that have it.
    """

    keys: NDArray[np.uint64]
    counts: NDArray[np.int64]

    def place(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the place of each key in ``keys``, int64 (m,), -1 for keys that are not boilerplate."""
        if not len(self.keys):
            return np.full(len(keys), -1, dtype=np.int64)
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[place] == keys, place, -1)


def merge_counts(parts: list[Frequent]) -> Frequent:
    """Add up counts of the same keys."""
    keys = np.concatenate([np.empty(0, dtype=np.uint64), *(part.keys for part in parts)])
    counts = np.concatenate([np.empty(0, dtype=np.int64), *(part.counts for part in parts)])
    found, place = np.unique(keys, return_inverse=True)
    total = np.zeros(len(found), dtype=np.int64)
    np.add.at(total, place, counts)
    return Frequent(found, total)


@dataclass(frozen=True, eq=False)
class Batch:
    """Documents of a batch with their passages.

    Attributes:
        rows: int64 (n,), facts rows.
        sources: source of each document, string (n,).
        passages: of the documents.
        keys: uint64 (p,), of (source, passage).
        used: bool (p,), passages with enough words.
    """

    rows: NDArray[np.int64]
    sources: pa.Array
    passages: Passages
    keys: NDArray[np.uint64]
    used: NDArray[np.bool_]

    @classmethod
    def of(cls, texts: pa.Array, sources: pa.Array, rows: NDArray[np.int64], params: BoilerplateParams) -> Batch:
        """Cut texts into passages."""
        passages = Passages.of(texts, unit=params.unit)
        offsets, data = utf8_buffers(sources)
        salt = hash_slices(data, offsets)[:, 0]
        keys = passages.hashes ^ salt[passages.owners]
        return cls(rows, sources, passages, keys, passages.words >= params.words)

    def counted(self, first: NDArray[np.bool_]) -> Frequent:
        """Count the documents that have each passage, documents outside ``first`` (bool (n,)) left out."""
        owners = self.passages.owners
        wanted = self.used & first[owners]
        pairs = np.unique(np.column_stack([self.keys[wanted], owners[wanted].astype(np.uint64)]), axis=0)
        keys, counts = np.unique(pairs[:, 0], return_counts=True)
        return Frequent(keys, counts.astype(np.int64))

    def shares(self, frequent: Frequent) -> pa.Array:
        """Return the share of each document's bytes in boilerplate, float32 (n,), NULL without passages with words."""
        owners, sizes = self.passages.owners, self.passages.sizes * (self.passages.words > 0)
        found = self.used & (frequent.place(self.keys) >= 0)
        whole = np.bincount(owners, weights=sizes, minlength=len(self.rows))
        part = np.bincount(owners, weights=sizes * found, minlength=len(self.rows))
        share = np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)
        return pa.array(share.astype(np.float32), mask=whole == 0)


def boilerplate_step(measure: Measure) -> StepSpec:
    """Return the step that finds boilerplate.

    Its parts hold ``value`` (float32: share of the document's bytes in boilerplate) in source order; the table
    ``passages`` lists the ``LISTED`` most frequent: text, source, documents. Memory grows with the number of distinct
    passages, about 40 bytes each.
    """
    params = BoilerplateParams(**dict(measure.params))

    def run(context: StepContext) -> None:
        rows = _rows_of(context)
        frequent = _frequent(context, params, rows)
        listed = np.sort(np.lexsort((frequent.keys, -frequent.counts))[:LISTED])
        shards = context.corpus.shards()
        measuring = Work(
            shards,
            lambda shard: (_noted_part(shard), shard.part),
            partial(_measure_shares, params),
            lambda shard: shard.rows,
            (frequent, listed),
            lambda shard: rows[shard.index],
        )
        context.fill(measuring)
        examples: dict[int, Example] = {}
        for shard in shards:
            for noted in context.out.read_table(_noted_part(shard)).to_pylist():
                _note(examples, noted["key"], (noted["row"], noted["text"], noted["source"]))
        context.out.write_table("passages", _listing(frequent, examples))
        for shard in shards:
            context.out.drop_part(_count_part(shard))
            context.out.drop_part(_noted_part(shard))
        context.out.commit(rows=context.documents.n, facts={"passages": len(frequent.keys)})

    return StepSpec(
        name=step_name(measure),
        version=1,
        upstream=("documents", "exact"),
        params={**asdict(params), "convention": CONVENTION, "unicode": unicodedata.unidata_version},
        title="Finding boilerplate",
        estimate=lambda size: Estimate(1.0 + size.bytes / 25e6, size.documents * 4),
        run=run,
    )


def _count_part(shard: Shard) -> str:
    return f"count-{shard.index:05d}"


def _noted_part(shard: Shard) -> str:
    return f"noted-{shard.index:05d}"


def _rows_of(context: StepContext) -> list[NDArray[np.int64]]:
    """Return the facts rows of the documents of each shard, in source order."""
    counts = np.bincount(context.documents.shard, minlength=len(context.corpus.shards()))
    return np.split(context.documents.facts_rows, np.cumsum(counts)[:-1])


def _frequent(context: StepContext, params: BoilerplateParams, rows: list[NDArray[np.int64]]) -> Frequent:
    """Count the passages of all sources, shard by shard, and return those that are boilerplate."""
    context.progress.step(step_name(params.measure), 2 * context.corpus.rows, "documents, each read twice")
    group = np.asarray(load_column(context.inputs["exact"], context.documents, "norm_group"))
    first = (group < 0) | (group == np.arange(len(group)))

    def own(shard: Shard) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        return rows[shard.index], first[rows[shard.index]]

    context.fill(shard_work(context.corpus, partial(_count_passages, params), part=_count_part, own=own))
    tables = [context.out.read_table(_count_part(shard)) for shard in context.corpus.shards()]
    parts = [Frequent(table.column("keys").to_numpy(), table.column("counts").to_numpy()) for table in tables]
    total = merge_counts(parts)
    often = total.counts >= params.documents
    return replace(total, keys=total.keys[often], counts=total.counts[often])


def _count_passages(params: BoilerplateParams, shard: Shard, given: PieceInput) -> pa.Table:
    """Count the passages of a shard's documents, one document per normalised text: ``keys`` and ``counts``."""
    rows, first = given.own
    parts, place = [], 0
    for batch in _batches(given.corpus, shard, rows, params):
        given.check()
        parts.append(batch.counted(first[place : place + len(batch.rows)]))
        place += len(batch.rows)
    found = merge_counts(parts)
    return pa.table({"keys": found.keys, "counts": found.counts})


def _measure_shares(params: BoilerplateParams, shard: Shard, given: PieceInput) -> dict[str, Part]:
    """Measure the shares of a shard, and note examples of the listed passages in it."""
    frequent, listed = given.common
    shares = [pa.array([], pa.float32())]
    examples: dict[int, Example] = {}
    for batch in _batches(given.corpus, shard, given.own, params):
        given.check()
        shares.append(batch.shares(frequent))
        _look(batch, frequent, listed, examples)
    noted = [{"key": key, "row": row, "text": text, "source": of} for key, (row, text, of) in examples.items()]
    return {
        _noted_part(shard): pa.Table.from_pylist(noted, schema=_NOTED),
        shard.part: pa.table({"value": pa.chunked_array(shares, pa.float32())}),
    }


def _batches(corpus: Corpus, shard: Shard, rows: NDArray[np.int64], params: BoilerplateParams) -> Iterator[Batch]:
    """Yield the documents of a shard with source and facts row."""
    columns = [corpus.roles.text, *([corpus.roles.source] if corpus.roles.source else [])]
    place = 0
    for batch in corpus.batches(shard, columns=columns):
        kept = batch.filter(batch.column(0).is_valid())
        count = kept.num_rows
        empty = pa.array([""] * count, pa.string())
        sources = pc.fill_null(kept.column(1).cast(pa.string()), "") if len(columns) > 1 else empty
        yield Batch.of(kept.column(0), sources, rows[place : place + count], params)
        place += count


Example = tuple[int, str, str]
"""Facts row, text of the passage, source."""

_NOTED = pa.schema([("key", pa.int64()), ("row", pa.int64()), ("text", pa.large_string()), ("source", pa.string())])


def _note(examples: dict[int, Example], key: int, example: Example) -> None:
    """Keep the example from the document with the smallest id."""
    if key not in examples or example[0] < examples[key][0]:
        examples[key] = example


def _look(batch: Batch, frequent: Frequent, listed: NDArray[np.int64], examples: dict[int, Example]) -> None:
    """Note the text of the listed passages of a batch."""
    place = frequent.place(batch.keys)
    owners = batch.passages.owners
    wanted = np.flatnonzero(batch.used & np.isin(place, listed))
    # Each passage of the batch is read once, in its first document by id.
    order = wanted[np.lexsort((batch.rows[owners[wanted]], place[wanted]))]
    _, firsts = np.unique(place[order], return_index=True)
    for passage in order[firsts]:
        row, source = int(batch.rows[owners[passage]]), str(batch.sources[owners[passage]])
        _note(examples, int(place[passage]), (row, batch.passages.text(passage), source))


def _listing(frequent: Frequent, examples: dict[int, Example]) -> pa.Table:
    """Return the listed passages, most frequent first, ties by source and text."""
    rows = [
        {"text": text, "source": source, "documents": int(frequent.counts[key])}
        for key, (_, text, source) in examples.items()
    ]
    rows.sort(key=lambda row: (-int(str(row["documents"])), row["source"], row["text"]))
    schema = pa.schema([("text", pa.string()), ("source", pa.string()), ("documents", pa.int64())])
    return pa.Table.from_pylist(rows, schema=schema)


def _read(artifact: Artifact, documents: Documents, name: str) -> NDArray[np.float32]:
    """Return the shares in facts order, NaN where there is none."""
    column = load_column(artifact, documents, "value")
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float32)


SUPPORTING["exact"] = exact_step
MEASURES.register(MeasureKind(KIND, "Boilerplate", step=boilerplate_step, read=_read))
