"""What rules have in common that keep a range of one measured value: both ends pass, either may be absent."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from pydantic import model_validator

from tamis.analytics.operators.operator import RowOperator
from tamis.analytics.operators.predicate import number
from tamis.data.sql import ident


class MeasuredBand(RowOperator):
    """Base of rules with the parameters ``min`` and ``max`` for a column of their own; they are stated by the rule."""

    if TYPE_CHECKING:
        min: float | None
        max: float | None

    @model_validator(mode="after")
    def _has_a_range(self) -> MeasuredBand:
        if self.min is None and self.max is None:
            raise ValueError("give min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min must not be above max")
        return self

    @property
    @abstractmethod
    def column(self) -> str:
        """Return the facts column that holds the values."""

    def columns(self) -> frozenset[str]:
        return frozenset({self.column})

    def match(self) -> str:
        parts = [f"{ident(self.column)} >= {number(self.min)}"] if self.min is not None else []
        parts += [f"{ident(self.column)} <= {number(self.max)}"] if self.max is not None else []
        return " AND ".join(parts)

    def value(self) -> str:
        return ident(self.column)

    def threshold(self) -> str:
        parts = [f">= {self.min:g}"] if self.min is not None else []
        parts += [f"<= {self.max:g}"] if self.max is not None else []
        return " and ".join(parts)
