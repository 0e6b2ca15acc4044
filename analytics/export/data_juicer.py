"""Row rules as a data-juicer configuration: one condition over the columns, and language where it has an operator.

data-juicer keeps the result of ``general_field_filter`` under one name, so all rules form one condition. A comparison
with an absent value is false there, whatever a rule states for documents without a value.
"""

from __future__ import annotations

from collections.abc import Iterator

from tamis.analytics.export.rule_export import (
    Between,
    ByGroup,
    Every,
    Export,
    Loss,
    Matches,
    OneOf,
    PlainRule,
    Test,
    header,
    lost_steps,
    row_steps,
    rule_of,
)
from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.operator import RowOperator
from tamis.analytics.recipe.recipe import Recipe, Step
from tamis.analytics.recipe.yaml_text import write_yaml

_OPPOSITE = {">=": "<", ">": "<=", "<=": ">", "<": ">="}


def to_data_juicer(recipe: Recipe, facts: Facts) -> Export:
    """Return a configuration whose input, ``documents.parquet``, holds texts and the columns of ``rule_columns``."""
    losses, conditions, columns = list(lost_steps(recipe)), [], set()
    for step, operator in row_steps(recipe):
        rule = rule_of(operator, facts)
        text = None if rule is None else _condition(rule)
        if rule is None or text is None:
            losses.append(_report_loss(step, operator))
            continue
        if rule.missing:
            losses.append(Loss(step.id, "documents without a value are dropped there, and pass here.", dropped=False))
        conditions.append(f"({text})")
        columns |= set(_columns(rule))
    process = [{"general_field_filter": {"filter_condition": " and ".join(conditions)}}] if conditions else []
    config = {
        "project_name": f"tamis-{recipe.digest[:16]}",
        "dataset_path": "documents.parquet",
        "export_path": "kept.jsonl",
        "text_keys": "text",
        "process": process,
    }
    found = tuple(losses)
    text = header(recipe, found, mark="#") + "\n" + write_yaml(config)
    return Export("data-juicer", text, ".yaml", found, tuple(sorted(columns - {"id"})), needs_text=True)


def _report_loss(step: Step, operator: RowOperator) -> Loss:
    what = f"{operator.sentence()}: has no form in a data-juicer condition; use the SQL export or the bundle."
    return Loss(step.id, what, dropped=True)


def _columns(rule: PlainRule) -> Iterator[str]:
    for test in rule.tests:
        if isinstance(test, (Between, OneOf)):
            yield test.column
        if isinstance(test, Every):
            for inner in test.rules:
                yield from _columns(inner)


def _condition(rule: PlainRule) -> str | None:
    """Return the condition of a rule, None when the language cannot express it: no negation, no negative numbers."""
    parts = [_test(test, keep=rule.keep) for test in rule.tests]
    if any(part is None for part in parts):
        return None
    return f" {'and' if rule.keep else 'or'} ".join(str(part) for part in parts)


def _test(test: Test, *, keep: bool) -> str | None:
    """Return a test, or its opposite, as a condition."""
    if isinstance(test, (Matches, ByGroup)) or (isinstance(test, Every) and not keep):
        return None
    if isinstance(test, Every):
        parts = [_condition(rule) for rule in test.rules]
        return None if any(part is None for part in parts) else " and ".join(f"({part})" for part in parts)
    if not test.column.isidentifier():
        return None
    if isinstance(test, OneOf):
        word, sign = ("or", "==") if keep else ("and", "!=")
        return "(" + f" {word} ".join(f"{test.column} {sign} {value!r}" for value in test.values) + ")"
    ends = [(">" if test.strict_low else ">=", test.low), ("<" if test.strict_high else "<=", test.high)]
    if any(end is not None and end < 0 for _, end in ends):
        return None
    signs = [(sign if keep else _OPPOSITE[sign], end) for sign, end in ends if end is not None]
    joined = f" {'and' if keep else 'or'} ".join(f"{test.column} {sign} {end!r}" for sign, end in signs)
    return f"({joined})"
