"""Pictures per second of the step ``pictures`` beside decoding with Pillow alone, in one run: ``benchmarks images``.

The pictures are photographs of scikit-learn, cut, turned and saved as JPEG, so that no two are equal.
"""

from __future__ import annotations

import argparse
import io
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

from tamis.analytics.signals.pictures_step import pictures_step
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.pipeline import analyze
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

SIZES = ((500, 375), (1024, 768), (1600, 1200))
ROUNDS = 3


def write_pictures(folder: Path, count: int, size: tuple[int, int]) -> None:
    """Write different photographs of one size."""
    photographs = [Image.fromarray(each) for each in load_sample_images().images]
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for number in range(count):
        left, top = (int(each) for each in rng.integers(0, 100, 2))
        part = photographs[number % 2].crop((left, top, left + 500, top + 320)).resize(size, Image.Resampling.BICUBIC)
        grain = rng.normal(0, 3, (size[1], size[0], 1))
        pixels = np.clip(np.asarray(part) + grain, 0, 255).astype(np.uint8)
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "JPEG", quality=88)
        (folder / f"{number:06d}.jpg").write_bytes(out.getvalue())


def decode_all(folder: Path) -> None:
    """Decode every picture with Pillow alone."""
    for path in sorted(folder.iterdir()):
        with Image.open(io.BytesIO(path.read_bytes())) as image:
            image.load()


def measure_all(folder: Path, threads: int) -> None:
    """Run the steps ``pictures`` and ``documents`` in an empty workspace."""
    with tempfile.TemporaryDirectory() as home:
        corpus = open_corpus(folder)
        analyze(corpus, Workspace(Path(home)), steps=(pictures_step(corpus, threads=threads), documents_step(corpus)))


def seconds(work: Callable[[], None]) -> tuple[float, float]:
    """Return the wall and processor seconds of some work."""
    wall, spent = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - spent


def rows(count: int, threads: int) -> Iterator[str]:
    """Yield a line of the table for each size, decoding and measuring in turns."""
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "pictures"
            write_pictures(place, count, size)
            measure_all(place, threads)
            decoding, measuring = partial(decode_all, place), partial(measure_all, place, threads)
            taken = [(seconds(decoding), seconds(measuring)) for _ in range(ROUNDS)]
            (wall, alone), (wall_of_all, spent) = (min(pair[at] for pair in taken) for at in (0, 1))
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
            mean = sum(path.stat().st_size for path in place.iterdir()) / count / 1024
            yield (
                f"| {size[0]} x {size[1]} | {mean:.0f} KiB | {count / alone:,.0f} | {count / spent:,.0f} | "
                f"{alone / spent:.2f} | {count / wall:,.0f} | {count / wall_of_all:,.0f} | {peak:,} MiB |"
            )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=400, help="number of pictures per size")
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    print("| pictures | mean file | decoded per processor second | all per processor second | ratio | "
          "decoded per second | all per second | memory at its peak |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|")
    for row in rows(chosen.pictures, chosen.threads):
        print(row, flush=True)


if __name__ == "__main__":
    main()
