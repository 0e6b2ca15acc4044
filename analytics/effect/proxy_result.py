"""What proxy models found about a recipe: curves, differences, speed-up, and the share of the data that is enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from tamis.analytics.effect.bench import RANDOM, RECIPE
from tamis.analytics.effect.learning_curves import (
    Curve,
    DataShare,
    SpeedUp,
    find_data_share,
    find_speed_up,
)
from tamis.analytics.effect.proxy_agreement import trust_sentence
from tamis.analytics.effect.verdict import Difference, Verdict, compare, text_error
from tamis.analytics.training.tokenizer import RAW

if TYPE_CHECKING:
    from tamis.analytics.effect.proxy_training import ProxyTrial

_OF_TOKENIZERS = ("tokenizer", "bytes_per_token")

EVERYTHING, SHARE = "everything", "share"


@dataclass(frozen=True)
class ArmCurves:
    """The models trained on one kind of selection.

    Attributes:
        name: ``recipe``, ``random``, ``everything``, or ``share`` for a part of the recipe's selection.
        part: of the selection, 1 for all of it.
        share: distinct bytes as a share of all training candidates, of the first seed.
        documents, bytes: distinct documents and their UTF-8 bytes, of the first seed.
        passes: how often a model reads the selection.
        effective: tokens that the tokens read are worth, repeats and copies discounted, of the first seed.
        curves: one per seed that has begun.
    """

    name: str
    part: float
    share: float
    documents: int
    bytes: int
    passes: float
    effective: float
    curves: tuple[Curve, ...]

    @property
    def title(self) -> str:
        """Return the name for people."""
        return f"{self.part:.0%} of the recipe" if self.name == SHARE else self.name


@dataclass(frozen=True)
class ProxyEffect:
    """A recipe measured with proxy models.

    Attributes:
        recipe, title: digest and title of the recipe.
        target, target_digest: name of the target, and digest of its texts.
        size: name of the model's size.
        parameters: of one model.
        tokens: of the tokenizer that every model reads; bytes without one.
        seeds: models per selection.
        precision, device: what they are trained in and on.
        scored_texts, scored_bytes: of the target's unseen half.
        arms: what was trained on.
        tokenizer: name of the tokenizer, ``bytes`` without one.
        bytes_per_token: of the scored texts, 1 without a tokenizer.
        whole: whether all models are trained; the numbers below are there only then.
        differences: final bits per byte of the target against random and everything, of general text against random.
        speed_up: against random; None before the end.
        data_share: None before the end, and without a model of everything.
    """

    recipe: str
    title: str
    target: str
    target_digest: str
    size: str
    parameters: int
    tokens: int
    seeds: int
    precision: str
    device: str
    scored_texts: int
    scored_bytes: int
    arms: tuple[ArmCurves, ...]
    whole: bool
    differences: tuple[Difference, ...] = ()
    speed_up: SpeedUp | None = None
    data_share: DataShare | None = None
    tokenizer: str = RAW
    bytes_per_token: float = 1.0

    @property
    def reads_bytes(self) -> bool:
        """Return whether the models read bytes."""
        return self.tokenizer == RAW

    @property
    def model(self) -> str:
        """Return the size of the models for people, with the tokenizer they read by."""
        return self.size if self.reads_bytes else f"{self.size} with {self.tokenizer}"

    @property
    def reading(self) -> str:
        """Return what every model reads, for people."""
        if self.reads_bytes:
            return f"{self.tokens:,} bytes"
        return f"{self.tokens:,} tokens of {self.tokenizer} ({self.bytes_per_token:.2f} bytes of the target each)"

    @property
    def trust(self) -> str:
        """Return how far models of this size can be trusted, in words; measured with those that read bytes."""
        if self.reads_bytes:
            return trust_sentence(self.size)
        return f"How far models that read {self.tokenizer} agree with larger ones was not measured."

    @property
    def headline(self) -> Difference | None:
        """Return the difference in target bits per byte against random, None before the end."""
        return self.differences[0] if self.differences else None

    @property
    def verdict(self) -> Verdict | None:
        """Return the verdict, None before the end."""
        return self.headline.verdict if self.headline else None

    @property
    def sentences(self) -> tuple[str, ...]:
        """Return the differences and both numbers in words."""
        found = [item.sentence for item in self.differences]
        found += [number.sentence for number in (self.speed_up, self.data_share) if number is not None]
        return tuple(found)

    @property
    def caution(self) -> str:
        """Return a sentence for runs too short to tell how little data is enough, empty for others."""
        smallest = min(self.arms, key=lambda arm: arm.share)
        if self.data_share is None or smallest.passes >= 1:
            return ""
        return (
            f"The smallest selection was read only {smallest.passes:.2f} times: a longer run, which repeats it, may "
            "need a larger share."
        )

    def to_json(self) -> dict[str, Any]:
        """Return the effect as a JSON value."""
        value: dict[str, Any] = _adapter().dump_python(self, mode="json")
        # Models of bytes have the result they had before there were tokenizers.
        return {key: item for key, item in value.items() if not self.reads_bytes or key not in _OF_TOKENIZERS}

    @classmethod
    def from_json(cls, value: Any) -> ProxyEffect:
        """Read what ``to_json`` returned."""
        return _adapter().validate_python(value)


@cache
def _adapter() -> TypeAdapter[ProxyEffect]:
    return TypeAdapter(ProxyEffect)


def summarise(
    effect: ProxyEffect,
    trials: Mapping[tuple[str, float, int], ProxyTrial],
    scored: NDArray[np.int64],
    general: NDArray[np.int64],
) -> dict[str, Any]:
    """Return the differences and both numbers, empty before all models are trained.

    Args:
        effect: with its curves.
        trials: name, part and seed -> the finished model.
        scored, general: int64, bytes of the texts of which the bits are.
    """
    arms = {(arm.name, arm.part): arm for arm in effect.arms}
    if not effect.whole or (RECIPE, 1.0) not in arms or (RANDOM, 1.0) not in arms:
        return {}
    ours, random = arms[RECIPE, 1.0], arms[RANDOM, 1.0]
    everything = arms.get((EVERYTHING, 1.0))
    tables = {
        name: [trials[name, 1.0, curve.seed] for curve in arms[name, 1.0].curves]
        for name in (RECIPE, RANDOM, *([EVERYTHING] if everything else []))
    }
    size = effect.size if effect.reads_bytes else f"{effect.parameters / 1e6:.1f}M"
    proxy = f"a transformer of {size} parameters, not a large one: proxy evidence"

    def target_against(other: str) -> Difference:
        bits = [[trial.bits for trial in tables[name]] for name in (RECIPE, other)]
        losses = [[trial.losses[-1] for trial in tables[name]] for name in (RECIPE, other)]
        error = text_error(bits[0], bits[1], scored)
        return compare("target bits per byte", other, *losses, lower_is_better=True, text_error=error, proxy=proxy)

    found = [target_against(RANDOM)]
    if everything is not None:
        found.append(target_against(EVERYTHING))
    if general.sum():
        sides = [[trial.general_bits for trial in tables[name]] for name in (RECIPE, RANDOM)]
        means = [[float(bits.sum() / general.sum()) for bits in side] for side in sides]
        error = text_error(sides[0], sides[1], general)
        found.append(compare("general bits per byte", RANDOM, *means, lower_is_better=True, text_error=error))
    share = None
    if everything is not None:
        tried = {arm.share: arm.curves for (name, _), arm in arms.items() if name in (RECIPE, SHARE)}
        share = find_data_share(tried, everything.curves)
    return {
        "differences": tuple(found),
        "speed_up": find_speed_up(ours.curves, random.curves),
        "data_share": share,
    }
