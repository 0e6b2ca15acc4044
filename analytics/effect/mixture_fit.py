"""The mixture of domains at which a proxy model needs the fewest bits per byte of a target.

A swarm of mixtures is measured by a proxy, a law is fitted to it and minimised (``mixture_law``); the optima of several
pulls are trained, and the best is taken. Then it, the natural and the uniform mixture are compared in paired draws.
Recipes that use the fit are judged on the half of the target that it never read.

Sources: Chen et al. 2026, arXiv 2602.12237 (Olmix: reuse of a mixture); Liu et al. 2024, arXiv 2407.01492 (RegMix: the
swarm).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.effect.bench import Protocol
from tamis.analytics.effect.mixture_law import LogLinear, best_weights, bootstrap_slopes, cross_validate
from tamis.analytics.effect.mixture_swarm import (
    DomainParams,
    Domains,
    Mixer,
    MixtureProxy,
    MixtureRun,
    NgramProxy,
    draw_weights,
    run_mixtures,
)
from tamis.analytics.effect.purpose import EffectStudy
from tamis.analytics.effect.target import SEARCH_HALVES, TargetEntry
from tamis.analytics.effect.verdict import Difference, compare, text_error
from tamis.analytics.operators.budget import Mixture
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.study.study import Study
from tamis.data.errors import SettingError
from tamis.data.progress import NullProgress, Progress
from tamis.data.workspace import Workspace

VERSION = 1
PULLS = (0.02, 0.05, 0.1, 0.2, 0.5)
"""Pulls whose optima are trained where none is stated."""

LEAST = 1e-6
"""Weights below this are 0 in a recipe."""


@dataclass(frozen=True)
class MixturePrediction:
    """Predicted bits per byte of the target at a mixture, with its interval of two standard deviations."""

    bits: float
    low: float
    high: float


@dataclass(frozen=True)
class MixtureTrial:
    """One trial of the swarm: weights by domain, and the bits per byte they led to."""

    weights: tuple[float, ...]
    bits: float


@dataclass(frozen=True)
class MixtureFit:
    """A fitted mixture and how it was found; it is stored as JSON and named by its digest.

    Attributes:
        by, tiers, quality: how the corpus was cut, see ``DomainParams``.
        target: name of the target.
        proxy: name of the proxy model.
        tokens: the budget of the recipe.
        budget_bytes: of one trial.
        max_copies: of a document.
        pull: bits for a nat of KL to the natural mixture, stated or found best.
        earlier: digest of the fit whose mixture is one domain here, empty for none.
        names: of the domains.
        groups: names of the groups with a part in a domain.
        inside: what each domain is made of, a share of every group.
        natural, caps, weights: by domain: natural share, largest possible weight, fitted weight.
        trials: the swarm.
        floor, slopes, bootstraps: the law and the slopes of its bootstrap.
        error: cross-validated error in bits per byte.
        rank: rank correlation of cross-validated predictions and trials.
        differences: measured: the fitted mixture against the natural and the uniform one.
    """

    by: str
    tiers: int | None
    quality: str | None
    target: str
    proxy: str
    tokens: int
    budget_bytes: int
    max_copies: int
    pull: float
    earlier: str
    names: tuple[str, ...]
    groups: tuple[str, ...]
    inside: tuple[tuple[float, ...], ...]
    natural: tuple[float, ...]
    caps: tuple[float, ...]
    weights: tuple[float, ...]
    trials: tuple[MixtureTrial, ...]
    floor: float
    slopes: tuple[float, ...]
    bootstraps: tuple[tuple[float, ...], ...]
    error: float
    rank: float
    differences: tuple[Difference, ...]

    def predict(self, weights: Sequence[float]) -> MixturePrediction:
        """Return the predicted bits per byte of a mixture; weights are divided by their sum."""
        given = np.asarray(weights, dtype=np.float64)
        share = given / max(float(given.sum()), 1e-300)
        bits = self.floor + float(np.exp(share @ np.array(self.slopes)))
        spread = float(np.std(self.floor + np.exp(np.array(self.bootstraps) @ share)))
        wide = 2.0 * float(np.hypot(spread, self.error))
        return MixturePrediction(bits, bits - wide, bits + wide)

    def group_weights(self, weights: Sequence[float] | None = None) -> dict[str, float]:
        """Return the weight of each group, sum 1, without those that have next to none."""
        given = np.asarray(self.weights if weights is None else weights, dtype=np.float64)
        shares = (given / given.sum()) @ np.array(self.inside)
        return {name: round(float(share), 6) for name, share in zip(self.groups, shares, strict=True) if share > LEAST}

    def operator(self, weights: Sequence[float] | None = None) -> Mixture:
        """Return the rule with the fitted weights, or with others."""
        params: dict[str, Any] = {
            "by": self.by,
            "weights": [{"group": name, "weight": weight} for name, weight in self.group_weights(weights).items()],
            "tokens": self.tokens,
            "max_copies": self.max_copies,
        }
        if self.tiers is not None:
            params |= {"tiers": self.tiers, "quality": self.quality}
        found = OPERATORS.build("mixture", params)
        assert isinstance(found, Mixture)
        return found

    def to_json(self) -> dict[str, Any]:
        """Return the form that is stored."""
        return {"version": VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> MixtureFit:
        """Read a stored fit.

        Raises:
            SettingError: the value is not a fitted mixture of this version.
        """
        names = {field.name for field in fields(cls)}
        if value.get("version") != VERSION or set(value) != names | {"version"}:
            raise SettingError("This is not a fitted mixture", value=value.get("version"), fix="fit it again")
        found = {name: _tuples(value[name]) for name in names}
        found["trials"] = tuple(MixtureTrial(tuple(each["weights"]), each["bits"]) for each in value["trials"])
        found["differences"] = tuple(Difference(**each) for each in value["differences"])
        return cls(**found)

    @classmethod
    def open(cls, workspace: Workspace, digest: str) -> MixtureFit:
        """Return a stored fit.

        Raises:
            StoreError: the workspace does not have it.
            SettingError: it is something else.
        """
        return cls.from_json(workspace.value(digest))


def _tuples(value: Any) -> Any:
    return tuple(_tuples(each) for each in value) if isinstance(value, list) else value


@dataclass(frozen=True)
class FitParams:
    """What a fit is asked for.

    Attributes:
        domains: how the corpus is cut.
        tokens: the budget.
        max_copies: of a document.
        trials: of the swarm; 0 for 16, or 5 for each domain where that is more.
        pull: bits for a nat of KL to the natural mixture; None for the one of ``PULLS`` whose optimum trains best.
        earlier: digest of a stored fit whose mixture stays as it is and becomes one domain beside new ones.
    """

    domains: DomainParams
    tokens: int
    max_copies: int = 4
    trials: int = 0
    pull: float | None = None
    earlier: str = ""

    @property
    def pulls(self) -> tuple[float, ...]:
        """Return the pulls whose optima are trained."""
        return PULLS if self.pull is None else (self.pull,)

    def count(self, domains: int, draws: int) -> int:
        """Return how often a model is trained: the swarm, then the optima, the natural and the uniform mixture."""
        return self.swarm(domains) + (2 + len(self.pulls)) * draws

    def swarm(self, domains: int) -> int:
        """Return the mixtures of the swarm for so many domains."""
        return self.trials or max(16, 5 * domains)


def fit_mixture(
    study: Study,
    target: TargetEntry,
    params: FitParams,
    *,
    protocol: Protocol | None = None,
    proxy: MixtureProxy | None = None,
    halves: str = SEARCH_HALVES,
    progress: Progress | None = None,
) -> MixtureFit:
    """Find the mixture of fewest bits per byte of a target at a token budget; trials that are stored are not repeated.

    Args:
        study: the analysed corpus.
        target: texts of the purpose; its test half is never read.
        params: what to fit.
        protocol: sizes and seeds of the measurements.
        proxy: the model that measures a mixture; the n-gram model by default.
        halves: salt of the hash that cuts the visible half of the target in two.
        progress: counts the trials; may cancel.

    Raises:
        SettingError: the budget is not positive or larger than the supply, or there are too few domains.
    """
    if params.tokens < 1 or params.max_copies < 1:
        raise SettingError("A mixture needs a budget and copies", value=(params.tokens, params.max_copies))
    watch, model = progress or NullProgress(), proxy or NgramProxy()
    bed = EffectStudy.open(study, target, protocol=protocol or Protocol(), search=True, halves=halves, progress=watch)
    before = MixtureFit.open(study.workspace, params.earlier).group_weights() if params.earlier else None
    domains = Domains.of(study.facts, bed.bench, params.domains, earlier=before)
    whole = _bytes(study, params.tokens)
    mixer = Mixer(bed.bench, domains, min(bed.protocol.budget_bytes, whole), params.max_copies)
    caps = domains.caps(whole, params.max_copies)
    swarm = draw_weights(domains, caps, trials=params.swarm(len(domains)), seed=bed.protocol.seed)
    pulls = params.pulls
    watch.step("swarm of mixtures", params.count(len(domains), bed.protocol.draws), "trials")
    runs = run_mixtures(bed, mixer, [(weights, 0) for weights in swarm], model, progress=watch)
    bits = np.array([run.target for run in runs])
    law = LogLinear.fit(swarm, bits)
    error, rank = cross_validate(swarm, bits)
    optima = {pull: best_weights(law, domains.natural, caps, pull=pull) for pull in pulls}
    trained = {pull: _draws(bed, mixer, optima[pull], model, watch) for pull in pulls}
    pull = min(pulls, key=lambda each: (float(np.mean([run.target for run in trained[each]])), each))
    best = optima[pull]
    return MixtureFit(
        by=params.domains.by,
        tiers=params.domains.tiers,
        quality=params.domains.quality,
        target=target.name,
        proxy=model.name,
        tokens=params.tokens,
        budget_bytes=mixer.budget,
        max_copies=params.max_copies,
        pull=pull,
        earlier=params.earlier,
        names=domains.names,
        groups=domains.groups,
        inside=tuple(tuple(row) for row in domains.inside.tolist()),
        natural=tuple(domains.natural.tolist()),
        caps=tuple(caps.tolist()),
        weights=tuple(best.tolist()),
        trials=tuple(MixtureTrial(tuple(run.weights.tolist()), run.target) for run in runs),
        floor=law.floor,
        slopes=tuple(law.slopes.tolist()),
        bootstraps=tuple(tuple(row) for row in bootstrap_slopes(law, swarm, bits, seed=bed.protocol.seed).tolist()),
        error=error,
        rank=rank,
        differences=_compared(
            bed, trained[pull], [_draws(bed, mixer, other, model, watch) for other in swarm[:2]], model
        ),
    )


def _bytes(study: Study, tokens: int) -> int:
    """Return the UTF-8 bytes of a token budget in this corpus."""
    facts = study.facts
    return max(1, int(tokens * int(facts.whole("bytes").sum()) / max(int(facts.whole("n_tokens").sum()), 1)))


def _draws(
    bed: EffectStudy, mixer: Mixer, weights: NDArray[np.float64], proxy: MixtureProxy, progress: Progress
) -> list[MixtureRun]:
    """Train a mixture in several draws; those of two mixtures are paired."""
    seeds = [1 + bed.protocol.seed * 1000 + number for number in range(bed.protocol.draws)]
    return run_mixtures(bed, mixer, [(weights, seed) for seed in seeds], proxy, progress=progress)


def _compared(
    bed: EffectStudy, ours: list[MixtureRun], others: list[list[MixtureRun]], proxy: MixtureProxy
) -> tuple[Difference, ...]:
    """Compare the draws of the optimum with those of the natural and the uniform mixture."""
    found = []
    for name, theirs in zip(("the natural mixture", "the uniform mixture"), others, strict=True):
        error = text_error([run.bits for run in ours], [run.bits for run in theirs], bed.bench.unseen.bytes)
        values = [[run.target for run in part] for part in (ours, theirs)]
        found.append(
            compare(
                "target bits per byte", name, *values, lower_is_better=True, text_error=error,
                proxy=f"{proxy.name}, on texts that recipes may see",
            )
        )  # fmt: skip
    return tuple(found)
