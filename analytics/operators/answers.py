"""Rules for prompts with answers by a causal language model: how much a prompt helps, which answer is likelier."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from tamis.analytics.operators.measured_band import MeasuredBand
from tamis.analytics.operators.operator import OPERATORS, Group
from tamis.analytics.signals.answer_loss import Kind, answer_measure
from tamis.analytics.signals.causal_model import SMOLLM2
from tamis.analytics.steps.measures import Measure
from tamis.data.hashing import digest


class AnswerBand(MeasuredBand):
    """Base of rules that keep a range of what a causal language model says of answers."""

    group: ClassVar[Group] = "Filter"
    kind: ClassVar[Kind]
    said: ClassVar[str]

    model: str = Field(
        SMOLLM2, min_length=1, max_length=1000,
        description="Causal language model: smollm2, the folder of any, or a .gguf file.",
    )  # fmt: skip
    most: int = Field(
        1024, ge=16, le=32_768, description="Tokens of prompt and answer read at most; an answer has half of them."
    )
    min: float | None = Field(None, description="Lowest passing value; absent means no lower end.")
    max: float | None = Field(None, description="Highest passing value; absent means no upper end.")

    @property
    def column(self) -> str:
        """Return the facts column that holds the values."""
        return f"{self.kind}_{digest([self.model, self.most])[:16]}"

    def measures(self) -> tuple[Measure, ...]:
        return (answer_measure(self.kind, self.model, self.most, column=self.column),)

    def sentence(self) -> str:
        return f"{self.mode.capitalize()} documents with {self.said} {self.threshold()} by {self.model}"


@OPERATORS.register
class IfdBand(AnswerBand):
    """Keeps or drops prompts with answers by instruction-following difficulty.

    The mean loss of the answer after the prompt is divided by that of the answer alone: near 0 the prompt says it all,
    at 1 and above it does not help, so the answer may not belong to it.
    """

    name: ClassVar[str] = "ifd_band"
    term: ClassVar[str] = "instruction-following difficulty (IFD)"
    summary: ClassVar[str] = "Keeps prompts with answers that the prompt makes easier to foresee, but not trivial."
    source: ClassVar[str] = "Li et al. 2023, arXiv 2308.12032 (keeps the highest below 1); any causal model"
    warning: ClassVar[str | None] = (
        "A small model reads a few hundred tokens a second on a processor. Short answers and other languages than the "
        "model's have noisy values: look at both ends."
    )
    kind: ClassVar[Kind] = "ifd"
    said: ClassVar[str] = "instruction-following difficulty"


@OPERATORS.register
class PairLikelihood(AnswerBand):
    """Keeps or drops preference pairs by how much likelier the chosen answer is than the rejected one.

    The value is the difference of their log-likelihoods per token after the prompt, in nats: above 0 the model finds
    the chosen answer likelier. Far below 0 the labels may be flipped; far above 0 there is little to learn.
    """

    name: ClassVar[str] = "pair_likelihood"
    term: ClassVar[str] = "log-likelihood margin"
    summary: ClassVar[str] = "Keeps preference pairs by how much likelier a model finds the chosen answer."
    source: ClassVar[str] = "Rafailov et al. 2023, arXiv 2305.18290 (log-likelihoods of both answers); per token here"
    warning: ClassVar[str | None] = (
        "Likely is not good: a model prefers plain and short texts. Use it to find flipped labels and trivial pairs."
    )
    kind: ClassVar[Kind] = "pair_margin"
    said: ClassVar[str] = "a log-likelihood margin"
