"""The step ``pictures``: one decode per picture, errors with their reasons, the same bytes however it is made."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from picture_corpus import damaged, encoded, scene, sound, write_files

from tamis.analytics.signals.image_signals import IMAGE_SIGNALS
from tamis.analytics.signals.image_thumbnails import measured_pictures, thumbnails
from tamis.analytics.signals.pictures_step import HASHES, pictures_step
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.steps.pipeline import Analysis, analyze
from tamis.analytics.study.standard_analysis import analysis_steps
from tamis.analytics.study.study import Study, find_artifact
from tamis.data.documents import load_table
from tamis.data.open_corpus import open_corpus
from tamis.data.picture import read_picture
from tamis.data.workspace import Workspace

SOUND = {name: raw for name, (raw, _) in sound().items()}
DAMAGED = damaged()
FILES = SOUND | {name: raw for name, (raw, _) in DAMAGED.items()}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("pictures")
    corpus = open_corpus(write_files(folder / "corpus", FILES))
    return Study.open(corpus, Workspace(folder / "home"))


def measured(folder: Path, home: Path, *, threads: int | None = None) -> Analysis:
    corpus = open_corpus(folder)
    picture = pictures_step(corpus, threads=threads)
    steps = (picture, documents_step(corpus), facts_step([picture]))
    return analyze(corpus, Workspace(home), steps=steps)


def parts_of(analysis: Analysis) -> dict[str, str]:
    return {part.name: part.sha256 for part in analysis.artifacts["pictures"].manifest.parts}


def values_of(analysis: Analysis) -> dict[bytes, dict[str, Any]]:
    """Return the rows of the documents by the checksum of their picture."""
    table = load_table(analysis.artifacts["pictures"], analysis.documents)
    return {row["sha256"]: row for row in table.to_pylist()}


def test_every_sound_picture_is_a_document_and_every_other_an_error_with_its_reason(study: Study) -> None:
    paths = study.corpus.fetch(study.documents, range(study.documents.n))["path"].to_pylist()
    assert sorted(paths) == sorted(SOUND)
    errors = study.documents.errors
    rows = study.corpus.take(errors.column("position").to_numpy())
    reasons = dict(zip(rows["path"].to_pylist(), errors.column("reason").to_pylist(), strict=True))
    assert reasons.keys() == DAMAGED.keys()
    assert all(DAMAGED[name][1] in reason for name, reason in reasons.items())


def test_facts_hold_the_signals_and_nothing_that_only_compares(study: Study) -> None:
    names = set(study.facts.columns)
    assert {signal.name for signal in IMAGE_SIGNALS} | {"image_format"} <= names
    assert not names & set(HASHES.names)
    paths = study.corpus.fetch(study.documents, range(study.documents.n))["path"].to_pylist()
    table = study.facts.table(["width", "height", "image_format", "frames", "image_bytes", "transparency"])
    found = dict(zip(paths, table.to_pylist(), strict=True))
    assert found["wide.png"]["width"] == 30_000
    assert (found["turned.png"]["width"], found["turned.png"]["height"]) == (40, 56)
    assert (found["a png.jpg"]["image_format"], found["animated.gif"]["frames"]) == ("png", 3)
    assert found["plain.jpg"]["image_bytes"] == len(SOUND["plain.jpg"])
    assert found["clear.png"]["transparency"] == pytest.approx(0.5, abs=0.01)
    assert found["plain.jpg"]["transparency"] == 0


def test_texts_parts_and_pictures_of_documents_leave_errors_out(study: Study) -> None:
    corpus, n = study.corpus, study.documents.n
    shards = corpus.shards()
    assert sum(len(texts) for shard in shards for texts in corpus.document_texts(shard)) == n
    assert sum(len(parts) for shard in shards for parts, _ in corpus.document_parts(shard)) == n
    held = [raw for shard in shards for raws, _ in corpus.document_pictures(shard) for raw in raws.to_pylist()]
    assert sorted(held) == sorted(SOUND.values())
    rows = np.arange(n)[::-1]
    paths = corpus.fetch(study.documents, rows)["path"].to_pylist()
    found = find_artifact(study, "pictures")
    assert found is not None
    assert measured_pictures(found, corpus, study.documents.order[rows]) == [SOUND[path] for path in paths]


def test_thumbnails_come_in_the_requested_order(study: Study) -> None:
    found = find_artifact(study, "pictures")
    assert found is not None
    paths = study.corpus.fetch(study.documents, range(study.documents.n))["path"].to_pylist()
    wanted = ["plain.jpg", "wide.png", "dot.png", "plain.jpg"]
    for size in (128, 320):
        made = thumbnails(found, study.corpus, study.documents, [paths.index(name) for name in wanted], size=size)
        shapes = [(read_picture(raw).width, read_picture(raw).height) for raw in made]
        assert shapes == [(56, 40), (size, 1), (1, 1), (56, 40)]
        assert {read_picture(raw).format for raw in made} == {"webp"}


def test_ids_are_of_bytes_and_caption(tmp_path: Path) -> None:
    raw = encoded(scene(), "PNG")
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    held = [{"bytes": raw, "path": None}] * 3 + [{"bytes": encoded(scene(1), "PNG"), "path": None}]
    pq.write_table(pa.table({"image": pa.array(held, kind), "text": ["a", "a", "b", "a"]}), tmp_path / "t.parquet")
    corpus = open_corpus(tmp_path / "t.parquet")
    documents = analyze(corpus, Workspace(tmp_path / "home"), steps=(pictures_step(corpus),)).documents
    heads = [name.partition("-") for name in documents.ids.to_pylist()]
    assert len({head for head, _, _ in heads}) == 3
    assert sorted(number for _, _, number in heads) == ["0", "0", "0", "1"]


def test_threads_and_shards_change_no_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_files(tmp_path / "corpus", FILES)
    one = measured(folder, tmp_path / "one", threads=1)
    many = measured(folder, tmp_path / "many", threads=5)
    assert parts_of(one) == parts_of(many)
    assert one.documents.ids == many.documents.ids
    monkeypatch.setattr("tamis.data.picture_files.MARK_FILES", 4)
    monkeypatch.setattr("tamis.data.shards.SHARD_ROWS", 8)
    cut = measured(folder, tmp_path / "cut")
    assert len(cut.corpus.shards()) > 3
    assert cut.documents.ids == one.documents.ids
    assert values_of(cut) == values_of(one)
    assert cut.facts().table(["width", "entropy"]) == one.facts().table(["width", "entropy"])


def test_a_corpus_that_grew_looks_at_new_pictures_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tamis.data.picture_files.MARK_FILES", 3)
    monkeypatch.setattr("tamis.data.shards.SHARD_ROWS", 9)
    folder = write_files(tmp_path / "corpus", FILES)
    measured(folder, tmp_path / "home")
    new = {"0.png": encoded(scene(20), "PNG"), "m.png": encoded(scene(21), "PNG")}
    write_files(folder, new)
    seen: list[bytes] = []

    def counted(raw: bytes) -> Any:
        seen.append(sha256(raw).digest())
        return read_picture(raw)

    monkeypatch.setattr("tamis.analytics.signals.pictures_step.read_picture", counted)
    grown = measured(folder, tmp_path / "home")
    assert sorted(seen) == sorted(sha256(raw).digest() for raw in new.values())
    fresh = measured(folder, tmp_path / "fresh")
    assert parts_of(grown) == parts_of(fresh)
    assert grown.documents.ids == fresh.documents.ids
    thumbs = [thumbnails(each.artifacts["pictures"], each.corpus, each.documents, range(5)) for each in (grown, fresh)]
    assert thumbs[0] == thumbs[1]


def test_captions_are_measured_as_texts_only_where_there_are_some(tmp_path: Path) -> None:
    write_files(tmp_path / "plain", {"a.png": SOUND["clear.png"]})
    write_files(tmp_path / "told", {"a.png": SOUND["clear.png"], "a.txt": b"A clear picture of the sea."})
    workspace = Workspace(tmp_path / "home")
    names = [
        {step.name for step in analysis_steps(open_corpus(tmp_path / kind), workspace)} for kind in ("plain", "told")
    ]
    assert not names[0] & {"signals", "language", "tokens", "perplexity"}
    assert {"pictures", "signals", "language", "tokens", "perplexity"} <= names[1]
    told = Study.open(open_corpus(tmp_path / "told"), workspace)
    assert told.facts.table(["n_words"]).to_pylist() == [{"n_words": 6}]
