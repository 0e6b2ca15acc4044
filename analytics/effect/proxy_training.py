"""Train a proxy model on a stream of bytes and score texts at checkpoints; stop and go on without a trace.

The same stream, size, seed, device and build of torch give the same bytes: every model is trained on one thread, so the
number of processors does not matter. Another kind of processor, another version of torch, or a GPU adds in another
order; losses then agree to about three digits, and results of different devices are kept apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.effect.proxy_plan import (
    TRAINING,
    Device,
    Precision,
    ProxyPlan,
    ProxySize,
    checkpoint_steps,
    learning_rate,
)
from tamis.analytics.effect.proxy_text import ByteTexts, context_order
from tamis.data.errors import SettingError
from tamis.data.progress import NullProgress, Progress

if TYPE_CHECKING:
    import torch

    from tamis.analytics.effect.proxy_model import ByteModel

PIECES = 16
"""A model is saved this many times on its way, and at every checkpoint."""

_REPORT_STEPS = 8


@dataclass(frozen=True)
class ProxyState:
    """A model on its way, with all it needs to go on.

    Attributes:
        step: steps done.
        weights: float32 (3 p,), the parameters and both averages of the optimiser, in the model's order.
        tokens: bytes read at each checkpoint so far.
        losses: bits per byte of the scored texts there.
    """

    step: int
    weights: NDArray[np.float32]
    tokens: tuple[int, ...] = ()
    losses: tuple[float, ...] = ()


@dataclass(frozen=True)
class ProxyTrial:
    """One trained model, measured.

    Attributes:
        tokens: bytes read at each checkpoint.
        losses: bits per byte of the scored texts there.
        bits: float64 (m,), bits of each scored text at the end.
        general_bits: float64 (h,), bits of each other text at the end.
    """

    tokens: tuple[int, ...]
    losses: tuple[float, ...]
    bits: NDArray[np.float64]
    general_bits: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))


def precision_of(size: ProxySize, device: Device) -> Precision:
    """Return the number format of a size on this machine.

    Raises:
        SettingError: a GPU is wanted and there is none.
    """
    # Late: torch.
    import torch

    if device == "cuda":
        if not torch.cuda.is_available():
            raise SettingError("There is no GPU that torch can use", value=device, allowed="cpu", fix="choose cpu")
        return "bfloat16" if size.narrow and torch.cuda.is_bf16_supported() else "float32"
    return "bfloat16" if size.narrow and bool(torch.cpu._is_avx512_bf16_supported()) else "float32"


def train_proxy(
    plan: ProxyPlan,
    stream: NDArray[np.uint16],
    scored: ByteTexts,
    general: ByteTexts,
    *,
    seed: int,
    precision: Precision,
    state: ProxyState | None = None,
    save: Callable[[ProxyState], None] | None = None,
    progress: Progress | None = None,
) -> ProxyTrial:
    """Train one model to the end of the plan and measure it.

    Args:
        plan: size and tokens.
        stream: uint16 (tokens + 1,), see ``ByteTexts.stream``.
        scored: texts whose loss is measured at every checkpoint; at least one byte.
        general: texts whose loss is measured at the end.
        seed: of the first weights.
        precision: see ``precision_of``.
        state: where an earlier run stopped, None to begin.
        save: called with the state after every piece.
        progress: counts the bytes read; may cancel between two steps.
    """
    trainer = _Trainer(plan, seed=seed, precision=precision)
    watch = progress or NullProgress()
    tokens: tuple[int, ...] = ()
    losses: tuple[float, ...] = ()
    first = 0
    if state is not None:
        trainer.restore(state)
        tokens, losses, first = state.tokens, state.losses, state.step
        watch.advance(first * plan.spec.step_tokens)
    steps = plan.steps
    checks = set(checkpoint_steps(steps))
    saves = checks | {round(steps * piece / PIECES) for piece in range(1, PIECES)}
    for step in range(first, steps):
        watch.check()
        trainer.step(stream, step)
        if (step + 1) % _REPORT_STEPS == 0 or step + 1 == steps:
            watch.advance(plan.spec.step_tokens * ((step % _REPORT_STEPS) + 1))
        if step + 1 in checks:
            bits = trainer.bits(scored)
            tokens = (*tokens, (step + 1) * plan.spec.step_tokens)
            losses = (*losses, float(bits.sum() / scored.bytes.sum()))
        if save is not None and step + 1 in saves:
            save(ProxyState(step + 1, trainer.weights(), tokens, losses))
    return ProxyTrial(tokens, losses, trainer.bits(scored), trainer.bits(general))


class _Trainer:
    """A model, its optimiser, and what they do in one step."""

    def __init__(self, plan: ProxyPlan, *, seed: int, precision: Precision) -> None:
        # Late: torch.
        import torch

        # Late: torch.
        from tamis.analytics.effect.proxy_model import ByteModel

        self.plan, self.spec, self.device = plan, plan.spec, plan.device
        self.order = context_order(plan.steps * self.spec.batch, block=TRAINING["shuffled"], seed=seed)
        self.dtype: torch.dtype = getattr(torch, precision)
        if self.device == "cpu":
            torch.set_num_threads(1)
        self.model: ByteModel = ByteModel(self.spec, seed=seed).to(self.device)
        self.parts = list(self.model.parameters())
        groups = [
            {"params": [part for part in self.parts if part.ndim == 2], "weight_decay": TRAINING["weight_decay"]},
            {"params": [part for part in self.parts if part.ndim != 2], "weight_decay": 0.0},
        ]
        betas = (TRAINING["betas"][0], TRAINING["betas"][1])
        self.optimiser = torch.optim.AdamW(groups, lr=0.0, betas=betas, eps=TRAINING["epsilon"], fused=True)

    def step(self, stream: NDArray[np.uint16], number: int) -> None:
        """Learn from the next contexts of the stream."""
        # Late: torch.
        import torch

        batch, context = self.spec.batch, self.spec.context
        rows = self.order[number * batch : (number + 1) * batch]
        places = rows[:, None] * context + np.arange(context + 1)
        piece = torch.from_numpy(stream[places].astype(np.int64)).to(self.device)
        self._loss(piece[:, :-1], piece[:, 1:]).mean().backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.parts, TRAINING["clip"])
        rate = learning_rate(number, self.plan.steps, highest=self.spec.rate)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)

    def bits(self, texts: ByteTexts) -> NDArray[np.float64]:
        """Return the bits that the model needs for each text, float64 (m,)."""
        # Late: torch.
        import torch

        found = np.zeros(len(texts))
        with torch.inference_mode():
            for symbols, after, rows in texts.windows(self.spec.context):
                pair = (torch.from_numpy(symbols).to(self.device), torch.from_numpy(after).to(self.device))
                nats = self._loss(*pair).view(pair[0].shape).double().sum(1).cpu().numpy()
                np.add.at(found, rows, nats / np.log(2))
        return found

    def _loss(self, symbols: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        """Return the nats of each next symbol, float32, 0 where there is none."""
        # Late: torch.
        import torch

        with torch.autocast(self.device, self.dtype, enabled=self.dtype != torch.float32):
            logits = self.model(symbols)
        return torch.nn.functional.cross_entropy(
            logits.float().view(-1, logits.shape[-1]), after.reshape(-1), reduction="none"
        )

    def weights(self) -> NDArray[np.float32]:
        """Return parameters and averages, see ``ProxyState``."""
        # Late: torch.
        import torch

        kept = [self.optimiser.state[part] for part in self.parts]
        columns = (self.parts, [each["exp_avg"] for each in kept], [each["exp_avg_sq"] for each in kept])
        flat = [part.detach().reshape(-1).cpu() for column in columns for part in column]
        return np.asarray(torch.cat(flat).numpy(), dtype=np.float32)

    def restore(self, state: ProxyState) -> None:
        """Go back to a saved state."""
        # Late: torch.
        import torch

        first, columns = 0, []
        for _ in range(3):
            column = []
            for part in self.parts:
                values = torch.from_numpy(state.weights[first : first + part.numel()].copy())
                column.append(values.view(part.shape).to(self.device))
                first += part.numel()
            columns.append(column)
        with torch.no_grad():
            for part, values in zip(self.parts, columns[0], strict=True):
                part.copy_(values)
        for part, mean, square in zip(self.parts, *columns[1:], strict=True):
            done = torch.tensor(float(state.step), device=self.device)
            self.optimiser.state[part] = {"step": done, "exp_avg": mean, "exp_avg_sq": square}


def saved_state(meta: Mapping[str, Any], weights: NDArray[np.float32]) -> ProxyState:
    """Return the state of which ``meta`` was kept beside the weights."""
    return ProxyState(int(meta["step"]), weights, tuple(meta["tokens"]), tuple(meta["losses"]))
