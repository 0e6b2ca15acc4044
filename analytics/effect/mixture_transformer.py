"""A small transformer as the model that says what a mixture is worth: dearer than n-grams, learns what they cannot."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.effect.proxy_plan import Precision, ProxyPlan, find_tokenizer, tokenizer_title
from tamis.analytics.effect.proxy_text import TokenTexts, reading_order
from tamis.analytics.effect.proxy_training import precision_of, train_proxy
from tamis.analytics.steps.chosen_texts import texts_of
from tamis.data.errors import SettingError
from tamis.data.progress import NullProgress, Progress

if TYPE_CHECKING:
    from tamis.analytics.effect.bench import TrainingSet
    from tamis.analytics.effect.purpose import EffectStudy


class _Stops(NullProgress):
    """Progress of one model within the trials that another one counts: it reports nothing, and may cancel."""

    def __init__(self, trials: Progress) -> None:
        self._trials = trials

    def check(self) -> None:
        """Raise ``Cancelled`` if a person stopped the trials."""
        self._trials.check()


@dataclass(frozen=True)
class TransformerProxy:
    """A transformer, trained anew on every mixture; a ``MixtureProxy``.

    Attributes:
        plan: size, tokenizer and tokens that every model reads; its seeds and shares are not used.
    """

    plan: ProxyPlan

    @property
    def name(self) -> str:
        """Return size, what is read and number format, which with the fixed recipe of training say everything."""
        plan, unit = self.plan, self.plan.unit
        if plan.has_tokenizer:
            unit += f" of {tokenizer_title(plan.tokenizer)} ({find_tokenizer(plan.tokenizer).sha256[:16]})"
        return f"a transformer of {plan.size}, {plan.read:,} {unit}, {self._precision}, {plan.device}"

    @cached_property
    def _precision(self) -> Precision:
        return precision_of(self.plan.spec, self.plan.device)

    @cached_property
    def _threads(self) -> int:
        # Late: torch.
        import torch

        return int(torch.get_num_threads())

    def bits(self, bed: EffectStudy, chosen: TrainingSet, seed: int, progress: Progress) -> NDArray[np.float64]:
        """Train on a set and return the bits of each scored text of the target, float64 (m,).

        Raises:
            SettingError: the study has no target, or the set no byte.
        """
        # Late: torch.
        import torch

        if bed.target is None or not chosen.bytes:
            raise SettingError("A mixture is measured by texts to train on and a target", value=chosen.bytes)
        scored = TokenTexts.of(bed.target.unseen.take(pa.array(bed.bench.scored)), self.plan.tokenizer)
        texts = TokenTexts.of(texts_of(bed.study.corpus, bed.study.documents, chosen.rows), self.plan.tokenizer)
        keys = bed.bench.keys[chosen.rows]
        order = reading_order(keys, texts.sizes, chosen.copies, tokens=self.plan.tokens, seed=seed)
        # Only the end counts: one text is enough to look at on the way.
        threads = self._threads
        try:
            stream = texts.stream(order, self.plan.tokens)
            trial = train_proxy(
                self.plan, stream, scored.first(), scored, seed=seed, precision=self._precision,
                progress=_Stops(progress),
            )  # fmt: skip
        finally:
            torch.set_num_threads(threads)
        return trial.general_bits
