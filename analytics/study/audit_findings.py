"""What the audit of conversations and pairs found: a count for each fault, and the condition that selects them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tamis.analytics.facts.column_info import ColumnInfo
from tamis.analytics.operators.operator import RowOperator
from tamis.analytics.operators.rows import SignalRange, SqlPredicate
from tamis.analytics.recipe.plan import row_masks
from tamis.analytics.study.scene import Scene
from tamis.data.sql import ident

FAULTS = (
    "starts_with_assistant", "repeated_role", "ends_with_user", "unknown_role", "empty_turns", "unclosed_thinking",
    "empty_thinking", "calls_without_result", "results_without_call", "undeclared_tools", "invalid_arguments",
    "schema_violations", "repeated_calls", "refusals", "foreign_identity", "answer_language_differs",
    "truncated_answer", "chosen_equals_rejected", "contradictory_preference", "flips",
)  # fmt: skip
"""Signals that count or flag a fault, in the order of their cards."""
COPIED = 0.5
"""From this share of repeated question 3-grams on an answer repeats its question."""


@dataclass(frozen=True)
class AuditFinding:
    """One fault that the audit looks for.

    Attributes:
        name: the signal.
        title: a short name.
        help: what is counted.
        documents: how many have the fault, exact.
        missing: documents to which it does not apply.
        rule: selects exactly the documents that have it.
    """

    name: str
    title: str
    help: str
    documents: int
    missing: int
    rule: RowOperator


def audit_findings(scene: Scene) -> tuple[AuditFinding, ...]:
    """Return a finding for each fault that the corpus was audited for, also where nothing was found; exact."""
    facts = scene.facts
    infos = [facts.info(name) for name in (*FAULTS, "repeats_question") if name in facts.columns]
    rules = [_rule(info) for info in infos]
    return tuple(
        AuditFinding(
            info.name, info.title, _help(info), int(np.count_nonzero(mask)), facts.array(info.name).null_count, rule
        )
        for info, rule, mask in zip(infos, rules, row_masks(facts, rules), strict=True)
    )


def _rule(info: ColumnInfo) -> RowOperator:
    if info.type == "boolean":
        return SqlPredicate(predicate=ident(info.name), mode="keep", missing="drop")
    if info.type == "integer":
        return SignalRange(signal=info.name, min=1, missing="drop")
    return SignalRange(signal=info.name, min=COPIED, missing="drop")


def _help(info: ColumnInfo) -> str:
    return f"At least {COPIED:g} here. {info.help}" if info.type == "number" else info.help
