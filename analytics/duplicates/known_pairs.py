"""Near-duplicates of a corpus that grew: pairs of known sets are taken over, only pairs with a new set are found.

Which pairs of two sets are compared depends on the two sets alone while no bucket is crowded. So where no set is gone
and no bucket is crowded, the pairs of the larger corpus are those of the smaller one and those with a new set; a bucket
without a new set is not looked at. In all other cases nothing is taken over, and every pair is found again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.duplicates.candidates import BandCandidates, Sizes, renumber, split
from tamis.analytics.duplicates.near_passes import NearParams, Signed
from tamis.analytics.steps.growth import Growth
from tamis.analytics.steps.measures import Pairs
from tamis.analytics.steps.step import StepContext
from tamis.data.errors import StoreError
from tamis.data.known_parts import KnownSet
from tamis.data.store import Store

IDENTITY, ALONE = "keep-identity", "keep-alone"
_NAMES = (IDENTITY, ALONE, "left", "right", "similarity")
_SLOTS = 20


@dataclass(frozen=True, eq=False)
class KnownPairs:
    """The pairs of an earlier run, all of whose sets this corpus has.

    Attributes:
        artifact: digest of the earlier run.
        pairs: by number of the sets of this corpus.
        fresh: bool (u,), the sets of this corpus that the earlier run does not have.
        candidates: pairs that the earlier run compared.
        largest: documents of its largest bucket.
    """

    artifact: str
    pairs: Pairs
    fresh: NDArray[np.bool_]
    candidates: int
    largest: int

    @classmethod
    def find(cls, context: StepContext, params: NearParams, identity: NDArray[np.uint64]) -> KnownPairs | None:
        """Return the pairs of an earlier run of the same parameters, None if none can be taken over.

        Args:
            context: of the running step.
            params: of the step.
            identity: uint64 (u, 2), identities of the sets, each once.
        """
        growth, workspace = context.growth, context.workspace
        if growth is None or workspace is None or params.metric != "jaccard" or len(identity) <= params.small:
            return None
        for known in growth.known.sets(_key(context, growth)):
            found = cls._of(growth, known, workspace.store, identity)
            if found is not None:
                return found
        return None

    @classmethod
    def _of(cls, growth: Growth, known: KnownSet, store: Store, identity: NDArray[np.uint64]) -> KnownPairs | None:
        try:
            facts = store.open(known.artifact).facts
        except StoreError:
            return None
        arrays = growth.arrays(known, 0)
        if facts["crowded_buckets"] or arrays is None or len(arrays) != len(_NAMES):
            return None
        theirs, alone, left, right, similarity = arrays
        numbers = _find(theirs, identity)
        if numbers is None:
            return None
        fresh = np.ones(len(identity), dtype=bool)
        fresh[numbers] = False
        sides = [numbers[np.searchsorted(alone, side)] for side in (left, right)]
        pairs = Pairs(np.minimum(*sides), np.maximum(*sides), similarity)
        return cls(known.artifact, pairs, fresh, int(facts["candidates"]), int(facts["largest_bucket"]))


def _find(wanted: NDArray[np.uint64], among: NDArray[np.uint64]) -> NDArray[np.int64] | None:
    """Return the row of each wanted identity; None if one is missing."""
    order = np.argsort(among[:, 0], kind="stable")
    ordered = among[order]
    if not len(wanted) or (ordered[1:, 0] == ordered[:-1, 0]).any():
        return None
    place = np.minimum(np.searchsorted(ordered[:, 0], wanted[:, 0]), len(ordered) - 1)
    return order[place] if (ordered[place] == wanted).all() else None


def note_pairs(context: StepContext, identity: NDArray[np.uint64], alone: NDArray[np.int64]) -> None:
    """Keep what a later run needs to take over the pairs of this one, whose arrays are written."""
    if context.growth is not None:
        context.out.write_array(IDENTITY, identity)
        context.out.write_array(ALONE, alone)
        context.growth.note_whole(_key(context, context.growth), context.out, _NAMES, context.documents)


def _key(context: StepContext, growth: Growth) -> str:
    return growth.key(context.out, context.corpus, {"part": "pairs"})


@dataclass(frozen=True, eq=False)
class FreshCandidates:
    """Pairs with at least one new set.

    Attributes:
        found: the candidates among ``sets``.
        sets: int64 (m,), ascending, the sets that share a band key with a new set.
        fresh: see ``KnownPairs``.
    """

    found: BandCandidates
    sets: NDArray[np.int64]
    fresh: NDArray[np.bool_]

    @classmethod
    def of(cls, signed: Signed, lengths: NDArray[np.int64], params: NearParams, known: KnownPairs) -> FreshCandidates:
        """Return the candidates; arguments as ``near_passes.candidates``."""
        keys = signed.keys.reshape(len(signed), params.bands)
        near = known.fresh.copy()
        for band in range(params.bands):
            near |= _shared(keys[:, band], known.fresh)
        sets = np.flatnonzero(near)
        sizes = Sizes(signed.sizes[sets], lengths[sets], params.floor * (1 - 1e-9))
        return cls(BandCandidates(keys[sets], sizes), sets, known.fresh)

    def chosen(self, codes: Sequence[NDArray[np.uint64]]) -> Iterator[NDArray[np.uint64]]:
        """Yield the codes with a new set, by number of all sets."""
        for some in codes:
            whole = renumber(np.asarray(some), self.sets)
            left, right = split(whole)
            yield whole[self.fresh[left] | self.fresh[right]]


def _shared(keys: NDArray[np.uint64], fresh: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which sets have a key of a fresh one, bool (u,)."""
    wanted = np.unique(keys[fresh])
    held = np.zeros(len(keys), dtype=bool)
    if not len(wanted):
        return held
    slots = np.zeros(1 << _SLOTS, dtype=bool)
    shift = np.uint64(64 - _SLOTS)
    slots[wanted >> shift] = True
    maybe = np.flatnonzero(slots[keys >> shift])
    place = np.minimum(np.searchsorted(wanted, keys[maybe]), len(wanted) - 1)
    held[maybe] = wanted[place] == keys[maybe]
    return held
