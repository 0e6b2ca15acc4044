"""What the new part of a corpus has against the old one: sizes, signals, groups, duplicates. All of it is exact."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.duplicates.near import near_step
from tamis.analytics.duplicates.near_passes import NearParams
from tamis.analytics.steps.measures import read_pairs
from tamis.analytics.study.contrasts import SignalContrast, signal_contrasts
from tamis.analytics.study.groups import Totals, group_counts, totals
from tamis.analytics.study.scene import Scene
from tamis.analytics.study.side_by_side import compare_shares
from tamis.analytics.study.study import Study, artifacts_of
from tamis.data.corpus_states import new_documents
from tamis.data.errors import SettingError
from tamis.data.progress import Progress

COMPARED = ("source", "lang", "label", "cluster")
SIMILAR = 0.8
"""Jaccard similarity of shingles of five words from which on a new document nearly repeats an old one."""


@dataclass(frozen=True, eq=False)
class Drift:
    """What the new part of a corpus has against the old one.

    Attributes:
        old, new: sizes of both parts.
        signals: the signals that differ most; ``selected`` is the median of the new part, ``rest`` of the old one.
        groups: by facts column, the shares of both parts by value, the most different first: ``value`` string, NULL
            for none; ``first`` the share of the old part, ``second`` of the new one, float64.
        repeated: new documents with the normalised text of an old one; None where that was not measured.
        similar: new documents, not counted in ``repeated``, of which an old one has a similar set of shingles; None
            where that was not measured.
    """

    old: Totals
    new: Totals
    signals: tuple[SignalContrast, ...]
    groups: dict[str, pa.Table]
    repeated: int | None
    similar: int | None


@dataclass(frozen=True)
class _Parted(Scene):
    """A scene whose selected documents are the new ones."""

    new: NDArray[np.bool_] | None = None

    @cached_property
    def selected(self) -> NDArray[np.bool_]:
        return np.zeros(self.facts.n, dtype=bool) if self.new is None else self.new


def find_drift(
    study: Study,
    known: Collection[str],
    *,
    near: bool = False,
    signals: int = 8,
    values: int = 8,
    progress: Progress | None = None,
) -> Drift:
    """Compare the documents of new files with those of known ones.

    Args:
        study: the corpus that holds both.
        known: sha256 of the contents of the old files.
        near: also find new documents that nearly repeat an old one, which measures near-duplicates.
        signals, values: how many signals, and values of a group, at most.
        progress: where to report.

    Raises:
        SettingError: one of the parts has no documents.
        TamisError: as the measurement raises.
    """
    new = new_documents(study.corpus, study.documents, known)
    if not new.any() or new.all():
        missing = "new" if not new.any() else "old"
        raise SettingError(
            f"There are no {missing} documents", value=study.corpus.name,
            allowed="a corpus that holds the old files and further ones",
            fix="give the folder that holds both, or set two corpora side by side with tamis beside",
        )  # fmt: skip
    scene = _Parted(study.facts, new=new)
    sums = totals(scene)
    old = Totals(*(getattr(sums.all, name) - getattr(sums.selected, name) for name in ("documents", "tokens", "bytes")))
    repeated = None
    if "norm_group" in study.facts.columns:
        repeated = _repeating(np.asarray(study.facts.array("norm_group")), new)
    similar = None
    if near:
        found = _near_old(study, new, progress)
        similar = int(np.count_nonzero(found if repeated is None else found & ~repeated))
    names = [name for name in COMPARED if name in study.facts.columns]
    return Drift(
        old,
        sums.selected,
        signal_contrasts(scene, limit=signals),
        {name: _shares(scene, name, values) for name in names},
        None if repeated is None else int(np.count_nonzero(repeated)),
        similar,
    )


def _shares(scene: Scene, column: str, limit: int) -> pa.Table:
    table = group_counts(scene, column, limit=None).table
    values = [None if value is None else str(value) for value in table.column("value").to_pylist()]
    inside = table.column("selected").to_numpy()
    outside = table.column("documents").to_numpy() - inside
    sides = [dict(zip(values, (side / max(int(side.sum()), 1)).tolist(), strict=True)) for side in (outside, inside)]
    return compare_shares(sides[0], sides[1], limit=limit)


def _repeating(group: NDArray[np.int64], new: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which new documents share a group with an old one, bool (n,).

    Args:
        group: int64 (n,), facts row that names the group, -1 for none.
        new: bool (n,).
    """
    held = np.zeros(len(new) + 1, dtype=bool)
    held[group[~new]] = True
    held[-1] = False
    return new & held[group]


def _near_old(study: Study, new: NDArray[np.bool_], progress: Progress | None) -> NDArray[np.bool_]:
    """Return which new documents have a set of shingles that is equal or similar to that of an old one, bool (n,)."""
    step = near_step(NearParams().measure)
    artifact = artifacts_of(study, [step], progress=progress)[step.name]
    first, pairs = artifact.array("first"), read_pairs(artifact)
    old = np.zeros(len(new), dtype=bool)
    old[first[~new]] = True
    reached = old.copy()
    close = pairs.similarity >= np.float32(SIMILAR)
    left, right = pairs.left[close], pairs.right[close]
    reached[right[old[left]]] = True
    reached[left[old[right]]] = True
    return new & reached[first]
