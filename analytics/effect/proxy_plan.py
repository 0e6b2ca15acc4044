"""How small language models are trained to measure a selection: sizes, the one recipe of training, and a plan.

Every number here is frozen and part of the digest of a result. The models read UTF-8 bytes unless a tokenizer is named:
no vocabulary has to be fitted to one of the compared selections, every language is readable, and bits per byte need no
conversion. Under a tokenizer contexts and steps count its tokens, and its vocabulary adds to the parameters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from tamis.analytics.training.encoded import Tokenizer
from tamis.analytics.training.rank_tokenizer import TIKTOKEN
from tamis.analytics.training.tokenizer import RAW, load_tokenizer
from tamis.data.errors import SettingError

Device = Literal["cpu", "cuda"]
Precision = Literal["float32", "bfloat16"]

SYMBOLS = 257
"""Byte values, and 256 for the end of a text."""

CHECKPOINTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 3 / 8, 1 / 2, 3 / 4, 1.0)
"""Shares of the steps after which the loss is measured."""

LEAST_STEPS = 32
LANES = 2
"""Models trained at a time on two processors, each on one thread; an estimate counts with two."""

ARITHMETIC = 2
"""Version of the order of additions in sizes of several parts."""

BYTES_PER_TOKEN = 4
"""Of English under usual vocabularies: for estimates, and for how much text to look at first."""

TRAINED_PER_SCORED = 3
"""Bytes scored in the time of one byte trained: a step reads forwards once and backwards for twice that."""


@dataclass(frozen=True)
class ProxySize:
    """One size of the model and of its steps.

    Attributes:
        name: parameters when it reads bytes, for people.
        layers, width, hidden, heads: of the model.
        context: tokens a model looks at; a byte is one, unless a tokenizer is named.
        batch: contexts per step.
        rate: highest learning rate.
        narrow: train in bfloat16 where the processor multiplies it in hardware; measured to pay from 2M on.
        parts: of a step, whose gradients are made apart and added in order: one model keeps two processors busy,
            to the same bytes as on one.
        speed: tokens per second that one processor trains, measured with bytes; only for estimates.
        symbols: tokens of the vocabulary, and one for the end of a text.
    """

    name: str
    layers: int
    width: int
    hidden: int
    heads: int
    context: int
    batch: int
    rate: float
    narrow: bool
    parts: int
    speed: int
    symbols: int = SYMBOLS

    @property
    def parameters(self) -> int:
        """Return the number of parameters; the embedding is tied to the output."""
        block = 4 * self.width**2 + 3 * self.width * self.hidden + 2 * self.width
        return self.symbols * self.width + self.layers * block + self.width

    @property
    def step_tokens(self) -> int:
        """Return the tokens per step."""
        return self.context * self.batch

    @property
    def scored_rows(self) -> int:
        """Return the windows that are scored at a time: a large vocabulary leaves room for few."""
        return max(1, min(64, (1 << 25) // (self.context * self.symbols)))

    def with_symbols(self, symbols: int) -> ProxySize:
        """Return the size with another vocabulary; its speed falls as its parameters grow."""
        wide = replace(self, symbols=symbols)
        return replace(wide, speed=max(1, self.speed * self.parameters // wide.parameters))


SIZES: Mapping[str, ProxySize] = {
    size.name: size
    for size in (
        ProxySize("0.5M", 3, 128, 256, 4, 128, 8, 4e-3, narrow=False, parts=1, speed=12_000),
        ProxySize("2M", 4, 192, 576, 6, 256, 8, 3e-3, narrow=True, parts=2, speed=8_500),
        ProxySize("8M", 5, 384, 896, 6, 256, 16, 2e-3, narrow=True, parts=2, speed=2_800),
        ProxySize("30M", 6, 640, 1664, 10, 512, 16, 1e-3, narrow=True, parts=2, speed=700),
    )
}

TRAINING: Mapping[str, Any] = {
    "optimiser": "AdamW",
    "betas": [0.9, 0.95],
    "epsilon": 1e-8,
    "weight_decay": 0.1,
    "clip": 1.0,
    "warm_up": 0.05,
    "floor": 0.1,
    "shuffled": 1024,
    "schedule": "linear warm-up, then cosine",
    "model": "decoder, RMSNorm first, rotary positions, SwiGLU, tied embedding, no biases; weights start "
    "normal with deviation 1 / sqrt(width), the ends of a block divided by sqrt(2 layers)",
}
"""The recipe of training: the same for every size, selection and seed. Rates are shares of the highest one;
contexts are shuffled in blocks of 1024, or every step would see two or three texts only."""


def find_size(name: str) -> ProxySize:
    """Return a size by its name.

    Raises:
        SettingError: there is none of this name.
    """
    if name not in SIZES:
        raise SettingError("Unknown size of a proxy model", value=name, allowed=SIZES, fix="choose one of them")
    return SIZES[name]


_READ_BACK = "Tamis reads CASE, Ünïcode, 中文, ไทย, 😀 and\n\n  white space;\tall of it: 3.14 != 22/7."


@lru_cache(maxsize=4)
def find_tokenizer(name: str) -> Tokenizer:
    """Return a tokenizer from whose tokens every text can be read back; otherwise bits per byte would leave some out.

    Raises:
        SettingError: there is none of this name, or it loses text: by lower case, unknown pieces, white space.
    """
    found = load_tokenizer(name)
    read = found.decode(found.encode(pa.array([_READ_BACK], pa.large_string())).ids)
    if read != _READ_BACK:
        raise SettingError(
            "This tokenizer does not give texts back", value=name, allowed="bytes, or a tokenizer that loses nothing",
            fix="choose a byte-level one; bits per byte count what is lost as known",
        )  # fmt: skip
    return found


def tokenizer_anywhere(name: str) -> str:
    """Return a name that means the same tokenizer in any folder: a path becomes absolute."""
    path = Path(name.removeprefix(TIKTOKEN)).expanduser()
    if name == RAW or not path.exists():
        return name
    return name.removesuffix(name.removeprefix(TIKTOKEN)) + str(path.resolve())


def tokenizer_title(name: str) -> str:
    """Return a tokenizer's name for people: of a path, the end that tells it from others."""
    path = Path(name.removeprefix(TIKTOKEN)).expanduser()
    if name == RAW or not path.exists():
        return name
    return path.name if path.name != "tokenizer.json" else f"{path.resolve().parent.name}/{path.name}"


@dataclass(frozen=True)
class ProxyPlan:
    """What to train for a comparison.

    Attributes:
        size: name in ``SIZES``.
        tokens: of the tokenizer that every model reads, repeats counted: bytes unless one is named.
        seeds: models per selection; seed k orders the texts and starts the weights alike in every selection.
        shares: parts of the recipe's selection, in (0, 1), trained on too; they show how little data is enough.
        device: ``cpu`` or ``cuda``.
        tokenizer: ``bytes``, or the name of one that gives every text back, see ``load_tokenizer``.
    """

    size: str = "0.5M"
    tokens: int = 2_000_000
    seeds: int = 3
    shares: tuple[float, ...] = (0.1, 0.3)
    device: Device = "cpu"
    tokenizer: str = RAW

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            SettingError: a field has no possible value.
        """
        least = LEAST_STEPS * find_size(self.size).step_tokens
        if self.tokens < least:
            raise SettingError(
                f"Too few tokens for a {self.size} model", value=self.tokens, allowed=f"{least:,} or more",
                fix="give more tokens",
            )  # fmt: skip
        if self.seeds < 1:
            raise SettingError("A comparison needs seeds", value=self.seeds, allowed="1 or more; 3 for an interval")
        if any(not 0 < share < 1 for share in self.shares):
            raise SettingError("A share of a recipe is between 0 and 1", value=self.shares, allowed="0 < share < 1")
        if self.device not in ("cpu", "cuda"):
            raise SettingError("Unknown device", value=self.device, allowed=("cpu", "cuda"))
        if self.has_tokenizer:
            find_tokenizer(self.tokenizer)

    @property
    def has_tokenizer(self) -> bool:
        """Return whether models read the tokens of a tokenizer, not bytes."""
        return self.tokenizer != RAW

    @property
    def unit(self) -> str:
        """Return what tokens are."""
        return "tokens" if self.has_tokenizer else "bytes"

    @property
    def spec(self) -> ProxySize:
        """Return the size, with the vocabulary of the tokenizer."""
        size = find_size(self.size)
        return size.with_symbols(find_tokenizer(self.tokenizer).vocabulary + 1) if self.has_tokenizer else size

    @property
    def steps(self) -> int:
        """Return the steps of every model."""
        return self.tokens // self.spec.step_tokens

    @property
    def read(self) -> int:
        """Return the tokens that every model really reads: whole steps of them."""
        return self.steps * self.spec.step_tokens

    @property
    def scored_bytes(self) -> int:
        """Return the most bytes of target texts that are scored at every checkpoint."""
        read = self.tokens * BYTES_PER_TOKEN if self.has_tokenizer else self.tokens
        return min(max(read // 10, 5_000), 200_000)

    @property
    def models(self) -> int:
        """Return the number of models: recipe, random, everything, and each share, times the seeds."""
        return (3 + len(self.shares)) * self.seeds

    @property
    def model_seconds(self) -> float:
        """Return the estimated seconds of one model on one processor."""
        scored = (len(CHECKPOINTS) + 1) * self.scored_bytes / TRAINED_PER_SCORED
        if self.has_tokenizer:
            scored /= BYTES_PER_TOKEN
        return (self.tokens + scored) / self.spec.speed

    @property
    def seconds(self) -> float:
        """Return the estimated seconds of all models on two processors."""
        # A step of several parts keeps all processors busy, also when the last model trains alone.
        rounds = self.models / LANES if self.spec.parts > 1 else math.ceil(self.models / LANES)
        return rounds * self.model_seconds

    def to_json(self) -> dict[str, Any]:
        """Return the plan as a JSON value; one that reads bytes has the value it had before there were tokenizers."""
        return {key: value for key, value in asdict(self).items() if key != "tokenizer" or self.has_tokenizer}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ProxyPlan:
        """Read what ``to_json`` returned.

        Raises:
            SettingError: a field has no possible value.
        """
        return cls(**{**value, "shares": tuple(value["shares"])})

    def params(self, precision: Precision) -> dict[str, Any]:
        """Return everything about the training that a result depends on, as a JSON value."""
        unread = ("speed", "narrow", "parts", "symbols")
        spec = {name: value for name, value in asdict(self.spec).items() if name not in unread}
        found = {
            "size": spec, "training": dict(TRAINING), "tokens": self.tokens, "checkpoints": list(CHECKPOINTS),
            "scored_bytes": self.scored_bytes, "precision": precision, "device": self.device,
        }  # fmt: skip
        # What reads bytes, and sizes of one part, have the bytes they had before there were tokenizers and parts.
        if self.has_tokenizer:
            found["tokenizer"] = {"sha256": find_tokenizer(self.tokenizer).sha256, "symbols": self.spec.symbols}
        return found if self.spec.parts == 1 else found | {"parts": self.spec.parts, "arithmetic": ARITHMETIC}


def checkpoint_steps(steps: int) -> tuple[int, ...]:
    """Return the steps after which the loss is measured, ascending, the last step among them."""
    return tuple(sorted({max(1, round(share * steps)) for share in CHECKPOINTS}))


def learning_rate(step: int, steps: int, *, highest: float) -> float:
    """Return the learning rate of a step, counted from 0: a linear warm-up, then half a cosine down to the floor."""
    warm = max(1, round(TRAINING["warm_up"] * steps))
    if step < warm:
        return highest * (step + 1) / warm
    done = (step - warm) / max(1, steps - warm)
    return float(highest * (TRAINING["floor"] + (1 - TRAINING["floor"]) * 0.5 * (1 + math.cos(math.pi * done))))
