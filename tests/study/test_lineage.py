"""Which data set had an item first: compared with a plain walk over the documents, for any order of the sets."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_line import tamis
from hypothesis import given
from hypothesis import strategies as st
from narrow_analysis import narrow_steps

from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.lineage import NO_SOURCE, lineage_recipe, study_lineage
from tamis.analytics.study.study import Study
from tamis.data.errors import RecipeError
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

SETS = ("wiki", "web", "forum", None)


def rows(count: int = 240, seed: int = 3) -> list[dict[str, str | None]]:
    chance = np.random.default_rng(seed)
    texts = [f"the sieve of number {n} keeps what is coarse and lets what is fine fall" for n in range(40)]
    texts += [f"{text} down" for text in texts[:20]]
    return [
        {"id": f"d{n:03d}", "text": texts[chance.integers(60)], "source": SETS[chance.integers(4)]}
        for n in range(count)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("lineage")
    pq.write_table(pa.Table.from_pylist(rows()), made / "sets.parquet")
    return made


@pytest.fixture(scope="module")
def study(folder: Path) -> Study:
    workspace = Workspace(folder / "home")
    corpus = open_corpus(folder / "sets.parquet")
    return Study.open(corpus, workspace, steps=narrow_steps(corpus, workspace, "columns", "tokens", "exact"))


def walk(order: list[str]) -> Counter[tuple[str, str]]:
    """Count (set that had it first, set that repeats it) by reading the documents one after another."""
    place = {name: at for at, name in enumerate(order)}
    first: dict[str | None, str] = {}
    found: Counter[tuple[str, str]] = Counter()
    for row in sorted(rows(), key=lambda row: (place.get(row["source"] or "", len(order)), row["id"])):
        source = row["source"] or NO_SOURCE
        if row["text"] in first:
            found[first[row["text"]], source] += 1
        else:
            first[row["text"]] = source
    return found


@given(st.lists(st.sampled_from(["wiki", "web", "forum"]), unique=True, min_size=1))
def test_every_pair_of_sets_is_counted_as_a_plain_walk_in_that_order_counts_it(study: Study, order: list[str]) -> None:
    found = study_lineage(study, lineage_recipe(order))
    pairs = {(row["first"], row["repeated_in"]): row["documents"] for row in found.pairs().to_pylist()}
    assert pairs == dict(walk(order))
    table = {row["set"]: row for row in found.table().to_pylist()}
    assert list(table)[: len(order)] == order
    sizes = Counter(row["source"] or NO_SOURCE for row in rows())
    for name, row in table.items():
        assert row["documents"] == sizes[name]
        assert row["kept"] + row["repeats_itself"] + row["repeats_others"] == sizes[name]
    kept = sum(row["kept"] for row in table.values())
    assert kept == study.evaluate(lineage_recipe(order)).output.documents == len({row["text"] for row in rows()})


def test_tokens_of_pairs_add_up_to_what_the_rule_drops(study: Study) -> None:
    recipe = lineage_recipe(["web", "wiki"])
    outcome = study.evaluate(recipe)
    found = study_lineage(study, recipe)
    assert int(found.repeated_tokens.sum()) == outcome.input.tokens - outcome.output.tokens


def test_near_copies_count_for_the_kept_document_they_were_dropped_for(study: Study) -> None:
    recipe = lineage_recipe(["forum", "web", "wiki"], near=0.7)
    found = study_lineage(study, recipe)
    outcome = study.evaluate(recipe)
    assert int(found.repeated.sum()) == outcome.input.documents - outcome.output.documents
    assert int(found.repeated.sum()) > sum(walk(["forum", "web", "wiki"]).values())
    earlier = np.tril(found.repeated, k=-1)
    assert not earlier.any(), "no set repeats what only a later one had"


def test_a_step_of_a_recipe_is_looked_at_where_it_stands(study: Study) -> None:
    longer = Recipe().with_operator("sql_predicate", predicate="source <> 'wiki'", missing="drop")
    recipe = longer.with_operator(lineage_recipe(["wiki", "web"]).steps[0].operator)
    found = study_lineage(study, recipe)
    assert set(found.order) == {"wiki", "web", "forum", NO_SOURCE}
    assert found.documents[found.order.index("wiki")] == 0 and found.documents[found.order.index(NO_SOURCE)] == 0


@pytest.mark.parametrize(
    ("recipe", "step", "sentence"),
    [
        (Recipe().with_operator("exact_dedup"), None, "does not keep what the first set had"),
        (Recipe().with_operator("signal_range", signal="n_tokens", min=1), None, "Name one duplicate step"),
        (lineage_recipe(["web"]), "nope", "no such duplicate step"),
        (lineage_recipe(["web", "web"]), None, "stands twice"),
    ],
)
def test_a_rule_that_states_no_order_is_refused(study: Study, recipe: Recipe, step: str | None, sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        study_lineage(study, recipe, step=step)


def test_the_command_prints_the_same_counts_and_demands_an_order(folder: Path, study: Study) -> None:
    path, home = str(folder / "sets.parquet"), folder / "home"
    wanted = study_lineage(study, lineage_recipe(["web", "wiki"]))
    printed = tamis("duplicates", path, "--order", "web", "--order", "wiki", "--json", home=home).stdout
    assert list(map(json.loads, printed.splitlines())) == [*wanted.table().to_pylist(), *wanted.pairs().to_pylist()]
    (folder / "recipe.yaml").write_text(lineage_recipe(["web", "wiki"]).to_yaml())
    told = tamis("duplicates", path, "--recipe", str(folder / "recipe.yaml"), home=home).stdout
    [row] = [row for row in wanted.pairs().to_pylist() if (row["first"], row["repeated_in"]) == ("web", "wiki")]
    assert f"wiki repeats {row['documents']:,} documents ({row['tokens']:,} tokens) of web" in told
    refused = tamis("duplicates", path, home=home, check=False)
    assert refused.returncode == 2 and "--order or --recipe" in refused.stderr
