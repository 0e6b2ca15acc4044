"""Train the proxy models of a comparison: what all of them share, and what makes one of them the same as another.

Each model is kept by everything it depends on, and saved on its way: training that was stopped or killed goes on where
it was, to the same bytes.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.effect.proxy_arm import Arm, ArmReader
from tamis.analytics.effect.proxy_plan import LANES, Precision, ProxyPlan
from tamis.analytics.effect.proxy_stored import last_state, read_trial, save_state, write_trial
from tamis.analytics.effect.proxy_text import TokenTexts
from tamis.analytics.effect.proxy_training import ProxyState, ProxyTrial, hired, precision_of, train_proxy
from tamis.analytics.effect.purpose import EffectStudy
from tamis.analytics.steps.chosen_texts import sample_within
from tamis.data.artifact_writer import ArtifactWriter
from tamis.data.errors import LockedError, SettingError
from tamis.data.hashing import key64
from tamis.data.progress import NullProgress, Progress
from tamis.data.store import ArtifactKey

TRIAL_VERSION = 1
_WAIT_SECONDS = 1.0
_MOST_LANES = 8


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

    def __post_init__(self) -> None:
        """Check that there is something to score."""
        if self.bed.target is None or not self.bed.bench.has_target:
            raise SettingError("Proxy models need a target", value="none", fix="choose or save the texts they are for")

    @cached_property
    def precision(self) -> Precision:
        """Return the number format on this machine."""
        return precision_of(self.plan.spec, self.plan.device)

    @cached_property
    def reader(self) -> ArmReader:
        """Return what reads the texts of arms."""
        return ArmReader(self.bed, self.plan)

    @cached_property
    def scored(self) -> TokenTexts:
        """Return target texts no recipe has seen, up to the plan's bytes, chosen by hash."""
        if self.bed.target is None:
            raise SettingError("Proxy models need a target")
        texts = self.bed.target.unseen.take(pa.array(self.bed.bench.scored))
        sizes = TokenTexts.of(texts).bytes
        rows = sample_within(key64(texts.to_pylist()), sizes, self.plan.scored_bytes, seed=0, salt="proxy target")
        return self.reader.read(texts.take(pa.array(np.sort(rows))))

    @cached_property
    def general(self) -> TokenTexts:
        """Return texts of the corpus' hold-out, up to the plan's bytes, chosen by hash."""
        bench = self.bed.bench
        if not len(bench.holdout):
            return self.reader.read(pa.array([], pa.large_string()))
        held = bench.holdout
        chosen = sample_within(
            bench.keys[held], bench.bytes[held], self.plan.scored_bytes, seed=0, salt="proxy hold-out"
        )
        return self.reader.texts_of(np.sort(held[chosen]))

    @property
    def bytes_per_token(self) -> float:
        """Return the bytes of a token in the scored texts."""
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
                found |= dict.fromkeys(places, read_trial(artifact))
                watch.advance(each)
        if not missing:
            return found
        tell(found)
        orders = {places[0]: self.reader.order(arms[places[0]]) for places in missing}
        texts, rows = self.reader.texts(orders.values())

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
        return read_trial(stored)

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
            save_state(out, state)
            reached(ProxyTrial(state.tokens, state.losses, np.empty(0), np.empty(0)))

        trial = train_proxy(
            self.plan, stream, self.scored, self.general, seed=arm.seed, precision=self.precision,
            state=last_state(out), save=save, hands=hands, progress=progress,
        )  # fmt: skip
        write_trial(out, trial)
        out.commit(rows=len(arm.rows), facts={"name": arm.name})
        return trial
