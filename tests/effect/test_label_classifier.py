"""A concept taught on an analysed corpus: the rule finds it, a run keeps the same ids, bad labels are told."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_line import tamis
from shared_corpus import SharedCorpus
from vectors_by_length import by_length

from tamis.analytics.effect.label_classifier import Examples, LabelClassifier, next_to_label, train_classifier
from tamis.analytics.embedding.stored_vectors import PRECISE
from tamis.analytics.operators.operator import OPERATORS, RowOperator
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.review.tags import make_mark
from tamis.analytics.review.taught_labels import tagged_examples, voted_examples
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.study.study import Study
from tamis.data.errors import RecipeError, SettingError
from tamis.data.open_corpus import open_corpus
from tamis.data.reviews import Event, ReviewStore, event_key
from tamis.data.workspace import Workspace

WANTED = re.compile(r"\b(file|directory|path)\b", re.IGNORECASE)
EACH = 30


@pytest.fixture(scope="module")
def home(docstring_corpus: SharedCorpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return docstring_corpus.copy_home(tmp_path_factory.mktemp("taught") / "home")


@pytest.fixture(scope="module")
def study(docstring_corpus: SharedCorpus, home: Path) -> Study:
    workspace = Workspace(home)
    return Study.open(open_corpus(docstring_corpus.corpus, probes=workspace.probes), workspace)


@pytest.fixture(scope="module")
def texts(study: Study) -> list[str]:
    rows = np.arange(study.facts.n)
    return [str(text) for text in study.corpus.texts_of(study.corpus.fetch(study.documents, rows)).to_pylist()]


@pytest.fixture(scope="module")
def truth(texts: list[str]) -> np.ndarray:
    return np.array([len(WANTED.findall(text)) >= 2 for text in texts])


@pytest.fixture(scope="module")
def sides(study: Study, texts: list[str], truth: np.ndarray) -> tuple[Examples, Examples]:
    order = np.argsort(study.facts.keys)
    never = np.array([not WANTED.search(text) for text in texts])
    long = np.array([len(text) > 60 for text in texts])
    ours, others = (order[(mask & long)[order]] for mask in (truth, never))
    return Examples(rows=tuple(ours[:EACH].tolist())), Examples(rows=tuple(others[:EACH].tolist()))


@pytest.fixture(scope="module")
def taught(study: Study, sides: tuple[Examples, Examples]) -> LabelClassifier:
    return train_classifier(study, *sides, name="files")


def kept(study: Study, recipe: Recipe) -> np.ndarray:
    study.measure(recipe)
    return study.evaluate(recipe).copies > 0


def test_sixty_labels_find_a_concept_among_documents_nobody_labelled(
    study: Study, taught: LabelClassifier, sides: tuple[Examples, Examples], truth: np.ndarray
) -> None:
    found = kept(study, Recipe().with_operator(taught.rule(0.6)))
    new = np.ones(study.facts.n, dtype=bool)
    new[list(sides[0].rows + sides[1].rows)] = False
    assert truth[found & new].mean() > 2 * truth[new].mean()
    assert taught.curve[-1].low > 0.55
    assert taught.calibration.brier < taught.calibration.constant
    assert "belong to “files” with probability >= 0.6" in taught.rule(0.6).sentence()


def test_a_higher_probability_keeps_a_part(study: Study, taught: LabelClassifier) -> None:
    loose, strict = (kept(study, Recipe().with_operator(taught.rule(least))) for least in (0.3, 0.7))
    assert 0 < strict.sum() < loose.sum() < study.facts.n
    assert not (strict & ~loose).any()


def test_no_order_of_labels_changes_what_is_learnt(
    study: Study, taught: LabelClassifier, sides: tuple[Examples, Examples]
) -> None:
    backward = [Examples(rows=side.rows[::-1]) for side in sides]
    again = train_classifier(study, *backward, name="files")
    assert (again.model, again.curve, again.calibration) == (taught.model, taught.curve, taught.calibration)
    assert next_to_label(study, again) == next_to_label(study, taught)


def test_what_to_label_next_is_in_doubt_and_not_labelled(
    study: Study, taught: LabelClassifier, sides: tuple[Examples, Examples]
) -> None:
    found = next_to_label(study, taught, most=10)
    assert len({each.id for each in found}) == 10
    assert not {each.row for each in found} & set(sides[0].rows + sides[1].rows)
    assert [each.value for each in found] == sorted((each.value for each in found), reverse=True)
    assert all(abs(each.probability - 0.5) < 0.3 for each in found)
    assert [study.facts.ids[each.row].as_py() for each in found] == [each.id for each in found]


def test_pasted_texts_teach_like_the_documents_they_are(
    study: Study, taught: LabelClassifier, sides: tuple[Examples, Examples], texts: list[str]
) -> None:
    pasted = [Examples(texts=tuple(texts[row] for row in side.rows)) for side in sides]
    assert train_classifier(study, *pasted, name="files").model == taught.model


def test_labels_come_from_votes_and_tags(study: Study, sides: tuple[Examples, Examples]) -> None:
    ids = [[study.facts.ids[row].as_py() for row in side.rows] for side in sides]
    events = [
        Event(event_key("v", name, value), "Ada", study.corpus.text_fingerprint, "document", name, "decision", value)
        for names, value in zip(ids, ("keep", "drop"), strict=True)
        for name in names
    ]
    unsure = Event("u" * 32, "Ada", study.corpus.text_fingerprint, "document", ids[0][0], "decision", "unsure")
    ours, others = voted_examples(study, [*events, unsure])
    assert set(ours.rows) == set(sides[0].rows[1:]) and set(others.rows) == set(sides[1].rows)
    rule = OPERATORS.build("id_list", {"ids": ids[0]})
    assert isinstance(rule, RowOperator)
    fingerprint = study.corpus.text_fingerprint
    mark = make_mark("tag", "files", selection=[rule], corpus=fingerprint, documents=EACH, who="Ada")
    assert set(tagged_examples(study, [mark], "files").rows) == set(sides[0].rows)
    with pytest.raises(SettingError, match=r"No selection has this tag.*files"):
        tagged_examples(study, [mark], "other")


def test_unknown_ids_and_missing_classes_are_told(study: Study, sides: tuple[Examples, Examples]) -> None:
    with pytest.raises(SettingError, match=r"1 of 2 examples are no documents of this corpus.*no such id"):
        Examples.of_ids(study, [study.facts.ids[0].as_py(), "no such id"])
    with pytest.raises(SettingError, match="Too few examples of the class “unlike”"):
        train_classifier(study, sides[0], Examples())
    with pytest.raises(SettingError, match="both classes"):
        train_classifier(study, sides[0] + sides[1], sides[1])
    with pytest.raises(RecipeError, match="min_probability"):
        OPERATORS.build("embedding_classifier", {"model": "a" * 64, "share": 0.5, "min_probability": 0.5})
    with pytest.raises(RecipeError, match="temperature"):
        OPERATORS.build("embedding_classifier", {"model": "a" * 64, "temperature": 2.0, "min_probability": 0.5})


def test_the_command_writes_a_recipe_whose_run_keeps_the_same_ids(
    study: Study,
    taught: LabelClassifier,
    sides: tuple[Examples, Examples],
    texts: list[str],
    docstring_corpus: SharedCorpus,
    home: Path,
    tmp_path: Path,
) -> None:
    corpus, out = str(docstring_corpus.corpus), tmp_path / "recipe.yaml"
    ids = [{"id": study.facts.ids[row].as_py()} for row in sides[0].rows]
    (tmp_path / "like.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in ids), "utf-8")
    unlike = [{"text": texts[row]} for row in sides[1].rows]
    (tmp_path / "unlike.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in unlike), "utf-8")
    given = ["--like", str(tmp_path / "like.jsonl"), "--unlike", str(tmp_path / "unlike.jsonl"), "--name", "files"]
    said = tamis("train-classifier", corpus, *given, "-o", str(out), home=home).stdout
    rule = taught.rule()
    expected = kept(study, Recipe().with_operator(rule))
    assert f"the rule keeps {expected.sum():,} of {study.facts.n:,} documents, exact" in said
    assert "Brier score" in said and said.count("label next:") == 10
    assert [step.operator for step in Recipe.from_yaml(out.read_text("utf-8"))] == [rule]
    tamis("run", str(out), corpus, "-o", str(tmp_path / "run"), home=home)
    rows = pq.read_table(tmp_path / "run" / "selection.parquet").to_pylist()
    assert sorted(row["id"] for row in rows if row["copies"]) == sorted(study.facts.ids.filter(expected).to_pylist())
    alone = tamis("train-classifier", corpus, *given[:2], "-o", str(tmp_path / "none.yaml"), home=home, check=False)
    assert alone.returncode == 2 and "Too few examples of the class “unlike”" in alone.stderr
    assert not (tmp_path / "none.yaml").exists()


def test_the_command_reads_what_reviewers_decided(
    study: Study, taught: LabelClassifier, sides: tuple[Examples, Examples], docstring_corpus: SharedCorpus, home: Path
) -> None:
    fingerprint = study.corpus.text_fingerprint
    ReviewStore.of(home).add_all(
        [
            Event(event_key("t", row, value), "Ada", fingerprint, "document", study.facts.ids[row].as_py(), "decision",
                  value)
            for side, value in zip(sides, ("keep", "drop"), strict=True)
            for row in side.rows
        ]
    )  # fmt: skip
    said = tamis("train-classifier", str(docstring_corpus.corpus), "--reviews", "--number", "0", home=home).stdout
    assert f"{EACH} examples and {EACH} counterexamples" in said


@pytest.mark.parametrize("precise", [False, True])
def test_precise_vectors_are_learnt_from_where_they_exist(tmp_path: Path, precise: bool) -> None:
    texts = ["x" * size for size in range(1, 121)]
    pq.write_table(pa.table({"id": [f"{k:03d}" for k in range(len(texts))], "text": texts}), tmp_path / "texts.parquet")
    beside = (by_length(PRECISE, "precise", 1.0),) if precise else ()
    measured = (documents_step(), by_length("embeddings", "fast", 0.5))
    steps = (*measured, *beside, facts_step(measured[:1]))
    study = Study.open(open_corpus(tmp_path / "texts.parquet"), Workspace(tmp_path / "home"), steps=steps)
    found = train_classifier(study, Examples(rows=tuple(range(0, 40))), Examples(rows=tuple(range(70, 120))))
    assert (found.vectors, found.tier) == (("precise", "precise") if precise else ("analysis", "fast"))
    assert found.rule().column.endswith("_precise") == precise
    short = kept(study, Recipe().with_operator(found.rule()))
    assert short[:40].all() and not short[70:].any()
