"""What a recipe selected has one digest and one table, as plain Python computes them."""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.outcome import Count, Selection
from tamis.analytics.recipe.plan import evaluate
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.evidence import GivenEvidence
from tamis.data.errors import StoreError

IDS = ["a", "bé", "ccc", "d"]
PLAIN = Selection(
    ids=pa.array(IDS),
    copies=np.array([2, 0, 1, 0], dtype=np.int32),
    step=np.array([0, 1, 0, 2], dtype=np.int16),
    steps=("short", "late"),
)
FULL = replace(PLAIN, position=np.array([1, -1, 0, -1]), weight=np.array([0.5, np.nan, 0.0, np.nan]))


def plain_ids(ids: list[str]) -> bytes:
    """Return what is hashed of ids: how many, how long each is, and all of them."""
    texts = [name.encode() for name in ids]
    return struct.pack(f"<q{len(texts)}q", len(texts), *map(len, texts)) + b"".join(texts)


def plain_digest(selection: Selection) -> str:
    """Return the digest of a selection by ``struct`` alone."""
    position, weight = selection.position, selection.weight
    head = {"selection": 1, "documents": len(selection.copies), "steps": list(selection.steps)}
    head |= {"position": position is not None, "weight": weight is not None}
    data = json.dumps(head, sort_keys=True, separators=(",", ":")).encode() + plain_ids(selection.ids.to_pylist())
    n = len(selection.copies)
    data += struct.pack(f"<{n}i", *selection.copies) + struct.pack(f"<{n}h", *selection.step)
    if position is not None:
        data += struct.pack(f"<{n}q", *position)
    if weight is not None:
        data += struct.pack(f"<{n}d", *(-1.0 if value != value else value for value in weight))
    return hashlib.sha256(data).hexdigest()


SELECTIONS = [
    PLAIN,
    FULL,
    replace(PLAIN, position=FULL.position),
    replace(PLAIN, weight=FULL.weight),
    replace(FULL, ids=pa.array(IDS, pa.large_string())),
    replace(FULL, ids=pa.array(["not", *IDS, "these"]).slice(1, 4)),
    Selection(pa.array([], pa.string()), np.zeros(0, np.int32), np.zeros(0, np.int16), ()),
]


@pytest.mark.parametrize("selection", SELECTIONS)
def test_the_digest_is_that_of_plain_python(selection: Selection) -> None:
    assert selection.digest == plain_digest(selection)


def test_the_digest_of_a_step_is_that_of_the_ids_it_dropped() -> None:
    for number, ids in enumerate((IDS, ["bé"], ["d"], [])):
        assert PLAIN.step_digest(number) == hashlib.sha256(plain_ids(ids)).hexdigest()


def test_the_table_says_who_is_kept_and_which_step_dropped_the_others() -> None:
    assert FULL.table().to_pylist() == [
        {"id": "a", "copies": 2, "step": None, "position": 1, "weight": 0.5},
        {"id": "bé", "copies": 0, "step": "short", "position": None, "weight": None},
        {"id": "ccc", "copies": 1, "step": None, "position": 0, "weight": 0.0},
        {"id": "d", "copies": 0, "step": "late", "position": None, "weight": None},
    ]
    assert PLAIN.table().column_names == ["id", "copies", "step"]
    assert PLAIN.kept.tolist() == [True, False, True, False]
    assert len(PLAIN) == 4


@pytest.mark.parametrize("selection", SELECTIONS[:4])
def test_a_selection_is_read_from_the_table_it_wrote(selection: Selection) -> None:
    read = Selection.from_table(selection.table(), steps=selection.steps)
    assert read.digest == selection.digest
    assert (read.position is None, read.weight is None) == (selection.position is None, selection.weight is None)
    assert (read.copies.dtype, read.step.dtype) == (np.int32, np.int16)


def test_a_table_with_another_step_is_refused() -> None:
    with pytest.raises(StoreError, match=r"unknown step.*late"):
        Selection.from_table(PLAIN.table(), steps=("short",))
    assert Selection.from_table(PLAIN.table(), steps=("more", "late", "short")).step.tolist() == [0, 3, 0, 2]


def test_an_outcome_numbers_its_steps_from_one() -> None:
    facts = Facts.from_table(
        pa.table({"id": ["a", "b", "c"], "bytes": [1, 20, 300], "n_tokens": [1, 5, None]}), digest="three"
    )
    recipe = Recipe()
    for bounds in ({"min": 10}, {"max": 100}):
        recipe = recipe.with_operator(OPERATORS.build("signal_range", {"signal": "bytes", **bounds}))
    outcome = evaluate(recipe, facts, GivenEvidence())
    first, second = (step.id for step in outcome.steps)
    assert [outcome.number(name) for name in (first, second, "nothing")] == [1, 2, 0]
    assert [outcome.dropped_by(name).tolist() for name in (first, second, "nothing")] == [[0], [2], []]
    assert outcome.kept.tolist() == [False, True, False]
    assert outcome.counts == (Count("", 3, 3, 6, 321), Count(first, 2, 2, 5, 320), Count(second, 1, 1, 5, 20))
    assert (outcome.input, outcome.output) == (outcome.counts[0], outcome.counts[-1])
    assert outcome.resolved == {}
    selection = Selection.from_outcome(outcome, facts)
    assert (selection.steps, selection.copies.tolist(), selection.step.tolist()) == (
        (first, second),
        [0, 1, 0],
        [1, 0, 2],
    )


def test_a_count_without_another_is_their_difference_in_each_unit() -> None:
    assert Count("s", 10, 20, 300, 4000).without(Count("t", 1, 3, 7, 20)) == Count("s", 9, 17, 293, 3980)
