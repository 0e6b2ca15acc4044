"""A corpus of pictures is analysed as one of texts is: vectors, map, clusters, copies, rules; models that read both."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from tamis.analytics.embedding.picture_text_model import two_towers
from tamis.analytics.embedding.step import picture_embeddings_step
from tamis.analytics.embedding.stored_vectors import embedder_of, load_vectors, text_embedder_of
from tamis.analytics.map.options import MapOptions
from tamis.analytics.map.picture_names import file_words
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.steps.facts_step import columns_of
from tamis.analytics.steps.pipeline import Analysis, analyze
from tamis.analytics.study.standard_analysis import analysis_steps
from tamis.analytics.study.study import Study
from tamis.data.corpus import Corpus
from tamis.data.errors import SettingError
from tamis.data.open_corpus import open_corpus
from tamis.data.picture_source import pictures_at
from tamis.data.workspace import Workspace
from tests.support.tiny_clip import write_tiny_clip

KINDS = ("red tractor", "green field")


def drawn(seed: int, kind: int) -> Image.Image:
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[0:96, 0:128] / 96
    waves = sum(chance.normal(0, 45) * np.cos(chance.normal(0, 9) * x + chance.normal(0, 9) * y) for _ in range(5))
    pixels = 128 + np.asarray(waves)[:, :, None] + np.array([[60, -40, -40], [-50, 50, -50]])[kind]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Return 24 pictures of two labels with captions, a copy of the same pixels, a smaller copy and a broken file."""
    root = tmp_path_factory.mktemp("pictures")
    notes = []
    for number in range(24):
        kind = number % 2
        path = root / KINDS[kind].replace(" ", "-") / f"{KINDS[kind].replace(' ', '_')}-{number:02d}.png"
        path.parent.mkdir(exist_ok=True)
        drawn(number, kind).save(path)
        words = "" if number == 5 else f"a {KINDS[kind]} of number {number}"
        notes.append({"file_name": str(path.relative_to(root)), "caption": words})
    first = root / notes[0]["file_name"]
    extra = {"copy": Image.open(first), "small": Image.open(first).resize((64, 48))}
    for name, image in extra.items():
        image.save(first.with_name(f"{name}.png"), compress_level=1)
        notes.append({"file_name": str(first.with_name(f"{name}.png").relative_to(root)), "caption": "a copy"})
    first.with_name("broken.png").write_bytes(first.read_bytes()[:200])
    notes.append({"file_name": str(first.with_name("broken.png").relative_to(root)), "caption": "broken"})
    (root / "metadata.jsonl").write_text("".join(json.dumps(note) + "\n" for note in notes))
    return open_corpus(str(root))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="module")
def analysis(corpus: Corpus, workspace: Workspace) -> Analysis:
    return analyze(corpus, workspace, steps=analysis_steps(corpus, workspace))


def test_the_standard_analysis_embeds_maps_and_names_pictures(analysis: Analysis, workspace: Workspace) -> None:
    facts, vectors = analysis.facts(), load_vectors(analysis.artifacts["embeddings"], analysis.documents)
    assert facts.n == 26 and vectors.shape == (26, 1280)
    assert np.allclose(np.linalg.norm(vectors.astype(np.float32), axis=1), 1, atol=2e-3)
    assert {"cluster", "x", "y", "norm_group", "n_words", "megapixels"} <= set(facts.columns)
    again = embedder_of(analysis.artifacts["embeddings"], workspace)
    pictures = pictures_at(analysis.corpus, analysis.documents.order[[3, 0]])
    assert np.array_equal(again.encode(pictures), vectors[[3, 0]])
    words = " ".join(analysis.artifacts["concepts"].table("clusters").column("name").to_pylist())
    assert "tractor" in words and "field" in words


def test_exact_duplicates_are_those_of_pixels_not_of_captions(analysis: Analysis) -> None:
    facts = analysis.facts()
    groups, raw = facts.whole("norm_group"), facts.whole("text_group")
    assert (groups >= 0).sum() == 2 and (raw >= 0).sum() == 0
    assert facts.whole("norm_count").max() == 2


def test_rules_keep_the_largest_of_the_same_and_of_the_alike(analysis: Analysis, workspace: Workspace) -> None:
    study = Study.of(analysis, workspace, analysis_steps(analysis.corpus, workspace))
    recipe = Recipe().with_operator("image_exact_dedup").with_operator("image_near_dedup")
    study.measure(recipe)
    outcome = study.evaluate(recipe)
    assert [int((outcome.deciding == step).sum()) for step in (1, 2)] == [1, 1]
    (row,) = np.flatnonzero(outcome.deciding == 2)
    assert study.facts.whole("width")[row] == 64


def test_semantic_duplicates_read_the_vectors_of_pictures(analysis: Analysis, workspace: Workspace) -> None:
    study = Study.of(analysis, workspace, analysis_steps(analysis.corpus, workspace))
    recipe = Recipe().with_operator("semantic_dedup", vectors="analysis", eps=0.1, keep="first id")
    study.measure(recipe)
    dropped = np.flatnonzero(study.evaluate(recipe).deciding == 1)
    assert 2 <= len(dropped) < 20


def test_a_model_that_reads_pictures_only_compares_no_texts(analysis: Analysis, workspace: Workspace) -> None:
    with pytest.raises(SettingError, match="CLIP or SigLIP"):
        text_embedder_of(analysis.artifacts["embeddings"], workspace)


def test_file_names_become_words() -> None:
    paths = pa.array(["a/b/red-tractor_02.final.png", "Möwe.JPG", None, "007.gif"], pa.large_string())
    assert file_words(paths).to_pylist() == ["red tractor final", "Möwe", None, ""]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_clip(tmp_path_factory.mktemp("clip"))


def encoded(image: Image.Image) -> bytes:
    stream = BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def test_two_towers_give_the_same_bits_in_any_batch(clip: Path) -> None:
    model = two_towers(str(clip), dtype="float32", threads=2)
    pictures = [encoded(drawn(k, k % 2)) for k in range(11)]
    texts = ["a red tractor", "", "x", "a green field of corn", "a red tractor", "one two three", "y"]
    for encode, values in ((model.encode, pictures), (model.encode_texts, texts)):
        whole = encode(values)
        assert whole.shape == (len(values), 16)
        assert np.array_equal(encode(values[::-1])[::-1], whole)
        assert np.array_equal(encode(values[3:5]), whole[3:5])
    said = model.encode_texts(texts)
    assert not said[1].any() and np.array_equal(said[0], said[4])


def test_a_text_that_names_a_picture_is_read_as_a_text(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = two_towers(str(clip), dtype="float32")
    before = model.encode_texts(["cat.png"])
    drawn(1, 0).save("cat.png")
    assert np.array_equal(model.encode_texts(["cat.png"]), before)


def test_a_corpus_is_embedded_by_two_towers_and_asked_by_texts(corpus: Corpus, clip: Path, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    steps = analysis_steps(corpus, workspace, options=MapOptions(tier="precise", model=str(clip)))
    wanted = ("pictures", "documents", "embeddings", "caption_similarity")
    done = analyze(corpus, workspace, steps=[step for step in steps if step.name in wanted])
    artifact = done.artifacts["embeddings"]
    vectors = load_vectors(artifact, done.documents).astype(np.float32)
    texts = text_embedder_of(artifact, workspace)
    assert texts.space == artifact.facts["space"]
    captions = corpus.fetch(done.documents, np.arange(26)).column("caption").to_pylist()
    said = texts.encode(captions).astype(np.float32)
    column = columns_of("caption_similarity", done.artifacts["caption_similarity"], done.documents)
    found = column["caption_similarity"].to_pylist()
    for at, caption in enumerate(captions):
        expected = float(said[at] @ vectors[at]) if caption else None
        assert found[at] is None if expected is None else found[at] == pytest.approx(expected, abs=1e-3)


def test_a_model_of_texts_is_refused_for_pictures(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="needs a model that reads pictures"):
        picture_embeddings_step("precise")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(SettingError, match="reads no pictures"):
        picture_embeddings_step("precise", model=str(tmp_path))
    with pytest.raises(SettingError, match="tier of pictures"):
        picture_embeddings_step("tuned")
