"""Every format runs from the command line: what is kept has the texts and columns of its files."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from command_line import tamis
from datasets import Dataset, disable_progress_bars

from tamis.analytics.recipe.recipe import Recipe

disable_progress_bars()

TEXTS = [f"Document {k} tells a story of {'many ' * k}words about rivers." for k in range(1, 25)]
RULES = Recipe(title="long enough").with_operator("signal_range", signal="n_words", min=12)


def write_tar(folder: Path) -> None:
    """Write a shard as WebDataset does."""
    with tarfile.open(folder / "a.tar", "w") as tar:
        for k, text in enumerate(TEXTS):
            for name, data in ((f"{k:03d}.txt", text.encode()), (f"{k:03d}.flac", b"\xff\xd8")):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


def write_wet(folder: Path) -> None:
    """Write a WET file."""
    records = [
        f"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: http://example.org/{k}\r\nContent-Type: text/plain\r\n"
        f"WARC-Record-ID: <urn:uuid:{k}>\r\nContent-Length: {len(text)}\r\n\r\n{text}\r\n\r\n"
        for k, text in enumerate(TEXTS)
    ]
    (folder / "a.warc.wet.gz").write_bytes(b"".join(gzip.compress(record.encode()) for record in records))


def write_files(folder: Path) -> None:
    """Write one file a document."""
    for k, text in enumerate(TEXTS):
        (folder / f"{k:03d}.md").write_text(text)


ROWS = [{"text": text, "n": k} for k, text in enumerate(TEXTS)]
WRITERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "json": ("text", lambda folder: (folder / "a.json").write_text(json.dumps({"data": ROWS}, indent=1))),
    "feather": ("text", lambda folder: feather.write_feather(pa.Table.from_pylist(ROWS), folder / "a.feather")),
    "saved dataset": ("text", lambda folder: Dataset.from_list(ROWS).save_to_disk(folder / "saved")),
    "texts": ("text", write_files),
    "tar": ("txt", write_tar),
    "wet": ("text", write_wet),
}


@pytest.mark.parametrize("way", WRITERS)
def test_a_run_keeps_the_rows_that_a_rule_keeps(tmp_path: Path, way: str) -> None:
    column, write = WRITERS[way]
    (corpus := tmp_path / "corpus").mkdir()
    write(corpus)
    (recipe := tmp_path / "recipe.yaml").write_text(RULES.to_yaml(), "utf-8")
    tamis("run", str(recipe), str(corpus), "-o", str(tmp_path / "out"), home=tmp_path / "home")
    kept = pq.read_table(tmp_path / "out" / "curated")
    assert sorted(kept[column].to_pylist()) == sorted(text for text in TEXTS if len(text.split()) >= 12)
    assert {"json": "n", "texts": "path", "tar": "key", "wet": "url"}.get(way, column) in kept.column_names
