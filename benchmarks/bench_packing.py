"""Packing beside trl's: sequences, padding, documents cut, tokens lost, documents per second, in one run.

    python -m benchmarks.bench_packing --trl PYTHON [--texts FILE ...] [--rows 50000] [--length 2048] [--turns 3]

``PYTHON`` is the interpreter of an environment that has trl (``pip install trl``); without it only ours is measured.
Texts are the column ``text`` of Parquet files, and the Python files of the installed packages as long documents. They
are made into tokens once; every side reads the same tokens and gives packed sequences in memory, copied and not only
planned. The sides take turns, each time in a fresh process that has packed something small before; a row is the least
time of its turns. trl cuts long documents between any two tokens, so best fit is measured in that way too; it packs
batches of 1,000 documents unless it is told otherwise, so it is measured in both ways. Documents per second count wall
time; processor seconds stand beside them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tamis.analytics.text.block import utf8_buffers
from tamis.analytics.training.token_chunks import cut_levels
from tamis.analytics.training.tokenizer import load_tokenizer

ROOT = Path(__file__).parents[1]
OURS = """
import json, resource, sys, time
import numpy as np, pyarrow as pa
from tamis.analytics.training.packing import PARAGRAPH, TOKEN, Window, pack
from tamis.analytics.training.shard_store import copy_runs

path, length, method = sys.argv[1], int(sys.argv[2]), sys.argv[3]
level = {"paragraph": PARAGRAPH, "token": TOKEN}[sys.argv[4]]

def run(table):
    ids, levels = (table.column(name).chunk(0) for name in ("input_ids", "levels"))
    offsets, values = ids.offsets.to_numpy().astype(np.int64), ids.values.to_numpy()
    sizes = np.diff(offsets)
    windows = (
        Window(sizes[at : at + 65536], levels.values.to_numpy(), offsets[:-1][at : at + 65536])
        for at in range(0, len(sizes), 65536)
    )
    packing = pack(windows, length=length, method=method, level=level)
    parts = packing.last - packing.first
    out = np.empty(int(parts.sum()), values.dtype)
    copy_runs(values, offsets[packing.item] + packing.first, parts, out, np.cumsum(parts) - parts)
    borders = np.concatenate([[0], np.cumsum(packing.used)])
    return packing, pa.LargeListArray.from_arrays(pa.array(borders), pa.array(out))

table = pa.ipc.open_file(pa.memory_map(path)).read_all().combine_chunks()
run(table.slice(0, 50).combine_chunks())
usage = lambda: sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
wall, cpu = time.perf_counter(), usage()
packing, rows = run(table)
wall, cpu = time.perf_counter() - wall, usage() - cpu
print(json.dumps({
    "sequences": packing.sequences, "places": int(packing.room.sum()), "tokens": packing.tokens - packing.lost,
    "cut": packing.cut, "wall": wall, "cpu": cpu,
}))
"""
THEIRS = """
import json, resource, sys, time
import numpy as np, pyarrow as pa
from datasets import Dataset, disable_progress_bars
from datasets.table import InMemoryTable
from trl import pack_dataset

disable_progress_bars()
path, length, strategy, batch = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
table = pa.ipc.open_file(pa.memory_map(path)).read_all().select(["input_ids"]).combine_chunks()
run = lambda data: pack_dataset(data, length, strategy, map_kwargs={"batch_size": batch, "load_from_cache_file": False})
run(Dataset(InMemoryTable(table.slice(0, 50).combine_chunks())))
data = Dataset(InMemoryTable(table))
usage = lambda: sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
wall, cpu = time.perf_counter(), usage()
packed = run(data)
wall, cpu = time.perf_counter() - wall, usage() - cpu
sizes = np.diff(table.column("input_ids").chunk(0).offsets.to_numpy().astype(np.int64))
counts = [pa.compute.list_value_length(chunk) for chunk in packed.data["input_ids"].chunks]
held = sum(int(pa.compute.sum(part).as_py()) for part in counts)
if strategy == "wrapped":
    cut = 0
    for at in range(0, len(sizes), batch):
        ends = np.cumsum(sizes[at : at + batch])
        begins = ends - sizes[at : at + batch]
        cut += int((begins // length != (ends - 1) // length).sum())
else:
    cut = int((sizes > length).sum())
print(json.dumps({
    "sequences": len(packed), "places": len(packed) * length, "tokens": held, "cut": cut, "wall": wall, "cpu": cpu,
}))
"""
METHODS = ("best fit", "in order", "concatenate", "bucketed")


def long_texts(most: int) -> Iterator[str]:
    """Yield the Python files of the installed packages and the standard library, by their path."""
    folders = [Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib")]
    files = sorted({path for folder in folders for path in folder.rglob("*.py")}, key=lambda path: path.as_posix())
    found = 0
    for path in files:
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if text.strip() and found < most:
            found += 1
            yield text


def write_tokens(texts: list[str], path: Path, tokenizer: str) -> dict[str, int]:
    """Write ids and levels of texts, a separator after each; return how many documents and tokens there are."""
    own = load_tokenizer(tokenizer)
    end = own.id_of(own.end or "")
    columns: dict[str, list[Any]] = {"input_ids": [], "levels": []}
    for first in range(0, len(texts), 1000):
        part = pa.array(texts[first : first + 1000], pa.large_string())
        encoded = own.encode(part)
        offsets, data = utf8_buffers(part)
        levels = cut_levels(data, offsets, encoded.offsets, encoded.starts)
        borders = pa.array((encoded.offsets + np.arange(len(encoded.offsets))).astype(np.int32))
        for name, values in (("input_ids", np.insert(encoded.ids.astype(np.int32), encoded.offsets[1:], end)),
                             ("levels", np.insert(levels, encoded.offsets[1:], 1))):  # fmt: skip
            columns[name].append(pa.ListArray.from_arrays(borders, pa.array(values)))
    table = pa.table({name: pa.chunked_array(parts) for name, parts in columns.items()}).combine_chunks()
    with pa.ipc.new_file(str(path), table.schema) as out:
        out.write_table(table)
    sizes = pa.compute.list_value_length(table.column("input_ids")).to_numpy()
    return {
        "documents": len(sizes),
        "tokens": int(sizes.sum()),
        "median": int(np.median(sizes)),
        "longest": int(sizes.max()),
    }


def timed(command: list[str]) -> dict[str, float]:
    """Return what a program printed last."""
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measure(path: Path, about: dict[str, int], options: argparse.Namespace) -> None:
    """Print the table of one corpus."""
    ours = [sys.executable, "-c", OURS, str(path), str(options.length)]
    sides = {f"Tamis, {method}": [*ours, method, "paragraph"] for method in METHODS}
    sides["Tamis, best fit, cuts between tokens"] = [*ours, "best fit", "token"]
    if options.trl:
        theirs = [options.trl, "-c", THEIRS, str(path), str(options.length)]
        for strategy in ("bfd", "bfd_split", "wrapped"):
            sides[f"trl, {strategy}"] = [*theirs, strategy, "1000"]
        sides["trl, bfd_split, one batch"] = [*theirs, "bfd_split", str(about["documents"])]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    for _ in range(options.turns):
        for name, command in sides.items():
            found[name].append(timed(command))
    print("| packing | sequences | padding | documents cut | tokens lost | documents/s | CPU s |")
    print("|---|---|---|---|---|---|---|")
    for name, turns in found.items():
        best = min(turns, key=lambda turn: turn["wall"])
        padding, lost = 1 - best["tokens"] / best["places"], about["tokens"] - best["tokens"]
        speed = about["documents"] / best["wall"]
        print(
            f"| {name} | {best['sequences']:,.0f} | {padding:.3%} | {best['cut']:,.0f} | {lost:,.0f} | {speed:,.0f} |"
            f" {best['cpu']:.2f} |",
            flush=True,
        )
    print()


def main() -> None:
    """Measure every corpus."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trl", help="interpreter of an environment with trl")
    parser.add_argument("--texts", nargs="*", type=Path, default=[], help="Parquet files with a column text")
    parser.add_argument("--rows", type=int, default=50_000, help="documents of each corpus, at most")
    parser.add_argument("--length", type=int, default=2048)
    parser.add_argument("--tokenizer", default="minilm-wordpiece")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tamis-") as scratch:
        corpora = {
            path.stem: pq.read_table(path, columns=["text"]).column(0).to_pylist()[: options.rows]
            for path in options.texts
        }
        corpora["Python files"] = list(long_texts(options.rows))
        for name, texts in corpora.items():
            path = Path(scratch) / "tokens.arrow"
            about = write_tokens([text for text in texts if text], path, options.tokenizer)
            words = ", ".join(f"{key} {value:,}" for key, value in about.items())
            print(f"\n{name}: {words} (sequences of {options.length:,}, tokens of {options.tokenizer})\n")
            measure(path, about, options)


if __name__ == "__main__":
    main()
