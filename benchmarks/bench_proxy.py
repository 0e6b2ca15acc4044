"""Proxy training beside a bare torch loop of the same model: ``python -m benchmarks.bench_proxy [SIZE ...]``

All train on random bytes in one run, in turns. The bare loop makes a loss, its gradient and a step of AdamW; proxy
training also gathers contexts, clips, schedules and reports. ``one thread`` is one model, both ways. ``two`` is one
model: a bare loop on two threads of torch, and a proxy with two hands; then two proxies that share two hands, their
bytes together. The CPU share compares processor time of one thread alone, which other work on the machine disturbs
least. The last column is the time of one model of 20 million bytes with two hands. Sizes that may train in bfloat16
have a row for each format.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.effect.proxy_plan import LANES, LEAST_STEPS, SIZES, Precision, ProxyPlan, ProxySize
from tamis.analytics.effect.proxy_text import TokenTexts
from tamis.analytics.effect.proxy_training import hired, precision_of, train_proxy
from tamis.data.errors import Cancelled
from tamis.data.progress import NullProgress

ROUNDS = 2
STEPS = 4
GOAL = 0.6
LARGE = 20_000_000


class _Few(NullProgress):
    """Stops a training after a few steps."""

    def __init__(self) -> None:
        self.left = STEPS

    def check(self) -> None:
        """Count a step."""
        self.left -= 1
        if self.left < 0:
            raise Cancelled("enough")


def main(names: Sequence[str]) -> int:
    """Print the table; return how many rows miss the goal."""
    print(
        "| size | number format | one thread: bare, proxy (bytes/s) | CPU share | two: bare, one proxy, two proxies | "
        "share | hours for 20 MB |\n|---|---|---|---|---|---|---|"
    )
    failed = 0
    for name in names or ("0.5M", "2M", "8M"):
        size = SIZES[name]
        formats: tuple[Precision, ...] = ("float32", precision_of(size, "cpu"))
        for precision in dict.fromkeys(formats):
            failed += _row(size, precision)
    return failed


def _row(size: ProxySize, precision: Precision) -> int:
    plan = ProxyPlan(size.name, LEAST_STEPS * size.step_tokens, 1, ())
    stream = np.random.default_rng(0).integers(0, 256, plan.tokens + 1).astype(np.uint16)
    nothing = TokenTexts.of(pa.array(["a"], pa.large_string()))

    def proxy(hands: Executor | None) -> None:
        with suppress(Cancelled):
            train_proxy(plan, stream, nothing, nothing, seed=0, precision=precision, hands=hands, progress=_Few())

    def proxies(count: int) -> None:
        with hired(LANES) as hands, ThreadPoolExecutor(count) as pool:
            list(pool.map(lambda _: proxy(hands), range(count)))

    def bare(threads: int) -> None:
        _bare(size, stream, precision, threads)

    ways: tuple[Callable[[], None], ...] = (
        lambda: bare(1), lambda: proxy(None), lambda: bare(2), lambda: proxies(1), lambda: proxies(2),
    )  # fmt: skip
    proxy(None)
    times = np.array([[_timed(way) for way in ways] for _ in range(ROUNDS)]).min(axis=0)
    speeds = STEPS * size.step_tokens * np.array([1, 1, 1, 1, 2]) / times[:, 0]
    cpu = times[0, 1] / times[1, 1]
    two = ", ".join(f"{speed:,.0f}" for speed in speeds[2:])
    print(
        f"| {size.name} | {precision} | {speeds[0]:,.0f}, {speeds[1]:,.0f} | {cpu:.2f} | {two} | "
        f"{speeds[3] / speeds[2]:.2f} | {LARGE / speeds[3] / 3600:.1f} |",
        flush=True,
    )
    return int(cpu < GOAL)


def _timed(work: Callable[[], None]) -> tuple[float, float]:
    """Return the seconds of the clock and of the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def _bare(size: ProxySize, stream: NDArray[np.uint16], precision: Precision, threads: int) -> None:
    # Late: torch.
    import torch

    from tamis.analytics.effect.proxy_model import ProxyModel

    torch.set_num_threads(threads)
    model = ProxyModel(size, seed=0)
    optimiser = torch.optim.AdamW(model.parameters(), lr=size.rate, fused=True)
    batch = torch.from_numpy(stream[: size.step_tokens].astype(np.int64)).view(size.batch, size.context)
    for _ in range(STEPS):
        logits = model(batch, getattr(torch, precision))
        torch.nn.functional.cross_entropy(logits.view(-1, logits.shape[-1]), batch.view(-1)).backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
