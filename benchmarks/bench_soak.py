"""A thousand drawings of the map: ``python benchmarks/bench_soak.py [--draws 1000] [--documents 20000]``

A session selects other documents and draws the map, again and again. Printed is what the server holds meanwhile:
published assets, Python objects, threads, open files and memory. All must stay flat.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from session_client import Session
from soak import draw, held, served_map

LINES = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve, draw and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--documents", type=int, default=20_000)
    chosen = parser.parse_args(arguments)
    print("| drawings | assets | objects | threads | files | memory MB |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, served_map(Path(folder), chosen.documents) as url:
        session = Session(url, query="corpus=mapped")
        session.open("")
        step = max(1, chosen.draws // LINES)
        for first in range(0, chosen.draws, step):
            draw(session, first, min(step, chosen.draws - first))
            now = held(url)
            print(
                f"| {min(first + step, chosen.draws)} | {now.assets} | {now.objects:,} | {now.threads} | {now.files} |"
                f" {now.memory / 1e6:.0f} |",
                flush=True,
            )
        session.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
