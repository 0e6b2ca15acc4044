"""Token counts with other vocabularies beside the batch call of their own library: documents a second, equal counts.

    python -m benchmarks.bench_tokenizers [--texts FILE] [--rows 100000] [--turns 2] [--pieces 60000] [VOCABULARY ...]

A ``VOCABULARY`` is a ``tokenizer.json`` or a ``.tiktoken`` file. Without one, a byte-level vocabulary is trained on
every tenth text and written as both. Texts are those of the demo corpus or the column ``text`` of a Parquet file: as
they are, then joined to about 1,600 characters, a tenth as many. Both sides read the same batches, one after the
other, each time from an empty table of chunks; loading the vocabulary is not counted. A row is the least of its turns,
with the processor seconds of all threads.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Split
from tokenizers.pre_tokenizers import Sequence as InOrder
from tokenizers.trainers import BpeTrainer
from vocabularies import write_ranks

from benchmarks.bench_chunks import joined, texts
from tamis.analytics.signals.rank_file import SUFFIX, encoding_of, rank_encoding
from tamis.analytics.signals.token_counter import TokenCounter
from tamis.analytics.signals.token_encoders import load_encoder
from tamis.analytics.text.token_cuts import PATTERNS
from tamis.data.demo import build_demo

BATCH = 8_192
Counting = Callable[[list[pa.Array]], NDArray[np.int64]]


def train(found: list[str], pieces: int, folder: Path) -> list[Path]:
    """Write a vocabulary of the texts as ``tokenizer.json`` and as a file of tiktoken."""
    tokenizer = Tokenizer(BPE(ignore_merges=True))
    split = Split(Regex(PATTERNS["cl100k"]), "isolated")
    tokenizer.pre_tokenizer = InOrder([split, ByteLevel(add_prefix_space=False, use_regex=False)])
    alphabet = ByteLevel.alphabet()
    tokenizer.train_from_iterator(found, BpeTrainer(vocab_size=pieces, initial_alphabet=alphabet, show_progress=False))
    both = folder / "tokenizer.json", folder / f"cl100k_base-trained{SUFFIX}"
    tokenizer.save(str(both[0]))
    write_ranks(tokenizer, both[1])
    return list(both)


def by_chunk(path: Path) -> Counting:
    """Return how we count, from an empty table."""
    counter, threads = TokenCounter(*load_encoder(path)), os.cpu_count() or 1
    return lambda batches: np.concatenate(
        [counter.counts(batch, threads=threads)[:, :2].sum(axis=1) for batch in batches]
    )


def by_library(path: Path) -> Counting:
    """Return how the library counts a batch."""
    name = encoding_of(path)
    if name is None:
        encode = partial(Tokenizer.from_file(str(path)).encode_batch_fast, add_special_tokens=False)
    else:
        encode = partial(rank_encoding(path, name).encode_ordinary_batch, num_threads=os.cpu_count() or 1)
    return lambda batches: np.array([len(one) for batch in batches for one in encode(batch.to_pylist())])


def rows(path: Path, batches: list[pa.Array], turns: int) -> Iterator[str]:
    """Yield the row of a vocabulary for some texts."""
    best = {"library": (float("inf"),) * 2, "ours": (float("inf"),) * 2}
    counts: dict[str, NDArray[np.int64]] = {}
    for _ in range(turns):
        for side, make in (("library", by_library), ("ours", by_chunk)):
            counting = make(path)
            counting([pa.array(["So that compiling is not measured."], pa.large_string())])
            wall, cpu = time.perf_counter(), time.process_time()
            counts[side] = counting(batches)
            spent = time.perf_counter() - wall, time.process_time() - cpu
            best[side] = min(best[side][0], spent[0]), min(best[side][1], spent[1])
    n = len(counts["ours"])
    equal = int((counts["ours"] == counts["library"]).sum())
    rates = (f"{n / best[side][0]:,.0f} | {best[side][1]:.2f}" for side in ("library", "ours"))
    ratios = (f"{best['library'][k] / best['ours'][k]:.1f}" for k in (0, 1))
    yield f"| {path.name} | {' | '.join(rates)} | {' | '.join(ratios)} | {equal:,} of {n:,} |"


def batched(found: Sequence[str]) -> list[pa.Array]:
    """Return texts in batches."""
    return [pa.array(found[first : first + BATCH], pa.large_string()) for first in range(0, len(found), BATCH)]


def main() -> None:
    """Print one table for both corpora."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vocabularies", nargs="*", type=Path)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--pieces", type=int, default=60_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = given.texts
        if file is None:
            build_demo(Path(folder) / "demo")
            file = next((Path(folder) / "demo").rglob("*.parquet"))
        short = list(islice(texts(file), given.rows))
        long = list(islice(joined(texts(file)), given.rows // 10))
        vocabularies = given.vocabularies or train(short[::10], given.pieces, Path(folder))
        heads = ["texts", "vocabulary", "library documents/s", "CPU s", "documents/s", "CPU s"]
        heads += ["times", "times by CPU", "equal counts"]
        print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}", flush=True)
        for found in (short, long):
            size = sum(len(text.encode()) for text in found) // len(found)
            for path in vocabularies:
                for row in rows(path, batched(found), given.turns):
                    print(f"| {len(found):,} of {size:,} bytes {row}", flush=True)


if __name__ == "__main__":
    main()
