"""Types of operator parameters: what they accept, how they are put in order, which form field shows them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field


def _sorted_texts(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))


def _sorted_numbers(values: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(set(values)))


TextSet = Annotated[tuple[str, ...], AfterValidator(_sorted_texts)]
NumberSet = Annotated[tuple[int, ...], AfterValidator(_sorted_numbers)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
NumericColumn = Annotated[str, Field(min_length=1, max_length=200, json_schema_extra={"widget": "numeric column"})]
AnyColumn = Annotated[str, Field(min_length=1, max_length=200, json_schema_extra={"widget": "column"})]
CategoryColumn = Annotated[str, Field(min_length=1, max_length=200, json_schema_extra={"widget": "category column"})]


def named_list(values: tuple[Any, ...], *, most: int = 4) -> str:
    """Return values for a sentence: the first few, then how many more."""
    shown = ", ".join(str(value) for value in values[:most])
    return shown if len(values) <= most else f"{shown} and {len(values) - most} more"
