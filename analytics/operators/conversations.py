"""Rules for conversations: tokens under the chat template that a model is trained with."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tamis.analytics.operators.measured_band import MeasuredBand
from tamis.analytics.operators.operator import OPERATORS, Group
from tamis.analytics.signals.audit_tokens import chat_tokens_measure
from tamis.analytics.signals.token_counter import BYTES
from tamis.analytics.steps.measures import Measure
from tamis.data.hashing import digest

_SAID = {
    "loss_tokens": "tokens under loss",
    "template_tokens": "tokens",
    "cut_share": "of the tokens after the context length",
    "cut_loss_share": "of the tokens under loss after the context length",
}


@OPERATORS.register
class ChatTokens(MeasuredBand):
    """Keeps or drops conversations by their tokens under a chat template, measured once.

    Tokens under loss are those that the assistant says. A conversation that the template refuses has no value.
    """

    name: ClassVar[str] = "chat_tokens"
    term: ClassVar[str] = "tokens under a chat template"
    group: ClassVar[Group] = "Filter"
    summary: ClassVar[str] = "Keeps conversations by tokens under loss, or by the share that a context length cuts."
    source: ClassVar[str] = "Chat templates of the transformers library; loss on what the assistant says"

    template: str = Field(
        min_length=1,
        max_length=10_000,
        description="Chat template: Jinja text, a .jinja file, or the folder of a tokenizer.",
    )
    tokenizer: str = Field(BYTES, min_length=1, description="Tokenizer: minilm-bytes, a tokenizer.json or its folder.")
    context: int = Field(4096, ge=1, description="Most tokens that training reads of a conversation.")
    value_of: Literal["loss_tokens", "template_tokens", "cut_share", "cut_loss_share"] = Field(
        "loss_tokens",
        description="What is compared: tokens under loss, all tokens, or the share of either that is cut.",
    )
    min: float | None = Field(None, ge=0, description="Lowest passing value; absent means no lower end.")
    max: float | None = Field(None, ge=0, description="Highest passing value; absent means no upper end.")

    @property
    def column(self) -> str:
        """Return the facts column that holds the values."""
        return f"{self.value_of}_{digest([self.template, self.tokenizer, self.context])[:16]}"

    def measures(self) -> tuple[Measure, ...]:
        return (chat_tokens_measure(self.template, self.tokenizer, self.context, column=self.column),)

    def sentence(self) -> str:
        length = f" of {self.context:,}" if self.value_of.startswith("cut") else ""
        return f"{self.mode.capitalize()} conversations with {self.threshold()} {_SAID[self.value_of]}{length}"
