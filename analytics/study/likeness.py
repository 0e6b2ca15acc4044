"""How alike every document is to an example, as colours of the map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.study.map_points import MapGroups, bands_of
from tamis.analytics.study.meaning import Example, ranking
from tamis.analytics.study.study import Study


@dataclass(frozen=True, eq=False)
class Likeness:
    """Similarity of all documents to an example. Exact: every vector is compared.

    Attributes:
        cosine: float64 (n,) in facts order, NaN for a document without a vector.
        tier: of the vectors.
        name: identifies example and vectors.
    """

    cosine: NDArray[np.float64]
    tier: str
    name: str

    def groups(self) -> MapGroups:
        """Return bands of cosine to colour the map by, between the percentiles 0.5 and 100."""
        known = self.cosine[~np.isnan(self.cosine)]
        low = float(np.partition(known, int(0.005 * (len(known) - 1)))[int(0.005 * (len(known) - 1))])
        return bands_of(self.cosine, low, float(known.max()), self.name)


def likeness(study: Study, example: Example) -> Likeness:
    """Return how alike every document is to an example; cached."""
    name = f"likeness_{example.model[:16]}_{example.vectors}"

    def measure() -> Likeness:
        return Likeness(ranking(study, example).numbers(example.column), example.tier, name)

    return study.facts.memo.through((study.facts.digest, name), measure, size=lambda found: found.cosine.nbytes)
