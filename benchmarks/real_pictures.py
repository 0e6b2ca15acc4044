"""Real pictures from Debian and npm packages through the whole chain from the command line; the counts of each step.

    python -m benchmarks.real_pictures FOLDER [--each 1000]

Stamps of Tux Paint with captions, clip art, two icon themes in many sizes, and emoji drawn by four vendors are fetched
with `apt-get download` and `npm pack`, unpacked below FOLDER/pictures (a set is a folder, no package is installed),
opened, cleaned of duplicates, cut to a budget shared by clusters, exported as a bundle, run into a folder, Parquet and
WebDataset tars, verified, and opened again. With `--each` a set gives at most so many pictures, spread over its names.

All 31,084 pictures are 31,069 documents and 15 error rows above 89 megapixels; 296 have the pixels of another one,
12,547 more look like another one (docs/images.md).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from tamis.analytics.study.concept_profiles import freeze_concepts
from tamis.analytics.study.study import Study
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

DEBIAN = {
    "stamps": ("tuxpaint-stamps-default", "usr/share/tuxpaint/stamps"),
    "clipart": ("openclipart-png", "usr/share/openclipart/png"),
    "icons-oxygen": ("oxygen-icon-theme", "usr/share/icons/oxygen/base"),
    "icons-gnome": ("gnome-icon-theme", "usr/share/icons/gnome"),
}
"""Package and folder inside it, by set."""

VENDORS = ("apple", "google", "twitter", "facebook")
SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".webp")

RECIPE = """
schema_version: 1
title: Pictures to train on
steps:
  - {id: small, operator: signal_range, params: {signal: width, min: 32}}
  - {id: flat, operator: signal_range, params: {signal: flat_share, max: 0.98}}
  - {id: once, operator: image_exact_dedup, params: {}}
  - {id: near, operator: image_near_dedup, params: {}}
  - {id: budget, operator: cluster_budget, params: {concepts: CONCEPTS, share: 0.5}}
"""


def fetch(packages: Path) -> None:
    """Download the packages that are not there yet."""
    packages.mkdir(parents=True, exist_ok=True)
    for package, _ in DEBIAN.values():
        if not list(packages.glob(f"{package}_*.deb")):
            subprocess.run(["apt-get", "download", package], cwd=packages, check=True, capture_output=True)
    for vendor in VENDORS:
        if not list(packages.glob(f"emoji-datasource-{vendor}-*.tgz")):
            command = ["npm", "pack", "--silent", f"emoji-datasource-{vendor}"]
            subprocess.run(command, cwd=packages, check=True, capture_output=True)


def unpack(packages: Path, folder: Path) -> None:
    """Unpack the pictures of each set, and the text files beside them, into a folder of its name."""
    for name, (package, inside) in DEBIAN.items():
        if (folder / name).is_dir():
            continue
        (archive,) = packages.glob(f"{package}_*.deb")
        draft = folder.with_name(f".{name}")
        subprocess.run(["dpkg", "-x", str(archive), str(draft)], check=True)
        for path in sorted((draft / inside).rglob("*")):
            if path.is_file() and not path.is_symlink() and path.suffix in (*SUFFIXES, ".txt"):
                target = folder / name / path.relative_to(draft / inside)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(path, target)
        shutil.rmtree(draft)
        for path in (folder / name).rglob("*.txt"):
            # Stamps drawn as vectors have captions, too.
            if not path.with_suffix(".png").exists():
                path.unlink()
    for vendor in VENDORS:
        target = folder / f"emoji-{vendor}"
        if target.is_dir():
            continue
        (archive,) = packages.glob(f"emoji-datasource-{vendor}-*.tgz")
        target.mkdir(parents=True)
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.isfile() and member.name.startswith(f"package/img/{vendor}/64/"):
                    source = tar.extractfile(member)
                    (target / Path(member.name).name).write_bytes(source.read() if source else b"")


def thin(folder: Path, most: int) -> None:
    """Leave at most ``most`` pictures of each set, spread evenly over its names."""
    for name in (*DEBIAN, *(f"emoji-{vendor}" for vendor in VENDORS)):
        pictures = sorted(path for path in (folder / name).rglob("*") if path.suffix in SUFFIXES)
        kept = {pictures[number * len(pictures) // most] for number in range(most)} if len(pictures) > most else None
        for path in pictures:
            if kept is not None and path not in kept:
                path.unlink()
                path.with_suffix(".txt").unlink(missing_ok=True)


def tamis(home: Path, *command: str | Path) -> str:
    """Run a command of the console, print how long it took, and return what it said."""
    start = time.perf_counter()
    environment = {**os.environ, "TAMIS_HOME": str(home)}
    line = [sys.executable, "-m", "tamis.app.cli.main", *map(str, command)]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
    print(f"\n$ tamis {' '.join(map(str, command))}   ({time.perf_counter() - start:,.1f} s)")
    said = done.stdout.strip()
    print(said, flush=True)
    if done.returncode:
        print(done.stderr[-3000:])
        raise SystemExit(f"tamis {command[0]} ended with {done.returncode}")
    return said


def count_kept(run: Path) -> Counter[str]:
    """Return the kept pictures of each set, from the names in a folder or in Parquet."""
    if (run / "curated" / "metadata.jsonl").is_file():
        lines = (run / "curated" / "metadata.jsonl").read_bytes().splitlines()
        names = [json.loads(line)["path"] for line in lines]
    else:
        names = pq.read_table(run / "curated", columns=["path"]).column("path").to_pylist()
    return Counter(name.split("/")[0] for name in names)


def walk(folder: Path, recipe: str) -> None:
    """Go through the chain and print the counts of each step."""
    pictures, home = folder / "pictures", folder / "home"
    sets = Counter(path.relative_to(pictures).parts[0] for path in pictures.rglob("*") if path.suffix in SUFFIXES)
    tamis(home, "analyze", pictures)
    study = Study.open(open_corpus(pictures), Workspace(home))
    (folder / "recipe.yaml").write_text(recipe.replace("CONCEPTS", freeze_concepts(study)))
    shutil.rmtree(folder / "bundle", ignore_errors=True)
    tamis(home, "export", folder / "recipe.yaml", pictures, "-o", folder / "bundle")
    for format in ("folder", "parquet", "webdataset"):
        shutil.rmtree(folder / f"out-{format}", ignore_errors=True)
        tamis(home, "run", folder / "bundle", pictures, "-o", folder / f"out-{format}", "--format", format)
    tamis(home, "verify", folder / "bundle", pictures)
    rules = folder / "recipe.yaml"
    (folder / "before.yaml").write_text("".join(line for line in rules.open() if "budget" not in line))
    shutil.rmtree(folder / "before", ignore_errors=True)
    tamis(home, "export", folder / "before.yaml", pictures, "-o", folder / "before")
    tamis(home, "diff", folder / "before", folder / "bundle", pictures)
    kept = count_kept(folder / "out-folder")
    if kept != count_kept(folder / "out-parquet"):
        raise SystemExit("the formats differ")
    print("\n| set | pictures | kept |\n|---|---|---|")
    for name, count in sorted(sets.items()):
        print(f"| {name} | {count:,} | {kept[name]:,} |")
    print(f"| all | {sum(sets.values()):,} | {sum(kept.values()):,} |")


def main(arguments: Sequence[str]) -> None:
    """Fetch, unpack and walk."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--each", type=int, default=0, help="pictures of a set at most; all by default")
    parser.add_argument("--recipe", type=Path, help="another recipe")
    given = parser.parse_args(arguments)
    folder = given.folder.absolute()
    fetch(folder / "packages")
    unpack(folder / "packages", folder / "pictures")
    if given.each:
        thin(folder / "pictures", given.each)
    walk(folder, given.recipe.read_text() if given.recipe else RECIPE)


if __name__ == "__main__":
    main(sys.argv[1:])
