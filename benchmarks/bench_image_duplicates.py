"""Near-duplicate pictures beside other tools: ``bench_image_duplicates.py FOLDER --peer TOOL=PYTHON``

FOLDER is what ``edited_pictures`` wrote. Recall of an edit is the share of its copies that are paired with their
original; precision the share of all pairs with such a copy whose two pictures come from one original. Each tool has its
defaults; processor seconds hold everything from files to pairs, decoding included. Of this package two ways are timed:
the steps ``pictures`` (which makes 20 signals and thumbnails too) and near-duplicates as an analysis runs them, and
decoding, hashing and comparing alone.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations, product
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import pyarrow as pa

from benchmarks.edited_pictures import EDITS
from tamis.analytics.duplicates.exact import duplicate_groups
from tamis.analytics.duplicates.image_near import PictureParams, Thumbnails, picture_near_step, picture_pairs
from tamis.analytics.signals.image_hashes import colour_means, hashes, inner_part
from tamis.analytics.signals.image_scan import fill_grey
from tamis.analytics.signals.pictures_step import HASHES, pictures_step
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.measures import Pairs, step_name
from tamis.analytics.steps.pipeline import analyze
from tamis.data.open_corpus import open_corpus
from tamis.data.picture import read_picture
from tamis.data.workspace import Workspace

THRESHOLD = 0.8
Found = set[tuple[str, str]]


def expanded(names: Sequence[str], first: np.ndarray, pairs: Pairs) -> Found:
    """Return the pairs of file names: those of equal thumbnails, and of all members of paired ones."""
    members: dict[int, list[str]] = defaultdict(list)
    for name, row in zip(names, first.tolist(), strict=True):
        members[row].append(name)
    found = {(one, other) for own in members.values() for one, other in combinations(sorted(own), 2)}
    alike = pairs.similarity >= np.float32(THRESHOLD)
    for left, right in zip(pairs.left[alike].tolist(), pairs.right[alike].tolist(), strict=True):
        found |= {(min(pair), max(pair)) for pair in product(members[left], members[right])}
    return found


def as_analysed(folder: Path) -> tuple[Found, float, float]:
    """Return the pairs, processor and wall seconds of the steps of an analysis."""
    params = PictureParams()
    with tempfile.TemporaryDirectory() as held:
        begin, spent = perf_counter(), process_time()
        corpus = open_corpus(str(folder))
        steps = (pictures_step(corpus), documents_step(corpus), picture_near_step(params.measure))
        done = analyze(corpus, Workspace(Path(held)), steps=steps)
        near, documents = done.artifacts[step_name(params.measure)], done.documents
        used, took = process_time() - spent, perf_counter() - begin
        rows = corpus.fetch(documents, np.arange(documents.n))
        names = [Path(path).name for path in rows.column("path").to_pylist()]
        pairs = Pairs(*(near.array(name) for name in ("left", "right", "similarity")))
        return expanded(names, near.array("first"), pairs), used, took


def alone(folder: Path) -> tuple[Found, float, float]:
    """Return the same of decoding, hashing and comparing alone."""
    begin, spent = perf_counter(), process_time()
    paths = sorted(folder.iterdir())
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = list(pool.map(_hashed, paths))
    columns = [name for name in HASHES.names if name in rows[0]]
    table = pa.table({name: pa.array([row[name] for row in rows], HASHES.field(name).type) for name in columns})
    pictures = Thumbnails.of(table)
    group, _ = duplicate_groups(pictures.identities())
    first = np.where(group < 0, np.arange(len(paths)), group)
    kept = np.flatnonzero(first == np.arange(len(paths)))
    pairs = picture_pairs(pictures.take(kept), threads=os.cpu_count() or 1)
    pairs = Pairs(kept[pairs.left], kept[pairs.right], pairs.similarity)
    used, took = process_time() - spent, perf_counter() - begin
    return expanded([path.name for path in paths], first, pairs), used, took


def _hashed(path: Path) -> dict[str, object]:
    shown = read_picture(path.read_bytes()).on_white()
    grey = np.empty(shown.words.shape, dtype=np.uint8)
    fill_grey(shown.words, grey)
    whole, part = hashes(grey), inner_part(grey)
    inner = whole if part.shape == grey.shape else hashes(part)
    return {
        "phash": whole.phash, "dhash": whole.dhash, "grey32": whole.grey32.tobytes(),
        "colour8": colour_means(shown.samples)[:, :, :3].tobytes(),
        "inner_phash": inner.phash, "inner_dhash": inner.dhash, "inner32": inner.grey32.tobytes(),
    }  # fmt: skip


def decoded(folder: Path) -> float:
    """Return the processor seconds of decoding alone, by the library that all tools use."""
    spent = process_time()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(lambda path: read_picture(path.read_bytes()).width, sorted(folder.iterdir())):
            pass
    return process_time() - spent


def by_peer(tool: str, python: str, folder: Path) -> tuple[Found, float, float]:
    """Return what another tool finds, in its own environment."""
    with tempfile.TemporaryDirectory() as held:
        out = Path(held) / "found.json"
        script = Path(__file__).with_name("peers_image_duplicates.py")
        subprocess.run([python, script, tool, folder, out], check=True, stdout=subprocess.DEVNULL)
        told = json.loads(out.read_bytes())
    return {tuple(sorted(pair)) for pair in told["pairs"]}, told["cpu"], told["wall"]  # type: ignore[misc]


def scores(found: Found, names: Iterable[str]) -> dict[str, tuple[float, float, float]]:
    """Return recall, precision and F1 of each edit and of all."""
    origin = {name: tuple(name.split(".")[:2]) for name in names}
    originals = {number: name for name, (number, edit) in origin.items() if edit == "original"}
    reached, wanted = defaultdict(int), defaultdict(int)
    for name, (number, edit) in origin.items():
        if edit != "original":
            pair = tuple(sorted((name, originals[number])))
            for key in (edit, "all"):
                wanted[key] += 1
                reached[key] += pair in found
    right, made = defaultdict(int), defaultdict(int)
    for one, other in found:
        same = origin[one][0] == origin[other][0]
        for key in {origin[one][1], origin[other][1], "all"}:
            made[key] += 1
            right[key] += same
    result = {}
    for key in (*EDITS, "all"):
        recall, precision = reached[key] / wanted[key], right[key] / max(made[key], 1)
        result[key] = recall, precision, 2 * recall * precision / max(recall + precision, 1e-9)
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peer", action="append", default=[], help="TOOL=PYTHON, as in peers_image_duplicates")
    chosen = parser.parse_args(arguments)
    names = [path.name for path in chosen.folder.iterdir()]
    with tempfile.TemporaryDirectory() as held:
        # Kernels are compiled before anything is timed.
        for path in sorted(chosen.folder.iterdir())[:16]:
            (Path(held) / path.name).write_bytes(path.read_bytes())
        as_analysed(Path(held)), alone(Path(held))
    runs = {"tamis, as analysed": as_analysed(chosen.folder), "tamis, duplicates alone": alone(chosen.folder)}
    for tool, python in (peer.split("=") for peer in chosen.peer):
        runs[tool] = by_peer(tool, python, chosen.folder)
    base = decoded(chosen.folder)
    print(f"\n{len(names):,} pictures; decoding alone {1000 * base / len(names):.2f} ms a picture\n")
    print("| tool | pairs | pictures / s / core | wall s | recall | precision | F1 |\n|---|---|---|---|---|---|---|")
    for tool, (found, cpu, wall) in runs.items():
        recall, precision, f1 = scores(found, names)["all"]
        speed = len(names) / cpu
        print(f"| {tool} | {len(found):,} | {speed:.0f} | {wall:.0f} | {recall:.3f} | {precision:.3f} | {f1:.3f} |")
    print("\nRecall / precision / F1 of each edit:\n")
    print("| edit | " + " | ".join(runs) + " |\n|---|" + "---|" * len(runs))
    held_scores = {tool: scores(found, names) for tool, (found, _, _) in runs.items()}
    for edit in EDITS:
        cells = [" / ".join(f"{value:.3f}" for value in own[edit]) for own in held_scores.values()]
        print(f"| {edit.replace('_', ' ')} | " + " | ".join(cells) + " |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
