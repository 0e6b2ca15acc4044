"""Preference pairs: both sides compared, and pairs that contradict one another found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.analytics.duplicates.preference import PAIR_SIGNALS, find_contradictions, pair_table, preference_step
from tamis.analytics.steps.pipeline import analyze
from tamis.analytics.study.length_bias import bias_of
from tamis.data.documents import load_table
from tamis.data.open_corpus import open_corpus
from tamis.data.parts import CHOSEN, REJECTED, USER, MessagePart, Parts
from tamis.data.workspace import Workspace


def pairs(*rows: tuple[str, str, str]) -> Parts:
    return Parts.of(
        [[MessagePart(USER, 0, p, 0), MessagePart(CHOSEN, 0, c, 1), MessagePart(REJECTED, 0, r, 2)] for p, c, r in rows]
    )


def test_the_sides_of_a_pair_are_compared() -> None:
    text = "one two three four five six"
    found = pair_table(pairs(("q", "Same.", "Same."), ("q", text, text + " seven"), ("q", "abcd", ""))).to_pylist()
    assert [row["chosen_equals_rejected"] for row in found] == [True, False, False]
    assert [row["chosen_rejected_similarity"] for row in found[:2]] == [1.0, pytest.approx(2 / 3)]
    assert [row["chosen_rejected_length_ratio"] for row in found] == [1.0, pytest.approx(27 / 33), None]
    assert (found[2]["chosen_chars"], found[2]["rejected_chars"]) == (4, 0)


def test_a_row_without_both_sides_has_no_values_and_contradicts_nothing() -> None:
    table = pair_table(Parts.of([[MessagePart(USER, 0, "q", 0), MessagePart(CHOSEN, 0, "a", 1)]]))
    row = table.to_pylist()[0]
    assert all(row[name] is None for name in row if name in {signal.name for signal in PAIR_SIGNALS})
    assert not row["both"]


rows = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 4), st.integers(0, 4)), max_size=9)


@given(rows)
def test_contradictions_are_the_pairs_from_whose_rejected_answer_a_path_leads_back(
    found: list[tuple[int, int, int]],
) -> None:
    keys = np.array([(p, 7, c, 1, r, 1) for p, c, r in found], dtype=np.uint64).reshape(-1, 6)
    contradictory, flips = find_contradictions(keys)
    for at, (prompt, chosen, rejected) in enumerate(found):
        reached, waiting = set(), [rejected]
        while waiting:
            node = waiting.pop()
            if node not in reached:
                reached.add(node)
                waiting += [r for p, c, r in found if p == prompt and c == node]
        assert contradictory[at] == (chosen != rejected and chosen in reached)
        assert flips[at] == (chosen != rejected) * found.count((prompt, rejected, chosen))


def analysed(folder: Path, found: list[tuple[str, str, str]], files: int) -> Any:
    """Return the signals of pairs by id, from a corpus of some files."""
    source = folder / f"in-{files}"
    source.mkdir()
    for number in range(files):
        lines = [
            json.dumps(dict(zip(("prompt", "chosen", "rejected"), row, strict=True))) for row in found[number::files]
        ]
        (source / f"{number}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    corpus = open_corpus(source)
    assert corpus.shape.kind == "preference"
    analysis = analyze(corpus, Workspace(folder / f"home-{files}"), steps=(preference_step(),))
    names = [signal.name for signal in PAIR_SIGNALS]
    return load_table(analysis.artifacts["preference"], analysis.documents, columns=names)


def test_any_number_of_files_gives_the_same_signals_and_flips_are_found_across_them(tmp_path: Path) -> None:
    found = [(f"Prompt {n // 2}?", f"good answer {n % 3}", f"bad answer {n // 5}") for n in range(20)]
    found += [("Prompt 0?", "bad answer 0", "good answer 0"), ("Prompt 1?", "x", "x")]
    one, three = (analysed(tmp_path, found, files) for files in (1, 3))
    assert one.equals(three)
    assert sorted(one.column("flips").to_pylist()) == [0] * 20 + [1, 1]
    assert sum(one.column("contradictory_preference").to_pylist()) == 2


@given(st.lists(st.integers(-30, 30), max_size=60))
def test_length_bias_counts_every_pair_once_and_no_difference_lies_in_two_tenths(differences: list[int]) -> None:
    found = bias_of(np.array(differences, dtype=np.int64))
    unequal = [each for each in differences if each]
    assert found.ties == differences.count(0)
    assert (found.longer.hits, found.longer.of) == (sum(each > 0 for each in unequal), len(unequal))
    assert [tenth.longer.of for tenth in found.tenths] == [
        sum(tenth.low <= abs(each) <= tenth.high for each in unequal) for tenth in found.tenths
    ]
    assert sum(tenth.longer.of for tenth in found.tenths) == len(unequal) and len(found.tenths) <= 10
    assert all(a.high < b.low for a, b in zip(found.tenths, found.tenths[1:], strict=False))
    assert found.longer.low <= found.longer.high


def test_a_bias_is_named_only_when_its_interval_leaves_out_one_half() -> None:
    assert bias_of(np.array([5] * 80 + [-5] * 20)).biased
    assert not bias_of(np.array([5] * 11 + [-5] * 9)).biased
    assert not bias_of(np.array([], dtype=np.int64)).biased
