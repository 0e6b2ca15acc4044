"""Near-duplicates of a corpus of pictures: pairs with near hashes, each verified on thumbnails laid on each other.

Pictures with the same thumbnails count as one. Candidates come from ``image_candidates``, and ``image_alignment``
says how alike a pair is; what is kept of the step ``pictures`` is enough, no picture is decoded again. A picture of
hardly any content is a duplicate of equal ones only.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.duplicates.exact import duplicate_groups
from tamis.analytics.duplicates.image_alignment import likenesses, mean_shades
from tamis.analytics.duplicates.image_candidates import (
    INNER,
    PARTS,
    TURNED,
    UPRIGHT,
    Attempts,
    Hashed,
    View,
    find_attempts,
    turn_picture,
    view_hashes,
)
from tamis.analytics.signals.image_hashes import CELLS
from tamis.analytics.steps.measures import MEASURES, Measure, MeasureKind, Pairs, step_name
from tamis.analytics.steps.per_row import PICTURES_STEP
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.analytics.text.siphash import hash_slices
from tamis.data.artifact import Artifact
from tamis.data.documents import Documents, load_table
from tamis.data.progress import NullProgress, Progress, spread

KIND = "picture_pairs"
NEAR_VERSION = 1
FLOOR = 0.6
"""Pairs that are less alike are not kept."""
COLUMNS_READ = ("phash", "dhash", "grey32", "colour8", "inner_phash", "inner_dhash", "inner32")
_PLAIN = 8
"""Levels of grey between the darkest and the brightest of 32 x 32 parts below which a picture counts as plain."""
_TOGETHER = 2048
PASSES = 3
"""Times that progress counts a picture: its hashes, pictures near to it, comparing those."""


@dataclass(frozen=True)
class PictureParams:
    """How pictures are compared.

    Attributes:
        turned: whether turned and mirrored copies are found.
        floor: pairs that are less alike are not kept.
    """

    turned: bool = False
    floor: float = FLOOR

    @property
    def measure(self) -> Measure:
        """Return the measure with these parameters."""
        return Measure(KIND, tuple(sorted(asdict(self).items())))

    @property
    def views(self) -> tuple[View, ...]:
        """Return how pictures are looked at."""
        return (*UPRIGHT, *TURNED) if self.turned else UPRIGHT


@dataclass(frozen=True, eq=False)
class Thumbnails:
    """What pictures are compared by.

    Attributes:
        whole: uint64 (n, 2), phash and dhash.
        inner: uint64 (n, 2), of what is inside plain borders.
        grey32, inner32: uint8 (n, 32, 32).
        colour8: uint8 (n, 8, 8, 3).
    """

    whole: NDArray[np.uint64]
    inner: NDArray[np.uint64]
    grey32: NDArray[np.uint8]
    inner32: NDArray[np.uint8]
    colour8: NDArray[np.uint8]

    @classmethod
    def of(cls, table: pa.Table) -> Thumbnails:
        """Read the columns of the step ``pictures``, documents only."""
        return cls(
            np.column_stack([table.column(name).to_numpy() for name in ("phash", "dhash")]),
            np.column_stack([table.column(name).to_numpy() for name in ("inner_phash", "inner_dhash")]),
            _bytes(table, "grey32").reshape(-1, CELLS, CELLS),
            _bytes(table, "inner32").reshape(-1, CELLS, CELLS),
            _bytes(table, "colour8").reshape(-1, 8, 8, 3),
        )

    def take(self, rows: NDArray[np.int64]) -> Thumbnails:
        """Return those of some pictures in another order."""
        return Thumbnails(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def hashed(self, views: Sequence[View], threads: int, progress: Progress) -> Hashed:
        """Return the hashes that candidates are found by; progress advances by a unit a picture."""
        blocks = range(0, len(self.whole), _TOGETHER)

        def look(first: int) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
            progress.check()
            some = slice(first, first + _TOGETHER)
            flat = self.grey32[some].reshape(-1, CELLS * CELLS)
            plain = flat.max(axis=1).astype(np.int16) - flat.min(axis=1) < _PLAIN
            return view_hashes(self.grey32[some], self.inner32[some], views), plain

        with ThreadPoolExecutor(threads) as pool:
            seen = list(spread(pool.map(look, blocks), len(blocks), len(self.whole), progress))
        none = np.empty((0, len(views), 2), dtype=np.uint64), np.empty(0, dtype=np.bool_)
        hashes, plain = (np.concatenate(side) for side in zip(none, *seen, strict=True))
        return Hashed(self.whole, self.inner, tuple(views), hashes, plain)

    def identities(self) -> NDArray[np.uint64]:
        """Return a hash of all that is compared, uint64 (n, 2)."""
        data = np.concatenate(
            [each.reshape(len(each), -1) for each in (self.grey32, self.inner32, self.colour8)], axis=1
        )
        ends = np.arange(len(data) + 1, dtype=np.int64) * data.shape[1]
        return hash_slices(data.reshape(-1), ends)


def _bytes(table: pa.Table, name: str) -> NDArray[np.uint8]:
    parts = [chunk for chunk in table.column(name).chunks if len(chunk)]
    width = table.schema.field(name).type.byte_width
    held = [
        np.frombuffer(chunk.buffers()[1], np.uint8)[chunk.offset * width : (chunk.offset + len(chunk)) * width]
        for chunk in parts
    ]
    return np.concatenate([np.empty(0, dtype=np.uint8), *held])


def picture_pairs(
    pictures: Thumbnails, params: PictureParams | None = None, *, threads: int = 1, progress: Progress | None = None
) -> Pairs:
    """Return the verified pairs of pictures, each once, sorted.

    Args:
        pictures: what is compared; no two are the same.
        params: how.
        threads: changes no bit.
        progress: advances by ``PASSES`` units a picture; may cancel between blocks.
    """
    chosen, watch = params or PictureParams(), progress or NullProgress()
    attempts = find_attempts(pictures.hashed(chosen.views, threads, watch), threads=threads, progress=watch)
    shades, blocks = mean_shades(pictures.colour8), range(0, len(attempts.left), _TOGETHER)

    def compare(first: int) -> NDArray[np.float32]:
        watch.check()
        return _alike(pictures, shades, attempts, slice(first, first + _TOGETHER), chosen)

    with ThreadPoolExecutor(threads) as pool:
        compared = spread(pool.map(compare, blocks), len(blocks), len(pictures.whole), watch)
        found = [np.empty(0, np.float32), *compared]
    return _kept(attempts, np.concatenate(found), chosen.floor)


def _alike(
    pictures: Thumbnails, shades: NDArray[np.float64], attempts: Attempts, some: slice, params: PictureParams
) -> NDArray[np.float32]:
    """Return how alike the pairs of some attempts are, float32 (m,)."""
    view, of_left = attempts.view[some], attempts.of_left[some]
    laid = np.where(of_left, attempts.left[some], attempts.right[some])
    under = np.where(of_left, attempts.right[some], attempts.left[some])
    found = np.empty(len(view), dtype=np.float32)
    for at in np.unique(view).tolist():
        (turn, part), rows = params.views[at], np.flatnonzero(view == at)
        greys = pictures.inner32 if part == INNER else pictures.grey32
        begin = _begin(PARTS[0 if part == INNER else part])
        one, other = turn_picture(greys[laid[rows]], turn), greys[under[rows]]
        found[rows] = likenesses(one, other, begin, shades[laid[rows]], shades[under[rows]], params.floor)
    return found


def _begin(part: tuple[int, int, int, int]) -> NDArray[np.float64]:
    """Return where the cells of a part lie in the whole: scale and shift of columns, then of rows, float64 (4,)."""
    slices = PARTS[0][1]
    found = []
    for low, high in (part[2:], part[:2]):
        scale = (high - low) / slices
        found += [scale, CELLS * low / slices + scale / 2 - 0.5]
    return np.array(found)


def _kept(attempts: Attempts, values: NDArray[np.float32], floor: float) -> Pairs:
    """Return each pair with its best value if that reaches the floor; the attempts are sorted by pair."""
    left, right = attempts.left, attempts.right
    first = np.ones(len(left), dtype=bool)
    first[1:] = (left[1:] != left[:-1]) | (right[1:] != right[:-1])
    starts = np.flatnonzero(first)
    best = np.maximum.reduceat(values, starts) if len(starts) else values
    keep = best >= np.float32(floor)
    return Pairs(left[starts[keep]], right[starts[keep]], best[keep])


def picture_near_step(measure: Measure) -> StepSpec:
    """Return the step that measures near-duplicates of pictures.

    Its artifact holds the arrays ``left`` and ``right`` (int64 (m,), facts rows, ``left < right``, sorted),
    ``similarity`` (float32 (m,)) and ``first`` (int64 (n,), the smallest document with the same thumbnails).
    """
    params = PictureParams(**dict(measure.params))

    def run(context: StepContext) -> None:
        documents, watch = context.documents, context.progress
        watch.step(step_name(measure), PASSES * documents.n, "looks at pictures")
        table = load_table(context.inputs[PICTURES_STEP], documents, columns=list(COLUMNS_READ))
        pictures = Thumbnails.of(table)
        group, _ = duplicate_groups(pictures.identities())
        first = np.where(group < 0, np.arange(documents.n), group)
        alone = np.flatnonzero(first == np.arange(documents.n))
        watch.advance(PASSES * (documents.n - len(alone)))
        found = picture_pairs(pictures.take(alone), params, threads=os.cpu_count() or 1, progress=watch)
        context.out.write_array("left", alone[found.left])
        context.out.write_array("right", alone[found.right])
        context.out.write_array("similarity", found.similarity)
        context.out.write_array("first", first)
        context.out.commit(rows=documents.n, facts={"sets": len(alone), "pairs": len(found.left)})

    return StepSpec(
        name=step_name(measure),
        version=NEAR_VERSION,
        upstream=("documents", PICTURES_STEP),
        params=asdict(params),
        title="Finding near-duplicates of pictures",
        estimate=lambda size: Estimate(1.0 + size.documents * 4e-4, size.documents * 30),
        run=run,
    )


def _read(artifact: Artifact, documents: Documents, name: str) -> NDArray[np.int64]:
    """Return ``first`` of the artifact, in facts order."""
    return artifact.array(name)


MEASURES.register(MeasureKind(KIND, "Pairs of near-duplicate pictures", step=picture_near_step, read=_read))
