"""Options that rules got later: new recipes state them, older recipes keep their digests and what they decide."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from docstrings import write_corpus
from plain_duplicates import edited, shingle_set, similarity
from typer.testing import CliRunner

from tamis.analytics.duplicates.exact import exact_step
from tamis.analytics.duplicates.near import near_pairs
from tamis.analytics.duplicates.near_passes import NearParams, banding, expected_recall
from tamis.analytics.export.run import Run
from tamis.analytics.operators.duplicates import NearDedup
from tamis.analytics.operators.operator import OPERATORS, new_params
from tamis.analytics.recipe.ledger import ledger
from tamis.analytics.recipe.plan import attach
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.signals.tokens import tokens_step
from tamis.analytics.steps.corpus_columns import columns_step
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.steps.measures import step_name
from tamis.analytics.study.study import Study
from tamis.app.cli import main
from tamis.data.errors import RecipeError
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace


def large(texts: list[str]) -> pa.Array:
    return pa.array(texts, pa.large_string())


def near(**params: object) -> NearDedup:
    operator = OPERATORS.build("near_dedup", params)
    assert isinstance(operator, NearDedup)
    return operator


def fresh(**params: object) -> NearDedup:
    operator = OPERATORS.fresh("near_dedup", params)
    assert isinstance(operator, NearDedup)
    return operator


@pytest.mark.parametrize(
    ("name", "params", "digest"),
    [
        ("near_dedup", {}, "7f012474fb1e682977b40f267fdeeaf61eaf794d644a213231760d33bb330eca"),
        (
            "near_dedup",
            {"threshold": 0.35, "similarity": "containment", "n": 2},
            "f1672f36658fa7f04a3bd1855f105cc7c36484aef9191d8f0b1f58661dbc85ae",
        ),
        ("c4_lines", {}, "74da7c6c97c652aaa768bcdf62547b80a1bafa9efa51b1f25b828e3256281769"),
    ],
)
def test_recipes_without_the_options_keep_their_digests(name: str, params: dict[str, object], digest: str) -> None:
    assert Recipe().with_operator(OPERATORS.build(name, params)).digest == digest
    assert Recipe().with_operator(OPERATORS.fresh(name, params)).digest != digest


def test_what_older_rules_measure_keeps_its_name() -> None:
    assert step_name(near().params.measure) == "near_pairs-99ffb20ca399"
    assert step_name(near(convention="words-1").params.measure) == "near_pairs-99ffb20ca399"
    assert near().params == NearParams()
    assert NearParams.of(fresh().params.measure) == fresh().params != near().params


def test_new_recipes_state_what_older_ones_leave_out() -> None:
    stated = {kind.name: new_params(kind) for kind in OPERATORS if new_params(kind)}
    assert stated == {"near_dedup": {"convention": "letters-1", "recall": 0.99}, "c4_lines": {"unspaced": "keep"}}
    assert "letters-1" in fresh().sentence() and "letters-1" not in near().sentence()
    assert fresh(convention="words-1").convention == "words-1"


LICENCE = (
    "Redistribution and use in source and binary forms with or without modification are permitted provided that"
    " redistributions of source code retain the above notice this list of conditions and the following disclaimer"
)


def test_a_frame_of_symbols_parts_no_twins_without_symbols() -> None:
    framed = "\n".join(f"| {LICENCE[start : start + 40]} |" for start in range(0, len(LICENCE), 40))
    plain = "\n".join(LICENCE[start : start + 40] for start in range(0, len(LICENCE), 40))
    for convention, expected in (("words-1", False), ("letters-1", True), ("folded-1", True)):
        pairs, first = near_pairs(large([plain, framed]), near(threshold=0.8, convention=convention).params)
        found = first[1] == 0 or bool((pairs.similarity >= np.float32(0.8)).any())
        assert found == expected


@pytest.mark.parametrize("threshold", [0.1, 0.15, 0.2, 0.3, 0.35, 0.4, 0.49, 0.5, 0.6, 0.7, 0.8, 1.0])
@pytest.mark.parametrize("recall", [0.9, 0.99, 0.999])
def test_bands_follow_the_recall_at_every_threshold(threshold: float, recall: float) -> None:
    rule = near(threshold=threshold, recall=recall)
    assert rule.expected_recall >= recall
    assert rule.params.bands * rule.params.rows <= 1024
    assert rule.params.floor <= threshold


def test_banding_takes_as_many_rows_as_its_bands_allow() -> None:
    assert banding(0.7, 0.99) == (20, 4)
    for level in np.linspace(0.1, 1.0, 19):
        bands, rows = banding(float(level), 0.99)
        assert expected_recall(float(level), bands=bands, rows=rows) >= 0.989
        assert rows == 4 or expected_recall(float(level), bands=64, rows=rows + 1) < 0.99


def test_recall_and_bands_exclude_each_other() -> None:
    with pytest.raises(RecipeError, match="recall, or bands and rows"):
        near(recall=0.99, bands=30)


def test_a_rule_that_misses_many_pairs_says_so() -> None:
    assert "0% are found" in near(threshold=0.1).sentence()
    assert "are found" not in near(threshold=0.6).sentence() + fresh(threshold=0.1).sentence()


LINES = [
    "the quick brown fox jumps over the lazy dog",
    "the quick brown fox sleeps all day long",
    "a lazy dog and the quick cat",
    "over the lazy dog jumps a cat",
    "all day long the cat sleeps",
    "the quick cat sleeps over the lazy dog",
]


@pytest.mark.parametrize("metric", ["jaccard", "containment"])
@pytest.mark.parametrize("threshold", [0.1, 0.2, 0.3])
def test_all_pairs_of_a_small_corpus_are_found(metric: str, threshold: float) -> None:
    texts = [*LINES, *(edited(line, share=0.2, seed=k) for k, line in enumerate(LINES * 20))]
    rule = fresh(threshold=threshold, n=2, similarity=metric)
    pairs, first = near_pairs(large(texts), rule.params)
    sets = [shingle_set(text, n=2) for text in texts]
    alone = [row for row in range(len(texts)) if first[row] == row]
    for i, j in itertools.combinations(alone, 2):
        both = len(sets[i] & sets[j])
        truth = similarity(sets[i], sets[j]) if metric == "jaccard" else both / min(len(sets[i]), len(sets[j]))
        held = (pairs.left == i) & (pairs.right == j)
        assert bool(held.any()) == (np.float32(truth) >= np.float32(rule.params.floor))


def studied(folder: Path, texts: list[str]) -> Study:
    """Return a study that knows exact duplicates and tokens of some texts."""
    corpus = open_corpus(write_corpus(folder / "corpus", pa.table({"text": texts})))
    steps = (documents_step(), columns_step(corpus), tokens_step(), exact_step())
    return Study.open(corpus, Workspace(folder / "home"), steps=(*steps, facts_step(steps)))


def test_exact_duplicates_say_how_many_documents_the_kept_one_stands_for(tmp_path: Path) -> None:
    study = studied(tmp_path, ["one two"] * 4 + ["One, two!"] + ["three four"] * 2 + ["alone"])
    recipe = Recipe().with_operator(OPERATORS.build("exact_dedup", {}))
    outcome = study.evaluate(recipe)
    rows = ledger(outcome, attach(study.facts, recipe.measures(), study.evidence), study.evidence)
    assert sorted(rows.column("value").to_pylist()) == ["2", *["5"] * 4]
    several = study.evaluate(Recipe().with_operator(OPERATORS.build("exact_dedup", {"max_copies": 2})))
    rows = ledger(several, study.facts)
    assert rows.column("value").to_pylist() == ["4"] * 3


def test_texts_of_spaces_are_equal_for_near_duplicates_and_other_bytes_for_exact_ones(tmp_path: Path) -> None:
    blank = ["", " ", "  "]
    study = studied(tmp_path, [*blank, "words"])
    assert study.evaluate(Recipe().with_operator(OPERATORS.build("exact_dedup", {}))).output.documents == 4
    _, first = near_pairs(large([*blank, "\n"]), NearParams())
    assert first.tolist() == [0, 0, 0, 3]


CHINESE = "人人生而自由，在尊严和权利上一律平等。\n他们赋有理性和良心。"
ENGLISH = "All human beings are born free.\nmenu\nThey are equal in dignity and rights."


def test_c4_lines_leave_scripts_without_spaces_alone_where_asked() -> None:
    texts = pa.array([CHINESE, ENGLISH, None, ""], pa.large_string())
    cleaned = "All human beings are born free.\nThey are equal in dignity and rights."
    assert OPERATORS.build("c4_lines", {}).edit(texts).to_pylist() == ["", cleaned, None, ""]
    assert OPERATORS.fresh("c4_lines", {}).edit(texts).to_pylist() == [CHINESE, cleaned, None, ""]


@pytest.mark.parametrize(("params", "emptied"), [({}, 2), ({"unspaced": "keep"}, 1)])
def test_a_run_says_what_text_steps_did_and_which_texts_they_emptied(
    workspace: Workspace, tmp_path: Path, params: dict[str, str], emptied: int
) -> None:
    corpus = write_corpus(tmp_path / "corpus", pa.table({"text": [CHINESE, ENGLISH, "menu", "It stays as it is."]}))
    recipe = Recipe().with_operator(OPERATORS.build("c4_lines", params))
    (tmp_path / "recipe.yaml").write_text(recipe.to_yaml())
    out = tmp_path / "out"
    result = CliRunner().invoke(main.app, ["run", str(tmp_path / "recipe.yaml"), str(corpus), "--out", str(out)])
    assert result.exit_code == 0, result.output
    (edit,) = Run.open(out).edited
    assert (edit.step, edit.documents, edit.emptied) == ("c4-lines", 1 + emptied, emptied)
    assert f"{emptied} left empty" in result.output
    kept = pq.read_table(out / "curated").column("text").to_pylist()
    assert kept.count("") == emptied
    changed = len(ENGLISH) + len("menu") + (len(CHINESE.encode()) if emptied == 2 else 0)
    assert edit.bytes_before == changed > edit.bytes_after > 0


def test_a_run_without_text_steps_says_nothing_about_them(workspace: Workspace, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", pa.table({"text": [ENGLISH]}))
    (tmp_path / "recipe.yaml").write_text(Recipe().to_yaml())
    result = CliRunner().invoke(
        main.app, ["run", str(tmp_path / "recipe.yaml"), str(corpus), "--out", str(tmp_path / "out")]
    )
    assert result.exit_code == 0, result.output
    assert b"edited" not in (tmp_path / "out" / "run.json").read_bytes()
    assert Run.open(tmp_path / "out").edited == ()


def test_an_operator_by_its_name_is_as_new_recipes_have_it() -> None:
    named = Recipe().with_operator("near_dedup", threshold=0.3)
    assert named == Recipe().with_operator(OPERATORS.fresh("near_dedup", {"threshold": 0.3}))
    assert "recall" in named.to_yaml() and "letters-1" in named.to_yaml()
    banded = Recipe().with_operator("near_dedup", bands=30).steps[0].operator
    assert isinstance(banded, NearDedup) and (banded.recall, banded.bands) == (None, 30)


def test_an_unknown_operator_names_the_nearest_and_a_recipe_shows_its_rules_as_text() -> None:
    with pytest.raises(RecipeError, match=r"did you mean exact_dedup"):
        Recipe().with_operator("exact_dedupe")
    assert "exact-dedup  Keep" in repr(Recipe().with_operator("exact_dedup"))
