"""Spans of text that an earlier document has too, found exactly by a suffix array over the whole corpus.

A byte of a document is repeated when it lies in a window of ``length`` bytes that also occurs, byte for byte, in a
document with a smaller id. The first document of a span therefore keeps it, whatever the files or threads. Windows do
not cross documents. Documents with the same text are all but the first of them repeated as a whole.

Source: Lee et al. 2021, arXiv 2107.06499 (ExactSubstr: suffix arrays, windows of 50 tokens); suffix array by
libdivsufsort (Mori), longest common prefixes by Kasai et al. 2001.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.steps.measures import MEASURES, Measure, MeasureKind, step_name
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.analytics.text.block import utf8_buffers
from tamis.analytics.text.siphash import hash_slices
from tamis.data.artifact import Artifact
from tamis.data.documents import Documents
from tamis.data.errors import SettingError

KIND = "repeated_spans"
MOST_BYTES = 2**31 - 1
"""Most bytes of text, one separator a document counted; a suffix array of more needs 64 bits a place."""

SEPARATOR = 0xFF
"""Between documents: no byte of UTF-8."""


@dataclass(frozen=True, eq=False)
class RepeatedSpans:
    """What documents repeat.

    Attributes:
        share: float32 (n,), part of a document's bytes that an earlier document has, NaN for an empty document.
        first: int64 (n,), the first document that shares a window with it, -1 for none.
        owner, begin, end: int64 (s,), the spans: document, first byte and one past the last, ascending.
    """

    share: NDArray[np.float32]
    first: NDArray[np.int64]
    owner: NDArray[np.int64]
    begin: NDArray[np.int64]
    end: NDArray[np.int64]


def find_repeats(
    data: NDArray[np.uint8],
    starts: NDArray[np.int64],
    *,
    length: int,
    check: Callable[[], None] = lambda: None,
) -> RepeatedSpans:
    """Return the spans that documents repeat.

    Args:
        data: uint8, UTF-8 bytes of all documents, each followed by ``SEPARATOR``.
        starts: int64 (n + 1,), where each document begins; a document ends before its separator.
        length: bytes of a window.
        check: called between the steps, may raise.
    """
    # Late: pydivsufsort.
    from pydivsufsort import divsufsort, kasai

    risen = np.zeros(len(data), dtype=np.bool_)
    first = np.full(len(starts) - 1, -1, dtype=np.int64)
    if len(data) > length:
        order = divsufsort(data)
        check()
        _mark(order, kasai(data, order), starts, length, risen, first)
        check()
    covered = np.zeros(len(data), dtype=np.bool_)
    _cover(risen, length, covered)
    steps = np.diff(np.concatenate([[0], covered.view(np.int8), [0]]))
    begin, end = np.flatnonzero(steps > 0), np.flatnonzero(steps < 0)
    owner = np.searchsorted(starts, begin, side="right") - 1
    sizes = np.diff(starts) - 1
    lost = np.bincount(owner, end - begin, len(sizes))
    share = np.divide(lost, sizes, out=np.full(len(sizes), np.nan), where=sizes > 0).astype(np.float32)
    return RepeatedSpans(share, first, owner, begin - starts[owner], end - starts[owner])


@njit(cache=True, nogil=True)
def _mark(order, common, starts, length, risen, first):  # type: ignore[no-untyped-def]
    """Mark where windows begin that an earlier document has.

    Neighbours in the suffix array with ``length`` bytes in common are one group with the same window. A window that
    holds a separator stands only beside windows that hold one at the same place, so it is enough to look at one.
    """
    at, count = 0, len(order)
    while at < count - 1:
        if common[at] < length:
            at += 1
            continue
        last = at
        while last < count - 1 and common[last] >= length:
            last += 1
        document = np.searchsorted(starts, order[at], side="right") - 1
        if order[at] + length < starts[document + 1]:
            lowest = document
            for k in range(at + 1, last + 1):
                lowest = min(lowest, np.searchsorted(starts, order[k], side="right") - 1)
            for k in range(at, last + 1):
                document = np.searchsorted(starts, order[k], side="right") - 1
                if document > lowest:
                    risen[order[k]] = True
                    if first[document] < 0 or lowest < first[document]:
                        first[document] = lowest
        at = last + 1


@njit(cache=True, nogil=True)
def _cover(risen, length, covered):  # type: ignore[no-untyped-def]
    left = 0
    for i in range(len(risen)):
        left = length if risen[i] else left - 1
        covered[i] = left > 0


SPANS = "spans"
"""Name of the table of spans that can be cut out of texts."""

_SCHEMA = pa.schema([("one", pa.uint64()), ("two", pa.uint64()), ("begin", pa.int64()), ("end", pa.int64())])


def spans_to_cut(data: NDArray[np.uint8], starts: NDArray[np.int64], found: RepeatedSpans) -> pa.Table:
    """Return the spans as a table that any copy of the texts can be cut by, sorted: hash of the text, begin and end.

    Spans shrink to whole words. Texts that equal an earlier one are left out: cutting them would cut the first, too;
    exact duplicates are for ``exact_dedup``.
    """
    hashes = hash_slices(data, starts)  # The separator is a part of every text, so it tells none apart.
    _, firsts = np.unique(hashes, axis=0, return_index=True)
    own = np.zeros(len(hashes), dtype=np.bool_)
    own[firsts] = True
    begin, end = found.begin + starts[found.owner], found.end + starts[found.owner]
    _shrink(data, begin, end)
    keep = own[found.owner] & (begin < end)
    owner = found.owner[keep]
    columns = [*hashes[owner].T, begin[keep] - starts[owner], end[keep] - starts[owner]]
    order = np.lexsort(columns[::-1])
    return pa.table([column[order] for column in columns], schema=_SCHEMA)


@njit(cache=True, nogil=True)
def _joins(data, at):  # type: ignore[no-untyped-def]
    """Say whether the bytes before and at a place belong together: inside a character, or two letters of a word.

    Letters are those of ASCII, digits, and all characters of two bytes.
    """
    before, after = data[at - 1], data[at]
    if after & 0xC0 == 0x80:
        return True
    letters = True
    for byte in (before, after):
        plain = 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122
        letters = letters and (plain or 0xC2 <= byte <= 0xDF)
    if 0x80 <= before <= 0xBF and at > 1 and 0xC2 <= data[at - 2] <= 0xDF:
        plain = 48 <= after <= 57 or 65 <= after <= 90 or 97 <= after <= 122
        return plain or 0xC2 <= after <= 0xDF
    return letters


@njit(cache=True, nogil=True)
def _shrink(data, begin, end):  # type: ignore[no-untyped-def]
    for k in range(len(begin)):
        # White space before a span stays, so that its neighbours are not glued together.
        while begin[k] < end[k] and (data[begin[k]] <= 32 or (begin[k] > 0 and _joins(data, begin[k]))):
            begin[k] += 1
        while end[k] > begin[k] and _joins(data, end[k]):
            end[k] -= 1


def cut_texts(texts: pa.LargeStringArray, spans: pa.Table) -> pa.LargeStringArray:
    """Return texts without the spans that a table names for them, large_string (n,); NULL stays NULL.

    Args:
        texts: (n,).
        spans: of ``spans_to_cut``.
    """
    one, two, begin, end = (spans.column(name).to_numpy() for name in _SCHEMA.names)
    edited = []
    for text in texts.to_pylist():
        if text is None or not len(one):
            edited.append(text)
            continue
        data = np.frombuffer(text.encode("utf-8", "replace") + bytes([SEPARATOR]), dtype=np.uint8)
        first, second = hash_slices(data, np.array([0, len(data)]))[0]
        low, high = np.searchsorted(one, first, side="left"), np.searchsorted(one, first, side="right")
        rows = np.flatnonzero(two[low:high] == second) + low
        parts, at = [], 0
        for row in rows.tolist():
            parts.append(data[at : begin[row]].tobytes())
            at = int(end[row])
        edited.append(b"".join([*parts, data[at:-1].tobytes()]).decode("utf-8", "replace") if len(rows) else text)
    return pa.array(edited, pa.large_string())


def spans_measure(length: int, *, column: str) -> Measure:
    """Return the measure of the share of a document that an earlier one has."""
    return Measure(KIND, (("length", length),), column=column)


def _joined(context: StepContext) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the bytes of all documents in facts order, each followed by ``SEPARATOR``, and where each begins."""
    documents = context.documents
    sizes = documents.bytes.astype(np.int64) + 1
    starts = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])
    if starts[-1] > MOST_BYTES:
        raise SettingError(
            "The corpus has too much text for one suffix array",
            value=f"{int(starts[-1]):,} bytes",
            allowed=f"up to {MOST_BYTES:,} bytes of text",
            fix="curate it in parts, or use near_dedup",
        )
    data = np.full(int(starts[-1]), SEPARATOR, dtype=np.uint8)
    place = 0
    for shard in context.corpus.shards():
        for texts in context.corpus.document_texts(shard):
            context.progress.check()
            _place(texts, documents.facts_rows[place : place + len(texts)], starts, data)
            place += len(texts)
        context.progress.advance(shard.rows)
    return data, starts


def _place(texts: pa.Array, rows: NDArray[np.int64], starts: NDArray[np.int64], data: NDArray[np.uint8]) -> None:
    offsets, source = utf8_buffers(texts)
    for k, row in enumerate(rows.tolist()):
        data[starts[row] : starts[row + 1] - 1] = source[offsets[k] : offsets[k + 1]]


def _step(measure: Measure) -> StepSpec:
    length = int(dict(measure.params)["length"])

    def run(context: StepContext) -> None:
        data, starts = _joined(context)
        found = find_repeats(data, starts, length=length, check=context.progress.check)
        for name in ("share", "first", "owner", "begin", "end"):
            context.out.write_array(name, getattr(found, name))
        context.out.write_table(SPANS, spans_to_cut(data, starts, found))
        facts = {"spans": len(found.owner), "bytes": int((found.end - found.begin).sum())}
        context.out.commit(rows=context.documents.n, facts=facts)

    return StepSpec(
        name=step_name(measure),
        version=1,
        upstream=("documents",),
        params=dict(measure.params),
        title="Finding repeated spans",
        estimate=lambda size: Estimate(0.5 + size.bytes / 5e6, size.documents * 12),
        run=run,
    )


def _read(artifact: Artifact, documents: Documents, name: str) -> NDArray[Any]:
    """Return an array by its name; the measured column is ``share``."""
    return artifact.array(name if name in ("first", "owner", "begin", "end") else "share")


MEASURES.register(MeasureKind(KIND, "Spans that earlier documents have", step=_step, read=_read))
