"""What rules may consult besides facts columns, gathered from memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.operator import Measure, Pairs
from tamis.data.errors import RecipeError


@dataclass(frozen=True)
class GivenEvidence:
    """Evidence that is simply given: for tests, notebooks and recipes that need none.

    Attributes:
        arrays: row-aligned or named arrays by (measure, name).
        found: pairs by measure.
        sets: id sets by digest.
    """

    arrays: Mapping[tuple[Measure, str], NDArray[Any]] = field(default_factory=dict)
    found: Mapping[Measure, Pairs] = field(default_factory=dict)
    sets: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def pairs(self, measure: Measure) -> Pairs:
        """Return given pairs.

        Raises:
            RecipeError: they were not given.
        """
        if measure not in self.found:
            raise RecipeError("These pairs have not been measured", value=measure.kind)
        return self.found[measure]

    def array(self, measure: Measure, name: str) -> NDArray[Any]:
        """Return a given array.

        Raises:
            RecipeError: it was not given.
        """
        if (measure, name) not in self.arrays:
            raise RecipeError("This has not been measured", value=f"{measure.kind} {name}")
        return np.asarray(self.arrays[(measure, name)])

    def id_set(self, digest: str) -> frozenset[str]:
        """Return a given id set.

        Raises:
            RecipeError: it was not given.
        """
        if digest not in self.sets:
            raise RecipeError("There is no id set with this digest", value=digest)
        return self.sets[digest]
