"""Rules on pictures meet texts and the other way: each is refused by a sentence, and no caption is no copy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from labelled_pictures import write_labelled
from narrow_analysis import narrow_steps

from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.steps.pipeline import analyze
from tamis.analytics.study.study import Study
from tamis.data.errors import RecipeError
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace


def study_of(folder: Path, home: Path, *steps: str) -> Study:
    corpus, workspace = open_corpus(folder), Workspace(home)
    chosen = narrow_steps(corpus, workspace, *steps)
    return Study.of(analyze(corpus, workspace, steps=chosen), workspace, chosen)


def kept(study: Study, operator: str, **params: object) -> int:
    recipe = Recipe().with_operator(operator, **params)
    study.measure(recipe)
    return study.evaluate(recipe).counts[-1].documents


def test_texts_refuse_rules_on_pictures(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n{"text": "two"}\n')
    study = study_of(tmp_path / "a.jsonl", tmp_path / "home")
    with pytest.raises(RecipeError, match=r"compares pictures, and the corpus holds texts.*near_dedup"):
        kept(study, "image_near_dedup")
    with pytest.raises(RecipeError, match=r"'sharpness'.*measured on pictures, and this corpus holds texts"):
        kept(study, "signal_range", signal="sharpness", min=1)


def test_pictures_without_captions_refuse_rules_on_texts(tmp_path: Path) -> None:
    write_labelled(tmp_path / "corpus", {"fields": 3})
    study = study_of(tmp_path / "corpus", tmp_path / "home", "pictures")
    with pytest.raises(RecipeError, match=r"Pictures without captions share no words.*image_near_dedup"):
        kept(study, "near_dedup")
    with pytest.raises(RecipeError, match=r"'n_words'.*measured on texts, and these pictures have no captions"):
        kept(study, "signal_range", signal="n_words", min=1)


def test_pictures_without_a_caption_are_no_copies_of_each_other(tmp_path: Path) -> None:
    write_labelled(tmp_path / "corpus", {"fields": 6})
    names = sorted(path.name for path in (tmp_path / "corpus").rglob("*.png"))
    said = ["a field in spring", "A field, in spring!", " ", *[None] * (len(names) - 3)]
    lines = [{"file_name": f"fields/{name}", "caption": each} for name, each in zip(names, said, strict=True)]
    (tmp_path / "corpus" / "metadata.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    study = study_of(tmp_path / "corpus", tmp_path / "home", "pictures")
    assert study.corpus.shape.has_texts
    assert kept(study, "near_dedup", convention="letters-1") == 5
