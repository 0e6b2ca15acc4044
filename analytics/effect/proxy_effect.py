"""Train proxy models on a recipe's selection, on random ones and on everything, and compare what they learn.

Every model of a comparison reads the same number of tokens in the same number of steps; a selection with fewer of them
is read several times. Tokens are bytes unless the plan names a tokenizer. Each model is kept by everything it depends
on, and saved on its way: a comparison that was stopped or killed goes on where it was, to the same bytes.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.effect.bench import RANDOM, RECIPE, Bench, random_copies, selection_bytes, training_set
from tamis.analytics.effect.learning_curves import Curve
from tamis.analytics.effect.proxy_plan import BYTES_PER_TOKEN, LANES, Precision, ProxyPlan, tokenizer_title
from tamis.analytics.effect.proxy_result import EVERYTHING, SHARE, ArmCurves, ProxyEffect, summarise
from tamis.analytics.effect.proxy_text import TokenTexts, ordered_reading, reading_order
from tamis.analytics.effect.proxy_training import (
    ProxyState,
    ProxyTrial,
    hired,
    precision_of,
    saved_state,
    train_proxy,
)
from tamis.analytics.effect.purpose import EffectStudy
from tamis.analytics.operators.budget import effective_tokens
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.steps.chosen_texts import sample_within, texts_of
from tamis.data.artifact import Artifact
from tamis.data.artifact_writer import ArtifactWriter
from tamis.data.errors import LockedError, RecipeError, SettingError
from tamis.data.hashing import key64
from tamis.data.progress import NullProgress, Progress
from tamis.data.store import ArtifactKey

TRIAL_VERSION = 1
_WAIT_SECONDS = 1.0
_MOST_LANES = 8
Listener = Callable[[ProxyEffect], None]


@dataclass(frozen=True, eq=False)
class Arm:
    """A set of documents that one model is trained on.

    Attributes:
        name: ``recipe``, ``random``, ``everything``, ``share``, or a name of the caller's.
        part: of the selection, in (0, 1].
        seed: of the model.
        rows: int64 (m,), facts rows.
        copies: int32 (m,), copies of each.
        places: int64 (m,), where each document stands in the order of training; None for an order by hash.
    """

    name: str
    part: float
    seed: int
    rows: NDArray[np.int64]
    copies: NDArray[np.int32]
    places: NDArray[np.int64] | None = None


def measure_proxy(
    bed: EffectStudy,
    recipe: Recipe,
    plan: ProxyPlan,
    *,
    listen: Listener | None = None,
    progress: Progress | None = None,
) -> ProxyEffect:
    """Measure a recipe with proxy models, or return the stored result.

    Args:
        bed: the study with its target, see ``EffectStudy.open``.
        recipe: what to measure.
        plan: size, tokens and seeds.
        listen: called with what is known so far whenever a model reaches a checkpoint.
        progress: counts the tokens read by all models; may cancel.

    Raises:
        SettingError: there is no target, or a GPU is wanted and there is none.
        RecipeError: the recipe keeps too few bytes to train on, or as ``plan.evaluate``.
    """
    watch = progress or NullProgress()
    ground = ProxyGround(bed, plan)
    copies = bed.copies(recipe, progress=watch)
    size = selection_bytes(bed.bench, copies)
    if size < plan.spec.step_tokens:
        raise RecipeError(
            f"The recipe keeps too few bytes to train a {plan.size} model", value=size,
            allowed=f"{plan.spec.step_tokens:,} or more", fix="loosen a rule",
        )  # fmt: skip
    arms = [arm for seed in range(plan.seeds) for arm in _arms(bed.bench, copies, plan, seed)]
    return ground.measure(arms, recipe=recipe, listen=listen, progress=watch)


def _arms(bench: Bench, copies: NDArray[np.int32], plan: ProxyPlan, seed: int) -> list[Arm]:
    """Return what one seed trains on: the recipe, a random draw of its size, everything, parts of the recipe."""
    size = selection_bytes(bench, copies)
    everything = random_copies(bench, deduplicated=False)
    wanted = [(RECIPE, 1.0, copies, size), (RANDOM, 1.0, everything, size)]
    wanted.append((EVERYTHING, 1.0, everything, selection_bytes(bench, everything)))
    least = plan.spec.step_tokens
    wanted += [(SHARE, part, copies, int(part * size)) for part in plan.shares if part * size >= least]
    found = []
    for name, part, chosen, budget in wanted:
        drawn = training_set(bench, chosen, budget=budget, seed=seed, salt="training set")
        if drawn.bytes:
            found.append(Arm(name, part, seed, drawn.rows, drawn.copies))
    return found


@dataclass(frozen=True, eq=False)
class ProxyGround:
    """What all models of a comparison share: the scored texts and how they are trained.

    Attributes:
        bed: the study with its target.
        plan: size, tokens and seeds.

    Raises:
        SettingError: there is no target.
    """

    bed: EffectStudy
    plan: ProxyPlan
    _lock: Lock = field(default_factory=Lock)
    _counted: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check that there is something to score."""
        if self.bed.target is None or not self.bed.bench.has_target:
            raise SettingError("Proxy models need a target", value="none", fix="choose or save the texts they are for")

    @cached_property
    def precision(self) -> Precision:
        """Return the number format on this machine."""
        return precision_of(self.plan.spec, self.plan.device)

    @cached_property
    def scored(self) -> TokenTexts:
        """Return target texts no recipe has seen, up to the plan's bytes, chosen by hash."""
        if self.bed.target is None:
            raise SettingError("Proxy models need a target")
        texts = self.bed.target.unseen.take(pa.array(self.bed.bench.scored))
        sizes = TokenTexts.of(texts).bytes
        rows = sample_within(key64(texts.to_pylist()), sizes, self.plan.scored_bytes, seed=0, salt="proxy target")
        return self._read(texts.take(pa.array(np.sort(rows))))

    @cached_property
    def general(self) -> TokenTexts:
        """Return texts of the corpus' hold-out, up to the plan's bytes, chosen by hash."""
        bench = self.bed.bench
        if not len(bench.holdout):
            return self._read(pa.array([], pa.large_string()))
        held = bench.holdout
        chosen = sample_within(
            bench.keys[held], bench.bytes[held], self.plan.scored_bytes, seed=0, salt="proxy hold-out"
        )
        return self._texts_of(np.sort(held[chosen]))

    @property
    def _bytes_per_token(self) -> float:
        return float(self.scored.bytes.sum() / max(1, int(self.scored.sizes.sum())))

    @cached_property
    def _scored_digest(self) -> str:
        both = (self.scored, self.general)
        return hashlib.sha256(b"".join(hashlib.sha256(part.symbols.tobytes()).digest() for part in both)).hexdigest()

    def key(self, arm: Arm) -> ArtifactKey:
        """Return the key of a trained model: what it reads, how it learns, what it is measured on."""
        keys = self.bed.bench.keys[arm.rows]
        order = np.argsort(keys, kind="stable")
        read = hashlib.sha256(keys[order].astype("<u8").tobytes() + arm.copies[order].astype("<i4").tobytes())
        params = self.plan.params(self.precision)
        params |= {"seed": arm.seed, "read": read.hexdigest(), "scored_texts": self._scored_digest}
        if arm.places is not None:
            params["order"] = hashlib.sha256(keys[np.argsort(arm.places)].astype("<u8").tobytes()).hexdigest()
        return ArtifactKey("proxy_trial", TRIAL_VERSION, self.bed.study.corpus.text_fingerprint, params)

    def measure(
        self,
        arms: Sequence[Arm],
        *,
        recipe: Recipe | None = None,
        listen: Listener | None = None,
        progress: Progress | None = None,
    ) -> ProxyEffect:
        """Train what is not stored yet and return the comparison of all arms."""
        kinds = self._kinds(arms)

        def tell(trials: Mapping[int, ProxyTrial]) -> None:
            if listen is not None:
                listen(self._effect(kinds, arms, trials, recipe))

        return self._effect(kinds, arms, self.trials(arms, listen=tell, progress=progress), recipe)

    def trials(
        self,
        arms: Sequence[Arm],
        *,
        listen: Callable[[Mapping[int, ProxyTrial]], None] | None = None,
        progress: Progress | None = None,
    ) -> dict[int, ProxyTrial]:
        """Return the trained models by the place of their arm, those that are stored at once."""
        watch, tell = progress or NullProgress(), listen or (lambda _: None)
        each = self.plan.read
        keys = [self.key(arm) for arm in arms]
        # A recipe that keeps everything has the models of everything: what is equal is trained once.
        same: dict[str, list[int]] = {}
        for place, key in enumerate(keys):
            same.setdefault(key.digest, []).append(place)
        watch.step(f"{self.plan.size} models", len(same) * each, self.plan.unit)
        found: dict[int, ProxyTrial] = {}
        missing = []
        for places in same.values():
            artifact = self.bed.study.workspace.store.find(keys[places[0]])
            if artifact is None:
                missing.append(places)
            else:
                found |= dict.fromkeys(places, _stored(artifact))
                watch.advance(each)
        if not missing:
            return found
        tell(found)
        orders = {places[0]: self._order(arms[places[0]]) for places in missing}
        texts, rows = self._texts(orders.values())

        def train(places: Sequence[int], hands: Executor) -> None:
            def reached(trial: ProxyTrial) -> None:
                with self._lock:
                    found.update(dict.fromkeys(places, trial))
                    tell(found)

            stream = texts.stream(rows[orders[places[0]]], self.plan.tokens)
            reached(self._train(arms[places[0]], keys[places[0]], stream, reached, hands, watch))

        self._in_lanes(train, missing)
        return found

    def _in_lanes(self, train: Callable[[Sequence[int], Executor], None], missing: Sequence[Sequence[int]]) -> None:
        """Train as many at a time as there are processors, with one hand for each; put torch's setting back."""
        # Late: torch.
        import torch

        threads = torch.get_num_threads()
        try:
            lanes = 1 if self.plan.device == "cuda" else min(max(LANES, os.cpu_count() or 1), _MOST_LANES)
            with hired(lanes) as hands, ThreadPoolExecutor(lanes) as pool:
                for _ in pool.map(lambda places: train(places, hands), missing):
                    pass
        finally:
            torch.set_num_threads(threads)

    def _read(self, texts: pa.Array) -> TokenTexts:
        return TokenTexts.of(texts, self.plan.tokenizer)

    def _texts_of(self, rows: NDArray[np.int64]) -> TokenTexts:
        return self._read(texts_of(self.bed.study.corpus, self.bed.study.documents, rows))

    def _order(self, arm: Arm) -> NDArray[np.int64]:
        """Return the documents that a model reads, int64 (m,), facts rows in the order of reading."""
        tokens = self.plan.tokens
        if not self.plan.has_tokenizer:
            return self._first(arm, tokens)
        # An order of more bytes begins as one of fewer, so it does not matter how far one looks.
        reach = tokens * BYTES_PER_TOKEN
        while True:
            order = self._first(arm, reach)
            ends = np.cumsum(self._counts(order) + 1)
            if ends[-1] >= tokens:
                return order[: int(np.searchsorted(ends, tokens)) + 1]
            reach *= 2

    def _counts(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the tokens of documents, int64 (m,); each is counted once."""
        new = np.array(sorted(set(rows.tolist()) - self._counted.keys()), dtype=np.int64)
        if len(new):
            self._counted.update(zip(new.tolist(), self._texts_of(new).sizes.tolist(), strict=True))
        return np.array([self._counted[row] for row in rows.tolist()], dtype=np.int64)

    def _first(self, arm: Arm, tokens: int) -> NDArray[np.int64]:
        """Return the documents of an arm in their order until there are so many bytes and ends of texts."""
        bench = self.bed.bench
        sizes = bench.bytes[arm.rows]
        if arm.places is not None:
            return arm.rows[ordered_reading(sizes, arm.copies, arm.places, tokens=tokens)]
        return arm.rows[reading_order(bench.keys[arm.rows], sizes, arm.copies, tokens=tokens, seed=arm.seed)]

    def _texts(self, orders: Iterable[NDArray[np.int64]]) -> tuple[TokenTexts, NDArray[np.int64]]:
        """Return the texts that any model reads, and where each facts row is among them, int64 (n,)."""
        study = self.bed.study
        rows = np.unique(np.concatenate(list(orders)))
        places = np.full(study.documents.n, -1, dtype=np.int64)
        places[rows] = np.arange(len(rows))
        return self._texts_of(rows), places

    def _train(
        self,
        arm: Arm,
        key: ArtifactKey,
        stream: NDArray[np.unsignedinteger[Any]],
        reached: Callable[[ProxyTrial], None],
        hands: Executor,
        progress: Progress,
    ) -> ProxyTrial:
        """Train one model, from its last saved state if there is one, and store it; wait if another job trains it."""
        store = self.bed.study.workspace.store
        while (stored := store.find(key)) is None:
            try:
                with store.writer(key) as out:
                    return self._write(arm, out, stream, reached, hands, progress)
            except LockedError:
                progress.check()
                time.sleep(_WAIT_SECONDS)
        return _stored(stored)

    def _write(
        self,
        arm: Arm,
        out: ArtifactWriter,
        stream: NDArray[np.unsignedinteger[Any]],
        reached: Callable[[ProxyTrial], None],
        hands: Executor,
        progress: Progress,
    ) -> ProxyTrial:
        def save(state: ProxyState) -> None:
            _save(out, state)
            reached(ProxyTrial(state.tokens, state.losses, np.empty(0), np.empty(0)))

        trial = train_proxy(
            self.plan, stream, self.scored, self.general, seed=arm.seed, precision=self.precision,
            state=_last(out), save=save, hands=hands, progress=progress,
        )  # fmt: skip
        for part in out.parts():
            out.drop_part(part)
        out.write_json("curve", {"tokens": trial.tokens, "losses": trial.losses})
        out.write_array("bits", trial.bits)
        out.write_array("general_bits", trial.general_bits)
        out.commit(rows=len(arm.rows), facts={"name": arm.name})
        return trial

    def _kinds(self, arms: Sequence[Arm]) -> list[tuple[ArmCurves, list[int]]]:
        """Return what is trained on, without curves, and the places of the arms that are it."""
        groups: dict[tuple[str, float], list[int]] = {}
        for place, arm in enumerate(arms):
            groups.setdefault((arm.name, arm.part), []).append(place)
        return [(self._kind(arms[places[0]]), places) for places in groups.values()]

    def _kind(self, arm: Arm) -> ArmCurves:
        bench, group = self.bed.bench, self.bed.group
        order = self._order(arm)
        read = max(1, int(bench.bytes[order].sum())) if self.plan.has_tokenizer else self.plan.read
        seen = np.bincount(order, minlength=len(bench))
        owner = np.where(group >= 0, group, np.arange(len(bench)))
        times = np.bincount(owner, weights=seen, minlength=len(bench)).astype(np.int32)
        kept = int(bench.bytes[arm.rows].sum())
        worth = min(effective_tokens(bench.bytes.astype(np.float64), times), float(read))
        return ArmCurves(
            name=arm.name,
            part=arm.part,
            share=kept / max(1, int(bench.bytes[bench.allowed].sum())),
            documents=len(arm.rows),
            bytes=kept,
            passes=read / max(1, int((bench.bytes[arm.rows] * arm.copies).sum())),
            effective=worth * (self.plan.read / read),
            curves=(),
        )

    def _effect(
        self,
        kinds: Sequence[tuple[ArmCurves, Sequence[int]]],
        arms: Sequence[Arm],
        trials: Mapping[int, ProxyTrial],
        recipe: Recipe | None,
    ) -> ProxyEffect:
        """Return the comparison of the models that are there."""
        bed, spec = self.bed, self.plan.spec
        done = {
            (arm.name, arm.part, arm.seed): trials[place]
            for place, arm in enumerate(arms)
            if place in trials and len(trials[place].bits)
        }
        found = ProxyEffect(
            recipe=recipe.digest if recipe else "",
            title=recipe.title if recipe else "",
            target=bed.name,
            target_digest=bed.target.digest if bed.target else "",
            size=spec.name,
            parameters=spec.parameters,
            tokens=self.plan.read,
            seeds=self.plan.seeds,
            precision=self.precision,
            device=self.plan.device,
            scored_texts=len(self.scored),
            scored_bytes=int(self.scored.bytes.sum()),
            tokenizer=tokenizer_title(self.plan.tokenizer),
            bytes_per_token=self._bytes_per_token,
            arms=tuple(replace(kind, curves=_curves(arms, trials, places)) for kind, places in kinds),
            whole=len(done) == len(arms),
        )
        return replace(found, **summarise(found, done, self.scored.bytes, self.general.bytes))


def _curves(arms: Sequence[Arm], trials: Mapping[int, ProxyTrial], places: Sequence[int]) -> tuple[Curve, ...]:
    begun = [place for place in places if place in trials and trials[place].tokens]
    return tuple(Curve(arms[place].seed, trials[place].tokens, trials[place].losses) for place in begun)


def _save(out: ArtifactWriter, state: ProxyState) -> None:
    """Write a state, then remove the one before; a run that is killed in between finds one of the two."""
    older, name = out.parts(), f"{state.step:09d}"
    out.write_json(f"way-{name}", {"step": state.step, "tokens": state.tokens, "losses": state.losses})
    out.write_array(f"weights-{name}", state.weights)
    for part in older:
        if not part.endswith(name):
            out.drop_part(part)


def _last(out: ArtifactWriter) -> ProxyState | None:
    """Return the last whole state of an earlier writer, None without one."""
    for part in sorted(out.parts(), reverse=True):
        step = part.removeprefix("weights-")
        if step != part and out.has_part(f"way-{step}"):
            return saved_state(out.read_json(f"way-{step}"), out.read_array(part))
    return None


def _stored(artifact: Artifact) -> ProxyTrial:
    curve = artifact.json("curve")
    bits, general = artifact.array("bits"), artifact.array("general_bits")
    return ProxyTrial(tuple(curve["tokens"]), tuple(curve["losses"]), bits, general)
