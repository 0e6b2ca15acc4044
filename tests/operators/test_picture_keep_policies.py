"""Which picture of a group is kept: the largest, the sharpest, the best captioned, by pixels, likeness and vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from labelled_pictures import drawn
from PIL import ImageFilter
from tiny_clip import write_tiny_clip
from typer.testing import CliRunner

from tamis.analytics.map.options import MapOptions, write_options
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.meaning import floor_of, ranking, sentence_embedder, sentence_example
from tamis.analytics.study.pictures import read_rows
from tamis.analytics.study.study import Study
from tamis.app.cli.main import app
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

CAPTIONS = {
    "alone.png": "another picture",
    "blurred.png": "the sea in the evening, with many words",
    "copy.bmp": "the sea, longer",
    "large.png": "the sea",
    "small.png": "sea",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a large picture, its copy in another format, a small, a blurred one, and another picture."""
    folder = tmp_path_factory.mktemp("kept") / "corpus"
    folder.mkdir()
    image = drawn(1, "seas")
    image.resize((256, 192)).save(folder / "large.png")
    image.resize((256, 192)).save(folder / "copy.bmp")
    image.resize((64, 48)).save(folder / "small.png")
    image.resize((192, 144)).filter(ImageFilter.GaussianBlur(3)).save(folder / "blurred.png")
    drawn(7, "tractors").save(folder / "alone.png")
    lines = [json.dumps({"file_name": name, "caption": caption}) for name, caption in CAPTIONS.items()]
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n")
    return folder.parent


@pytest.fixture(scope="module")
def study(root: Path) -> Study:
    return Study.open(open_corpus(root / "corpus"), Workspace(root / "home"))


def names(study: Study, rows: Any) -> set[str]:
    return set(study.corpus.fetch(study.documents, [int(row) for row in rows])["path"].to_pylist())


@pytest.mark.parametrize("rule", ["image_near_dedup", "image_semantic_dedup"])
@pytest.mark.parametrize(
    ("keep", "then", "kept"),
    [
        ("largest", ("best caption",), "copy.bmp"),
        ("sharpest", (), "small.png"),
        ("best caption", (), "blurred.png"),
    ],
)
def test_one_picture_of_each_group_is_kept_by_the_policy(
    study: Study, rule: str, keep: str, then: tuple[str, ...], kept: str
) -> None:
    more: dict[str, Any] = {"eps": 0.25} if rule == "image_semantic_dedup" else {"threshold": 0.6}
    recipe = Recipe().with_operator(rule, keep=keep, then=list(then), **more)
    study.measure(recipe)
    outcome = study.evaluate(recipe)
    assert names(study, np.flatnonzero(outcome.copies)) == {kept, "alone.png"}
    twins = outcome.traces[recipe.steps[0].id].decision.twin
    assert twins is not None
    assert names(study, twins[twins >= 0]) == {kept}


def test_of_equal_pixels_ties_of_size_go_to_the_caption(study: Study) -> None:
    recipe = Recipe().with_operator("image_exact_dedup", keep="largest", then=["best caption"])
    outcome = study.evaluate(recipe)
    assert names(study, np.flatnonzero(outcome.copies == 0)) == {"large.png"}
    short = Recipe().with_operator("image_exact_dedup", keep="first id", compare="bytes")
    assert not (study.evaluate(short).copies == 0).any()


def test_a_sentence_selects_pictures_by_a_model_of_both_on_the_command_line_and_as_a_rule(root: Path) -> None:
    clip, home = write_tiny_clip(root / "clip"), Workspace(root / "clip-home")
    corpus = open_corpus(root / "corpus")
    write_options(home, corpus, MapOptions(tier="precise", model=str(clip)))
    study = Study.open(corpus, home)
    example = sentence_example(study, "a red tractor", sentence_embedder(study))
    facts = ranking(study, example)
    cut = floor_of(facts, example.column, documents=2)
    recipe = Recipe().with_operator(example.rule(cut))
    study.measure(recipe)
    kept = np.flatnonzero(study.evaluate(recipe).copies)
    assert len(kept) >= 2 and len(kept) < 5
    written = root / "found.yaml"
    command = ["search", corpus.path, "a red tractor", "--number", "2", "--out", str(written)]
    result = CliRunner().invoke(app, command, env={"TAMIS_HOME": str(home.root)})
    assert result.exit_code == 0, result.output
    said = Recipe.from_yaml(written.read_text())
    assert set(np.flatnonzero(study.evaluate(said).copies)) == set(kept)
    printed = [line.split(maxsplit=2) for line in result.output.splitlines() if line[:2] in ("0.", "-0")]
    assert {own for _, own, _ in printed} == set(study.facts.ids.take(kept).to_pylist())
    cosines = [float(cosine) for cosine, _, _ in printed]
    assert cosines == sorted(cosines, reverse=True)
    for _, own, words in printed:
        [document] = read_rows(study, [study.facts.ids.to_pylist().index(own)])
        assert document.picture is not None
        told = f"{document.picture.name}: {document.text}" if document.text else document.picture.name
        assert words == told and words.partition(":")[0].endswith((".png", ".bmp"))
