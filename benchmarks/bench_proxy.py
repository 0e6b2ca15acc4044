"""Proxy training beside a bare torch loop of the same model: ``python -m benchmarks.bench_proxy [SIZE ...]``

Both train on random bytes in one run, in turns, on one thread: the bare loop makes a batch, a loss, its gradient and a
step of AdamW; proxy training also clips, schedules, shuffles and reports. The last column says how long one model needs
for 20 million bytes alone on one processor; two are trained at a time. Sizes that may train in
bfloat16 have a row for each number format.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from tamis.analytics.effect.proxy_plan import SIZES, Precision, ProxyPlan, ProxySize
from tamis.analytics.effect.proxy_text import ByteTexts
from tamis.analytics.effect.proxy_training import precision_of, train_proxy

ROUNDS = 3
STEPS = 32
GOAL = 0.6
LARGE = 20_000_000


def main(names: Sequence[str]) -> int:
    """Print the tables; return how many sizes miss the goal."""
    print("| size | number format | bare loop, bytes/s | proxy, bytes/s | share | CPU share | hours for 20 MB |")
    print("|---|---|---|---|---|---|---|")
    failed = 0
    for name in names or ("0.5M", "2M", "8M"):
        size = SIZES[name]
        for precision in dict.fromkeys(("float32", precision_of(size, "cpu"))):
            failed += _row(size, precision)  # type: ignore[arg-type]
    return failed


def _row(size: ProxySize, precision: Precision) -> int:
    plan = ProxyPlan(size.name, STEPS * size.step_tokens, 1, ())
    stream = np.random.default_rng(0).integers(0, 256, plan.tokens + 1).astype(np.uint16)
    nothing = ByteTexts.of(pa.array(["a"], pa.large_string()))

    def ours() -> None:
        train_proxy(plan, stream, nothing, nothing, seed=0, precision=precision)

    def bare() -> None:
        _bare(size, stream, precision)

    bare()
    times = [(_timed(bare), _timed(ours)) for _ in range(ROUNDS)]
    wall, cpu = (np.array([[part[kind] for part in pair] for pair in times]).min(axis=0) for kind in (0, 1))
    speeds = plan.read / wall
    print(
        f"| {size.name} | {precision} | {speeds[0]:,.0f} | {speeds[1]:,.0f} | {wall[0] / wall[1]:.2f} | "
        f"{cpu[0] / cpu[1]:.2f} | {LARGE / speeds[1] / 3600:.1f} |",
        flush=True,
    )
    return int(cpu[0] / cpu[1] < GOAL)


def _timed(work: Callable[[], None]) -> tuple[float, float]:
    """Return the seconds of the clock and of the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def _bare(size: ProxySize, stream: np.ndarray, precision: Precision) -> None:
    # Late: torch.
    import torch

    from tamis.analytics.effect.proxy_model import ByteModel

    torch.set_num_threads(1)
    model = ByteModel(size, seed=0)
    optimiser = torch.optim.AdamW(model.parameters(), lr=size.rate, fused=True)
    batch = torch.from_numpy(stream[: size.step_tokens].astype(np.int64)).view(size.batch, size.context)
    for _ in range(STEPS):
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            logits = model(batch)
        torch.nn.functional.cross_entropy(logits.float().view(-1, logits.shape[-1]), batch.view(-1)).backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
