"""Budgets of tokens are not spent by counts that hide the text, and bundles count as they were made."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from docstrings import write_corpus
from typer.testing import CliRunner

from tamis.analytics.export.bundle import Bundle, export_bundle
from tamis.analytics.export.run import run_bundle, verify_bundle
from tamis.analytics.map.options import read_options
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.signals.token_counter import BYTES, WORDPIECE
from tamis.analytics.signals.tokens import TOKENS_VERSION, tokens_step
from tamis.analytics.steps.corpus_columns import columns_step
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.study.study import Study
from tamis.app.cli import main
from tamis.data.corpus import Corpus
from tamis.data.errors import RecipeError, SettingError
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

THAI = "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ"
ENGLISH = "All human beings are born free and equal in dignity and rights."


def corpus_of(folder: Path, *, thai: int = 6, english: int = 6) -> Corpus:
    """Write documents of two sources and open them."""
    rows = [{"text": f"{THAI * 20} {k}", "source": "thai"} for k in range(thai)]
    rows += [{"text": f"{ENGLISH * 20} {k}", "source": "english"} for k in range(english)]
    return open_corpus(write_corpus(folder, pa.Table.from_pylist(rows)))


def study_of(corpus: Corpus, home: Path, tokenizer: str, *, version: int = TOKENS_VERSION) -> Study:
    """Return a study that knows sources and tokens."""
    steps = (documents_step(), columns_step(corpus), tokens_step(tokenizer, version=version))
    return Study.open(corpus, Workspace(home), steps=(*steps, facts_step(steps)))


def recipe_of(name: str, **params: object) -> Recipe:
    return Recipe().with_operator(OPERATORS.build(name, params))


MIXED = recipe_of("mixture", by="source", alpha=0.5, share=0.5)
SPENDING = (
    MIXED,
    recipe_of("token_budget", amount=6000),
    recipe_of("top_share", signal="bytes", tokens=5000, within="source"),
)


@pytest.mark.parametrize("recipe", SPENDING, ids=lambda recipe: recipe.steps[0].id)
def test_budget_by_a_count_that_hides_most_of_the_text_is_refused(tmp_path: Path, recipe: Recipe) -> None:
    study = study_of(corpus_of(tmp_path / "corpus"), tmp_path / "home", WORDPIECE)
    with pytest.raises(RecipeError, match=rf"hide most of the text.*{BYTES}"):
        study.evaluate(recipe)


@pytest.mark.parametrize("recipe", SPENDING, ids=lambda recipe: recipe.steps[0].id)
def test_default_count_can_be_spent_in_any_script(tmp_path: Path, recipe: Recipe) -> None:
    corpus = corpus_of(tmp_path / "corpus")
    outcome = study_of(corpus, tmp_path / "home", BYTES).evaluate(recipe)
    assert 0 < outcome.counts[-1].documents < 12


def test_refusal_names_the_group_and_leaves_budgets_alone_that_do_not_count_tokens(tmp_path: Path) -> None:
    study = study_of(corpus_of(tmp_path / "corpus"), tmp_path / "home", WORDPIECE)
    with pytest.raises(RecipeError, match="counts of thai"):
        study.evaluate(MIXED)
    assert study.evaluate(recipe_of("token_budget", amount=10**6, unit="bytes")).counts[-1].documents == 12


def test_count_that_hides_a_small_part_can_be_spent(tmp_path: Path) -> None:
    study = study_of(corpus_of(tmp_path / "corpus", thai=1), tmp_path / "home", WORDPIECE)
    assert study.evaluate(recipe_of("token_budget", amount=10**6)).counts[-1].documents == 7


def test_what_reaches_the_step_decides_whether_its_count_hides_text(tmp_path: Path) -> None:
    study = study_of(corpus_of(tmp_path / "corpus"), tmp_path / "home", WORDPIECE)
    english = Recipe().with_operator(OPERATORS.build("category", {"column": "source", "values": ["english"]}))
    recipe = english.with_operator(OPERATORS.build("token_budget", {"amount": 10**6}))
    assert study.evaluate(recipe).counts[-1].documents == 6


@pytest.mark.parametrize(("tokenizer", "version"), [(WORDPIECE, 1), (WORDPIECE, 2), (BYTES, 2)])
def test_bundle_counts_as_it_was_made(tmp_path: Path, tokenizer: str, version: int) -> None:
    corpus = corpus_of(tmp_path / "corpus", thai=1)
    study = study_of(corpus, tmp_path / "home", tokenizer, version=version)
    bundle = export_bundle(tmp_path / "bundle", study=study, recipe=recipe_of("token_budget", amount=400))
    elsewhere = Workspace(tmp_path / "elsewhere")
    assert verify_bundle(bundle, corpus.path, workspace=elsewhere).ok
    done = run_bundle(bundle, corpus.path, tmp_path / "out", workspace=elsewhere)
    assert done.agrees
    assert [count.tokens for count in done.counts] == [count.tokens for count in bundle.lock.counts]


def test_first_version_has_only_the_count() -> None:
    with pytest.raises(SettingError, match=WORDPIECE):
        tokens_step(BYTES, version=1)
    assert tokens_step(WORDPIECE, version=1).params.keys() == tokens_step(BYTES).params.keys()


def test_tokenizer_is_an_option_of_every_command_that_counts(workspace: Workspace, tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path / "corpus", thai=1)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(recipe_of("token_budget", amount=400).to_yaml())

    def invoke(*arguments: str) -> str:
        result = CliRunner().invoke(main.app, [*arguments, "--tokenizer", WORDPIECE])
        assert result.exit_code == 0, result.output
        return result.output

    invoke("run", str(recipe), corpus.path, "--out", str(tmp_path / "out"))
    kept = pq.read_table(tmp_path / "out" / "curated").num_rows
    default = run_bundle(recipe, corpus.path, tmp_path / "default", workspace=workspace)
    assert default.counts[0].tokens > Bundle.open(recipe).recipe.step("token-budget").operator.amount > 0
    assert default.counts[-1].documents <= kept
    invoke("analyze", corpus.path, "--plan")
    assert read_options(workspace, open_corpus(corpus.path)).tokenizer == WORDPIECE
    again = run_bundle(recipe, corpus.path, tmp_path / "again", workspace=workspace)
    assert again.counts == run_bundle(recipe, corpus.path, tmp_path / "out", tokenizer=WORDPIECE).counts
