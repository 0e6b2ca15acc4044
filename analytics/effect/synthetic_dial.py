"""How much synthetic text is good for a target: one budget, several shares of it, each measured with an interval.

The rule ``mixture`` by a column of provenance sets the share; natural groups keep their proportions, and so do
synthetic ones. Every share is measured on the half of the target that no recipe has seen, in draws paired with those of
the first share. Source: Maini et al. 2024, arXiv 2401.16380 (rephrased text beside natural text).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.effect.bench import Protocol, Trial, run_trials
from tamis.analytics.effect.purpose import EffectStudy
from tamis.analytics.effect.target import TargetEntry
from tamis.analytics.effect.verdict import Difference, compare, text_error
from tamis.analytics.operators.operator import OPERATORS, value_in
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.study import Study
from tamis.data.errors import SettingError
from tamis.data.progress import NullProgress, Progress

VERSION = 1
SHARES = (0.0, 0.1, 0.3, 0.5)


@dataclass(frozen=True)
class DialParams:
    """What a sweep is asked for.

    Attributes:
        by: column of provenance, for example the model that wrote a text, or ``source``.
        synthetic: its values that are synthetic.
        tokens: the budget at every share.
        shares: of synthetic tokens, ascending, in [0, 1]; the others are compared with the first.
        max_copies: of a document.
    """

    by: str
    synthetic: tuple[str, ...]
    tokens: int
    shares: tuple[float, ...] = SHARES
    max_copies: int = 4

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            SettingError: a field has no possible value.
        """
        if not self.synthetic:
            raise SettingError(
                "Say which values are synthetic", value=self.by, fix="name one value of the column or more"
            )
        if self.tokens < 1 or self.max_copies < 1:
            raise SettingError("A sweep needs a budget and copies", value=(self.tokens, self.max_copies))
        if (
            len(self.shares) < 2
            or any(not 0 <= share <= 1 for share in self.shares)
            or list(self.shares) != sorted(set(self.shares))
        ):
            raise SettingError(
                "Shares ascend from 0 to 1", value=self.shares, allowed="two or more, for example 0 0.1 0.3"
            )

    def rule(self, share: float, supply: Mapping[str, float]) -> Any:
        """Return the rule ``mixture`` of a share.

        Args:
            share: of synthetic tokens.
            supply: tokens by value of the column.
        """
        mine = {value_in(self.by, name) for name in self.synthetic}
        sums = {side: sum(size for name, size in supply.items() if (name in mine) == side) for side in (True, False)}
        weights = [
            {"group": name, "weight": (share if name in mine else 1 - share) * size / sums[name in mine]}
            for name, size in sorted(supply.items())
            if size > 0
        ]
        return OPERATORS.build(
            "mixture",
            {"by": self.by, "weights": weights, "tokens": self.tokens, "max_copies": self.max_copies},
        )


@dataclass(frozen=True)
class DialPoint:
    """One share, measured.

    Attributes:
        asked: share of synthetic tokens that was asked for.
        share: the share of tokens that the corpus could give.
        bits: bits per byte of the target, mean of the draws.
        difference: to the first share, None for the first itself.
    """

    asked: float
    share: float
    bits: float
    difference: Difference | None

    @property
    def sentence(self) -> str:
        """Return the share in words."""
        if self.difference is None:
            return f"{self.share:.0%} synthetic: {self.bits:.4f} bits per byte"
        found = self.difference
        return (
            f"{self.share:.0%} synthetic: {self.bits:.4f} bits per byte, {found.mean:+.4f}"
            f" ({found.low:+.4f} to {found.high:+.4f}): {found.verdict}"
        )


@dataclass(frozen=True)
class SyntheticDial:
    """A sweep over shares of synthetic text; it is stored as JSON.

    Attributes:
        target: its name.
        params: what was asked for.
        budget_bytes: UTF-8 bytes of every training set.
        points: by share, ascending.
    """

    target: str
    params: DialParams
    budget_bytes: int
    points: tuple[DialPoint, ...]

    @property
    def best(self) -> DialPoint:
        """Return the share of fewest bits."""
        return min(self.points, key=lambda point: (point.bits, point.asked))

    def to_json(self) -> dict[str, Any]:
        """Return the form that is stored."""
        return {"version": VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SyntheticDial:
        """Read a stored sweep.

        Raises:
            SettingError: it is none of this version.
        """
        if value.get("version") != VERSION:
            raise SettingError("This is no sweep over synthetic shares", value=value.get("version"), fix="sweep again")
        params = {**value["params"], **{name: tuple(value["params"][name]) for name in ("synthetic", "shares")}}
        points = tuple(
            DialPoint(**{**each, "difference": Difference(**each["difference"]) if each["difference"] else None})
            for each in value["points"]
        )
        return cls(value["target"], DialParams(**params), value["budget_bytes"], points)


@dataclass(frozen=True)
class ReportedDial:
    """A sweep as a report shows it.

    Attributes:
        dial: what was measured.
        rules: active rules of the reported recipe that ran before the mixture; it may go on with others.
    """

    dial: SyntheticDial
    rules: int

    @property
    def title(self) -> str:
        """Return what counts as synthetic, for people."""
        return f"{', '.join(self.dial.params.synthetic)} by {self.dial.params.by}"

    @property
    def note(self) -> str:
        """Return how it was measured, in words."""
        before = {0: "before any rule of the recipe", 1: "after the first rule of the recipe"}.get(
            self.rules, f"after the first {self.rules} rules of the recipe"
        )
        return (
            f"{self.dial.params.tokens:,} tokens at every share, {before}; {self.dial.budget_bytes:,} bytes in every"
            " training set, by word trigrams on target texts no recipe has seen. Intervals are two standard deviations"
            " over paired draws and texts."
        )


def sweep_shares(
    study: Study,
    target: TargetEntry,
    params: DialParams,
    *,
    recipe: Recipe | None = None,
    protocol: Protocol | None = None,
    progress: Progress | None = None,
) -> SyntheticDial:
    """Measure a target's bits per byte at several shares of synthetic text under one budget.

    Args:
        study: the analysed corpus.
        target: texts of the purpose.
        params: what to sweep.
        recipe: rules before the mixture.
        protocol: sizes and draws.
        progress: counts the training sets; may cancel.

    Raises:
        SettingError: a value is not in the column, or one side cannot fill the budget with its copies.
        RecipeError: as ``plan.evaluate``.
    """
    watch, start = progress or NullProgress(), recipe or Recipe()
    bed = EffectStudy.open(study, target, protocol=protocol, progress=watch)
    names = study.facts.array(params.by).cast(pa.string()).fill_null("").to_numpy(zero_copy_only=False).astype(str)
    before = bed.copies(start, progress=watch) * bed.bench.allowed
    supply = _supply(names, before * study.facts.whole("n_tokens"))
    synthetic = np.isin(names, [value_in(params.by, each) for each in params.synthetic])
    _check(params, supply, float((before * study.facts.whole("n_tokens"))[~synthetic].sum()))
    chosen = {}
    for share in params.shares:
        chosen[share] = bed.copies(start.with_operator(params.rule(share, supply)), progress=watch)
    sizes = {share: int((bed.bench.bytes * copies)[bed.bench.allowed].sum()) for share, copies in chosen.items()}
    # A draw is a part of a selection: with nearly all of it, draws of one share would be alike.
    budget = min(bed.protocol.budget_bytes, int(0.9 * min(sizes.values())))
    watch.step("shares", len(chosen) * bed.protocol.draws, "sets")
    first: tuple[Trial, ...] = ()
    points = []
    for share, copies in chosen.items():
        trials = run_trials(bed.bench, copies, name=f"{share:.0%}", budget=budget, progress=watch)
        used = study.facts.whole("n_tokens") * copies * bed.bench.allowed
        points.append(
            DialPoint(
                asked=share,
                share=float(used[synthetic].sum() / max(int(used.sum()), 1)),
                bits=float(np.mean([trial.target for trial in trials])),
                difference=_difference(bed, trials, first) if first else None,
            )
        )
        first = first or trials
    return SyntheticDial(target.name, params, budget, tuple(points))


def _supply(names: NDArray[np.str_], tokens: NDArray[np.int64]) -> dict[str, float]:
    values, codes = np.unique(names, return_inverse=True)
    return dict(zip(values.tolist(), np.bincount(codes, tokens).tolist(), strict=True))


def _check(params: DialParams, supply: Mapping[str, float], natural: float) -> None:
    """Refuse values that are not there, and a budget that one side cannot fill."""
    missing = [name for name in params.synthetic if not supply.get(value_in(params.by, name))]
    if missing:
        raise SettingError(
            f"No documents with this value of {params.by}", value=missing[0], allowed=sorted(supply)[:50],
            fix="name the values of synthetic texts",
        )  # fmt: skip
    needed = params.tokens * (1 - params.shares[0])
    if natural * params.max_copies < needed:
        raise SettingError(
            "The natural texts cannot fill the budget", value=f"{natural:,.0f} tokens",
            allowed=f"{needed:,.0f} or more", fix="take fewer tokens, or allow more copies",
        )  # fmt: skip


def _difference(bed: EffectStudy, trials: Sequence[Trial], first: Sequence[Trial]) -> Difference:
    bits = [[trial.target_bits for trial in part] for part in (trials, first)]
    error = text_error(bits[0], bits[1], bed.bench.unseen.bytes)
    return compare(
        "target bits per byte", "the first share", [t.target or 0.0 for t in trials], [t.target or 0.0 for t in first],
        lower_is_better=True, text_error=error, proxy="word trigrams",
    )  # fmt: skip
