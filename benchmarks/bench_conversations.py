"""Short conversations beside the same bytes as plain text: documents per CPU second of parts and whole-text signals.

    python -m benchmarks.bench_conversations [--rows 1000000] [--folder FOLDER]

Both corpora are made from random words with a fixed seed. Each is measured by one thread of a process of its own, which
also tells its peak memory; the reading of the files is part of both. The goal is a ratio of at least 0.8.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tamis.analytics.signals.audit import AuditLists, audit_table
from tamis.analytics.signals.measure import measure
from tamis.data.corpus import Corpus
from tamis.data.open_corpus import open_corpus

ROWS = 1_000_000
GROUP = 50_000
GOAL = 0.8
WARM_UP = 2_000


def write_corpora(folder: Path, rows: int) -> None:
    """Write ``rows`` conversations of two to six turns, and their texts joined, as Parquet in row groups."""
    draw = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    vocabulary = np.array(["".join(draw.choice(letters, length)) for length in draw.integers(2, 10, 5000)])
    chat, text = None, None
    for first in range(0, rows, GROUP):
        count = min(GROUP, rows - first)
        turns = 2 * draw.integers(1, 4, count)
        starts = np.concatenate([[0], np.cumsum(turns)])
        said = [" ".join(vocabulary[draw.integers(0, 5000, size)]) for size in draw.integers(3, 25, starts[-1])]
        contents = [f"{each.capitalize()}." for each in said]
        roles = np.where((np.arange(starts[-1]) - np.repeat(starts[:-1], turns)) % 2 == 0, "user", "assistant")
        spoken = pa.StructArray.from_arrays([pa.array(roles), pa.array(contents)], ["role", "content"])
        messages = pa.ListArray.from_arrays(pa.array(starts, pa.int32()), spoken)
        plain = ["\n\n".join(contents[a:b]) for a, b in pairwise(starts)]
        tables = pa.table({"messages": messages}), pa.table({"text": plain})
        chat = chat or pq.ParquetWriter(folder / "chat.parquet", tables[0].schema)
        text = text or pq.ParquetWriter(folder / "text.parquet", tables[1].schema)
        chat.write_table(tables[0])
        text.write_table(tables[1])
    for writer in (chat, text):
        if writer is not None:
            writer.close()


def run(corpus: Corpus) -> dict[str, float]:
    """Measure every document by one thread; return documents, bytes, CPU seconds of signals and audit, peak bytes."""
    lists = AuditLists.packaged()
    found = {"documents": 0.0, "bytes": 0.0, "signals": 0.0, "audit": 0.0}
    for texts in corpus.document_texts(corpus.shards()[0]):
        measure(texts.slice(0, WARM_UP))
        break
    begin = time.process_time()
    for shard in corpus.shards():
        for texts in corpus.document_texts(shard):
            measure(texts)
            found["documents"] += len(texts)
            found["bytes"] += texts.nbytes
    found["signals"] = time.process_time() - begin
    found["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
    if corpus.shape.kind == "text":
        return found
    shard = corpus.shards()[0]
    for audited in (False, True):
        begin, done = time.process_time(), 0
        for parts, _ in corpus.document_parts(shard):
            if audited:
                audit_table(parts, corpus.shape.kind, None, lists)
            done += len(parts)
        found["audit" if audited else "parts"] = (time.process_time() - begin) * found["documents"] / done
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--side", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.side is not None:
        print(json.dumps(run(open_corpus(chosen.side))))
        return
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        write_corpora(Path(folder), chosen.rows)
        sides = {}
        for name in ("text", "chat"):
            command = [sys.executable, "-m", "benchmarks.bench_conversations", "--side", f"{folder}/{name}.parquet"]
            sides[name] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print("| corpus | documents | MB of text | documents/s | peak memory, MB |\n|---|---|---|---|---|")
    for name, side in sides.items():
        rate = side["documents"] / side["signals"]
        said = (side["documents"], side["bytes"] / 1e6, rate, side["peak"] / 1e6)
        print(f"| {name} | {' | '.join(f'{number:,.0f}' for number in said)} |")
    ratio = sides["text"]["signals"] / sides["chat"]["signals"]
    chat = sides["chat"]
    print(f"\nConversations run at {ratio:.2f} times the speed of the same bytes as plain text (goal: {GOAL}).")
    print(f"Parts alone: {chat['documents'] / chat['parts']:,.0f} documents/s; with the audit:"
          f" {chat['documents'] / chat['audit']:,.0f} documents/s.")  # fmt: skip


if __name__ == "__main__":
    main()
