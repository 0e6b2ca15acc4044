"""Small pictures of a few kinds, a folder a kind: soft waves around a colour of the kind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS: Mapping[str, tuple[int, int, int]] = {
    "fields": (-50, 50, -50), "seas": (-50, -30, 60), "tractors": (60, -40, -40),
}  # fmt: skip


def drawn(seed: int, kind: str) -> Image.Image:
    """Return a picture of a kind, 128 x 96."""
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[0:96, 0:128] / 96
    waves = sum(chance.normal(0, 45) * np.cos(chance.normal(0, 9) * x + chance.normal(0, 9) * y) for _ in range(5))
    pixels = 128 + np.asarray(waves)[:, :, None] + np.array(COLOURS[kind])
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def write_labelled(folder: Path, counts: Mapping[str, int], *, first: int = 0) -> Path:
    """Write so many pictures of each kind as PNG; ``first`` is the seed of the first of a kind, so others follow."""
    for number, kind in enumerate(COLOURS):
        for k in range(first, first + counts.get(kind, 0)):
            path = folder / kind / f"{kind}-{k:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            drawn(1000 * number + k, kind).save(path, compress_level=1)
    return folder
