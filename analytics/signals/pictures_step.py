"""The step ``pictures``: decodes every picture once and writes its signals, hashes and thumbnails.

It comes before the documents have ids: a row whose picture cannot be decoded is no document. For each shard it writes
the table ``part-*`` with a row per source row, and the thumbnails as arrays, see ``image_thumbnails``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import features

from tamis.analytics.signals.image_areas import means_of
from tamis.analytics.signals.image_hashes import colours_of, hashes, hashes_of, inner_part
from tamis.analytics.signals.image_pixels import look_at, pixel_signals
from tamis.analytics.signals.image_scan import pixel_hash
from tamis.analytics.signals.image_signals import CONVENTION, FORMAT, IMAGE_SIGNALS
from tamis.analytics.signals.image_thumbnails import STORED_QUALITY, first_size, joined, make_thumbnails
from tamis.analytics.steps.engine import Part, PieceInput, RowByRow, Work
from tamis.analytics.steps.per_row import PICTURES_STEP
from tamis.analytics.steps.row_by_row import Parts
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.data.corpus import Corpus
from tamis.data.documents import EVERY_ROW
from tamis.data.errors import PictureError
from tamis.data.picture import read_picture
from tamis.data.picture_source import Held, read_batches, states_pictures
from tamis.data.shapes import PICTURE
from tamis.data.shards import Shard

PASS_VERSION = 3
_TOGETHER = 4
"""Pictures that a thread measures before it asks for more."""

HASHES = pa.schema(
    [
        ("reason", pa.string()),
        ("sha256", pa.binary(32)),
        ("pixel_hash", pa.binary(16)),
        ("phash", pa.uint64()),
        ("dhash", pa.uint64()),
        ("grey32", pa.binary(1024)),
        ("colour8", pa.binary(192)),
        ("inner_phash", pa.uint64()),
        ("inner_dhash", pa.uint64()),
        ("inner32", pa.binary(1024)),
    ]
)
"""Columns of a part that are no facts: why a row is no document, NULL for sound ones, and what pictures are compared
by. ``sha256`` is that of the encoded bytes, NULL where there are none; ``inner_...`` leave out plain borders."""


@dataclass(frozen=True)
class _Measured:
    """What is known of one picture."""

    values: Mapping[str, Any]
    thumbnails: tuple[bytes, bytes] = (b"", b"")


def pictures_step(corpus: Corpus, *, threads: int | None = None) -> StepSpec:
    """Return the step that measures every picture of a corpus.

    Args:
        corpus: a corpus of pictures.
        threads: pictures decoded at once, changes no value; None for all processors.
    """
    path = corpus.shape.columns[PICTURE]
    rows = RowByRow(PICTURES_STEP, columns=(path,), every_row=True, cut=_cut, join=_join)

    def run(context: StepContext) -> None:
        context.fill(
            Work(
                context.corpus.shards(),
                _names,
                _make,
                lambda shard: shard.rows,
                threads=threads or os.cpu_count() or 1,
                rows_of=rows if states_pictures(context.corpus) else None,
            )
        )
        context.out.commit(rows=context.corpus.rows, facts={EVERY_ROW: True})

    return StepSpec(
        name=PICTURES_STEP,
        version=PASS_VERSION,
        upstream=(),
        params={
            "column": path,
            "signals": [signal.key for signal in IMAGE_SIGNALS],
            "convention": CONVENTION,
            "thumbnails": ["jpeg", STORED_QUALITY],
            "decoders": decoders(),
        },
        title="Looking at every picture",
        estimate=lambda size: Estimate(1 + size.bytes / 20e6, size.documents * 20_000),
        run=run,
    )


def decoders() -> dict[str, str]:
    """Return the versions of the libraries that decide what pixels a picture has, by name."""
    named = {name: features.version(name) for name in ("jpg", "webp", "avif", "libtiff", "zlib", "libjpeg_turbo")}
    return {"pillow": version("pillow"), **{name: str(found) for name, found in named.items() if found}}


def _names(shard: Shard) -> tuple[str, ...]:
    return shard.part, *(f"{name}-{shard.index:05d}" for name in ("small", "large", "ends"))


def _make(shard: Shard, given: PieceInput) -> dict[str, Part]:
    """Return the parts of a shard."""
    found: list[_Measured] = []
    tables = []
    with ThreadPoolExecutor(given.threads) as pool:
        for held in _slices(given.corpus, shard):
            given.check()
            pieces = [held[begin : begin + _TOGETHER] for begin in range(0, len(held), _TOGETHER)]
            measured = [each for piece in pool.map(_measured_together, pieces) for each in piece]
            tables.append(_table([each.values for each in measured]))
            found += [_Measured({}, each.thumbnails) for each in measured]
            given.advance(len(held))
    table = pa.concat_tables(tables) if tables else _table([])
    thumbnails = joined([each.thumbnails for each in found])
    return dict(zip(_names(shard), (table, *thumbnails), strict=True))


def _slices(corpus: Corpus, shard: Shard) -> Iterator[Sequence[Held]]:
    for batch in read_batches(corpus, shard):
        yield batch.pictures


def _measured_together(several: Sequence[Held]) -> list[_Measured]:
    return [_measured(held) for held in several]


def _measured(held: Held) -> _Measured:
    """Return all of one picture, or the reason why it is none."""
    if isinstance(held, PictureError):
        return _Measured({"reason": held.what})
    known = {"sha256": sha256(held).digest()}
    try:
        picture = read_picture(held)
    except PictureError as error:
        return _Measured({**known, "reason": error.what})
    shown = picture.on_white()
    height, width = shown.words.shape
    scan = look_at(shown.words, first_size(height, width))
    compared, part = hashes_of(scan.cells, scan.grey.size), inner_part(scan.grey)
    inner = compared if part.shape == scan.grey.shape else hashes(part)
    values: dict[str, Any] = {
        **known,
        "pixel_hash": pixel_hash(picture.words) if picture.has_alpha else scan.pixel_hash,
        "phash": compared.phash,
        "dhash": compared.dhash,
        "grey32": compared.grey32.tobytes(),
        "colour8": colours_of(scan.parts, scan.grey.size)[:, :, :3].tobytes(),
        "inner_phash": inner.phash,
        "inner_dhash": inner.dhash,
        "inner32": inner.grey32.tobytes(),
        FORMAT: picture.format,
        **pixel_signals(scan),
        "width": width,
        "height": height,
        "megapixels": width * height / 1e6,
        "aspect": width / height,
        "image_bytes": len(held),
        "bytes_per_pixel": len(held) / (width * height),
        "frames": picture.frames,
        "transparency": 0.0 if picture.alpha is None else 1.0 - int(picture.alpha.sum()) / (255 * width * height),
    }
    return _Measured(values, make_thumbnails(means_of(scan.small, scan.grey.size), scan.grey.size))


def _table(values: Sequence[Mapping[str, Any]]) -> pa.Table:
    columns = {field.name: pa.array([each.get(field.name) for each in values], field.type) for field in HASHES}
    columns[FORMAT] = pa.array([each.get(FORMAT) for each in values], pa.string())
    for signal in IMAGE_SIGNALS:
        numbers = np.array([each.get(signal.name, np.nan) for each in values], dtype=np.float64)
        columns[signal.name] = signal.column(numbers)
    return pa.table(columns)


def _cut(parts: Parts, start: int, stop: int) -> Parts | None:
    table, small, large, ends = parts
    if not isinstance(table, pa.Table) or isinstance(ends, pa.Table) or stop > table.num_rows:
        return None
    before = ends[start - 1] if start else np.zeros(2, dtype=np.int64)
    last = ends[stop - 1] if stop else before
    cuts = [slice(int(before[at]), int(last[at])) for at in (0, 1)]
    return table.slice(start, stop - start), small[cuts[0]], large[cuts[1]], ends[start:stop] - before


def _join(several: Sequence[Parts]) -> Parts | None:
    tables, small, large, ends = (list(own) for own in zip(*several, strict=True))
    moved, before = [], np.zeros(2, dtype=np.int64)
    for own in ends:
        moved.append(own + before)
        before = moved[-1][-1] if len(own) else before
    return pa.concat_tables(tables), np.concatenate(small), np.concatenate(large), np.concatenate(moved)
