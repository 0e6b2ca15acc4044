"""Compare rule sets with datatrove's filters, document by document: verdict, first reason, value, cleaned text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from datatrove_reference import InjectedWords, references, words_of

from tamis.analytics.facts.facts import Facts
from tamis.analytics.recipe.plan import evaluate
from tamis.analytics.recipe.presets import RULE_SETS, RuleSet, steps
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.signals.measure import measure
from tamis.analytics.study.evidence import GivenEvidence


@dataclass
class Parity:
    """How often a rule set and the filter agree.

    Attributes:
        documents: compared documents.
        dropped: documents the filter drops.
        values: values compared.
        differences: (text, what they say, what we say) where they do not agree.
        reasons: how often each reason was first.
    """

    documents: int = 0
    dropped: int = 0
    values: int = 0
    differences: list[tuple[str, object, object]] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)


def compare(texts: Sequence[str], *, words: str, injected: bool) -> dict[str, Parity]:
    """Compare every rule set on every text.

    Args:
        texts: the documents.
        words: our word convention.
        injected: give datatrove these words; otherwise it uses its own, which are spaCy's.
    """
    language = InjectedWords(words) if injected else "en"
    chosen = references(language)
    names = {name for ref in chosen for name in RULE_SETS[ref.rule_set].reads(words) if not name.startswith("lang")}
    batch = measure(pa.array(texts, type=pa.large_string()), sorted(names), unspaced=True)
    columns = {name: batch.column(name).to_pylist() for name in batch.schema.names}
    ours = {ref.rule_set: first_reasons(RULE_SETS[ref.rule_set], words, batch) for ref in chosen}
    found = {ref.rule_set: Parity() for ref in chosen}
    for row, text in enumerate(texts):
        for ref in chosen:
            parity, rules = found[ref.rule_set], RULE_SETS[ref.rule_set]
            theirs, _ = ref.judge(text)
            parity.documents += 1
            parity.dropped += theirs != ""
            parity.reasons[theirs] += 1
            if ours[ref.rule_set][row] != theirs:
                parity.differences.append((text, theirs, ours[ref.rule_set][row]))
            for reason, value in ref.values(text, words_of(text, language)).items():
                parity.values += 1
                got = columns[signal_of(rules, reason, words)][row]
                if got is None or np.float32(value) != np.float32(got):
                    parity.differences.append((text, (reason, value), got))
    return found


def signal_of(rules: RuleSet, reason: str, words: str) -> str:
    (rule,) = (rule for rule in rules.rules if rule.reason == reason)
    return str(rule.operator(words)[1]["signal"])


def first_reasons(rules: RuleSet, words: str, batch: pa.RecordBatch) -> list[str]:
    """The rule that decides each document when the rule set runs as a recipe, "" for documents that stay."""
    ids = pa.array([f"{row:08d}" for row in range(batch.num_rows)])
    table = pa.Table.from_batches([batch]).add_column(0, "id", ids)
    facts = Facts.from_table(table, digest=rules.name + words, threads=1)
    chosen = [(rule, step) for rule, step in zip(rules.rules, steps(rules, words=words), strict=True) if rule.signal]
    outcome = evaluate(Recipe(steps=tuple(step for _, step in chosen)), facts, GivenEvidence())
    return ["" if number == 0 else chosen[number - 1][0].reason for number in outcome.deciding]
