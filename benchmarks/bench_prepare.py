"""One recipe into every format of training data, each read back by its own library; seconds, megabytes, peak memory.

    python -m benchmarks.bench_prepare [FILE.parquet ...] [--documents 100000] [--shard-mb 16] [--once]

The recipe has a filter, near-duplicates, a mixture, a curriculum, a split, best-fit packing and batches. Each format is
written by a process of its own from one analysis, a second time with the same and a third time with other shards;
then one format on one and on two threads and on Ray, each from an analysis of its own. Compared are: every byte of the
second run, the digest of the samples of all runs, and that digest with what the libraries read. Without files the texts
are paragraphs of the demo corpus.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import training_loaders

from tamis.analytics.handover.prepared import Prepared
from tamis.analytics.training.writers import WRITERS
from tamis.data.demo import build_demo

RECIPE = """
schema_version: 1
title: Benchmark of training data
steps:
  - {{id: filter, operator: signal_range, params: {{signal: n_words, min: 5}}}}
  - {{id: near, operator: near_dedup, params: {{threshold: 0.8}}}}
  - {{id: mixture, operator: mixture, params: {{by: {by}, alpha: 0.7, max_copies: 4, share: 1.0}}}}
  - {{id: order, operator: curriculum, params: {{order: warm-up then random, difficulty: n_words}}}}
  - {{id: split, operator: split, params: {{validation: 0.02, test: 0.01}}}}
  - {{id: expand, operator: expand, params: {{order: recipe order}}}}
  - {{id: pack, operator: pack, params: {{length: 1024, tokenizer: minilm-wordpiece}}}}
  - {{id: batches, operator: batches, params: {{size: 256, mode: mixture, by: {by}}}}}
"""


@dataclass(frozen=True)
class Measured:
    """One run of the command.

    Attributes:
        prepared: what it made.
        seconds, cpu: wall and processor.
        peak: most megabytes of memory.
    """

    prepared: Prepared
    seconds: float
    cpu: float
    peak: float

    @property
    def megabytes(self) -> float:
        """Return the size of the files of samples."""
        return sum(file.bytes for file in self.prepared.files if "/" in file.name and "index/" not in file.name) / 1e6


def write_corpus(files: Sequence[Path], documents: int, out: Path) -> None:
    """Write so many texts with a source into one file."""
    if not files:
        demo = build_demo(out.with_name("demo"))
        files = sorted(demo.rglob("*.parquet"))
    tables, left = [], documents
    for file in files:
        table = pq.read_table(file).slice(0, left)
        source = next((name for name in ("section", "source", "lang") if name in table.column_names), None)
        values = pa.array([file.stem] * table.num_rows) if source is None else table.column(source).cast(pa.string())
        tables.append(pa.table({"text": table.column("text").cast(pa.string()), "source": values}))
        left -= table.num_rows
        if not left:
            break
    pq.write_table(pa.concat_tables(tables), out)


def prepare(
    recipe: Path,
    corpus: Path,
    out: Path,
    form: str,
    home: Path,
    *,
    shard_mb: int,
    threads: int = 2,
    engine: str = "local",
) -> Measured:
    """Run ``tamis prepare`` in a process of its own."""
    command = [sys.executable, "-m", "tamis.app.cli.main", "prepare", str(recipe), str(corpus), "-o", str(out)]
    command += ["--as", form, "--shard-mb", str(shard_mb), "--engine", engine, "--source", "source"]
    limits = dict.fromkeys((f"{name}_NUM_THREADS" for name in ("NUMBA", "OMP", "RAYON")), str(threads))
    environment, log = {**os.environ, **limits, "TAMIS_HOME": str(home)}, out.with_name("log.txt")
    begun = time.perf_counter()
    with log.open("w") as file:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=file)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{form} ended with {process.returncode}: {log.read_text()[-2000:]}")
    seconds = time.perf_counter() - begun
    return Measured(Prepared.open(out), seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e3)


def read_back(form: str, out: Path, home: Path) -> Mapping[str, Any]:
    """Return what the library of a format reads, see ``training_loaders``."""
    environment = {**os.environ, "HF_HOME": str(home / "hf"), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-W", "ignore", training_loaders.__file__, form, str(out)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: Mapping[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def compare(form: str, measured: Measured, found: Mapping[str, Any]) -> None:
    """Stop unless a library read exactly what was written."""
    written = measured.prepared
    for way, read in found.items():
        assert read["content"] == written.content, (form, way)
        assert read["tokens"] == {each.split: each.tokens for each in written.splits}, (form, way)
        assert read["samples"] == {each.split: each.samples for each in written.splits}, (form, way)


def checksums(prepared: Prepared) -> dict[str, str]:
    """Return the sha256 of every file by name."""
    return {file.name: file.sha256 for file in prepared.files}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, compare, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--shard-mb", type=int, default=16)
    parser.add_argument("--format", action="append", choices=[writer.name for writer in WRITERS])
    parser.add_argument("--home", type=Path, help="a workspace with an analysis; it is written to")
    parser.add_argument("--once", action="store_true", help="write and read each format once, compare no further runs")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="prepare-") as folder:
        run(Path(folder), chosen)


def run(root: Path, chosen: argparse.Namespace) -> None:
    """Do everything in a folder."""
    corpus, recipe, home = root / "texts.parquet", root / "recipe.yaml", chosen.home or root / "home"
    write_corpus(chosen.files, chosen.documents, corpus)
    recipe.write_text(RECIPE.format(by="source"))
    forms = chosen.format or [writer.name for writer in WRITERS]
    first = prepare(recipe, corpus, root / "first", "jsonl.zst", home, shard_mb=chosen.shard_mb)
    print(f"analysis, plan and one format: {first.seconds:.1f} s, peak {first.peak:,.0f} MB; {first.prepared}\n")
    print(f"plan: {first.prepared.summary}\n")
    print("| format | s | CPU s | MB | shards | peak MB | read back | s to read |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | --- | ---: |", flush=True)
    for form in forms:
        out = root / f"out-{form}"
        made = prepare(recipe, corpus, out, form, home, shard_mb=chosen.shard_mb)
        assert made.prepared.content == first.prepared.content, form
        begun = time.perf_counter()
        found = read_back(form, out, root)
        compare(form, made, found)
        reading = time.perf_counter() - begun
        shards = sum(each.shards for each in made.prepared.splits)
        print(
            f"| {form} | {made.seconds:.1f} | {made.cpu:.1f} | {made.megabytes:.1f} | {shards} | {made.peak:,.0f} |"
            f" {', '.join(found)} equal | {reading:.1f} |",
            flush=True,
        )
        if not chosen.once:
            again = prepare(recipe, corpus, root / "again", form, home, shard_mb=chosen.shard_mb)
            assert checksums(again.prepared) == checksums(made.prepared), form
            other = prepare(recipe, corpus, root / "other", form, home, shard_mb=max(1, chosen.shard_mb // 5))
            assert other.prepared.content == made.prepared.content, form
        subprocess.run(["rm", "-rf", str(out), str(root / "again"), str(root / "other")], check=True)
    if not chosen.once:
        print("\nsecond run: every file equal; smaller shards: content equal", flush=True)
        elsewhere(root, corpus, recipe, first, chosen.shard_mb)


def elsewhere(root: Path, corpus: Path, recipe: Path, first: Measured, shard_mb: int) -> None:
    """Write one format on one and two threads and on Ray, each from an analysis of its own; all files must be equal."""
    for name, threads, engine in (("one thread", 1, "local"), ("two threads", 2, "local"), ("Ray", 2, "ray")):
        out, home = root / "elsewhere", root / "home-elsewhere"
        made = prepare(recipe, corpus, out, "jsonl.zst", home, shard_mb=shard_mb, threads=threads, engine=engine)
        assert checksums(made.prepared) == checksums(first.prepared), name
        print(f"{name}, fresh analysis: every file equal, {made.seconds:.1f} s", flush=True)
        subprocess.run(["rm", "-rf", str(out), str(home)], check=True)


if __name__ == "__main__":
    main()
