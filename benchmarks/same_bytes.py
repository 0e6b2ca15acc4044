"""Whether two commits make the same bytes: an analysis, a bundle and a run by both, every file compared.

    python -m benchmarks.same_bytes OLD [NEW] [--corpus FOLDER] [--tier fast]

Without a corpus it is the demo corpus, built once. Each side runs in a workspace of its own; files that say when
or how fast something was made are left out by name.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAM = """
try:
    from tamis.app.cli.main import main
except ImportError:
    from tamis.app.cli import main
main()
"""
RECIPE = """
schema_version: 1
title: One rule of every kind
why: to compare commits
steps:
  - {id: long-enough, operator: signal_range, params: {signal: n_tokens, min: 20}}
  - {id: words, operator: signal_range, params: {signal: alpha_word_share, min: 0.6}}
  - {id: language, operator: language, params: {languages: [en]}}
  - {id: marks, operator: regex, params: {pattern: 'TODO|FIXME'}}
  - {id: once, operator: exact_dedup, params: {keep: longest}}
  - {id: near, operator: near_dedup, params: {threshold: 0.8}}
  - {id: semantic, operator: semantic_dedup, params: {eps: 0.05, vectors: analysis, allow_static: true}}
  - {id: mix, operator: mixture, params: {by: lang, alpha: 0.7, tokens: 60000}}
  - {id: order, operator: curriculum, params: {seed: 7}}
"""
TIMED = ("log", "jobs", "locks", "probes", "models")
"""Folders of a workspace that hold no result."""


def tree(folder: Path, commit: str) -> Path:
    """Check a commit, also one named by a branch, out into a folder."""
    named = ["git", "-C", str(ROOT), "rev-parse", "--verify", f"{commit}^{{commit}}"]
    digest = subprocess.run(named, check=True, capture_output=True, text=True).stdout.strip()
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    subprocess.run(["git", "-C", str(folder), "checkout", "--quiet", "--detach", digest], check=True)
    return folder


def run(root: Path, home: Path, *arguments: str) -> None:
    """Run the command line of a checkout in a workspace."""
    environment = {**os.environ, "PYTHONPATH": str(root / ".typing"), "TAMIS_HOME": str(home)}
    subprocess.run([sys.executable, "-c", PROGRAM, *arguments], env=environment, check=True, cwd=root)


def make(root: Path, folder: Path, corpus: Path, tier: str) -> dict[str, str]:
    """Analyse, export and run with one checkout; return the SHA-256 of every file by path."""
    folder.mkdir()
    home, recipe = folder / "home", folder / "recipe.yaml"
    recipe.write_text(RECIPE, "utf-8")
    run(root, home, "analyze", str(corpus), "--tier", tier)
    run(root, home, "export", str(recipe), str(corpus), "-o", str(folder / "bundle"))
    run(root, home, "run", str(folder / "bundle"), str(corpus), "-o", str(folder / "out"))
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not set(TIMED) & set(path.parts))
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def main() -> int:
    """Compare, print what differs, and return 1 if anything does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old")
    parser.add_argument("new", nargs="?", default="HEAD")
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--tier", default="fast")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        old, new = tree(folder / "old", chosen.old), tree(folder / "new", chosen.new)
        corpus = chosen.corpus
        if corpus is None:
            corpus = folder / "demo"
            run(old, folder / "home", "demo", "--out", str(corpus))
        before = make(old, folder / "before", corpus, chosen.tier)
        after = make(new, folder / "after", corpus, chosen.tier)
    differing = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    print(f"{len(before)} files before, {len(after)} after, {len(differing)} differ")
    for path in differing:
        print(f"  {path}")
    return 1 if differing else 0


if __name__ == "__main__":
    raise SystemExit(main())
