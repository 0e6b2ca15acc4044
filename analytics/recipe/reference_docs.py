"""The documentation of all operators, made from the registry, so it always agrees with the code.

Known differences of values from reference implementations, and their reasons. Any other difference is a fault.

The documentation of all signals and rule sets, made from the registries.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, get_args

from tamis.analytics.operators.operator import (
    OPERATORS,
    Group,
    Operator,
    RowOperator,
    SetOperator,
    TextOperator,
    TrainingOperator,
)
from tamis.analytics.recipe.presets import RULE_SETS, RuleSet
from tamis.analytics.recipe.schema import params_schema
from tamis.analytics.signals.signal import SIGNALS, Signal
from tamis.analytics.text.conventions import CONVENTIONS

OPERATORS_INTRODUCTION = """# Operators

Every rule of a recipe is one of these. This page is made from the registry of the code.

A **row rule** decides each document from its own columns. A **set rule** decides documents together, by a total order
that ends in the document id. A **text step** changes text when the curated files are written and drops nothing. A
**training step** says how `tamis prepare` makes batches of what is kept; it drops nothing, and a recipe has each at
most once, after all other steps, in the order split, expand, pack, batches.
*Idempotent* means that a second pass with the same rule changes nothing.
"""


def operator_docs() -> str:
    """Return the page ``docs/operators.md``."""
    parts = [OPERATORS_INTRODUCTION]
    for group in get_args(Group):
        kinds = [kind for kind in OPERATORS if kind.group == group]
        if kinds:
            parts.append(f"## {group}\n")
            parts += [_entry(kind) for kind in kinds]
    return "\n".join(parts).rstrip() + "\n"


def operator_table() -> str:
    """Return a Markdown table of all operators, one line each, for the README."""
    rows = ["| operator | what it does | term in the field |", "|---|---|---|"]
    for group in get_args(Group):
        rows += [
            f"| `{kind.name}` | {_cell(kind.summary)} | {kind.term} |" for kind in OPERATORS if kind.group == group
        ]
    return "\n".join(rows) + "\n"


def _entry(kind: type[Operator]) -> str:
    text = inspect.cleandoc(kind.__doc__ or kind.summary)
    lines = [f"### {kind.name}", "", text, ""]
    idempotent = "idempotent" if kind.idempotent else "not idempotent"
    lines += [f"{_sort(kind)}; {kind.term}; scope `{kind.scope}`; {idempotent}.", ""]
    if kind.warning:
        lines += [f"**Note.** {kind.warning}", ""]
    lines += ["| parameter | type | default | meaning |", "|---|---|---|---|"]
    schema = params_schema(kind)
    required = set(schema.get("required", ()))
    own = [name for name in kind.__annotations__ if name in schema["properties"]]
    for name in [*own, *(name for name in schema["properties"] if name not in own)]:
        field = schema["properties"][name]
        default = "required" if name in required else _shown(field.get("default"))
        lines.append(f"| `{name}` | {_cell(_type(field))} | {default} | {_cell(field.get('description', ''))} |")
    return "\n".join([*lines, "", f"Source: {kind.source}", ""])


def _sort(kind: type[Operator]) -> str:
    if issubclass(kind, RowOperator):
        return "Row rule"
    if issubclass(kind, SetOperator):
        return "Set rule"
    if issubclass(kind, TrainingOperator):
        return "Training step"
    return "Text step" if issubclass(kind, TextOperator) else "Step"


def _type(field: dict[str, Any]) -> str:
    """Return a field's type and bounds in words."""
    if "anyOf" in field:
        options = [_type(option) for option in field["anyOf"] if option.get("type") != "null"]
        return " or ".join(dict.fromkeys(options))
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    kind = field.get("type", "object" if "$ref" in field else "value")
    if kind == "array":
        return f"list of {_type(field['items'])}" if "items" in field else "list"
    if field.get("pattern") == "^[0-9a-f]{64}$":
        return "digest"
    words = {"string": "text", "boolean": "true or false", "integer": "whole number", "object": "mapping"}
    return words.get(kind, kind) + _bounds(field)


def _bounds(field: dict[str, Any]) -> str:
    names = (("minimum", ">="), ("exclusiveMinimum", ">"), ("maximum", "<="), ("exclusiveMaximum", "<"))
    found = [f"{sign} {field[name]:g}" for name, sign in names if name in field and abs(field[name]) < 2**62]
    return f" {', '.join(found)}" if found else ""


def _shown(value: Any) -> str:
    if value is None:
        return "absent"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "empty" if value in ("", []) else f"`{value}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


@dataclass(frozen=True)
class Deviation:
    """One known difference.

    Attributes:
        reference: the implementation compared with.
        what: where values differ.
        why: the reason.
    """

    reference: str
    what: str
    why: str


DEVIATIONS = (
    Deviation(
        "datatrove, its own words",
        "texts with the word IS_ALPHA",
        "datatrove cuts the word out of every text after the first that has it, because spaCy's vocabulary fails on it"
        " inside a memory zone; its result depends on the order of documents. Ours keeps the word.",
    ),
    Deviation(
        "datatrove, its own words",
        "white-space-free chunks of more than 2,000 characters",
        "spaCy's rules take quadratic time on them; they are split by the unicode convention.",
    ),
    Deviation(
        "datatrove, its own words",
        "special cases that seem to reach over a space, in documents of more than 200,000 characters",
        "spaCy looks for its special cases in the whole text; ours does so only in documents where neighbouring chunks"
        " can influence each other and that are not longer than this.",
    ),
    Deviation(
        "datatrove",
        "texts in scripts without spaces under the unicode convention",
        "signals that count words are NULL above a share of 0.2 of such letters, and a rule lets NULL pass; datatrove"
        " counts them as English. The spacy convention does the same as datatrove.",
    ),
    Deviation(
        "datatrove",
        "the value of a rule",
        "columns hold 32-bit floats: values are equal to 24 bits, and bounds are compared at that precision, which"
        " decides like exact fractions for documents of up to 300,000 lines or 20 million words.",
    ),
    Deviation(
        "datatrove, the FineWeb and RefinedWeb rule sets",
        "the language of texts of more than 2,000 characters",
        "their language rule reads the language that every analysis detects, from the first 2,000 characters; datatrove"
        " reads the whole text. A long notice in another language at the beginning decides ours. The rule with"
        " read: whole reads all of it, as datatrove does.",
    ),
    Deviation(
        "C4 in TensorFlow Datasets",
        "number of sentences",
        "sentences are cut by the rules of spaCy's sentencizer, as datatrove does, not by NLTK's punkt; pages are not"
        " filtered by the list of bad words.",
    ),
    Deviation(
        "NeMo Curator",
        "repeated n-grams",
        "left out: the most frequent n-gram is taken from a Python set, so ties depend on the hash seed.",
    ),
    Deviation(
        "NeMo Curator",
        "words with letters",
        "letters are those of str.isalpha; the regex module's [[:alpha:]] also counts letter numbers and some marks.",
    ),
    Deviation(
        "DCLM",
        "word counts, n-grams",
        "words are those between white space, or unicode words for n-grams; DCLM uses fastText's split at ASCII white"
        " space and the uniseg package. Addresses and three phrases are not cut out before measuring.",
    ),
    Deviation(
        "RedPajama-V2",
        "lengths of normalised words",
        "letters are not decomposed (NFD), so an accented letter is one character; values are not rounded.",
    ),
    Deviation(
        "data-juicer",
        "special characters, stop words, flagged words",
        "special characters are all but letters and their marks, by Unicode class instead of a list with gaps; the"
        " stop word lists are shorter; there is no list of flagged words.",
    ),
)


SIGNALS_INTRODUCTION = """# Signals and rule sets

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
    parts = [SIGNALS_INTRODUCTION, _WORDS + _conventions()]
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
            help = _plain_cell(signal.help)
            lines.append(f"| `{signal.key}` | {signal.unit} | {_range(signal)} | {help} | {signal.convention} |")
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
        elif rule.flag:
            kept = f"`{rule.signal}` not true"
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
    lines += [f"| {each.reference} | {_plain_cell(each.what)} | {_plain_cell(each.why)} |" for each in DEVIATIONS]
    return "\n".join(lines) + "\n"


def _plain_cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
