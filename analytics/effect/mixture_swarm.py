"""A swarm of mixtures: domains of a corpus, mixtures drawn for them, and a proxy model trained on each.

Domains are the groups of a column, or its groups cut into tiers of quality. Weights are drawn from Dirichlet
distributions around the natural mixture by keyed hash of the domains' names. Every training set takes documents in one
order of keyed hashes: sets of similar mixtures share documents, which leaves the differences between mixtures and takes
out chance. Sources: Liu et al. 2024, arXiv 2407.01492 (RegMix);
Chen et al. 2026, arXiv 2602.12237 (Olmix).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from typing import Protocol as Interface

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.stats import gamma

from tamis.analytics.effect.bench import Bench, TrainingSet
from tamis.analytics.effect.purpose import EffectStudy
from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.budget import cut_tiers
from tamis.analytics.operators.operator import value_in
from tamis.analytics.operators.quotas import fill_shares
from tamis.analytics.operators.sampling import select_within_amount
from tamis.analytics.text.trigram_model import NgramModel
from tamis.data.errors import LockedError, SettingError
from tamis.data.hashing import key64, mix_keys, uniform
from tamis.data.progress import NullProgress, Progress
from tamis.data.store import ArtifactKey

TRIAL_VERSION = 1
_WAIT_SECONDS = 0.2
THREADS = 2
MOST_DOMAINS = 24
STRENGTHS = (0.5, 1.0, 2.0)
"""Concentration of the Dirichlet draws in domains, one after the other: small ones are far from each other."""

TEMPER = 0.5
"""Power of the natural mixture in the centre of the draws, so that small domains are tried too (as RegMix)."""


class MixtureProxy(Interface):
    """A small model that says what a training set is worth: n-grams, or a transformer (``mixture_transformer``)."""

    @property
    def name(self) -> str:
        """Return the name and all settings that change a result, for the key of stored trials."""

    def bits(self, bed: EffectStudy, chosen: TrainingSet, seed: int, progress: Progress) -> NDArray[np.float64]:
        """Train on a set and return the bits of each scored text of the target, float64 (m,).

        ``progress`` counts trials, so a proxy only asks it whether a person stopped the work.
        """


@dataclass(frozen=True)
class NgramProxy:
    """The word-trigram model of the page Effect: seconds for a swarm."""

    name: str = "word trigrams"

    def bits(self, bed: EffectStudy, chosen: TrainingSet, seed: int, progress: Progress) -> NDArray[np.float64]:
        """Train and score; the seed changes nothing."""
        return NgramModel.train(bed.bench.words.take(chosen.rows), chosen.copies).bits(bed.bench.unseen)


@dataclass(frozen=True)
class DomainParams:
    """How a corpus is cut into domains.

    Attributes:
        by: category column, for example ``source`` or ``cluster``.
        tiers: tiers of quality in every group, or None.
        quality: numeric column of the tiers, or None.
        most: domains at most; the smallest groups become one domain.
    """

    by: str = "source"
    tiers: int | None = None
    quality: str | None = None
    most: int = MOST_DOMAINS


@dataclass(frozen=True, eq=False)
class Domains:
    """The domains of a corpus.

    Attributes:
        params: how they were cut.
        names: of the domains, (d,).
        groups: names of all groups, (g,), sorted.
        codes: int64 (n,), the group of each document.
        supply: float64 (g,), UTF-8 bytes of the training candidates in each group.
        inside: float64 (d, g), what a domain's weight is made of, each row with sum 1.
    """

    params: DomainParams
    names: tuple[str, ...]
    groups: tuple[str, ...]
    codes: NDArray[np.int64]
    supply: NDArray[np.float64]
    inside: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def natural(self) -> NDArray[np.float64]:
        """Return the share of the bytes that each domain has, float64 (d,)."""
        amounts = (self.inside > 0) @ self.supply
        return np.asarray(amounts / amounts.sum(), dtype=np.float64)

    def caps(self, budget: float, most_copies: int) -> NDArray[np.float64]:
        """Return the largest weight of each domain at a budget in bytes, float64 (d,): supply times copies."""
        with np.errstate(divide="ignore", invalid="ignore"):
            room = np.where(self.inside > 0, self.supply * most_copies / (budget * self.inside), np.inf)
        return np.asarray(np.minimum(room.min(axis=1), 1.0), dtype=np.float64)

    @classmethod
    def of(
        cls, facts: Facts, bench: Bench, params: DomainParams, *, earlier: dict[str, float] | None = None
    ) -> Domains:
        """Cut the training candidates into domains.

        Args:
            facts: the corpus.
            bench: its training candidates.
            params: how to cut.
            earlier: weights by group of an earlier fit; its groups become one domain whose inner shares stay.

        Raises:
            SettingError: there are fewer than two domains, or tiers without a score.
        """
        if (params.tiers is None) != (params.quality is None):
            raise SettingError("Tiers need the score that they cut", value=params.quality, fix="give both or none")
        groups, codes = _groups(facts, bench, params)
        supply = np.bincount(codes[bench.allowed], bench.bytes[bench.allowed], len(groups)).astype(np.float64)
        given = {value_in("" if params.tiers else params.by, name): weight for name, weight in (earlier or {}).items()}
        fixed = np.array([given.get(name, 0.0) for name in groups]) * (supply > 0)
        rows, names = ([fixed], ["the earlier mixture"]) if fixed.any() else ([], [])
        known = np.isin(groups, list(given)) if given else np.zeros(len(groups), dtype=bool)
        open_ = [k for k in np.lexsort((np.arange(len(groups)), -supply)).tolist() if supply[k] > 0 and not known[k]]
        own = open_ if len(open_) + len(rows) <= params.most else open_[: params.most - 1 - len(rows)]
        for k in sorted(own):
            rows.append(np.where(np.arange(len(groups)) == k, 1.0, 0.0))
            names.append(groups[k] or "(none)")
        if rest := open_[len(own) :]:
            rows.append(np.where(np.isin(np.arange(len(groups)), rest), supply, 0.0))
            names.append(f"{len(rest)} smaller groups")
        if len(rows) < 2:
            raise SettingError(
                "A mixture needs two domains or more", value=names, fix="choose another column, or cut it into tiers"
            )
        inside = np.array(rows)
        return cls(params, tuple(names), tuple(groups), codes, supply, inside / inside.sum(axis=1, keepdims=True))


def _groups(facts: Facts, bench: Bench, params: DomainParams) -> tuple[list[str], NDArray[np.int64]]:
    """Return the names of the groups, sorted, and the group of each document, int64 (n,)."""
    encoded = facts.array(params.by).cast(pa.string()).fill_null("").dictionary_encode()
    found = [str(name) for name in encoded.dictionary.to_pylist()]
    names = sorted(found)
    place = np.array([names.index(name) for name in found], dtype=np.int64)
    codes = place[np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.int64)]
    if params.tiers is None or params.quality is None:
        return names, codes
    column = facts.array(params.quality).cast(pa.float64(), safe=False)
    quality = np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)
    # Tiers are percentiles of the candidates; the other documents are in no training set.
    tiered = codes * params.tiers
    part, names = cut_tiers(codes[bench.allowed], names, quality[bench.allowed], params.tiers)
    tiered[bench.allowed] = part
    return names, tiered


def draw_weights(domains: Domains, caps: NDArray[np.float64], *, trials: int, seed: int) -> NDArray[np.float64]:
    """Return the mixtures of a swarm, float64 (trials, d), rows of sum 1: natural, uniform, then Dirichlet draws.

    A draw is a gamma variate for each domain by keyed hash of its name, divided by their sum, with at most ``caps``;
    what a domain cannot give goes to the others.

    Raises:
        SettingError: all domains together cannot fill the budget.
    """
    if caps.sum() < 1.0:
        raise SettingError(
            "The budget is larger than all domains with their copies",
            value=f"{caps.sum():.0%} of it can be filled",
            fix="take fewer tokens, or allow more copies",
        )
    natural = domains.natural
    centre = natural**TEMPER / (natural**TEMPER).sum()
    keys = key64(domains.names)
    drawn = [natural, np.full(len(domains), 1.0 / len(domains))]
    for number in range(2, trials):
        shape = centre * len(domains) * STRENGTHS[number % len(STRENGTHS)]
        raw = gamma.ppf(uniform(keys, seed=seed, salt=f"mixture {number}"), shape)
        drawn.append(raw / raw.sum() if raw.sum() > 0 else centre)
    return np.array([fill_shares(weights, caps, 1.0) for weights in drawn[: max(trials, 2)]])


@dataclass(frozen=True, eq=False)
class Mixer:
    """Makes training sets from mixtures.

    Attributes:
        bench: the training candidates.
        domains: of the corpus.
        budget: UTF-8 bytes of a training set.
        most_copies: of a document.
    """

    bench: Bench
    domains: Domains
    budget: int
    most_copies: int

    def training_set(self, weights: NDArray[np.float64], *, seed: int) -> TrainingSet:
        """Return the documents of a mixture: every group whole while it fits, then by keyed hash."""
        wanted = weights @ self.domains.inside
        amounts = fill_shares(wanted, self.domains.supply * self.most_copies, float(self.budget))
        with np.errstate(divide="ignore", invalid="ignore"):
            whole = np.where(self.domains.supply > 0, np.floor(amounts / self.domains.supply + 1e-9), 0.0)
        left = amounts - whole * self.domains.supply
        rows = np.flatnonzero(self.bench.allowed)
        codes, cost = self.domains.codes[rows], self.bench.bytes[rows]
        order = np.lexsort((rows, mix_keys(self.bench.keys[rows], seed=seed, salt="mixture"), codes))
        more = select_within_amount(order, codes, cost, left + 1e-6)
        copies = (whole[codes] + more).astype(np.int32)
        taken = copies > 0
        return TrainingSet(rows[taken], copies[taken], int((cost * copies).sum()))


@dataclass(frozen=True, eq=False)
class MixtureRun:
    """One mixture, measured.

    Attributes:
        weights: float64 (d,), sum 1.
        seed: of the order of documents.
        target: bits per byte of the scored texts.
        bits: float64 (m,), bits of each text.
    """

    weights: NDArray[np.float64]
    seed: int
    target: float
    bits: NDArray[np.float64]


def run_mixtures(
    bed: EffectStudy,
    mixer: Mixer,
    wanted: Sequence[tuple[NDArray[np.float64], int]],
    proxy: MixtureProxy,
    *,
    progress: Progress | None = None,
) -> list[MixtureRun]:
    """Train the proxy on every mixture, or read what is stored: a trial is named by the documents of its set.

    Args:
        bed: the study with its target.
        mixer: makes the training sets.
        wanted: weights and seed of each trial.
        proxy: the model.
        progress: counts trials; may cancel.
    """
    watch = progress or NullProgress()
    size = float(bed.bench.unseen.bytes.sum())

    def one(item: tuple[NDArray[np.float64], int]) -> MixtureRun:
        watch.check()
        weights, seed = item
        chosen = mixer.training_set(weights, seed=seed)
        bits = _trial(bed, chosen, proxy, seed, watch)
        watch.advance()
        return MixtureRun(weights, seed, float(bits.sum()) / size, bits)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(one, wanted))


def _trial(
    bed: EffectStudy, chosen: TrainingSet, proxy: MixtureProxy, seed: int, progress: Progress
) -> NDArray[np.float64]:
    """Return the bits of one trial; wait where another trial or job trains on the same documents."""
    named = hashlib.sha256(np.ascontiguousarray(chosen.rows, dtype="<i8").data)
    named.update(np.ascontiguousarray(chosen.copies, dtype="<i4").data)
    params: dict[str, Any] = {**bed.params, "proxy": proxy.name, "set": named.hexdigest(), "seed": seed}
    store = bed.study.workspace.store
    key = ArtifactKey("mixture_trial", TRIAL_VERSION, bed.study.corpus.text_fingerprint, params, bed.upstream)
    while (found := store.find(key)) is None:
        try:
            with store.writer(key) as out:
                out.write_array("bits", proxy.bits(bed, chosen, seed, progress))
                out.commit(rows=len(chosen.rows))
        except LockedError:
            progress.check()
            time.sleep(_WAIT_SECONDS)
    return np.asarray(found.array("bits"), dtype=np.float64)
