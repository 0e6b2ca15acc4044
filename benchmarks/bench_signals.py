"""Signals: documents per second of one core, and the same for datatrove and data-juicer on the same texts.

    python -m benchmarks.bench_signals [--data FOLDER] [--peers] [--documents 20000]

FOLDER (or TAMIS_BENCH_DATA) may hold ``debian_descriptions_en.parquet``; otherwise docstrings of this Python are
used. Documents are joined to about 1.4 kB. ``--peers`` makes environments with the other tools under the cache folder
the first time and runs them on the first 1,000 documents. All figures are CPU seconds of one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import tempfile
import time
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tamis.analytics.recipe.presets import RULE_SETS
from tamis.analytics.signals import token_counter
from tamis.analytics.signals.language import detect, language_reader
from tamis.analytics.signals.measure import FAMILIES, RULE_SET_FAMILIES, measure
from tamis.analytics.signals.signal import SIGNALS
from tamis.analytics.signals.tokens import count_tokens
from tamis.analytics.text import conventions
from tamis.analytics.text.conventions import SPACY

HERE = Path(__file__).parent
SIZE = 1400
PEERS = {
    "datatrove": ("datatrove==0.10.1", "spacy==3.8.18", "regex", "pyarrow"),
    "data-juicer": ("py-data-juicer==1.6.1", "aiohttp", "pyarrow"),
}
PEER_DOCUMENTS = 1_000
GOAL = 2_500


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        tool: who.
        what: which work.
        rate: documents per CPU second of one core.
    """

    tool: str
    what: str
    rate: float


def documents(folder: str, count: int) -> list[str]:
    """Return distinct documents of about 1.4 kB, made by joining consecutive shorter ones."""
    path = Path(folder) / "debian_descriptions_en.parquet"
    if folder and path.is_file():
        pieces = pq.read_table(path, columns=["text"]).column("text").to_pylist()
    else:
        from docstrings import docstrings

        packages = ("email", "logging", "json", "asyncio", "concurrent", "unittest", "http", "xml", "importlib")
        pieces = [text for text in docstrings(packages).column("text").to_pylist() if text]
    made: list[str] = []
    current = ""
    for number in range(10**9):
        current += ("\n\n" if current else "") + pieces[number % len(pieces)]
        if len(current) >= SIZE:
            made.append(current[: SIZE + 400])
            current = ""
        if len(made) == count:
            return made
    return made


def timed(work: Callable[[], object]) -> float:
    """Return the CPU seconds of the second of two runs: the first compiles and fills tables."""
    work()
    started = time.process_time()
    work()
    return time.process_time() - started


def ours(texts: pa.Array) -> list[Row]:
    """Measure our own work."""
    rules = [signal.name for family in RULE_SET_FAMILIES for signal in family.signals]
    gopher = sorted(
        {
            name
            for key in ("gopher-quality", "gopher-repetition", "c4", "fineweb-quality")
            for name in RULE_SETS[key].signals
        }
    )
    spacy = [signal.name for family in FAMILIES for signal in family.signals if signal.package == SPACY.package]
    work: dict[str, Callable[[], object]] = {
        f"all {len(rules)} rule-set signals": lambda: measure(texts, rules),
        f"the {len(gopher)} signals of the 4 filters": lambda: measure(texts, gopher),
        f"all {len(SIGNALS.names())} signals of the pass": lambda: measure(texts),
        "language, table filled": lambda: detect(texts),
        "tokens (MiniLM WordPiece), table filled": lambda: count_tokens(texts),
    }
    if SPACY.available:
        work[f"{len(spacy)} signals on spaCy's words, table filled"] = lambda: measure(texts, spacy)
    rows = [Row("tamis", what, len(texts) / timed(run)) for what, run in work.items()]
    empty: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "language, table empty": (_forget_languages, lambda: detect(texts)),
        "tokens (MiniLM WordPiece), table empty": (_forget_tokens, lambda: count_tokens(texts)),
    }
    if SPACY.available:
        name = f"{len(spacy)} signals on spaCy's words, table empty"
        empty[name] = conventions._spacy_segmenter.cache_clear, lambda: measure(texts, spacy)
    return [*rows, *(Row("tamis", what, len(texts) / _cold(*pair)) for what, pair in empty.items())]


def _cold(forget: Callable[[], object], work: Callable[[], object]) -> float:
    """Return the CPU seconds of a run that has to fill its table of chunks."""
    forget()
    started = time.process_time()
    work()
    return time.process_time() - started


def _forget_languages() -> None:
    language_reader.cache_clear()
    language_reader()


def _forget_tokens() -> None:
    token_counter._load.cache_clear()
    count_tokens(pa.array(["x"]))


def peer_python(tool: str) -> Path:
    """Return the Python of a tool's environment, made the first time."""
    home = Path(os.environ.get("TAMIS_BENCH_PEERS") or Path.home() / ".cache" / "tamis-bench-peers") / tool
    python = home / "bin" / "python"
    if not python.is_file():
        print(f"making {home} with {', '.join(PEERS[tool])}", flush=True)
        venv.create(home, with_pip=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PEERS[tool]], check=True)
    return python


def peers(texts: list[str]) -> list[Row]:
    """Run the other tools on the same documents."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texts.parquet"
        pq.write_table(pa.table({"text": texts}), path)
        for tool in PEERS:
            command = [str(peer_python(tool)), str(HERE / "peers_signals.py"), tool, str(path)]
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}
            )
            if done.returncode:
                print(f"{tool} failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
                continue
            found = json.loads(done.stdout.strip().splitlines()[-1])
            rows.append(Row(tool, found["what"], len(texts) / found["seconds"]))
    return rows


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("TAMIS_BENCH_DATA", ""), help="folder of the test files")
    parser.add_argument("--peers", action="store_true", help="also run datatrove and data-juicer")
    parser.add_argument("--documents", type=int, default=20_000)
    options = parser.parse_args()
    texts = documents(options.data, options.documents)
    size = sum(len(text.encode()) for text in texts) / len(texts)
    rows = ours(pa.array(texts, type=pa.large_string()))
    rows += peers(texts[:PEER_DOCUMENTS]) if options.peers else []
    base = next((row.rate for row in rows if row.tool == "datatrove"), None)
    print(f"\n{len(texts):,} documents of {size:,.0f} bytes, one core; goal {GOAL:,} documents/s for the rule sets\n")
    print("| tool | work | documents/s/core | MB/s | times datatrove |")
    print("|---|---|---|---|---|")
    for row in rows:
        times = f"{row.rate / base:,.1f}" if base else "-"
        print(f"| {row.tool} | {row.what} | {row.rate:,.0f} | {row.rate * size / 1e6:,.1f} | {times} |")
    print(f"\npeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:,.1f} GB")
    return 0 if rows[0].rate >= GOAL else 1


if __name__ == "__main__":
    raise SystemExit(main())
