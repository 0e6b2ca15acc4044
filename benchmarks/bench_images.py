"""Pictures per second of the step ``pictures`` beside decoding with Pillow alone, in one run: ``benchmarks images``.

The pictures are photographs of scikit-learn, cut, with grain, saved as JPEG; after ``DISTINCT`` of a size they are
links to earlier ones. ``--mixture N`` measures N of all sizes in one folder, once: six of ten are small, one is large.
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
SHARES = (0.6, 0.3, 0.1)
ROUNDS = 3
DISTINCT = 100


def write_pictures(folder: Path, count: int, size: tuple[int, int]) -> None:
    """Write photographs of one size, the first ``DISTINCT`` of them different."""
    photographs = [Image.fromarray(each) for each in load_sample_images().images]
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{size[0]}-{{:06d}}.jpg"
    for number in range(min(count, DISTINCT)):
        left, top = (int(each) for each in rng.integers(0, 100, 2))
        part = photographs[number % 2].crop((left, top, left + 500, top + 320)).resize(size, Image.Resampling.BICUBIC)
        grain = rng.normal(0, 3, (size[1], size[0], 1))
        pixels = np.clip(np.asarray(part) + grain, 0, 255).astype(np.uint8)
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "JPEG", quality=88)
        (folder / name.format(number)).write_bytes(out.getvalue())
    for number in range(DISTINCT, count):
        (folder / name.format(number)).hardlink_to(folder / name.format(number % DISTINCT))


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


def line(name: str, place: Path, threads: int, rounds: int) -> str:
    """Return a line of the table, decoding and measuring in turns."""
    files = [path.stat().st_size for path in place.iterdir()]
    decoding, measuring = partial(decode_all, place), partial(measure_all, place, threads)
    taken = [(seconds(decoding), seconds(measuring)) for _ in range(rounds)]
    (wall, alone), (wall_of_all, spent) = (min(pair[at] for pair in taken) for at in (0, 1))
    peak, count = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10, len(files)
    return (
        f"| {name} | {sum(files) / count / 1024:.0f} KiB | {count / alone:,.0f} | {count / spent:,.0f} | "
        f"{alone / spent:.2f} | {count / wall:,.0f} | {count / wall_of_all:,.0f} | {peak:,} MiB |"
    )


def lines(count: int, mixture: int, threads: int) -> Iterator[str]:
    """Yield a line of the table for each size, and of the mixture."""
    with tempfile.TemporaryDirectory() as held:
        compiled = Path(held) / "few"
        write_pictures(compiled, 8, SIZES[0])
        measure_all(compiled, threads)
        for size in SIZES if count else ():
            place = Path(held) / str(size[0])
            write_pictures(place, count, size)
            yield line(f"{size[0]} x {size[1]}", place, threads, ROUNDS)
        if mixture:
            place = Path(held) / "mixture"
            for size, share in zip(SIZES, SHARES, strict=True):
                write_pictures(place, round(share * mixture), size)
            yield line(f"{mixture:,} of all three", place, threads, 1)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=400, help="number of pictures per size, 0 for none")
    parser.add_argument("--mixture", type=int, default=0, help="number of pictures of all sizes together")
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    print("| pictures | mean file | decoded per processor second | all per processor second | ratio | "
          "decoded per second | all per second | memory at its peak |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|")
    for row in lines(chosen.pictures, chosen.mixture, chosen.threads):
        print(row, flush=True)


if __name__ == "__main__":
    main()
