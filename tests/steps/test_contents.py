"""What a value holds decides its hash: any change of it does, what it has cached does not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.analytics.steps.ray_engine import sha256_of, size_of_contents

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@dataclass(frozen=True)
class Model:
    weights: Any
    name: str = "model"

    @cached_property
    def total(self) -> float:
        return float(self.weights.sum())


@given(plain, plain)
def test_equal_hashes_mean_equal_values(one: Any, other: Any) -> None:
    assert (sha256_of(one) == sha256_of(other)) == (repr(one) == repr(other))


def test_arrays_count_by_type_shape_and_every_number() -> None:
    array = np.arange(12, dtype=np.float32)
    other = array.copy()
    other[7] += 1
    made = [array, array.reshape(3, 4), array.astype(np.float64), other, array[::2]]
    assert len({sha256_of(one) for one in made}) == len(made)
    assert sha256_of(array.reshape(3, 4).T) == sha256_of(np.ascontiguousarray(array.reshape(3, 4).T))
    assert size_of_contents(array) > array.nbytes


def test_arrow_values_count_by_what_they_show() -> None:
    table = pa.table({"text": ["a", "b", "c"]})
    assert sha256_of(table) != sha256_of(pa.table({"text": ["a", "b", "d"]}))
    assert sha256_of(table.column(0).chunk(0)) != sha256_of(table.column(0).chunk(0).slice(1))


def test_what_a_value_has_cached_does_not_count() -> None:
    fresh, used = Model(np.ones(3)), Model(np.ones(3))
    assert used.total == 3
    assert sha256_of(fresh) == sha256_of(used) != sha256_of(Model(np.ones(3), "other"))


def test_an_array_of_objects_is_refused() -> None:
    with pytest.raises(TypeError, match="Python objects"):
        sha256_of(np.array([object()]))
