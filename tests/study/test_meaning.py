"""Search by meaning ranks by the exact cosine, and its selection is a rule that selects the same ids anywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from shared_corpus import SharedCorpus
from typer.testing import CliRunner
from vectors_by_length import by_length

from tamis.analytics.embedding.half_precision import widen
from tamis.analytics.embedding.kmeans import rescale_rows
from tamis.analytics.embedding.stored_vectors import PRECISE, load_vectors
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.signals.likeness import cosines
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.study.lines import line
from tamis.analytics.study.meaning import (
    Example,
    document_example,
    first_floor,
    floor_of,
    meaning_vectors,
    nearest_above,
    prepare_meaning,
    ranking,
    reach,
    sentence_embedder,
    sentence_example,
    vector_space,
)
from tamis.analytics.study.nearest_documents import neighbours_of
from tamis.analytics.study.pictures import read_rows
from tamis.analytics.study.scene import Scene
from tamis.analytics.study.study import Study
from tamis.app.cli import main
from tamis.data.errors import RecipeError, SettingError
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

SENTENCE = "Parse an XML document into a tree of elements."


@pytest.fixture(scope="module")
def home(docstring_corpus: SharedCorpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return docstring_corpus.copy_home(tmp_path_factory.mktemp("meaning") / "home")


@pytest.fixture(scope="module")
def study(docstring_corpus: SharedCorpus, home: Path) -> Study:
    workspace = Workspace(home)
    return Study.open(open_corpus(docstring_corpus.corpus, probes=workspace.probes), workspace)


@pytest.fixture(scope="module")
def example(study: Study) -> Example:
    return sentence_example(study, SENTENCE, sentence_embedder(study))


def scene_of(study: Study, example: Example) -> Scene:
    ranking(study, example)
    return Scene.build(study.facts, study.evidence, shown=[example.rule(0.0)])


vectors = arrays(np.float16, st.tuples(st.integers(0, 9), st.just(7)), elements=st.floats(-8, 8, width=16))


@given(vectors, arrays(np.float16, 7, elements=st.floats(-8, 8, width=16)).filter(lambda example: example.any()))
def test_cosines_are_those_of_double_precision(rows: np.ndarray, example: np.ndarray) -> None:
    found = cosines(rows, example)
    wide, target = rows.astype(np.float64), example.astype(np.float64)
    norms = np.linalg.norm(wide, axis=1) * np.linalg.norm(target)
    expected = np.divide(wide @ target, norms, out=np.full(len(rows), np.nan), where=norms > 0)
    assert found == pytest.approx(expected, abs=1e-6, nan_ok=True)
    assert found.tolist() == pytest.approx([float(cosines(row[None], example)[0]) for row in rows], abs=0, nan_ok=True)


def test_every_number_of_half_precision_counts_as_it_is() -> None:
    halves = np.arange(1 << 16, dtype=np.uint32).astype(np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves) & (halves != 0)]
    found = cosines(np.stack([halves, np.ones_like(halves)], axis=1), np.array([1.0, 0.0]))
    wide = halves.astype(np.float64)
    assert found == pytest.approx(wide / np.sqrt(wide * wide + 1), rel=1e-7, abs=0)


@given(vectors, st.integers(1, 4))
def test_threads_change_no_bit_of_a_cosine(rows: np.ndarray, threads: int) -> None:
    example = np.linspace(1, 2, 7)
    assert cosines(rows, example, threads=threads).tobytes() == cosines(rows, example).tobytes()


def test_half_precision_is_widened_as_numpy_does_it() -> None:
    halves = np.arange(1 << 16, dtype=np.uint32).astype(np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)].reshape(-1, 2)
    assert widen(halves).tobytes() == halves.astype(np.float32).tobytes()
    assert widen(halves.astype(np.float64)).tobytes() == halves.astype(np.float32).tobytes()


def test_what_is_prepared_changes_no_answer(study: Study, example: Example) -> None:
    prepare_meaning(study)
    assert ranking(study, example).numbers(example.column).tobytes() == _plain_cosines(study, example).tobytes()


def _plain_cosines(study: Study, example: Example) -> np.ndarray:
    """Return the cosines of all documents with an example of which all vectors are at hand, in facts order."""
    stored = load_vectors(meaning_vectors(study), study.documents)
    unit = sentence_embedder(study).encode([example.text])[0]
    return cosines(stored, rescale_rows(unit[None])[0]).astype(np.float64)


def test_the_nearest_documents_of_a_sentence_are_those_of_its_words(study: Study, example: Example) -> None:
    scene = scene_of(study, example)
    best = np.argsort(-np.nan_to_num(scene.facts.numbers(example.column), nan=-2.0))[:10]
    texts = study.corpus.texts_of(study.corpus.fetch(study.documents, np.sort(best))).to_pylist()
    assert sum("xml" in text.lower() or "tree" in text.lower() for text in texts) >= 8
    assert example.tier == "fast" == meaning_vectors(study).facts["tier"]


def test_a_document_is_most_like_itself_and_then_like_its_neighbours(study: Study) -> None:
    row = 40
    example = document_example(study, row, "a document")
    values = scene_of(study, example).facts.numbers(example.column)
    assert values[row] == pytest.approx(1.0, abs=1e-3)
    near = neighbours_of(study, row, k=3)
    assert near is not None
    others = np.delete(values, row)
    assert values[near.rows[0]] == pytest.approx(np.nanmax(others), abs=1e-3)


@pytest.mark.parametrize("floor", [-1.0, 0.2, 0.35, 1.0])
def test_the_count_of_a_floor_is_what_the_rule_selects(study: Study, example: Example, floor: float) -> None:
    rule = example.rule(floor)
    found = reach(scene_of(study, example), rule=rule)
    selected = Scene.build(study.facts, study.evidence, selection=[rule]).selected
    assert found.documents == selected.sum()
    assert found.compared == study.facts.n - int(study.facts.whole("no_embedding").sum())


@pytest.mark.parametrize("wanted", [1, 17, 300])
def test_a_floor_by_number_selects_as_many(study: Study, example: Example, wanted: int) -> None:
    scene = scene_of(study, example)
    floor = floor_of(scene.facts, example.column, documents=wanted)
    values = scene.facts.numbers(example.column)
    assert reach(scene, rule=example.rule(floor)).documents == (values >= floor).sum() >= wanted
    assert (values > floor).sum() < wanted
    with pytest.raises(RecipeError, match="at least one"):
        floor_of(scene.facts, example.column, documents=0)


def test_the_first_floor_leaves_something_to_look_at(study: Study, example: Example) -> None:
    scene = scene_of(study, example)
    floor = first_floor(scene.facts, example.column)
    assert 10 <= reach(scene, rule=example.rule(floor)).documents < study.facts.n / 2


def test_a_run_selects_the_ids_that_the_page_selected(
    study: Study,
    example: Example,
    docstring_corpus: SharedCorpus,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TAMIS_HOME", str(home))
    out = str(tmp_path / "out")
    rule = example.rule(floor_of(scene_of(study, example).facts, example.column, documents=25))
    selected = Scene.build(study.facts, study.evidence, selection=[rule]).selected
    corpus, file = str(docstring_corpus.corpus), str(tmp_path / "recipe.yaml")
    said: dict[str, str] = {}
    for command in (["search", corpus, SENTENCE, "--number", "25", "--out", file], ["run", file, corpus, "-o", out]):
        done = CliRunner().invoke(main.app, command)
        assert done.exit_code == 0, (done.output, done.exception)
        said[command[0]] = done.output
    cosine, own, words = said["search"].splitlines()[0].split(maxsplit=2)
    [row] = np.flatnonzero(np.array(study.facts.ids.to_pylist()) == own)
    assert float(cosine) == pytest.approx(scene_of(study, example).facts.numbers(example.column)[row], abs=1e-4)
    [document] = read_rows(study, [int(row)])
    assert words == line(document, length=100) != ""
    assert Path(file).read_text("utf-8") == Recipe().with_operator(rule).to_yaml()
    kept = [row["id"] for row in pq.read_table(tmp_path / "out" / "selection.parquet").to_pylist() if row["copies"]]
    assert sorted(kept) == sorted(study.facts.ids.filter(selected).to_pylist())


def test_the_same_sentence_is_the_same_example(study: Study, example: Example) -> None:
    again = sentence_example(study, SENTENCE, sentence_embedder(study))
    assert again == example == Example.from_value(example.to_value())
    assert example.rule(0.5).sentence() == f"Keep documents at least 0.5 like “{SENTENCE}” in meaning"
    with pytest.raises(RecipeError, match="not an example"):
        Example.from_value({"model": "x"})


def test_what_cannot_be_embedded_is_refused(study: Study) -> None:
    with pytest.raises(SettingError, match="knows no word"):
        sentence_example(study, "\U0001d573", sentence_embedder(study))


@pytest.mark.parametrize("precise", [False, True])
def test_precise_vectors_are_compared_where_they_exist_and_the_tier_is_named(tmp_path: Path, precise: bool) -> None:
    texts = ["x" * size for size in range(1, 200, 7)]
    pq.write_table(pa.table({"id": [f"{k:03d}" for k in range(len(texts))], "text": texts}), tmp_path / "texts.parquet")
    beside = (by_length(PRECISE, "precise", 1.0),) if precise else ()
    measured = (documents_step(), by_length("embeddings", "fast", 0.5))
    steps = (*measured, *beside, facts_step(measured[:1]))
    study = Study.open(open_corpus(tmp_path / "texts.parquet"), Workspace(tmp_path / "home"), steps=steps)
    example = document_example(study, 0, "document 000")
    assert (example.vectors, example.tier) == (("precise", "precise") if precise else ("analysis", "fast"))
    assert example.space == vector_space(study, example.vectors)
    assert vector_space(study, "precise") == (PRECISE if precise else None)
    found = ranking(study, example).numbers(example.column)
    angle = (1.0 if precise else 0.5) * (np.array([len(text) for text in texts]) - 1) / 100
    assert found == pytest.approx(np.cos(angle), abs=2e-3)
    assert nearest_above(found, floor_of(ranking(study, example), example.column, documents=3)).tolist() == [0, 1, 2]
