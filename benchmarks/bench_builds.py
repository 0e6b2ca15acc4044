"""The analysis of one corpus by two builds on the same machine: seconds by step before and after, and what changed.

    python -m benchmarks.bench_builds --former FOLDER PATH [--tier fast] [--rounds 1]

``--former`` is a checkout of the build to compare with. Each build analyses the corpus in a process and a fresh
workspace of its own, in turns; the least of the rounds counts. Processor seconds say more than seconds on a machine
with other work.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent


def analysed(build: Path, path: Path, tier: str) -> dict[str, Any]:
    """Analyse a corpus with a build; return what ``bench_analysis --json`` says."""
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "path" / "tamis"
        package.mkdir(parents=True)
        for room in ("analytics", "app", "data"):
            (package / room).symlink_to(build.resolve() / room)
        out = Path(folder) / "figures.json"
        command = [sys.executable, str(HERE / "benchmarks" / "bench_analysis.py"), str(path)]
        environment = os.environ | {"PYTHONPATH": str(package.parent)}
        subprocess.run(
            [*command, "--tier", tier, "--json", str(out)], env=environment, check=True, stdout=subprocess.DEVNULL
        )
        return dict(json.loads(out.read_text()))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--former", type=Path, required=True)
    parser.add_argument("--tier", default="auto")
    parser.add_argument("--rounds", type=int, default=1)
    chosen = parser.parse_args()
    found: dict[str, list[dict[str, Any]]] = {"before": [], "now": []}
    for _ in range(chosen.rounds):
        for name, build in (("before", chosen.former), ("now", HERE)):
            found[name].append(analysed(build, chosen.path, chosen.tier))
    before, now = (_least(found[name]) for name in ("before", "now"))
    machine = f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} at the end"
    print(f"{now['documents']:,} documents, tier {chosen.tier}, {machine}\n")
    print("| step | s before | s now | processor s before | processor s now | ratio |\n|---|---:|---:|---:|---:|---:|")
    total = [0.0] * 4
    for name in dict.fromkeys([*before["seconds"], *now["seconds"]]):
        row = [*before["seconds"].get(name, (0.0, 0.0)), *now["seconds"].get(name, (0.0, 0.0))]
        total = [a + b for a, b in zip(total, row, strict=True)]
        print(_row(name, row))
    print(_row("**all**", total))
    print(f"\nPeak memory {before['peak']:,.0f} MB before, {now['peak']:,.0f} MB now.")
    for name in ("before", "now"):
        print(f"{name}: {' '.join(found[name][-1]['figures'])}")
    parts = before["parts"].keys() | now["parts"].keys()
    other = sorted(part for part in parts if before["parts"].get(part) != now["parts"].get(part))
    same = len(parts) - len(other)
    print(f"{same} of {len(parts)} files of the artifacts have the same bytes; others: {', '.join(other) or 'none'}")


def _least(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    seconds = {name: [min(one["seconds"][name][i] for one in rounds) for i in (0, 1)] for name in rounds[0]["seconds"]}
    return rounds[-1] | {"seconds": seconds, "peak": min(one["peak"] for one in rounds)}


def _row(name: str, row: list[float]) -> str:
    wall, used, wall_now, used_now = row
    ratio = f"{used_now / used:.2f}" if used else ""
    return f"| {name} | {wall:.1f} | {wall_now:.1f} | {used:.1f} | {used_now:.1f} | {ratio} |"


if __name__ == "__main__":
    main()
