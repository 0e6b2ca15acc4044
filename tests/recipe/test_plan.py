"""A recipe does to every document what plain Python does, step by step, and remembers what it has found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.analytics.facts.column_info import ColumnInfo
from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.operator import OPERATORS, Decision, Operator, SetOperator, View
from tamis.analytics.recipe import plan
from tamis.analytics.recipe.outcome import Outcome
from tamis.analytics.recipe.plan import attach, check_condition, evaluate, freeze, freeze_bands, row_masks
from tamis.analytics.recipe.recipe import Recipe, Step
from tamis.analytics.steps.measures import Measure
from tamis.analytics.study.evidence import GivenEvidence
from tamis.data.errors import Cancelled, RecipeError
from tamis.data.hashing import key64
from tamis.data.progress import NullProgress

IDS = [f"d{row}" for row in range(8)]
BYTES = [10, 20, 30, 40, 50, 60, 70, 80]
TOKENS = [1, 2, 3, 4, 5, 6, 7, None]


def made(**columns: Any) -> Facts:
    """Return fresh facts of eight documents."""
    table = pa.table({"id": IDS, "bytes": BYTES, "n_tokens": pa.array(TOKENS, pa.int64()), **columns})
    infos = {"cluster": ColumnInfo("cluster", "integer", role="cluster")}
    return Facts.from_table(table, digest=repr(columns), columns=infos, errors=5, threads=1)


FACTS = made()


class Told(SetOperator):
    """Gives the documents that reach it the copies, places and weights that it was told, row by row."""

    name = "told"
    copies: tuple[int, ...] = (1,) * 8
    places: tuple[int, ...] | None = None
    weights: tuple[float, ...] | None = None
    reads: frozenset[str] = frozenset()

    def columns(self) -> frozenset[str]:
        return self.reads

    def decide(self, view: View) -> Decision:
        def told(values: tuple[Any, ...], kind: Any) -> Any:
            return np.array(values, dtype=kind)[view.rows]

        return Decision(
            copies=told(self.copies, np.int32),
            position=None if self.places is None else told(self.places, np.int64),
            weight=None if self.weights is None else told(self.weights, np.float64),
        )


def at_least(size: int) -> Operator:
    return OPERATORS.build("signal_range", {"signal": "bytes", "min": size})


def run(*operators: Operator, facts: Facts = FACTS, evidence: Any = None, **options: Any) -> Outcome:
    """Return what steps named s1, s2 ... do."""
    steps = tuple(Step(f"s{number}", operator) for number, operator in enumerate(operators, start=1))
    return evaluate(Recipe(steps), facts, evidence or GivenEvidence(), **options)


@dataclass
class Plain:
    """One document after another: who dropped it, its copies, its place and its weight."""

    deciding: list[int] = field(default_factory=lambda: [0] * 8)
    copies: list[int] = field(default_factory=lambda: [1] * 8)
    place: dict[int, int] | None = None
    weight: dict[int, float] | None = None

    def do(self, number: int, operator: Operator) -> None:
        """Take one step."""
        left = [row for row in range(8) if not self.deciding[row]]
        for row in left:
            if isinstance(operator, Told):
                self.copies[row] = operator.copies[row]
            elif BYTES[row] < operator.min:  # type: ignore[attr-defined]
                self.copies[row] = 0
            self.deciding[row] = 0 if self.copies[row] else number
        kept = [row for row in left if self.copies[row]]
        if isinstance(operator, Told) and operator.places is not None:
            self.place = {row: operator.places[row] for row in kept}
        if isinstance(operator, Told) and operator.weights is not None:
            self.weight = {row: operator.weights[row] for row in kept}

    def position(self) -> list[int] | None:
        """Return the places from 0 without gaps, ties by row, -1 for who is dropped."""
        if self.place is None:
            return None
        ranked = sorted((place, row) for row, place in self.place.items() if self.copies[row])
        found = [-1] * 8
        for rank, (_, row) in enumerate(ranked):
            found[row] = rank
        return found

    def weights(self) -> list[float | None] | None:
        """Return the weights, None for who is dropped."""
        if self.weight is None:
            return None
        return [self.weight.get(row) if self.copies[row] else None for row in range(8)]

    def count(self) -> tuple[int, int, int, int]:
        """Return documents, copies, tokens and bytes."""
        tokens = sum(copies * (count or 0) for copies, count in zip(self.copies, TOKENS, strict=True))
        size = sum(copies * count for copies, count in zip(self.copies, BYTES, strict=True))
        return sum(copies > 0 for copies in self.copies), sum(self.copies), tokens, size


def eight(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(values, min_size=8, max_size=8).map(tuple)


told = st.builds(
    Told,
    copies=eight(st.sampled_from([0, 1, 1, 2, 3])),
    places=st.none() | eight(st.integers(0, 5)),
    weights=st.none() | eight(st.sampled_from([0.0, 0.25, 2.0])),
)
ORDERED = Told(places=(3, 3, 1, 9, 0, 2, 2, 7), weights=(0.5, 1, 2, 3, 4, 5, 6, 7), copies=(2, 0, 1, 3, 1, 1, 1, 2))


@given(st.lists(told | st.sampled_from([15, 35, 55]).map(at_least), max_size=5))
def test_steps_do_what_plain_python_does_document_by_document(operators: list[Operator]) -> None:
    _compare(operators)


@pytest.mark.parametrize(
    "operators",
    [
        [],
        [ORDERED],
        [ORDERED, at_least(35)],
        [at_least(35), ORDERED, Told(copies=(1, 1, 1, 0, 4, 1, 1, 1)), at_least(65)],
    ],
)
def test_places_and_weights_go_on_through_later_steps(operators: list[Operator]) -> None:
    _compare(operators)


def _compare(operators: list[Operator]) -> None:
    found, plain = run(*operators), Plain()
    counts = [plain.count()]
    for number, operator in enumerate(operators, start=1):
        plain.do(number, operator)
        counts.append(plain.count())
    assert found.deciding.tolist() == plain.deciding
    assert found.copies.tolist() == plain.copies
    assert (None if found.position is None else found.position.tolist()) == plain.position()
    weights = None if found.weight is None else [None if value != value else value for value in found.weight.tolist()]
    assert weights == plain.weights()
    assert [(count.documents, count.copies, count.tokens, count.bytes) for count in found.counts] == counts
    assert [count.step for count in found.counts] == ["", *(step.id for step in found.steps)]
    assert (found.facts, found.errors) == (FACTS.digest, 5)


def test_steps_that_are_switched_off_do_nothing() -> None:
    steps = (Step("off", at_least(75), enabled=False), Step("on", at_least(65)))
    found = evaluate(Recipe(steps), FACTS, GivenEvidence())
    assert found.deciding.tolist() == [1, 1, 1, 1, 1, 1, 0, 0]
    assert [count.step for count in found.counts] == ["", "on"]


def test_a_set_rule_sees_what_is_left_with_the_columns_that_it_reads() -> None:
    seen: list[View] = []

    class Sees(Told):
        """Remembers its view."""

        name = "sees"

        def decide(self, view: View) -> Decision:
            seen.append(view)
            return super().decide(view)

    facts = made(unknown_share=[0.5] * 8)
    evidence = GivenEvidence()
    found = run(
        at_least(35), Told(copies=(2,) * 8), Sees(reads=frozenset({"n_tokens"})), Sees(copies=(1, 1, 1, 0, 1, 1, 1, 1)),
        facts=facts, evidence=evidence,
    )  # fmt: skip
    first, second = seen
    assert first.rows.tolist() == second.rows.tolist() == [3, 4, 5, 6, 7]
    assert (first.copies.tolist(), first.evidence is evidence) == ([2] * 5, True)
    assert first.keys.tolist() == key64(IDS[3:]).tolist()
    assert sorted(first.table.column_names) == ["bytes", "n_tokens", "unknown_share"]
    assert first.table.column("n_tokens").to_pylist() == TOKENS[3:]
    assert second.table.column_names == []
    assert found.traces.keys() == {"s2", "s3", "s4"}
    assert found.traces["s4"].rows.tolist() == [3, 4, 5, 6, 7]
    assert found.traces["s4"].decision.copies.tolist() == [0, 1, 1, 1, 1]


@pytest.mark.parametrize("copies", [np.ones(7, np.int32), np.ones(9, np.int32), np.array([1] * 7 + [-1], np.int32)])
def test_a_rule_that_does_not_decide_every_document_is_refused(copies: Any) -> None:
    class Wrong(SetOperator):
        """Decides too few, too many or below nothing."""

        name = "wrong"

        def decide(self, view: View) -> Decision:
            return Decision(copies=copies)

    with pytest.raises(RecipeError, match=rf"Operator wrong did not decide every document.*{len(copies)}"):
        run(Wrong(), facts=made())


def test_what_a_set_rule_decided_is_remembered_and_weighs_what_its_arrays_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    facts, weighed = made(), {}
    put = facts.memo.put

    def weigh(key: Any, value: Any, *, size: int) -> Any:
        weighed[key[0]] = size
        return put(key, value, size=size)

    monkeypatch.setattr(facts.memo, "put", weigh)
    first = run(at_least(15), ORDERED, facts=facts)
    state = 8 * (2 + 4 + 8 + 8)  # deciding, copies, position, weight of every document
    assert weighed["state"] == state + 7 * (8 + 4 + 8 + 8)  # rows, copies, position, weight of the seven left
    assert weighed["mask"] == 8 and weighed["input"] == 64
    weighed.clear()
    again = run(at_least(15), ORDERED, facts=facts)
    assert not weighed
    assert again.traces["s2"] is first.traces["s2"]
    run(Told(), facts=facts)
    assert weighed["state"] == 8 * (2 + 4) + 8 * (8 + 4)


def test_the_trace_weighs_every_array_of_a_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wordy(Told):
        """Says everything that a decision may say."""

        name = "wordy"

        def decide(self, view: View) -> Decision:
            rows = view.rows
            return Decision(
                np.ones(8, np.int32), pa.array(rows), twin=rows, similarity=rows.astype(np.float32),
                position=rows, weight=rows.astype(float),
            )  # fmt: skip

    facts, weighed = made(), {}
    monkeypatch.setattr(facts.memo, "put", lambda key, value, size: weighed.update({key[0]: size}) or value)
    run(Wordy(), facts=facts)
    assert weighed["state"] == 8 * (2 + 4 + 8 + 8) + 8 * (8 + 4 + 8 + 8 + 4 + 8 + 8)


def test_progress_advances_once_a_step_and_may_stop_the_work() -> None:
    class Watch(NullProgress):
        told: list[Any]

        def __init__(self, stop: int) -> None:
            self.told, self.stop = [], stop

        def step(self, name: str, total: int | None = None, unit: str = "rows") -> None:
            self.told.append((name, total, unit))

        def check(self) -> None:
            if len(self.told) > self.stop:
                raise Cancelled("The work was stopped")

        def advance(self, amount: int = 1) -> None:
            self.told.append(amount)

    watch = Watch(stop=9)
    run(at_least(15), Told(), progress=watch)
    assert watch.told == [("recipe", 2, "steps"), 1, 1]
    with pytest.raises(Cancelled):
        run(at_least(15), Told(), progress=Watch(stop=1))


@pytest.mark.parametrize(
    ("values", "kind", "held"),
    [
        (np.array([0.5, np.nan] * 4), "number", [0.5, None] * 4),
        (np.array([1, 0] * 4, np.int32), "integer", [1, 0] * 4),
        (np.array([3, 0] * 4, np.uint8), "integer", [3, 0] * 4),
        (np.array([True, False] * 4), "boolean", [True, False] * 4),
    ],
)
def test_measured_columns_join_the_facts_by_their_kind(values: Any, kind: str, held: list[Any]) -> None:
    measure, other = Measure("regex", (), "m"), Measure("near_pairs")
    evidence = GivenEvidence({(measure, "m"): values})
    facts = attach(FACTS, [other, measure, measure], evidence)
    assert (facts.columns["m"].type, facts.columns["m"].role, facts.columns["m"].title) == (kind, "measure", "regex")
    assert facts.array("m").to_pylist() == held
    assert attach(facts, [measure], GivenEvidence()) is facts
    assert attach(FACTS, [other], GivenEvidence()) is FACTS


def test_a_column_that_is_not_there_is_named_with_the_step_and_the_nearest_one() -> None:
    for column, fix in (("n_token", "did you mean n_tokens"), ("entirely_else", "choose another column")):
        rule = OPERATORS.build("signal_range", {"signal": column, "min": 1})
        with pytest.raises(RecipeError, match=rf"Step s2 needs a column.*{column}.*{fix}"):
            run(at_least(1), rule)
    check_condition(at_least(1), FACTS)  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match=r"^No column n_token; did you mean n_tokens"):
        check_condition(OPERATORS.build("sql_predicate", {"predicate": "n_token > 1"}), FACTS)  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match=r"^No column entirely_else. allowed"):
        check_condition(OPERATORS.build("sql_predicate", {"predicate": "entirely_else > 1"}), FACTS)  # type: ignore[arg-type]


def test_only_set_rules_may_read_the_clusters_of_this_map() -> None:
    facts = made(cluster=[1, 2] * 4)
    assert run(Told(reads=frozenset({"cluster"})), facts=facts).kept.all()
    with pytest.raises(RecipeError, match="Step s1 compares cluster"):
        run(OPERATORS.build("sql_predicate", {"predicate": "cluster = 1"}), facts=facts)


def test_many_rules_are_asked_sixty_at_a_time_and_each_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    facts, asked = made(), []
    ask = plan._ask

    def count(facts: Facts, operators: Any, labels: Any) -> Any:
        asked.append(len(operators))
        return ask(facts, operators, labels)

    monkeypatch.setattr(plan, "_ask", count)
    rules: list[Any] = [at_least(size) for size in range(130)]
    wanted = [[size >= least for size in BYTES] for least in range(130)]
    assert [mask.tolist() for mask in row_masks(facts, [*rules, *rules])] == wanted * 2
    assert asked == [60, 60, 10]
    assert [mask.tolist() for mask in row_masks(facts, [rules[70], at_least(200), rules[3]])] == [
        wanted[70], [False] * 8, wanted[3],
    ]  # fmt: skip
    assert asked == [60, 60, 10, 1]
    assert row_masks(facts, []) == []


def test_the_rule_that_cannot_be_asked_is_named_among_many() -> None:
    wrong = OPERATORS.build("sql_predicate", {"predicate": "id > 5"})
    with pytest.raises(RecipeError, match="Step s2 cannot be evaluated"):
        run(at_least(1), wrong, at_least(2), facts=made())
    with pytest.raises(RecipeError, match="Step sql_predicate cannot be evaluated"):
        row_masks(made(), [at_least(1), wrong])  # type: ignore[list-item]


def band(**params: Any) -> Operator:
    return OPERATORS.build("percentile_band", {"signal": "bytes", **params})


def test_frozen_bands_hold_the_values_that_were_found() -> None:
    bands = (band(low=25), band(high=50), band(low=10, high=90))
    found = run(at_least(1), *bands)
    recipe = found.recipe
    frozen = freeze_bands(recipe, outcome=found, corpus="c" * 64)
    ends = [(step.operator.min, step.operator.max) for step in frozen.steps[1:]]  # type: ignore[attr-defined]
    resolved = [found.resolved[f"s{number}"] for number in (2, 3, 4)]
    assert ends == [(each.get("low"), each.get("high")) for each in resolved]
    assert [tuple(end is None for end in pair) for pair in ends] == [(False, True), (True, False), (False, False)]
    origins = [
        [(name, origin.kind, origin.percentile, origin.source) for name, origin in step.provenance]
        for step in frozen.steps[1:]
    ]
    assert origins[2] == [("max", "percentile", 90, "c" * 64), ("min", "percentile", 10, "c" * 64)]
    assert [len(each) for each in origins] == [1, 1, 2]
    assert frozen.steps[0] == recipe.steps[0]
    some = freeze_bands(recipe, outcome=found, steps=["s3"])
    assert [step.operator.name for step in some.steps] == [
        "signal_range", "percentile_band", "signal_range", "percentile_band",
    ]  # fmt: skip
    assert run(*(step.operator for step in frozen.steps)).kept.tolist() == found.kept.tolist()


def test_frozen_groups_leave_out_those_without_a_value() -> None:
    facts = made(
        lang=["en", "en", "en", "de", "de", "de", "fr", "fr"], s=pa.array([1, 2, 3, 4, 5, 6, None, None], pa.float64())
    )
    found = run(band(signal="s", low=40, within="lang"), facts=facts)
    step = freeze(found.recipe, "s1", outcome=found, corpus="k").steps[0]
    assert [(bound.value, bound.min, bound.max) for bound in step.operator.bounds] == [("de", 5, None), ("en", 2, None)]  # type: ignore[attr-defined]
    assert [(name, origin.kind, origin.source) for name, origin in step.provenance] == [("bounds", "percentile", "k")]


def test_what_cannot_be_frozen_says_why() -> None:
    found = run(at_least(1))
    with pytest.raises(RecipeError, match="no percentile band to freeze"):
        freeze_bands(found.recipe, outcome=found)
    with pytest.raises(RecipeError, match="Only a percentile band can be frozen"):
        freeze_bands(found.recipe, outcome=found, steps=["s1"])
    assert freeze_bands(run(band(low=5)).recipe, outcome=found, steps=[]).steps[0].operator == band(low=5)
    nothing = run(band(signal="s", low=5), facts=made(s=pa.array([None] * 8, pa.float64())))
    with pytest.raises(RecipeError, match=r"found no value here.*s1"):
        freeze(nothing.recipe, "s1", outcome=nothing)
