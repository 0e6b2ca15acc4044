"""Real short texts in any number: paragraphs, sentences and pairs of sentences of what is installed and of given files.

    python -m benchmarks.short_texts OUT.parquet [--documents 1000000] [FILE.parquet ...]

Read are the documentation that this Python environment carries and the column ``text`` of the files. Every text is
there once; which ones are taken, and their order, follow from a hash of the text.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tamis.data.demo import build_demo

SHORTEST, LONGEST = 25, 600
_PARAGRAPH = re.compile(r"\n\s*\n")
_SENTENCE = re.compile(r"(?<=[.!?。।])\s+")


def pieces(text: str) -> Iterator[str]:
    """Yield the paragraphs of a text, their sentences and each sentence with the next one."""
    for paragraph in _PARAGRAPH.split(text):
        plain = " ".join(paragraph.split())
        sentences = _SENTENCE.split(plain)
        pairs = (f"{first} {second}" for first, second in pairwise(sentences))
        yield from (piece for piece in (plain, *sentences, *pairs) if SHORTEST <= len(piece) <= LONGEST)


def short_texts(files: Iterable[Path]) -> list[str]:
    """Return the different pieces of all texts of the files, ordered by their hashes."""
    found: set[str] = set()
    for file in files:
        for text in pq.read_table(file, columns=["text"])["text"].to_pylist():
            found.update(pieces(text or ""))
    return sorted(found, key=lambda piece: blake2b(piece.encode(), digest_size=16).digest())


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the texts and say how many there are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--documents", type=int, default=1_000_000)
    chosen = parser.parse_intermixed_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        texts = short_texts([*chosen.files, *build_demo(Path(folder) / "demo").shards])[: chosen.documents]
    pq.write_table(pa.table({"text": texts}), chosen.out, row_group_size=65_536)
    print(f"{len(texts):,} texts of {sum(map(len, texts)) / max(len(texts), 1):.0f} characters on average")


if __name__ == "__main__":
    main()
