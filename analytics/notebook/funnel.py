"""The funnel of a recipe: the input, and what every step leaves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from tamis.analytics.recipe.listing import Listing, Share
from tamis.analytics.recipe.outcome import Count, Outcome
from tamis.analytics.recipe.recipe import Recipe


@dataclass(frozen=True, repr=False)
class Funnel:
    """What a recipe keeps of a corpus, step by step.

    Attributes:
        recipe: the recipe.
        counts: of the input, then after each active step: documents, copies, tokens, bytes.

    Example:
        >>> study = ta.open("notes.jsonl", steps=["tokens", "exact"], progress=False)
        >>> funnel = study.funnel(ta.Recipe(title="Long").with_operator("signal_range", signal="n_tokens", min=8))
        >>> funnel
        Long: 2 of 5 documents, 16 of 30 tokens
        step          rule                               documents    kept  tokens    kept
        input                                                    5  100.0%      30  100.0%
        signal-range  Keep documents with n_tokens >= 8          2   40.0%      16   53.3%
        >>> funnel.output.documents
        2
    """

    recipe: Recipe
    counts: tuple[Count, ...]

    @classmethod
    def of(cls, outcome: Outcome) -> Funnel:
        """Return the funnel of an outcome."""
        return cls(outcome.recipe, outcome.counts)

    def __iter__(self) -> Iterator[Count]:
        return iter(self.counts)

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def input(self) -> Count:
        """Return the counts before the first step."""
        return self.counts[0]

    @property
    def output(self) -> Count:
        """Return the counts after the last step."""
        return self.counts[-1]

    def __repr__(self) -> str:
        return repr(self._listing())

    def _repr_html_(self) -> str:
        """Return the rows as HTML for a notebook, everything escaped."""
        return self._listing()._repr_html_()

    def to_arrow(self) -> pa.Table:
        """Return one row per step, the input first: step, rule, documents, copies, tokens, bytes; int64 figures.

        Example:
            >>> study = ta.open("notes.jsonl", steps=["tokens", "exact"], progress=False)
            >>> study.funnel(ta.Recipe().with_operator("exact_dedup")).to_arrow().column("documents").to_pylist()
            [5, 4]
        """
        figures = ("documents", "copies", "tokens", "bytes")
        texts = {"step": [step for step, _ in self._names()], "rule": [rule for _, rule in self._names()]}
        numbers = {name: pa.array([getattr(count, name) for count in self.counts], pa.int64()) for name in figures}
        return pa.table(texts | numbers)

    def to_pandas(self) -> Any:
        """Return the rows of ``to_arrow`` as a pandas DataFrame.

        Example:
            >>> study = ta.open("notes.jsonl", steps=["tokens", "exact"], progress=False)
            >>> study.funnel(ta.Recipe().with_operator("exact_dedup")).to_pandas()[["step", "documents"]]
                      step  documents
            0        input          5
            1  exact-dedup          4
        """
        return self.to_arrow().to_pandas()

    def _names(self) -> list[tuple[str, str]]:
        """Return id and sentence of every row."""
        return [("input", ""), *((step.id, step.operator.sentence()) for step in self.recipe.active)]

    def _listing(self) -> Listing:
        first, last = self.input, self.output
        title = (
            f"{self.recipe.title}: {last.documents:,} of {first.documents:,} documents, "
            f"{last.tokens:,} of {first.tokens:,} tokens"
        )
        rows = tuple(
            (step, rule, count.documents, _share(count.documents, first.documents), count.tokens,
             _share(count.tokens, first.tokens))
            for (step, rule), count in zip(self._names(), self.counts, strict=True)
        )  # fmt: skip
        return Listing(title, ("step", "rule", "documents", "kept", "tokens", "kept"), rows)


def _share(part: int, whole: int) -> Share | None:
    return Share(part / whole) if whole else None
