"""A measured effect: comparisons with intervals, and everything else that the page and the report show."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from tamis.analytics.effect.bench import Cleaning, Protocol
from tamis.analytics.effect.composition import Composition, Coverage, Diversity, IssueShift, Repetition
from tamis.analytics.effect.label_probe import ProbeCurve
from tamis.analytics.effect.verdict import Difference, Verdict


@dataclass(frozen=True)
class TrialPoint:
    """One training set in the scatter.

    Attributes:
        name: ``recipe``, ``random`` or ``dedup + random``.
        seed: number of the draw.
        documents, bytes: its size.
        target: bits per byte of the target, None without a target.
        general: bits per byte of the corpus hold-out.
        match: KL divergence of the target from it, None without a target.
    """

    name: str
    seed: int
    documents: int
    bytes: int
    target: float | None
    general: float
    match: float | None


@dataclass(frozen=True)
class Effect:
    """The effect of a recipe on a target.

    Attributes:
        recipe: digest of the recipe.
        title: its title.
        target: name of the target, empty without one.
        target_digest: of its texts, empty without one.
        documents: distinct documents the recipe keeps.
        budget_bytes: UTF-8 bytes of every training set.
        selection_bytes: UTF-8 bytes of the kept training candidates, copies counted.
        differences: all comparisons that have an interval, the headline first.
        trials: every training set: the recipe, random draws, deduplicated random draws.
        coverage: of the target and of the corpus, with embeddings.
        diversity: descriptive.
        probe: macro-F1 against fraction kept, with labels.
        compositions: shares before and after by source, language, label, cluster.
        issues: shares of the issues before and after.
        repetition: copies and effective tokens.
        cleaning: what was set apart.
        protocol: how it was measured.
        notes: sentences that the reader of the figures needs.
        unit: of the sizes, ``bytes``, or ``pictures`` for a corpus of pictures.
    """

    recipe: str
    title: str
    target: str
    target_digest: str
    documents: int
    budget_bytes: int
    selection_bytes: int
    differences: tuple[Difference, ...]
    trials: tuple[TrialPoint, ...]
    coverage: tuple[Coverage, ...]
    diversity: Diversity
    probe: ProbeCurve | None
    compositions: tuple[Composition, ...]
    issues: tuple[IssueShift, ...]
    repetition: Repetition
    cleaning: Cleaning
    protocol: Protocol
    notes: tuple[str, ...] = ()
    unit: str = "bytes"

    @property
    def headline(self) -> Difference | None:
        """Return the difference in target bits per byte against random draws, None without a target."""
        return self.differences[0] if self.target else None

    @property
    def verdict(self) -> Verdict:
        """Return the verdict of the headline; without a target there is none."""
        return self.headline.verdict if self.headline else "no measurable effect"

    def to_json(self) -> dict[str, Any]:
        """Return the effect as a JSON value."""
        value: dict[str, Any] = _adapter().dump_python(self, mode="json")
        return value

    @classmethod
    def from_json(cls, value: Any) -> Effect:
        """Read what ``to_json`` returned."""
        return _adapter().validate_python(value)


@cache
def _adapter() -> TypeAdapter[Effect]:
    return TypeAdapter(Effect)
