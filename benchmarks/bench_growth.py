"""A corpus that grows: what a first analysis costs, and what the same corpus costs with 1% of new files.

    python -m benchmarks.bench_growth [--documents 100000] [--texts FILE.parquet] [--scratch FOLDER]

The texts of a Parquet file are written as a hundred files and one more; the folder is analysed before and after the
last one comes. Every step runs alone, so its time is its own. Then a fresh workspace analyses the grown folder, and all
files of all artifacts are compared. Times are wall and processor seconds, those of worker processes counted; the ratio
is that of processor seconds. A new file may stand anywhere among the others, which are ordered by their checksums: it
moves the borders of all shards behind it, whose rows are then joined from two known parts each.

A second table sets what needs all documents, neighbours, map, clusters and concepts of the fast tier, beside itself: as
the first analysis makes it, and as new documents are placed on it.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from tamis.analytics.duplicates.exact import exact_step
from tamis.analytics.duplicates.near import near_step
from tamis.analytics.duplicates.near_passes import NearParams
from tamis.analytics.embedding.static_model import load_plain_model
from tamis.analytics.embedding.step import embeddings_step
from tamis.analytics.map.options import change_options, mapping_steps, read_options
from tamis.analytics.signals.language import language_step
from tamis.analytics.signals.step import signals_step
from tamis.analytics.signals.tokens import tokens_step
from tamis.analytics.steps.corpus_columns import columns_step
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.steps.pipeline import analyze, size_of
from tamis.analytics.steps.step import StepSpec
from tamis.data.corpus import Corpus
from tamis.data.hashing import file_sha256
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

FILES = 100


def write_files(texts: Path, folder: Path, documents: int) -> list[Path]:
    """Write the texts as ``FILES`` files and one more, each of 1% of ``documents``; return their paths."""
    folder.mkdir(parents=True)
    table = pq.read_table(texts, columns=["text"])
    each = documents // FILES
    if table.num_rows < each * (FILES + 1):
        each = table.num_rows // (FILES + 1)
    paths = [folder / f"part-{number:03d}.parquet" for number in range(FILES + 1)]
    for number, path in enumerate(paths):
        own = table.slice(number * each, each)
        source = [f"source {number % 4}"] * own.num_rows
        pq.write_table(own.append_column("source", [source]), path)
    return paths


def exact_steps(corpus: Corpus) -> tuple[StepSpec, ...]:
    """Return the steps that have one right answer, and the vectors of the fast tier."""
    measured = (columns_step(corpus), signals_step(), language_step(), tokens_step(), exact_step())
    steps = (documents_step(), *measured, near_step(NearParams().measure), embeddings_step())
    return (*steps, facts_step([step for step in steps if not step.name.startswith("near")]))


def seconds() -> tuple[float, float]:
    """Return wall and processor seconds."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return time.perf_counter(), sum(usage.ru_utime + usage.ru_stime for usage in (own, children))


def timed(folder: Path, workspace: Workspace) -> tuple[dict[str, tuple[float, float]], dict[str, str]]:
    """Analyse a folder step by step; return wall and processor seconds by step, and the checksum of every file."""
    times, before = {}, seconds()
    corpus = open_corpus(folder, probes=workspace.probes)
    times["opening"] = _since(before)
    sums: dict[str, str] = {}
    steps, documents = exact_steps(corpus), None
    for number in range(len(steps)):
        before = seconds()
        analysis = analyze(corpus, workspace, steps=steps[: number + 1], documents=documents)
        documents = analysis.documents
        name = steps[number].name.split("-")[0]
        times[name] = _since(before)
        artifact = analysis.artifacts[steps[number].name]
        sums |= {f"{name}/{path.name}": file_sha256(path) for path in sorted(artifact.path.iterdir())}
    return times, sums


def mapped(folder: Path, workspace: Workspace, **changes: str) -> dict[str, tuple[float, float]]:
    """Make map and clusters of a folder whose exact steps are done; return wall and processor seconds by step."""
    corpus = open_corpus(folder, probes=workspace.probes)
    change_options(workspace, corpus, size_of(corpus), changes)
    own = mapping_steps(corpus, size_of(corpus), read_options(workspace, corpus))
    steps = (documents_step(), language_step(), *own)
    times: dict[str, tuple[float, float]] = {}
    for number in range(2, len(steps)):
        before = seconds()
        analyze(corpus, workspace, steps=steps[: number + 1])
        times[steps[number].name] = _since(before)
    analyze(corpus, workspace, steps=(*steps, facts_step(steps)))
    return times


def _since(before: tuple[float, float]) -> tuple[float, float]:
    after = seconds()
    return after[0] - before[0], after[1] - before[1]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--texts", type=Path, required=True, help="a Parquet file with a column text")
    parser.add_argument("--scratch", type=Path, default=None)
    chosen = parser.parse_args(arguments)
    root = Path(tempfile.mkdtemp(dir=chosen.scratch))
    try:
        *_, last = write_files(chosen.texts, root / "texts", chosen.documents)
        aside = root / last.name
        last.rename(aside)
        home, fresh = Workspace(root / "home"), Workspace(root / "fresh")
        load_plain_model(home.models)
        shutil.copytree(home.models, fresh.models, dirs_exist_ok=True)
        _warm(root)
        first, _ = timed(root / "texts", home)
        drawn = mapped(root / "texts", home, tier="fast")
        aside.rename(last)
        grown, found = timed(root / "texts", home)
        _, expected = timed(root / "texts", fresh)
        placed = mapped(root / "texts", home, new_documents="placed")
        report(first, grown, found, expected)
        report_placed(first, drawn, grown, placed)
        print(f"\nKept beside the artifacts: {_size(home.store.root / 'kept') / 1e6:.0f} MB of "
              f"{_size(home.store.root) / 1e6:.0f} MB.")  # fmt: skip
    finally:
        shutil.rmtree(root)


def _warm(root: Path) -> None:
    """Compile and load everything once, so that no time counts it."""
    folder = root / "warm"
    folder.mkdir()
    shutil.copy(next((root / "texts").iterdir()), folder / "warm.parquet")
    home = Workspace(root / "warm-home")
    shutil.copytree(Workspace(root / "home").models, home.models, dirs_exist_ok=True)
    timed(folder, home)
    mapped(folder, home, tier="fast")
    shutil.copy(sorted((root / "texts").iterdir())[1], folder / "more.parquet")
    timed(folder, home)
    mapped(folder, home, new_documents="placed")
    shutil.rmtree(home.root)


def _size(folder: Path) -> int:
    """Return the bytes of a folder, each file once."""
    sizes = {(stat := path.stat()).st_ino: stat.st_size for path in folder.rglob("*") if path.is_file()}
    return sum(sizes.values())


def report(
    first: dict[str, tuple[float, float]],
    grown: dict[str, tuple[float, float]],
    found: dict[str, str],
    expected: dict[str, str],
) -> None:
    """Print times, ratios and whether bytes are equal, by step."""
    print("| step | first run s | processor s | with 1% more s | processor s | ratio | bytes equal |")
    print("|---|---|---|---|---|---|---|")
    for name in first:
        own = {key for key in {*found, *expected} if key.split("/")[0] == name}
        equal = "yes" if all(found.get(key) == expected.get(key) for key in own) else "NO"
        _line(name, first[name], grown[name], equal if own else "")
    totals = [tuple(sum(each[side] for each in times.values()) for side in (0, 1)) for times in (first, grown)]
    _line("all", (totals[0][0], totals[0][1]), (totals[1][0], totals[1][1]), "yes" if found == expected else "NO")
    table = [tuple(totals[k][side] - times["facts"][side] for side in (0, 1)) for k, times in enumerate((first, grown))]
    _line("all without the facts table", (table[0][0], table[0][1]), (table[1][0], table[1][1]), "")


def report_placed(
    first: dict[str, tuple[float, float]],
    drawn: dict[str, tuple[float, float]],
    grown: dict[str, tuple[float, float]],
    placed: dict[str, tuple[float, float]],
) -> None:
    """Print what map and clusters cost where new documents are placed on them, and all steps together."""
    print("\n| step | drawn s | processor s | 1% more placed s | processor s | ratio | |")
    print("|---|---|---|---|---|---|---|")
    for name in drawn:
        _line(name, drawn[name], placed[name], "")
    totals = [
        tuple(sum(each[side] for times in both for each in times.values()) for side in (0, 1))
        for both in ((first, drawn), (grown, placed))
    ]
    _line("all steps, new documents placed", (totals[0][0], totals[0][1]), (totals[1][0], totals[1][1]), "")


def _line(name: str, first: tuple[float, float], grown: tuple[float, float], equal: str) -> None:
    times = f"{first[0]:.2f} | {first[1]:.2f} | {grown[0]:.2f} | {grown[1]:.2f}"
    print(f"| {name} | {times} | {grown[1] / max(first[1], 1e-9):.3f} | {equal} |")


if __name__ == "__main__":
    main()
