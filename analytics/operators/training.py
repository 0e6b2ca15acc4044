"""Steps of training: how kept documents are split, repeated, packed into sequences and put into batches.

They decide nothing about the selection and change no curated file: ``tamis prepare`` runs them. What they mean is
computed in ``analytics/training``.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from tamis.analytics.operators.duplicates import NearDedup
from tamis.analytics.operators.operator import OPERATORS, CategoryColumn, NumericColumn, TrainingOperator
from tamis.analytics.operators.sets import Seed
from tamis.analytics.steps.measures import Measure

Together = Literal["near duplicates", "same text", "same prompt"]
_TOGETHER: tuple[Together, ...] = ("near duplicates", "same text", "same prompt")


def _in_order(values: tuple[Together, ...]) -> tuple[Together, ...]:
    return tuple(sorted(set(values), key=_TOGETHER.index))


@OPERATORS.register
class SplitDocuments(TrainingOperator):
    """Divides the kept documents into train, validation and test by a keyed hash, never dividing a group.

    Documents that belong together form a group, also through a third one; groups go to validation, then to test, in
    the order of their hash, as long as they fit into the share. Copies and epochs apply to train only: validation and
    test hold each document once.
    """

    name: ClassVar[str] = "split"
    term: ClassVar[str] = "train, validation and test split"
    summary: ClassVar[str] = "Divides documents into train, validation and test without dividing near-duplicates."
    source: ClassVar[str] = (
        "Lee et al. 2021, arXiv 2107.06499 (validation texts found in training data); grouped splits by keyed hash"
    )
    warning: ClassVar[str | None] = "A split without groups leaks: near-duplicates land on both sides."
    turn: ClassVar[int] = 0

    validation: float = Field(0.01, ge=0, lt=1, description="Share of validation.")
    test: float = Field(0.0, ge=0, lt=1, description="Share of test.")
    share_of: Literal["tokens", "documents"] = Field("tokens", description="What the shares are counted in.")
    together: Annotated[tuple[Together, ...], AfterValidator(_in_order)] = Field(
        ("near duplicates",),
        description="Documents that stay in one part: verified near-duplicates, those with the same normalised text,"
        " conversations with the same normalised prompt.",
    )
    similarity: float = Field(
        0.8, ge=0.5, le=1, description="Smallest Jaccard similarity of near-duplicates, in word 5-grams."
    )
    by: CategoryColumn | None = Field(
        None, description="Documents with the same value of this column, such as the source, stay in one part too."
    )
    seed: Seed = 0

    @model_validator(mode="after")
    def _leaves_train(self) -> SplitDocuments:
        if self.validation + self.test >= 1:
            raise ValueError("validation and test must leave something for train: give shares that sum to less than 1")
        return self

    @property
    def near(self) -> NearDedup | None:
        """Return the rule whose pairs stay together, None if near-duplicates may be divided."""
        if "near duplicates" not in self.together:
            return None
        return NearDedup(threshold=self.similarity, convention="letters-1", recall=0.99)

    def columns(self) -> frozenset[str]:
        found = {self.by} if self.by else set()
        found |= {"norm_group"} if "same text" in self.together else set()
        return frozenset(found | ({"prompt.norm_group", "prompt.bytes"} if "same prompt" in self.together else set()))

    def measures(self) -> tuple[Measure, ...]:
        return () if self.near is None else (self.near.measure,)

    def sentence(self) -> str:
        test = f", {self.test * 100:g}% for test" if self.test else ""
        kept = [*self.together, *([f"the same {self.by}"] if self.by else [])]
        groups = f"never dividing {' or '.join(kept)}" if kept else "each document on its own"
        return f"Split {self.validation * 100:g}% of the {self.share_of} for validation{test}, {groups}"


@OPERATORS.register
class ExpandCopies(TrainingOperator):
    """Writes copies and epochs of the train documents out as one stream in training order.

    In each epoch a document comes as often as its copies say, times its training weight if a step gives one. A number
    that is not whole is spread over the epochs by keyed hash: after each epoch a document has come ``floor(copies *
    weight * epochs + u)`` times. Two copies of a document have at least a window of other documents between them.
    """

    name: ClassVar[str] = "expand"
    term: ClassVar[str] = "copies and epochs"
    summary: ClassVar[str] = "Writes copies and epochs out in training order, each epoch shuffled anew."
    source: ClassVar[str] = (
        "Muennighoff et al. 2023, arXiv 2305.16264 (repeated epochs); keyed shuffles, own window rule"
    )
    warning: ClassVar[str | None] = (
        "Up to 4 epochs are nearly as good as new tokens; beyond 16 they add almost nothing."
    )
    turn: ClassVar[int] = 1

    epochs: int = Field(1, ge=1, le=100, description="How often training sees the documents.")
    order: Literal["shuffle", "recipe order", "recipe order, then shuffle"] = Field(
        "shuffle",
        description="Order of each epoch: a keyed shuffle of its own, the order that a step of the recipe gave, or that"
        " order in the first epoch only.",
    )
    weights: bool = Field(
        True, description="Multiply copies by the training weight, where a step of the recipe gave one."
    )
    window: int | None = Field(
        None,
        ge=0,
        le=10_000_000,
        description="Documents between two copies of the same one, at least; absent: as many as fit, up to 10,000.",
    )
    seed: Seed = 0

    def sentence(self) -> str:
        times = "once" if self.epochs == 1 else f"{self.epochs} times"
        apart = "" if self.window is None else f", copies at least {self.window:,} documents apart"
        order = {"shuffle": "each epoch shuffled anew", "recipe order": "in the order of the recipe"}
        return f"Write copies out and go through the documents {times}, {order.get(self.order, self.order)}{apart}"


@OPERATORS.register
class PackSequences(TrainingOperator):
    """Cuts and joins documents into sequences of at most ``length`` tokens, every token exactly once.

    A document that is longer than a sequence is cut after a paragraph, else after a sentence, else between two tokens.
    Best fit puts the longest pieces first, each into the fullest sequence that still has room; ``in order`` fills one
    sequence after the other; ``concatenate`` joins all documents and cuts at every ``length``; ``bucketed`` puts one
    piece into each sequence and sequences of like length together. Conversations are written with a chat template and
    never cut inside a tool call; the loss mask covers what the assistant says.
    """

    name: ClassVar[str] = "pack"
    term: ClassVar[str] = "sequence packing"
    summary: ClassVar[str] = "Cuts and joins documents into sequences of tokens."
    source: ClassVar[str] = "Ding et al. 2024, arXiv 2404.10830 (best-fit decreasing); Johnson 1974 (bin packing)"
    warning: ClassVar[str | None] = (
        "Mask attention at the piece lengths that are recorded, or documents of one sequence see each other."
    )
    turn: ClassVar[int] = 2

    length: int = Field(2048, ge=8, le=1 << 20, description="Most tokens of a sequence.")
    tokenizer: str = Field(
        "minilm-wordpiece",
        min_length=1,
        max_length=1000,
        description="Tokenizer: bytes, minilm-wordpiece, a tokenizer.json, its folder, a name in the local Hugging Face"
        " cache, or tiktoken: and a name or file.",
    )
    method: Literal["best fit", "in order", "concatenate", "bucketed"] = Field(
        "best fit", description="How pieces are put into sequences."
    )
    separator: Literal["end", "begin", "none"] = Field(
        "end", description="Whether a special token ends or begins every document."
    )
    special: str | None = Field(
        None, min_length=1, max_length=200,
        description="The special token of the separator; absent: the tokenizer's own end or begin token.",
    )  # fmt: skip
    cuts: Literal["paragraph", "sentence", "token"] = Field(
        "paragraph", description="Where a long document is cut first; the finer places follow."
    )
    pad: bool = Field(False, description="Fill every sequence up to its length with the padding token.")
    window: int = Field(
        65_536, ge=1, le=1 << 30,
        description="Documents packed together; the training order holds from window to window.",
    )  # fmt: skip
    template: str | None = Field(
        None, min_length=1, max_length=10_000,
        description="Chat template of conversations: Jinja text, a .jinja file, or the folder of a tokenizer; absent:"
        " that of the tokenizer's folder, else ChatML.",
    )  # fmt: skip
    mask: Literal["answers", "none"] = Field(
        "answers", description="Which tokens of conversations bear loss: what the assistant says, or all."
    )

    @model_validator(mode="after")
    def _separator_is_used(self) -> PackSequences:
        if self.special is not None and self.separator == "none":
            raise ValueError("special names the token of a separator: choose separator end or begin, or remove it")
        return self

    def sentence(self) -> str:
        ways = {
            "best fit": "by best fit",
            "in order": "in order",
            "concatenate": "end to end",
            "bucketed": "one by one",
        }
        return f"Pack documents {ways[self.method]} into sequences of {self.length:,} tokens of {self.tokenizer}"


@OPERATORS.register
class ComposeBatches(TrainingOperator):
    """Puts train sequences (or documents, without ``pack``) into global batches of ``size``, each exactly once.

    ``mixture`` gives every full batch each group's share within one sequence, ``homogeneous`` makes batches of one
    group, ``free`` keeps the order. Within a group the order of training stays. A packed sequence belongs to the group
    with most of its tokens. Step k and the slice of a rank or worker are computed alone, from size and seed.
    """

    name: ClassVar[str] = "batches"
    term: ClassVar[str] = "batch composition"
    summary: ClassVar[str] = "Composes global batches: with a steady mixture, of one group each, or free."
    source: ClassVar[str] = (
        "Xie et al. 2023, arXiv 2305.10429 (mixtures held in training); controlled rounding, Cox 1987"
    )
    turn: ClassVar[int] = 3

    size: int = Field(256, ge=1, le=1_000_000, description="Sequences of a global batch, over all ranks.")
    mode: Literal["free", "mixture", "homogeneous"] = Field("free", description="How a batch is composed.")
    by: CategoryColumn | None = Field(None, description="The groups: values of this column, such as the source.")
    difficulty: NumericColumn | None = Field(None, description="The groups: equal parts by this column, instead of by.")
    bins: int = Field(4, ge=2, le=100, description="Number of parts by difficulty.")
    seed: Seed = 0

    @model_validator(mode="after")
    def _has_groups(self) -> ComposeBatches:
        given = (self.by is not None) + (self.difficulty is not None)
        if given != (self.mode != "free"):
            raise ValueError("give by or difficulty with mixture and homogeneous, neither with free")
        return self

    def columns(self) -> frozenset[str]:
        return frozenset(name for name in (self.by, self.difficulty) if name)

    def sentence(self) -> str:
        if self.mode == "free":
            return f"Batches of {self.size:,} sequences in training order"
        groups = self.by or f"{self.bins} parts by {self.difficulty}"
        if self.mode == "mixture":
            return f"Batches of {self.size:,} sequences, each with the mixture of {groups}"
        return f"Batches of {self.size:,} sequences, each of one of {groups}"
