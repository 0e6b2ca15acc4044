"""Facts of a corpus that does not exist: for benches, tests and trying pages at any size.

Every value is a keyed hash of (seed, column, document number), so the same call gives the same table anywhere.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.facts.column_info import ColumnInfo, describe
from tamis.analytics.facts.facts import Facts
from tamis.data.hashing import digest, mix_keys, uniform

SOURCES = 40
CLUSTERS = 120
LANGUAGES = ("en", "de", "fr", "es", "zh", "ru", "pt", "ja")
VERSION = 1


def synthetic_facts(n: int, seed: int = 0, *, threads: int | None = None) -> Facts:
    """Return facts of ``n`` invented documents: skewed sources, clusters on a map, duplicates, signals with NULLs."""
    origin = digest({"synthetic": VERSION, "n": n, "seed": seed})
    infos = {name: replace(describe(name, pa.float32()), origin=origin) for name in ("cluster", "x", "y")}
    infos["meta_year"] = ColumnInfo("meta_year", "integer", "Year", role="meta", help="Year the corpus states.")
    return Facts.from_table(
        synthetic_table(n, seed), digest=origin, columns=infos, corpus=origin, errors=n // 1000, threads=threads
    )


def synthetic_table(n: int, seed: int = 0) -> pa.Table:
    """Return the invented facts as an Arrow table sorted by id."""
    draw = _Draws(n, seed)
    cluster, x, y = _map(draw)
    group, count = _groups(draw, share=0.12)
    raw, _ = _groups(draw, share=0.08)
    n_words = np.exp(draw.normal("words") * 0.9 + 5.0).astype(np.int32) + 1
    tokens = (n_words * (1.25 + 0.2 * draw.uniform("tokens"))).astype(np.int32)
    columns: dict[str, pa.Array] = {
        "id": draw.ids,
        "source": _names(draw, "source", [f"source-{k:02d}" for k in range(SOURCES)], skew=2.0),
        "label": _names(draw, "label", ["reference", "guide", "news", "forum"], skew=1.0),
        "lang": _names(draw, "lang", list(LANGUAGES), skew=3.0),
        "lang_confidence": pa.array((1 - 0.5 * draw.uniform("conf") ** 4).astype(np.float32)),
        "bytes": pa.array((n_words * 6.1).astype(np.int64)),
        "n_tokens": pa.array(tokens),
        "n_words": pa.array(n_words),
        "mean_word_length": _nullable(draw, "mwl", 5 + draw.normal("mwl") * 0.8),
        "symbol_word_ratio": _nullable(draw, "swr", draw.uniform("swr") ** 6),
        "alpha_word_share": _nullable(draw, "aws", 1 - draw.uniform("aws") ** 5),
        "stop_words": pa.array((draw.uniform("stop") * 9).astype(np.int32)),
        "bullet_line_share": _nullable(draw, "bls", draw.uniform("bls") ** 8),
        "ellipsis_line_share": _nullable(draw, "els", draw.uniform("els") ** 12),
        "duplicate_line_share": _nullable(draw, "dls", draw.uniform("dls") ** 4),
        "duplicate_5gram_share": _nullable(draw, "d5g", draw.uniform("d5g") ** 5),
        "top_2gram_share": _nullable(draw, "t2g", draw.uniform("t2g") ** 3 * 0.5),
        "digit_share": _nullable(draw, "dig", draw.uniform("dig") ** 5),
        "upper_share": _nullable(draw, "upp", draw.uniform("upp") ** 4),
        "compression_ratio": _nullable(draw, "cmp", 1.5 + np.abs(draw.normal("cmp"))),
        "unigram_entropy": _nullable(draw, "ent", 5 + draw.normal("ent")),
        "text_group": pa.array(raw),
        "norm_group": pa.array(group),
        "norm_count": pa.array(count),
        "cluster": pa.array(cluster),
        "x": pa.array(x),
        "y": pa.array(y),
        "outlier": pa.array(np.abs(draw.normal("outlier")).astype(np.float32) * np.float32(0.2)),
        "meta_year": pa.array((1995 + draw.uniform("year") ** 0.5 * 30).astype(np.int32)),
    }
    return pa.table(columns)


class _Draws:
    """Keyed numbers per document, in id order."""

    def __init__(self, n: int, seed: int) -> None:
        self.seed = seed
        names = np.unique(mix_keys(np.arange(n, dtype=np.uint64), seed=seed, salt="id"))
        if len(names) != n:
            raise ValueError("the mixing function is a bijection, so ids are distinct")
        self.numbers = names
        digits = names.astype(">u8").tobytes().hex().encode()
        offsets = np.arange(n + 1, dtype=np.int32) * 16
        self.ids = pa.StringArray.from_buffers(n, pa.py_buffer(offsets.tobytes()), pa.py_buffer(digits))

    def uniform(self, salt: str) -> NDArray[np.float64]:
        """Return float64 (n,) in (0, 1)."""
        return uniform(self.numbers, seed=self.seed, salt=salt)

    def normal(self, salt: str) -> NDArray[np.float64]:
        """Return standard normal float64 (n,) by Box and Muller."""
        radius = np.sqrt(-2 * np.log(self.uniform(salt + "/r")))
        angle = np.cos(2 * np.pi * self.uniform(salt + "/a"))
        return np.asarray(radius * angle, dtype=np.float64)


def _names(draw: _Draws, salt: str, names: list[str], *, skew: float) -> pa.Array:
    codes = (draw.uniform(salt) ** skew * len(names)).astype(np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(names)).cast(pa.string())


def _nullable(draw: _Draws, salt: str, values: NDArray[np.float64]) -> pa.Array:
    absent = draw.uniform(salt + "/null") < 0.005
    return pa.array(values.astype(np.float32), mask=absent)


def _map(draw: _Draws) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    """Return cluster int32 (n,), x and y float32 (n,): round clusters and a haze of unclustered documents."""
    cluster = (draw.uniform("cluster") ** 1.5 * CLUSTERS).astype(np.int32)
    numbers = np.arange(CLUSTERS, dtype=np.uint64)
    place_x = uniform(numbers, seed=draw.seed, salt="centre x") * 20 - 10
    place_y = uniform(numbers, seed=draw.seed, salt="centre y") * 20 - 10
    spread = 0.1 + 0.5 * uniform(numbers, seed=draw.seed, salt="spread")
    x = place_x[cluster] + draw.normal("x") * spread[cluster]
    y = place_y[cluster] + draw.normal("y") * spread[cluster]
    haze = draw.uniform("haze") < 0.2
    x[haze] = draw.uniform("haze x")[haze] * 22 - 11
    y[haze] = draw.uniform("haze y")[haze] * 22 - 11
    cluster[haze] = -1
    return cluster, x.astype(np.float32), y.astype(np.float32)


def _groups(draw: _Draws, *, share: float) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return group int64 (n,), the smallest row of each group or -1, and group size int32 (n,)."""
    n = len(draw.numbers)
    picks = draw.uniform(f"group {share}") < share
    family = (draw.uniform(f"family {share}") ** 3 * max(1, n * share / 4)).astype(np.int64)
    members = np.flatnonzero(picks)
    _, first, inverse, sizes = np.unique(family[members], return_index=True, return_inverse=True, return_counts=True)
    group = np.full(n, -1, dtype=np.int64)
    count = np.ones(n, dtype=np.int32)
    many = sizes[inverse] > 1
    group[members[many]] = members[first[inverse[many]]]
    count[members[many]] = sizes[inverse[many]]
    return group, count
