"""The cost of documents in tokens or in documents, and the refusal of token counts that hide most of the text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field, model_validator

from tamis.analytics.operators.operator import SetOperator, View
from tamis.analytics.signals.token_counter import BYTES, UNKNOWN_BYTES
from tamis.data.errors import RecipeError

COST_COLUMNS = ("bytes", "unknown_share")
"""Facts columns that tell whether ``n_tokens`` hides text; older analyses have no ``unknown_share``."""


Unit = Annotated[
    Literal["tokens", "documents"] | None,
    Field(description="What is counted: tokens (absent means this), or documents, such as pictures without captions."),
]


Wanted = Annotated[int | None, Field(ge=1, description="Documents wanted in all, where documents are counted.")]


class UnitBudget(SetOperator):
    """Base of rules that share out tokens, or documents where a corpus has no tokens."""

    if TYPE_CHECKING:  # Fields of the rules, where they stand in their own order.
        tokens: int | None
        share: float | None
        unit: Unit
        documents: Wanted

    @model_validator(mode="after")
    def _size_is_of_the_unit(self) -> UnitBudget:
        if self.documents is not None and self.unit != "documents":
            raise ValueError("give unit: documents together with documents")
        if self.unit == "documents" and self.tokens is not None:
            raise ValueError("give documents or share, not tokens, where documents are counted")
        if self.documents is not None and self.share is not None:
            raise ValueError("give documents or share, not both")
        return self

    @property
    def counts(self) -> str:
        """Return what is counted, ``tokens`` or ``documents``."""
        return self.unit or "tokens"

    @property
    def cost_columns(self) -> frozenset[str]:
        """Return the facts columns that the cost reads."""
        return frozenset({"n_tokens"} if self.counts == "tokens" else ())

    @property
    def amount(self) -> int | None:
        """Return the amount wanted in all, None if the rule states none."""
        return self.documents if self.unit == "documents" else self.tokens

    def cost(self, view: View, codes: NDArray[np.int64], names: Sequence[str]) -> NDArray[np.int64]:
        """Return the cost of each document, copies counted, int64 (n,); see ``token_cost``."""
        return token_cost(view, codes, names) if self.counts == "tokens" else view.copies.astype(np.int64)


def token_cost(view: View, codes: NDArray[np.int64], names: Sequence[str]) -> NDArray[np.int64]:
    """Return the tokens of each document, copies counted, int64 (n,).

    Args:
        view: the documents, with ``n_tokens`` and, where the facts have it, ``unknown_share``.
        codes: int64 (n,), budget group of each document.
        names: names of the groups.

    Raises:
        RecipeError: the counts of a group hide most of its text.
    """
    tokens = _whole(view, "n_tokens")
    if all(name in view.table.column_names for name in COST_COLUMNS):
        _refuse_hidden(view, tokens, codes, names)
    return tokens * view.copies


def _refuse_hidden(view: View, tokens: NDArray[np.int64], codes: NDArray[np.int64], names: Sequence[str]) -> None:
    """Refuse a group with most bytes in unknown words whose tokens are fewer than half of those its bytes suggest."""
    size = _whole(view, "bytes")
    strange = size * np.nan_to_num(view.numbers("unknown_share"))
    total, hidden, counted = (np.bincount(codes, each, len(names)) for each in (size, strange, tokens))
    bad = np.flatnonzero((hidden > total / 2) & (counted * 2 * UNKNOWN_BYTES < hidden))
    if len(bad):
        group = int(bad[0])
        raise RecipeError(
            f"The token counts{f' of {names[group]}' if names[group] else ''} hide most of the text",
            value=f"{counted[group]:,.0f} tokens for {total[group]:,.0f} bytes,"
            f" {hidden[group] / total[group]:.0%} of them in words that the tokenizer does not know",
            fix=f"analyse with --tokenizer {BYTES} or with the tokenizer of your model, or budget by bytes",
        )


def _whole(view: View, name: str) -> NDArray[np.int64]:
    column = view.column(name).cast(pa.int64()).fill_null(0)
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.int64)
