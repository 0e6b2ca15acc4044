"""Laws that hold for every operator in the registry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from operator_examples import EXAMPLES, evidence, operators
from synthetic import synthetic_facts, synthetic_table

from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.operator import OPERATORS, Operator, RowOperator, TextOperator, TrainingOperator
from tamis.analytics.recipe.ledger import ledger
from tamis.analytics.recipe.outcome import Outcome, Selection
from tamis.analytics.recipe.plan import attach, evaluate
from tamis.analytics.recipe.recipe import Recipe
from tamis.data.errors import RecipeError

FACTS = synthetic_facts(1_500, seed=11, threads=2)
EVIDENCE = evidence(FACTS)
TOKENS, BYTES = (FACTS.array(name).to_pylist() for name in ("n_tokens", "bytes"))
ALL = operators()
DECIDING = [operator for operator in ALL if not isinstance(operator, TextOperator | TrainingOperator)]
NAMED = [pytest.param(operator, id=f"{operator.name}-{place}") for place, operator in enumerate(ALL)]

recipes = st.lists(st.sampled_from(DECIDING), min_size=0, max_size=6).map(
    lambda chosen: _recipe(chosen)  # a fresh id for each step
)
quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _recipe(chosen: list[Operator]) -> Recipe:
    recipe = Recipe(title="A law")
    for operator in chosen:
        recipe = recipe.with_operator(operator)
    return recipe


def _outcome(recipe: Recipe, facts: Facts = FACTS) -> Outcome:
    try:
        return evaluate(recipe, facts, EVIDENCE if facts is FACTS else evidence(facts))
    except RecipeError as error:
        # A mixture refuses to mix nothing; the rules before it may have left none of its groups.
        assume("No group of the mixture" not in str(error))
        raise


def test_every_operator_has_examples() -> None:
    assert {operator.name for operator in OPERATORS} == set(EXAMPLES)


@pytest.mark.parametrize("operator", NAMED)
def test_operator_survives_the_round_trip_of_text(operator: Operator) -> None:
    recipe = _recipe([operator])
    again = Recipe.from_yaml(recipe.to_yaml())
    assert again == recipe
    assert again.digest == recipe.digest
    assert again.to_yaml() == recipe.to_yaml()


@pytest.mark.parametrize("operator", NAMED)
def test_operator_says_what_it_is(operator: Operator) -> None:
    kind = type(operator)
    assert kind.__doc__ and kind.term and kind.summary.endswith(".") and kind.source
    sentence = operator.sentence()
    assert sentence[0].isupper() and not sentence.endswith(".")
    for name, field in kind.model_fields.items():
        assert field.description and field.description.endswith("."), f"{kind.name}.{name} lacks help"


@pytest.mark.parametrize("operator", NAMED)
def test_operator_names_the_columns_it_reads(operator: Operator) -> None:
    facts = attach(FACTS, operator.measures(), EVIDENCE)
    assert operator.columns() <= set(facts.columns)


@quick
@given(recipes)
def test_recipe_survives_the_round_trip_of_text(recipe: Recipe) -> None:
    assert Recipe.from_yaml(recipe.to_yaml()) == recipe


@quick
@given(recipes)
def test_counts_add_up_and_every_drop_has_one_reason(recipe: Recipe) -> None:
    outcome = _outcome(recipe)
    dropped = np.bincount(outcome.deciding, minlength=len(outcome.steps) + 1)
    assert dropped.sum() == FACTS.n
    assert dropped[0] == outcome.output.documents
    assert np.array_equal(outcome.deciding == 0, outcome.copies > 0)
    for number, count in enumerate(outcome.counts[1:], start=1):
        assert count.documents == FACTS.n - dropped[1 : number + 1].sum()
    rows = ledger(outcome, attach(FACTS, recipe.measures(), EVIDENCE))
    assert rows.num_rows == FACTS.n - dropped[0]
    assert rows.column("id").to_pylist() == [FACTS.ids[int(row)].as_py() for row in np.flatnonzero(outcome.deciding)]
    table = Selection.from_outcome(outcome, FACTS).table()
    assert table.column("step").null_count == dropped[0]


def _plain_count(copies: NDArray[np.int32]) -> tuple[int, int, int, int]:
    """Return documents, copies, tokens and bytes of what is left, document by document."""
    documents = times = tokens = size = 0
    for left, words, length in zip(copies.tolist(), TOKENS, BYTES, strict=True):
        documents += left > 0
        times += left
        tokens += left * (words or 0)
        size += left * (length or 0)
    return documents, times, tokens, size


@pytest.mark.parametrize("operator", [p for p in NAMED if not isinstance(p.values[0], TextOperator)])
def test_every_count_is_that_of_a_loop_over_the_documents_left(operator: Operator) -> None:
    more = OPERATORS.build("upsample", {"signal": "unigram_entropy", "max_copies": 5})
    fewer = OPERATORS.build("signal_range", {"signal": "n_words", "min": 60})
    recipe = _recipe([more, operator, fewer])
    outcome = _outcome(recipe)
    for number, count in enumerate(outcome.counts):
        after = _outcome(replace(recipe, steps=recipe.steps[:number]))
        found = (count.documents, count.copies, count.tokens, count.bytes)
        assert found == _plain_count(after.copies)
        assert count == after.output
        assert count.step == ("" if number == 0 else recipe.steps[number - 1].id)
    assert outcome.counts[1].copies > FACTS.n


@quick
@given(recipes, st.integers(0, 100))
def test_order_of_rows_and_threads_change_no_byte(recipe: Recipe, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(FACTS.n)
    table = synthetic_table(FACTS.n, 11).take(pa.array(order)).sort_by("id")
    other = Facts.from_table(table, digest="another", columns=FACTS.columns, threads=1 + seed % 3)
    first, second = _outcome(recipe), evaluate(recipe, other, evidence(other))
    assert Selection.from_outcome(first, FACTS).digest == Selection.from_outcome(second, other).digest
    measures = recipe.measures()
    assert ledger(first, attach(FACTS, measures, EVIDENCE)).equals(
        ledger(second, attach(other, measures, evidence(other)))
    )


@pytest.mark.parametrize("operator", [p for p in NAMED if not isinstance(p.values[0], TextOperator)])
def test_operator_decides_the_same_alone_and_again(operator: Operator) -> None:
    once = _outcome(_recipe([operator]))
    if not type(operator).idempotent:
        return
    twice = _outcome(_recipe([operator, operator]))
    assert np.array_equal(once.kept, twice.kept), "claimed to be idempotent"


@pytest.mark.parametrize("operator", [p for p in NAMED if isinstance(p.values[0], RowOperator)])
def test_row_rule_does_not_depend_on_other_documents(operator: RowOperator) -> None:
    half = np.arange(0, FACTS.n, 2)
    part = Facts.from_table(synthetic_table(FACTS.n, 11).take(pa.array(half)), digest="half", columns=FACTS.columns)
    whole, alone = _outcome(_recipe([operator])), evaluate(_recipe([operator]), part, evidence(part))
    assert np.array_equal(whole.kept[half], alone.kept)


@pytest.mark.parametrize("operator", [p for p in NAMED if not isinstance(p.values[0], TextOperator)])
def test_operator_accepts_no_documents_at_all(operator: Operator) -> None:
    nobody = OPERATORS.build("sql_predicate", {"predicate": "n_words < 0", "missing": "drop"})
    outcome = _outcome(_recipe([nobody, operator]))
    assert outcome.output.documents == 0
    assert outcome.deciding.tolist() == [1] * FACTS.n


@quick
@given(recipes)
def test_memory_of_earlier_runs_changes_nothing(recipe: Recipe) -> None:
    warm = _outcome(recipe)
    cold = synthetic_facts(1_500, seed=11)
    fresh = evaluate(recipe, cold, evidence(cold))
    assert np.array_equal(warm.deciding, fresh.deciding)
    assert warm.counts == fresh.counts


@pytest.mark.parametrize("n", [0, 1])
@pytest.mark.parametrize("operator", [p for p in NAMED if not isinstance(p.values[0], TextOperator)])
def test_a_corpus_of_no_or_one_document_can_be_decided(operator: Operator, n: int) -> None:
    facts = synthetic_facts(n, threads=1)
    outcome = _outcome(_recipe([operator]), facts)
    assert outcome.input.documents == n
    assert ledger(outcome, attach(facts, operator.measures(), evidence(facts))).num_rows == n - outcome.output.documents
