"""Cards of the audit count exactly what their condition selects; the preset drops what they show."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa

from tamis.analytics.facts.facts import Facts
from tamis.analytics.recipe.plan import evaluate, row_masks
from tamis.analytics.recipe.presets import rule_set, with_rule_set
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.signals.audit_signals import AUDIT
from tamis.analytics.study.audit_findings import FAULTS, audit_findings
from tamis.analytics.study.audit_places import audit_places
from tamis.analytics.study.evidence import GivenEvidence
from tamis.analytics.study.length_bias import bias_of_facts
from tamis.analytics.study.readings import read_documents
from tamis.analytics.study.scene import Scene
from tamis.data.hashing import digest
from tamis.data.open_corpus import open_corpus

N = 40


def facts(**given: list[object]) -> Facts:
    """Return facts with all columns of the audit, sound but for those given."""
    columns: dict[str, pa.Array] = {"id": pa.array([f"{k:03d}" for k in range(N)]), "bytes": pa.array([1] * N)}
    columns["n_tokens"] = pa.array([1] * N, pa.int32())
    for signal in AUDIT:
        values = given.get(signal.name, [0 if signal.dtype != "bool" else False] * N)
        columns[signal.name] = pa.array(values, signal.arrow_type)
    return Facts.from_table(pa.table(columns), digest=digest(repr(given)))


def test_a_card_counts_what_its_condition_selects_and_tells_what_does_not_apply() -> None:
    flags = [k % 3 == 0 for k in range(N)]
    found = facts(
        starts_with_assistant=flags,
        ends_with_user=[None] * N,
        refusals=[k % 4 for k in range(N)],
        undeclared_tools=[None if k < 5 else 2 for k in range(N)],
        repeats_question=[None if k < 3 else k / N for k in range(N)],
    )
    findings = {each.name: each for each in audit_findings(Scene(found))}
    assert set(findings) == {name for name in (*FAULTS, "repeats_question") if name in found.columns}
    expected = {
        "starts_with_assistant": sum(flags),
        "refusals": N * 3 // 4,
        "undeclared_tools": N - 5,
        "repeats_question": N // 2,
    }
    assert {name: each.documents for name, each in findings.items() if each.documents} == expected
    assert findings["undeclared_tools"].missing == 5 and findings["ends_with_user"].missing == N
    for each in findings.values():
        assert np.count_nonzero(row_masks(found, [each.rule])[0]) == each.documents


def test_the_preset_drops_a_document_for_each_of_its_faults_and_keeps_the_sound_ones() -> None:
    rules = rule_set("conversation-audit").rules
    given = {
        rule.signal: [(True if rule.flag else 1) if k == at else (False if rule.flag else 0) for k in range(N)]
        for at, rule in enumerate(rules)
    }
    outcome = evaluate(with_rule_set(Recipe(), "conversation-audit"), facts(**given), GivenEvidence())
    assert np.flatnonzero(outcome.kept).tolist() == list(range(len(rules), N))


def test_without_pairs_there_is_no_length_bias() -> None:
    assert bias_of_facts(facts()) is None


def test_marks_are_characters_of_the_text_that_is_read(tmp_path: Path) -> None:
    def turn(role: str, content: str) -> dict[str, str]:
        return {"role": role, "content": content}

    sorry, asked = "I'm sorry, but I cannot assist with that.", "A question?"
    rows = [
        {"messages": [turn("user", asked), turn("assistant", sorry)], "n": 1},
        {"messages": [turn("user", asked), turn("assistant", ""), turn("user", "More?")], "n": 2},
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows * 3), "utf-8")
    corpus = open_corpus(path)
    found = {}
    for row, signal in ((0, "refusals"), (1, "ends_with_user"), (0, "ends_with_user"), (1, "empty_turns")):
        table = corpus.take([row])
        reading = read_documents(corpus, table)[0]
        places = audit_places(corpus, table, reading, tmp_path, signal=signal)
        found[row, signal] = [reading.text[begin:end] for begin, end in places]
    assert found == {
        (0, "refusals"): ["I'm sorry, but I cannot"],
        (1, "ends_with_user"): ["More?"],
        (0, "ends_with_user"): [],
        (1, "empty_turns"): [],
    }
