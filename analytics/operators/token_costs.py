"""The token cost of documents, and the refusal of token counts that hide most of the text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.operators.operator import View
from tamis.analytics.signals.token_counter import BYTES, UNKNOWN_BYTES
from tamis.data.errors import RecipeError

COST_COLUMNS = ("bytes", "unknown_share")
"""Facts columns that tell whether ``n_tokens`` hides text; older analyses have no ``unknown_share``."""


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
