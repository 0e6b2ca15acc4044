"""Clusters of pictures are named by captions only where half of their pictures have one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from labelled_pictures import write_labelled

from tamis.analytics.map.cluster_names import name_clusters
from tamis.analytics.map.cluster_steps import clusters_step, concepts_step, edited_clusters_step
from tamis.analytics.map.picture_names import NamingCounter, naming_sources, naming_texts
from tamis.data.corpus import Corpus
from tamis.data.open_corpus import open_corpus

PICTURES = 8


def mixed(folder: Path, captioned: dict[str, int]) -> Corpus:
    """Return a corpus of pictures in folders, the first so many of each kind with a caption."""
    write_labelled(folder, dict.fromkeys(captioned, PICTURES))
    notes = [
        {"file_name": f"{kind}/{kind}-{k:03d}.png", "caption": "a zebra at dawn"}
        for kind, number in captioned.items() for k in range(number)
    ]  # fmt: skip
    lines = "".join(f"{json.dumps(note)}\n" for note in notes)
    if lines:
        (folder / "metadata.jsonl").write_text(lines)
    return open_corpus(folder)


def names(corpus: Corpus) -> list[str]:
    """Return the names of three clusters, each a folder."""
    [shard] = corpus.shards()
    numbers = np.arange(3, dtype=np.int32)
    with NamingCounter(numbers, len(naming_sources(corpus))) as counter:
        first = 0
        for texts in naming_texts(corpus, shard, max_rows=7):
            size = len(texts[0])
            counter.add(texts, (np.arange(first, first + size) // PICTURES).astype(np.int32))
            first += size
        assert first == 3 * PICTURES
        return [each.name for each in name_clusters(counter.counts())]


@pytest.mark.parametrize(("captions", "named"), [(3, "labels"), (4, "captions"), (8, "captions")])
def test_captions_name_a_cluster_where_half_of_its_pictures_have_one(captions: int, named: str, tmp_path: Path) -> None:
    corpus = mixed(tmp_path / "pictures", {"fields": captions, "seas": 0, "tractors": 0})
    assert naming_sources(corpus) == ("captions", "labels", "names of files")
    first, *others = names(corpus)
    assert others == ["seas", "tractors"]
    assert first == ("fields" if named == "labels" else "at, dawn, zebra")


def test_without_captions_and_labels_the_names_of_files_name_clusters(tmp_path: Path) -> None:
    write_labelled(tmp_path / "kinds", dict.fromkeys(("fields", "seas", "tractors"), PICTURES))
    (tmp_path / "flat").mkdir()
    for path in (tmp_path / "kinds").rglob("*.png"):
        path.rename(tmp_path / "flat" / path.name)
    corpus = open_corpus(tmp_path / "flat")
    assert naming_sources(corpus) == ("names of files",)
    assert names(corpus) == ["fields", "seas", "tractors"]


def test_a_label_without_letters_names_nothing_and_what_most_have_names_where_nothing_has_half() -> None:
    captions, labels, files = ["a boat", "", "", "", ""], ["1", "2", "3", "4", "5"], ["", "oak", "oak", None, ""]
    with NamingCounter(np.zeros(1, dtype=np.int32), 3) as counter:
        counter.add([pa.array(each, pa.large_string()) for each in (captions, labels, files)], np.zeros(5, np.int32))
        counts = counter.counts()
    assert counts.documents.tolist() == [5] and counts.term.to_pylist() == ["oak"] and counts.count.tolist() == [2]


def test_clusters_of_texts_keep_their_version() -> None:
    for step in (clusters_step(), concepts_step(), edited_clusters_step(())):
        assert step.version == 6
    assert clusters_step(pictures=True).version == concepts_step(pictures=True).version == 7
