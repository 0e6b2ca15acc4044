"""Train a proxy model on a stream of tokens and score texts at checkpoints; stop and go on without a trace.

The same stream, size, seed, device and build of torch give the same bytes: a step has a stated number of parts, each on
one thread, and their gradients are added in order, so the number of processors does not matter. Another kind of
processor, another version of torch, or a GPU adds in another order; losses then agree to about three digits, and
results of different devices are kept apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
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
from tamis.analytics.effect.proxy_text import TokenTexts, context_order
from tamis.data.errors import SettingError
from tamis.data.progress import NullProgress, Progress

if TYPE_CHECKING:
    import torch

    from tamis.analytics.effect.proxy_model import ProxyModel

PIECES = 16
"""A model is saved this many times on its way, and at every checkpoint."""

_REPORT_STEPS = 8


@dataclass(frozen=True)
class ProxyState:
    """A model on its way, with all it needs to go on.

    Attributes:
        step: steps done.
        weights: float32 (3 p,), the parameters and both averages of the optimiser, in the model's order.
        tokens: read at each checkpoint, bytes unless there is a tokenizer so far.
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
        tokens: read at each checkpoint, bytes unless there is a tokenizer.
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
    stream: NDArray[np.unsignedinteger[Any]],
    scored: TokenTexts,
    general: TokenTexts,
    *,
    seed: int,
    precision: Precision,
    state: ProxyState | None = None,
    save: Callable[[ProxyState], None] | None = None,
    hands: Executor | None = None,
    progress: Progress | None = None,
) -> ProxyTrial:
    """Train one model to the end of the plan and measure it.

    Args:
        plan: size and tokens.
        stream: unsigned (tokens + 1,), see ``TokenTexts.stream``.
        scored: texts whose loss is measured at every checkpoint; at least one byte.
        general: texts whose loss is measured at the end.
        seed: of the first weights.
        precision: see ``precision_of``.
        state: where an earlier run stopped, None to begin.
        save: called with the state after every piece.
        hands: threads that make the parts of a step, see ``hired``; shared by all models that train at a time.
        progress: counts the tokens read; may cancel between two steps.
    """
    trainer = _Trainer(plan, seed=seed, precision=precision, hands=hands)
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
    last: NDArray[np.float64] | None = None
    saves = checks | {round(steps * piece / PIECES) for piece in range(1, PIECES)}
    for step in range(first, steps):
        watch.check()
        trainer.step(stream, step)
        if (step + 1) % _REPORT_STEPS == 0 or step + 1 == steps:
            watch.advance(plan.spec.step_tokens * ((step % _REPORT_STEPS) + 1))
        if step + 1 in checks:
            last = trainer.bits(scored)
            tokens = (*tokens, (step + 1) * plan.spec.step_tokens)
            losses = (*losses, float(last.sum() / scored.bytes.sum()))
        if save is not None and step + 1 in saves:
            save(ProxyState(step + 1, trainer.weights(), tokens, losses))
    # A run that was stopped after its last step has not scored yet.
    return ProxyTrial(tokens, losses, trainer.bits(scored) if last is None else last, trainer.bits(general))


def hired(processors: int) -> ThreadPoolExecutor:
    """Return that many hands, on one thread of torch each."""
    # Late: torch.
    import torch

    return ThreadPoolExecutor(processors, initializer=torch.set_num_threads, initargs=(1,))


class _Trainer:
    """A model, its optimiser, and what they do in one step."""

    def __init__(self, plan: ProxyPlan, *, seed: int, precision: Precision, hands: Executor | None) -> None:
        # Late: torch.
        import torch

        # Late: torch.
        from tamis.analytics.effect.proxy_model import ProxyModel

        self.plan, self.spec, self.device = plan, plan.spec, plan.device
        self.hands = hands if self.device == "cpu" else None
        self.order = context_order(plan.steps * self.spec.batch, block=TRAINING["shuffled"], seed=seed)
        self.dtype: torch.dtype = getattr(torch, precision)
        if self.device == "cpu":
            torch.set_num_threads(1)
        self.model: ProxyModel = ProxyModel(self.spec, seed=seed).to(self.device)
        self.parts = list(self.model.parameters())
        groups = [
            {"params": [part for part in self.parts if part.ndim == 2], "weight_decay": TRAINING["weight_decay"]},
            {"params": [part for part in self.parts if part.ndim != 2], "weight_decay": 0.0},
        ]
        betas = (TRAINING["betas"][0], TRAINING["betas"][1])
        self.optimiser = torch.optim.AdamW(groups, lr=0.0, betas=betas, eps=TRAINING["epsilon"], fused=True)

    def step(self, stream: NDArray[np.unsignedinteger[Any]], number: int) -> None:
        """Learn from the next contexts of the stream."""
        # Late: torch.
        import torch

        batch, context = self.spec.batch, self.spec.context
        rows = self.order[number * batch : (number + 1) * batch]
        places = rows[:, None] * context + np.arange(context + 1)
        piece = torch.from_numpy(stream[places].astype(np.int64)).to(self.device)
        gradients = list(self._each(self._gradient, piece.chunk(self.spec.parts)))
        for part, *found in zip(self.parts, *gradients, strict=True):
            for other in found[1:]:
                found[0].add_(other)
            part.grad = found[0] if len(found) == 1 else found[0].div_(len(found))
        torch.nn.utils.clip_grad_norm_(self.parts, TRAINING["clip"])
        rate = learning_rate(number, self.plan.steps, highest=self.spec.rate)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)

    def bits(self, texts: TokenTexts) -> NDArray[np.float64]:
        """Return the bits that the model needs for each text, float64 (m,)."""
        # Late: torch.
        import torch

        def score(window: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]) -> NDArray[np.float64]:
            with torch.inference_mode():
                symbols, after = (torch.from_numpy(part).to(self.device) for part in window[:2])
                nats = self._loss(symbols, after).view(symbols.shape).double().sum(1).cpu().numpy()
            return np.asarray(nats / np.log(2))

        found = np.zeros(len(texts))
        windows = list(texts.windows(self.spec.context, self.spec.scored_rows))
        for window, bits in zip(windows, self._each(score, windows), strict=True):
            np.add.at(found, window[2], bits)
        return found

    def _each(self, work: Callable[[Any], Any], parts: Iterable[Any]) -> Iterable[Any]:
        """Return the results of all parts in their order, made by the hands there are."""
        return map(work, parts) if self.hands is None else self.hands.map(work, parts)

    def _gradient(self, piece: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the gradient of the mean loss of some contexts, by parameter."""
        # Late: torch.
        import torch

        return torch.autograd.grad(self._loss(piece[:, :-1], piece[:, 1:]).mean(), self.parts)

    def _loss(self, symbols: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        """Return the nats of each next symbol, float32, 0 where there is none."""
        # Late: torch.
        import torch

        logits = self.model(symbols, self.dtype)
        return torch.nn.functional.cross_entropy(logits.view(-1, logits.shape[-1]), after.reshape(-1), reduction="none")

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
