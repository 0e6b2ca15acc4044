"""Rules and effects on a corpus of pictures without captions: budgets, coverage, order, a probe of its labels."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from labelled_pictures import write_labelled
from typer.testing import CliRunner

from tamis.analytics.effect.composition import largest_cosines
from tamis.analytics.effect.evaluation import evaluate_effect, leave_one_out
from tamis.analytics.effect.purpose import EffectStudy
from tamis.analytics.effect.target import TargetEntry
from tamis.analytics.embedding.stored_vectors import load_vectors
from tamis.analytics.export.bundle import export_bundle
from tamis.analytics.export.curated import CuratedOptions
from tamis.analytics.export.run import run_bundle, verify_bundle
from tamis.analytics.recipe.outcome import Outcome
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.study import Study, find_artifact
from tamis.app.cli.main import app
from tamis.data.errors import RecipeError, SettingError
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

COUNTS = {"fields": 24, "seas": 12, "tractors": 8}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("pictures")
    corpus = open_corpus(write_labelled(folder / "corpus", COUNTS))
    return Study.open(corpus, Workspace(folder / "home"))


def outcome_of(study: Study, name: str, **params: Any) -> Outcome:
    recipe = Recipe().with_operator(name, **params)
    study.measure(recipe)
    return study.evaluate(recipe)


def kept_labels(study: Study, outcome: Outcome) -> Counter[str]:
    labels = study.facts.array("label").to_pylist()
    return Counter(labels[row] for row in np.repeat(np.arange(study.facts.n), outcome.copies))


def vectors_of(study: Study) -> np.ndarray[Any, Any]:
    artifact = find_artifact(study, "embeddings")
    assert artifact is not None
    return load_vectors(artifact, study.documents).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "params", "expected"),
    [
        ("mixture", {"alpha": 0.0, "documents": 17, "by": "label"}, {"fields": 6, "seas": 6, "tractors": 5}),
        ("mixture", {"alpha": 1.0, "share": 0.5, "by": "label"}, {"fields": 12, "seas": 6, "tractors": 4}),
        (
            "mixture",
            {"weights": [{"group": "tractors", "weight": 1}], "documents": 20, "max_copies": 3, "by": "label"},
            {"tractors": 20},
        ),
        ("quality_curve", {"signal": "sharpness", "documents": 16, "within": "label"}, None),
    ],
)  # fmt: skip
def test_shares_and_budgets_of_labels_are_in_pictures(
    study: Study, name: str, params: dict[str, Any], expected: dict[str, int] | None
) -> None:
    outcome = outcome_of(study, name, unit="documents", **params)
    found = kept_labels(study, outcome)
    if expected is None:
        assert params["documents"] - len(COUNTS) <= sum(found.values()) <= params["documents"]
        assert found["fields"] > found["seas"] > found["tractors"]
    else:
        assert found == expected


def test_shares_by_clusters_and_budgets_in_documents_need_no_tokens(study: Study) -> None:
    outcome = outcome_of(study, "mixture", unit="documents", by="cluster", alpha=0.0, documents=12)
    assert outcome.copies.sum() == 12
    clusters = study.facts.array("cluster").to_pylist()
    found = Counter(clusters[row] for row in np.flatnonzero(outcome.copies))
    # As equal as the sizes of the clusters allow.
    sizes = Counter(clusters)
    assert max(found.values()) - min(found[name] for name in found if found[name] < sizes[name]) <= 1
    ordered = {"signal": "sharpness", "order": "highest"}
    budget = outcome_of(study, "token_budget", unit="documents", amount=9, **ordered)
    sharp = study.facts.numbers("sharpness")
    assert set(np.flatnonzero(budget.copies)) == set(np.argsort(-sharp, kind="stable")[:9])


def test_tokens_of_pictures_without_captions_are_refused_with_the_way_out(study: Study) -> None:
    for name, params in (("mixture", {"by": "label", "alpha": 0.5}), ("top_share", {"signal": "width", "tokens": 5})):
        with pytest.raises(RecipeError, match=r"n_tokens.*pictures without captions have no tokens.*unit: documents"):
            outcome_of(study, name, **params)
    for given in (
        {"documents": 3},
        {"unit": "documents", "tokens": 3},
        {"unit": "documents", "documents": 3, "share": 1},
    ):
        with pytest.raises(RecipeError, match=r"unit: documents|not tokens|not both"):
            Recipe().with_operator("mixture", alpha=0.5, **given)


def test_a_coverage_sample_by_vectors_covers_better_than_chance_and_refuses_words(study: Study) -> None:
    vectors, n = vectors_of(study), study.facts.n
    outcome = outcome_of(study, "coverage_sample", by="vectors", documents=6)
    kept = np.flatnonzero(outcome.copies)
    assert len(kept) == 6
    chance = np.random.default_rng(0)
    others = [largest_cosines(vectors, vectors[chance.choice(n, 6, replace=False)]).mean() for _ in range(20)]
    assert largest_cosines(vectors, vectors[kept]).mean() > max(others)
    each = outcome_of(study, "coverage_sample", by="vectors", documents=2, within="label", neighbours=3)
    assert kept_labels(study, each) == dict.fromkeys(COUNTS, 2)
    with pytest.raises(RecipeError, match=r"Pictures without captions share no words.*by: vectors"):
        outcome_of(study, "coverage_sample", documents=6)


def test_neighbours_by_vectors_are_the_nearest_by_plain_cosine(study: Study) -> None:
    recipe = Recipe().with_operator("coverage_sample", by="vectors", documents=6, neighbours=4)
    study.measure(recipe)
    pairs = study.evidence.pairs(recipe.measures()[0])
    vectors = vectors_of(study).astype(np.float64)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -1)
    expected = {
        (min(row, other), max(row, other))
        for row in range(len(unit)) for other in np.argsort(-cosines[row], kind="stable")[:4]
    }  # fmt: skip
    found = set(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True))
    assert found == {(int(a), int(b)) for a, b in expected}
    assert pairs.similarity == pytest.approx(cosines[pairs.left, pairs.right], abs=1e-6)


def test_a_diverse_sample_reads_the_vectors_of_pictures(study: Study) -> None:
    outcome = outcome_of(study, "diverse_sample", documents=3, within="label")
    assert kept_labels(study, outcome) == dict.fromkeys(COUNTS, 3)


@pytest.mark.parametrize("format", ["parquet", "webdataset", "folder"])
def test_pictures_are_written_in_the_order_of_a_curriculum(study: Study, format: Any, tmp_path: Path) -> None:
    recipe = Recipe().with_operator("curriculum", order="easy to hard", difficulty="sharpness")
    bundle = export_bundle(tmp_path / "bundle", study=study, recipe=recipe)
    options = CuratedOptions(format=format, ordered=True)
    done = run_bundle(bundle, study.corpus.path, tmp_path / "out", workspace=study.workspace, options=options)
    place = tmp_path / "out" / "curated"
    if format == "parquet":
        names = [each["path"] for each in pq.read_table(place).column("image").to_pylist()]
    elif format == "folder":
        names = re.findall(r'"file_name": ?"([^"]+)"', (place / "metadata.jsonl").read_text())
    else:
        # Late: webdataset.
        import webdataset

        samples = [
            each for tar in sorted(place.glob("*.tar")) for each in webdataset.WebDataset(str(tar), shardshuffle=False)
        ]
        names = [re.findall(r'"(?:path|meta_path)": ?"([^"]+)"', each["json"].decode())[0] for each in samples]
    paths = study.corpus.fetch(study.documents, range(study.documents.n))["path"].to_pylist()
    sharp = dict(zip(paths, study.facts.numbers("sharpness").tolist(), strict=True))
    written = [sharp[name] for name in names]
    assert len(written) == study.facts.n and written == sorted(written)
    assert done.agrees
    assert verify_bundle(tmp_path / "bundle", study.corpus.path, workspace=study.workspace).ok


def test_the_effect_on_pictures_is_a_probe_of_labels_on_vectors_and_coverage(study: Study) -> None:
    bed = EffectStudy.open(study)
    recipe = Recipe().with_operator("coverage_sample", by="vectors", share=0.5, within="label")
    effect = evaluate_effect(bed, recipe)
    assert [each.figure for each in effect.differences] == ["macro-F1 of a linear probe", "coverage of the corpus"]
    assert effect.probe is not None and effect.probe.classes == 3 and not effect.trials and effect.headline is None
    # The three colours are told apart by any fair selection.
    assert min(effect.probe.points[-1].recipe) > 0.9
    assert (effect.unit, effect.budget_bytes) == ("pictures", effect.selection_bytes)
    assert effect.selection_bytes <= effect.documents == 22
    (mix,) = [each for each in effect.compositions if each.column == "label"]
    assert [(shift.group, shift.tokens) for shift in mix.shifts] == list(COUNTS.items())
    one = evaluate_effect(bed, Recipe().with_operator("category", column="label", values=["seas"]))
    assert one.probe is not None and max(one.probe.points[-1].recipe) < 0.5
    assert one.differences[0].verdict == "worse"
    with pytest.raises(SettingError, match="left out one by one for texts only"):
        leave_one_out(bed, recipe)
    with pytest.raises(SettingError, match="A target of texts gives no verdict on pictures"):
        EffectStudy.open(study, TargetEntry("sea", "0" * 64, "", 0, 0))


def test_evaluate_prints_the_probe(study: Study, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(Recipe(title="Half").with_operator("random_sample", share=0.5).to_yaml())
    command = ["evaluate", str(tmp_path / "recipe.yaml"), study.corpus.path]
    result = CliRunner().invoke(app, command, env={"TAMIS_HOME": str(study.workspace.root)})
    assert result.exit_code == 0, result.output
    assert "macro-F1 of a linear probe" in result.output and "no verdict" not in result.output
