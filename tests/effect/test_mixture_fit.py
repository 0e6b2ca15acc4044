"""Fitting a mixture: the law is found again, the planted best domain wins, and stored trials are not repeated."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from planted_study import planted_study

from tamis.analytics.effect.bench import Protocol, TrainingSet, Trial, run_trials
from tamis.analytics.effect.mixture_fit import PULLS, FitParams, MixtureFit, fit_mixture
from tamis.analytics.effect.mixture_law import LogLinear, best_weights, cross_validate
from tamis.analytics.effect.mixture_swarm import DomainParams, Domains, Mixer, NgramProxy, draw_weights
from tamis.analytics.effect.mixture_transformer import TransformerProxy
from tamis.analytics.effect.proxy_plan import ProxyPlan
from tamis.analytics.effect.purpose import EffectStudy
from tamis.analytics.effect.target import TargetEntry
from tamis.analytics.effect.verdict import compare, text_error
from tamis.analytics.operators.operator import OPERATORS, Operator
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.study import Study
from tamis.data.errors import SettingError
from tamis.data.progress import NullProgress, Progress

PROTOCOL = Protocol(budget_bytes=60_000, draws=3, holdout_bytes=40_000)
TOKENS = 12_000
PARAMS = FitParams(DomainParams("source"), tokens=TOKENS, max_copies=2)

Made = tuple[Study, TargetEntry, MixtureFit]


@dataclass
class Counting:
    """The n-gram proxy, counting its trials."""

    name: str = "word trigrams"
    sets: list[int] = field(default_factory=list)

    def bits(self, bed: EffectStudy, chosen: TrainingSet, seed: int, progress: Progress) -> NDArray[np.float64]:
        self.sets.append(len(chosen.rows))
        return NgramProxy().bits(bed, chosen, seed, progress)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    study, entry, _ = planted_study(tmp_path_factory.mktemp("mixture"))
    return study, entry, fit_mixture(study, entry, PARAMS, protocol=PROTOCOL)


def _trials(study: Study, entry: TargetEntry, rule: Operator) -> tuple[EffectStudy, tuple[Trial, ...]]:
    bed = EffectStudy.open(study, entry, protocol=PROTOCOL)
    copies = bed.copies(Recipe().with_operator(rule))
    return bed, run_trials(bed.bench, copies, name="recipe", budget=40_000)


def test_the_fitted_mixture_beats_the_natural_and_the_uniform_one_on_the_half_it_never_read(made: Made) -> None:
    study, entry, fit = made
    groups = sorted(set(study.facts.array("source").to_pylist()))
    others = {
        "natural": {"alpha": 1.0},
        "uniform": {"weights": [{"group": name, "weight": 1} for name in groups]},
    }
    bed, ours = _trials(study, entry, fit.operator())
    for name, params in others.items():
        rule = OPERATORS.build("mixture", {"by": "source", "tokens": TOKENS, "max_copies": 2, **params})
        _, theirs = _trials(study, entry, rule)
        error = text_error([t.target_bits for t in ours], [t.target_bits for t in theirs], bed.bench.unseen.bytes)
        costs = [[t.target or 0.0 for t in part] for part in (ours, theirs)]
        draws = max(map(len, costs))
        costs = [np.resize(part, draws).tolist() for part in costs]
        assert compare("bits", name, *costs, lower_is_better=True, text_error=error).verdict == "better"


def test_the_targets_domain_gains_and_noise_goes(made: Made) -> None:
    fit = made[2]
    by_name = {name: (w, p) for name, w, p in zip(fit.names, fit.weights, fit.natural, strict=True)}
    assert by_name["target"][0] > 2 * by_name["target"][1]
    assert by_name["noise"][0] < 0.3 * by_name["noise"][1]
    assert all(item.verdict == "better" for item in fit.differences)
    assert sum(fit.weights) == pytest.approx(1)
    assert all(w <= cap + 1e-9 for w, cap in zip(fit.weights, fit.caps, strict=True))


def test_the_record_says_how_sure_it_is_and_survives_the_store(made: Made) -> None:
    study, _, fit = made
    assert len(fit.trials) >= 16 and fit.rank > 0.8
    spread = np.std([trial.bits for trial in fit.trials])
    assert 0 < fit.error < spread
    inside = [
        prediction.low <= trial.bits <= prediction.high
        for trial in fit.trials
        if (prediction := fit.predict(trial.weights))
    ]
    assert np.mean(inside) > 0.85
    assert fit.predict(fit.weights).bits < fit.predict(fit.natural).bits
    assert MixtureFit.open(study.workspace, study.workspace.put_value(fit.to_json())) == fit
    assert MixtureFit.from_json(json.loads(json.dumps(fit.to_json()))) == fit
    with pytest.raises(SettingError, match="not a fitted mixture"):
        MixtureFit.from_json({**fit.to_json(), "version": 0})


def test_a_fit_is_repeatable_and_stored_trials_are_not_run_again(made: Made) -> None:
    study, entry, fit = made
    proxy = Counting()
    assert fit_mixture(study, entry, PARAMS, protocol=PROTOCOL, proxy=proxy) == fit
    assert proxy.sets == []
    more = fit_mixture(study, entry, replace(PARAMS, pull=5.0), protocol=PROTOCOL, proxy=proxy)
    assert len(proxy.sets) <= PROTOCOL.draws and more.pull == 5.0 and fit.pull in PULLS
    far = [np.abs(np.subtract(one.weights, one.natural)).sum() for one in (fit, more)]
    assert far[1] < far[0]


def test_a_transformer_needs_fewer_bits_after_the_targets_own_domain_than_after_noise(made: Made) -> None:
    study, entry, _ = made
    bed = EffectStudy.open(study, entry, protocol=PROTOCOL, search=True)
    proxy = TransformerProxy(ProxyPlan("0.5M", 33_000, 1))
    sources = np.array(study.facts.array("source").to_pylist())
    found = {}
    for name in ("target", "noise"):
        rows = np.flatnonzero(bed.bench.allowed & (sources == name))[:300]
        chosen = TrainingSet(rows, np.ones(len(rows), np.int32), int(bed.bench.bytes[rows].sum()))
        found[name] = proxy.bits(bed, chosen, 0, NullProgress())
    assert all(bits.shape == (len(bed.bench.scored),) and (bits > 0).all() for bits in found.values())
    assert found["target"].sum() < 0.9 * found["noise"].sum()
    assert "0.5M" in proxy.name and "32,768 bytes" in proxy.name


def test_an_earlier_mixture_is_one_domain_when_another_is_added(made: Made) -> None:
    study, entry, fit = made
    part = replace(fit, inside=tuple((*row[:-1], 0.0) for row in fit.inside[:-1]), weights=fit.weights[:-1])
    left = [row for row in part.inside if any(row)]
    part = replace(part, inside=tuple(left), weights=part.weights[: len(left)])
    digest = study.workspace.put_value(part.to_json())
    again = fit_mixture(study, entry, replace(PARAMS, earlier=digest, trials=8), protocol=PROTOCOL)
    assert again.names == ("the earlier mixture", fit.groups[-1]) and again.earlier == digest
    old, new = part.group_weights(), again.group_weights()
    kept = {name: new[name] for name in old if name in new}
    whole = sum(kept.values())
    assert {name: weight / whole for name, weight in kept.items()} == pytest.approx(old, abs=1e-3)


def test_tiers_of_quality_are_domains_of_their_own(made: Made) -> None:
    study, entry, _ = made
    cut = DomainParams("source", tiers=2, quality="n_tokens", most=5)
    fit = fit_mixture(study, entry, replace(PARAMS, domains=cut, trials=12), protocol=PROTOCOL)
    assert len(fit.names) == 5 and fit.names[-1].endswith("smaller groups")
    assert sum(name.endswith("tier 2") for name in fit.groups) * 2 == len(fit.groups)
    copies = study.evaluate(Recipe().with_operator(fit.operator())).copies
    assert copies.any() and (study.facts.whole("n_tokens") * copies).sum() <= TOKENS


def test_training_sets_have_the_shares_of_their_mixture(made: Made) -> None:
    study, entry, fit = made
    bed = EffectStudy.open(study, entry, protocol=PROTOCOL, search=True)
    domains = Domains.of(study.facts, bed.bench, DomainParams("source"))
    mixer = Mixer(bed.bench, domains, 40_000, 2)
    weights = np.minimum(np.array(fit.natural)[::-1], domains.caps(40_000, 2))
    weights /= weights.sum()
    chosen = mixer.training_set(weights, seed=0)
    bytes_ = bed.bench.bytes[chosen.rows] * chosen.copies
    found = np.bincount(domains.codes[chosen.rows], bytes_, len(domains.groups)) / 40_000
    assert found == pytest.approx(weights, abs=0.03) and chosen.copies.max() <= 2
    assert bed.bench.allowed[chosen.rows].all() and chosen.bytes <= 40_000


def test_a_budget_beyond_the_supply_is_refused(made: Made) -> None:
    study, entry, _ = made
    with pytest.raises(SettingError, match="larger than all domains"):
        fit_mixture(study, entry, replace(PARAMS, tokens=10**9), protocol=PROTOCOL)


@given(st.integers(0, 10_000), st.integers(2, 6))
def test_the_law_is_found_again_and_its_optimum_is_the_best_of_many_mixtures(seed: int, domains: int) -> None:
    random = np.random.default_rng(seed)
    slopes = random.normal(0.0, 0.4, domains)
    weights = random.dirichlet(np.ones(domains), 60)
    bits = 1.2 + np.exp(weights @ slopes)
    law = LogLinear.fit(weights, bits)
    others = random.dirichlet(np.ones(domains), 200)
    assert law.predict(others) == pytest.approx(1.2 + np.exp(others @ slopes), rel=0.02, abs=0.05)
    error, _ = cross_validate(weights, bits)
    assert error < 0.05
    natural, caps = np.full(domains, 1 / domains), np.full(domains, min(1.0, 1.6 / domains))
    best = best_weights(law, natural, caps, pull=0.01)
    assert best.sum() == pytest.approx(1) and (best <= caps + 1e-5).all()

    def cost(w: NDArray[np.float64]) -> float:
        safe = np.maximum(w, 1e-9)
        return float(law.predict(w[None])[0] + 0.01 * (safe * np.log(safe / natural)).sum())

    fitting = others[(others <= caps).all(axis=1)]
    assert all(cost(best) <= cost(other) + 1e-4 for other in fitting)


def test_a_swarm_is_spread_around_the_natural_mixture(made: Made) -> None:
    study, entry, _ = made
    bed = EffectStudy.open(study, entry, protocol=PROTOCOL, search=True)
    domains = Domains.of(study.facts, bed.bench, DomainParams("source"))
    drawn = draw_weights(domains, np.ones(len(domains)), trials=30, seed=3)
    assert drawn.sum(axis=1) == pytest.approx(1) and (drawn >= 0).all()
    assert len(np.unique(drawn[2:].round(9), axis=0)) == 28
    assert np.abs(drawn[2:].mean(axis=0) - drawn[0]).max() < 0.25
