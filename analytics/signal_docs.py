"""The documentation of all signals and rule sets, made from the registries: it says what the code says."""

from __future__ import annotations

from tamis.analytics.conventions import CONVENTIONS
from tamis.analytics.deviations import DEVIATIONS
from tamis.analytics.presets import RULE_SETS, RuleSet
from tamis.analytics.signal import SIGNALS, Signal

INTRODUCTION = """# Signals and rule sets

A **signal** is a column measured once per document: name@version, unit, convention. A **rule** is a predicate over
signals. This page is made from the registries of the code.

A signal is never NaN: it is NULL where it does not apply. Shares lie between 0 and 1.
"""

_WORDS = """## Word conventions

Every signal that counts words names its convention. A signal of another convention is another column.

| name | columns begin with | scripts without spaces | needs |
|---|---|---|---|
"""


def signal_docs() -> str:
    """Return the page ``docs/signals.md``."""
    parts = [INTRODUCTION, _WORDS + _conventions()]
    own = [signal for signal in SIGNALS if signal.step != "plugins"]
    groups = dict.fromkeys(signal.group for signal in own)
    parts += [_group(group, [signal for signal in own if signal.group == group]) for group in groups]
    parts.append("## Rule sets\n\nPresets: each rule becomes a step of its own that can be edited.\n")
    parts += [_rule_set(rules) for rules in RULE_SETS.values()]
    parts.append(_deviations())
    return "\n".join(parts).rstrip() + "\n"


def _conventions() -> str:
    rows = []
    for name, by in CONVENTIONS.items():
        unspaced = "NULL" if by.spaced_only else "measured like any text"
        rows.append(f"| `{name}` | {f'`{by.prefix}`' if by.prefix else 'nothing'} | {unspaced} | {by.package or '-'} |")
    return "\n".join(rows) + "\n"


def _group(name: str, signals: list[Signal]) -> str:
    lines = [f"## {name}", "", "| signal | unit | range | what it measures | convention |", "|---|---|---|---|---|"]
    spacy = [signal for signal in signals if signal.package]
    for signal in signals:
        if signal not in spacy:
            lines.append(
                f"| `{signal.key}` | {signal.unit} | {_range(signal)} | {_cell(signal.help)} | {signal.convention} |"
            )
    if spacy:
        names = ", ".join(f"`{signal.key}`" for signal in spacy)
        lines += ["", f"With spaCy's words (package {spacy[0].package}, measured when asked for): {names}."]
    sources = "; ".join(dict.fromkeys(signal.source for signal in signals))
    return "\n".join([*lines, "", f"Sources: {sources}.", ""])


def _range(signal: Signal) -> str:
    low = "" if signal.low is None else f"{signal.low:g}"
    high = "" if signal.high is None else f"{signal.high:g}"
    if not low and not high:
        return "any"
    return f"{low} to {high}" if high else f"{low} and up"


def _rule_set(rules: RuleSet) -> str:
    lines = [f"### {rules.name}", "", f"{rules.title}. Source: {rules.source}.", ""]
    lines += ["| reason | keeps documents with |", "|---|---|"]
    for rule in rules.rules:
        if rule.languages:
            kept = f"language {', '.join(rule.languages)}, confidence at least {rule.min:g}"
        else:
            bounds = [
                f">= {rule.min:g}" if rule.min is not None else "",
                f"<= {rule.max:g}" if rule.max is not None else "",
            ]
            kept = f"`{rule.signal}` {' and '.join(bound for bound in bounds if bound)}"
        lines.append(f"| {rule.reason} | {kept} |")
    return "\n".join([*lines, "", *([rules.note, ""] if rules.note else [])])


def _deviations() -> str:
    lines = ["## Known deviations", "", "| from | where | why |", "|---|---|---|"]
    lines += [f"| {each.reference} | {_cell(each.what)} | {_cell(each.why)} |" for each in DEVIATIONS]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
