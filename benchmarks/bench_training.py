"""The plan of training and its tokens at several sizes: seconds, processor seconds, peak memory of each part.

    python -m benchmarks.bench_training --texts FILE [--rows 100000 1000000] [--scratch FOLDER]

Texts are the column ``text`` of a Parquet file, for example that of ``benchmarks.short_texts``. The corpus is analysed
as far as training needs it, which is not counted; then the plan is made, the tokens, the packing, and all samples and
their index are read once as a writer reads them. Each size runs in a fresh process. Memory is what the process itself
holds (RssAnon of Linux, sampled); mapped files are the system's.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).parents[1]
PROGRAM = """
import json, resource, sys, threading, time
from pathlib import Path
import numpy as np
from tamis.analytics.duplicates.exact import exact_step
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.signals.tokens import tokens_step
from tamis.analytics.steps.corpus_columns import columns_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.study.study import Study
from tamis.analytics.training.built import build
from tamis.analytics.training.plan import TrainingPlan
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

corpus = open_corpus(Path(sys.argv[1]))
steps = (documents_step(), columns_step(corpus), tokens_step(), exact_step())
steps = (*steps, facts_step(steps))
if sys.argv[3] == "analyse":
    Study.open(corpus, Workspace(Path(sys.argv[2])), steps=steps)
    sys.exit()
study = Study.open(corpus, Workspace(Path(sys.argv[2])), steps=steps)
recipe = Recipe().with_operator("exact_dedup")
recipe = recipe.with_operator("curriculum", order="warm-up then random", difficulty="n_tokens")
recipe = recipe.with_operator("split", together=["same text"]).with_operator("expand", epochs=2)
recipe = recipe.with_operator("pack", length=2048)
recipe = recipe.with_operator("batches", size=64, mode="mixture", difficulty="n_tokens")
peak = [0]

def anon():
    text = open("/proc/self/status").read()
    return int(text.split("RssAnon:")[1].split()[0]) // 1024

def watch():
    while True:
        peak[0] = max(peak[0], anon())
        time.sleep(0.02)

threading.Thread(target=watch, daemon=True).start()
usage = lambda: sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
found = []

def part(name, do):
    peak[0] = before = anon()
    wall, cpu = time.perf_counter(), usage()
    value = do()
    found.append((name, time.perf_counter() - wall, usage() - cpu, max(peak[0], anon()), before))
    return value

outcome = part("what the recipe keeps", lambda: study.evaluate(recipe))
part("plan, the first time in a process", lambda: TrainingPlan.make(study, outcome))
plan = part("plan", lambda: TrainingPlan.make(study, outcome))
part("its digest", lambda: plan.digest)
whole = part("tokens and packing", lambda: build(plan))
part("the same again, tokens known", lambda: build(plan))
part("all samples", lambda: sum(batch.num_rows for data in whole.data.values() for batch in data.batches()))
def index():
    return sum(data.pieces(at, min(at + 4096, data.samples)).num_rows
               for data in whole.data.values() for at in range(0, data.samples, 4096))
part("their index", index)
train = whole.splits["train"]
middle = len(train.batches) // 2
type(train.batches).step(train.batches, 0)
part("step k alone", lambda: train.batches.step(middle))
summary = train.summary
print(json.dumps([found, summary.items, summary.tokens, summary.samples, summary.padding]))
"""


def main() -> None:
    """Measure every size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path, required=True, help="a Parquet file with a column text")
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    for rows in options.rows:
        with tempfile.TemporaryDirectory(prefix="tamis-", dir=options.scratch) as folder:
            path = Path(folder) / "corpus.parquet"
            texts = pq.read_table(options.texts, columns=["text"]).column(0).slice(0, rows)
            pq.write_table(pa.table({"text": texts}), path, row_group_size=50_000)
            del texts
            command = [sys.executable, "-c", PROGRAM, str(path), str(Path(folder) / "home")]
            subprocess.run([*command, "analyse"], cwd=ROOT, check=True)
            done = subprocess.run([*command, "measure"], cwd=ROOT, check=True, capture_output=True, text=True)
        parts, items, tokens, samples, padding = json.loads(done.stdout.splitlines()[-1])
        packed = f"{items:,} items of train, {tokens:,} tokens, {samples:,} sequences, {padding:.3%} padding"
        print(f"\n{rows:,} documents: {packed}\n")
        print("| part | seconds | CPU seconds | peak memory, MB | before it, MB |")
        print("|---|---|---|---|---|")
        for name, wall, cpu, peak, before in parts:
            print(f"| {name} | {wall:.2f} | {cpu:.2f} | {peak:,} | {before:,} |", flush=True)


if __name__ == "__main__":
    main()
