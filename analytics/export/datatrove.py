"""Row rules as a datatrove pipeline in Python: its own filters where they decide the same, else small functions.

Which row rules datatrove's own filters decide, and with which arguments.

A filter gets the arguments of the rules it replaces, with everything else switched off. Rules on words are
exact only where the signal counts spaCy's words, which datatrove uses; others state the difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

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
from tamis.analytics.operators.rows import SignalRange
from tamis.analytics.recipe.recipe import Recipe, Step
from tamis.analytics.text.conventions import SPACY

QUALITY, REPETITION, FINEWEB = "GopherQualityFilter", "GopherRepetitionFilter", "FineWebQualityFilter"
_OFF: dict[str, dict[str, Any]] = {
    QUALITY: dict.fromkeys(
        (
            "min_doc_words", "max_doc_words", "min_avg_word_length", "max_avg_word_length", "max_symbol_word_ratio",
            "max_bullet_lines_ratio", "max_ellipsis_lines_ratio", "max_non_alpha_words_ratio", "min_stop_words",
        )
    ),
    REPETITION: {
        **dict.fromkeys(("dup_line_frac", "dup_para_frac", "dup_line_char_frac", "dup_para_char_frac")),
        "top_n_grams": (),
        "dup_n_grams": (),
    },
    FINEWEB: {
        "line_punct_thr": 0.0, "short_line_thr": 1.0, "char_duplicates_ratio": 1.0, "new_line_ratio": float("inf"),
    },
}  # fmt: skip

# Signal -> filter, argument for a lower bound, argument for an upper bound, whether it counts words.
_ARGUMENTS: dict[str, tuple[str, str | None, str | None, bool]] = {
    "n_words": (QUALITY, "min_doc_words", "max_doc_words", True),
    "mean_word_length": (QUALITY, "min_avg_word_length", "max_avg_word_length", True),
    "bullet_line_share": (QUALITY, None, "max_bullet_lines_ratio", False),
    "ellipsis_line_share": (QUALITY, None, "max_ellipsis_lines_ratio", False),
    "alpha_word_share": (QUALITY, "max_non_alpha_words_ratio", None, True),
    "stop_words": (QUALITY, "min_stop_words", None, True),
    "duplicate_line_share": (REPETITION, None, "dup_line_frac", False),
    "duplicate_paragraph_share": (REPETITION, None, "dup_para_frac", False),
    "duplicate_line_char_share": (REPETITION, None, "dup_line_char_frac", False),
    "duplicate_paragraph_char_share": (REPETITION, None, "dup_para_char_frac", False),
    **{f"top_{n}gram_share": (REPETITION, None, f"top_n_grams {n}", True) for n in (2, 3, 4)},
    **{f"duplicate_{n}gram_share": (REPETITION, None, f"dup_n_grams {n}", True) for n in range(5, 11)},
    "terminal_line_share": (FINEWEB, "line_punct_thr", None, False),
    "short_line_share": (FINEWEB, None, "short_line_thr", False),
    "repeated_line_char_share": (FINEWEB, None, "char_duplicates_ratio", False),
    "newline_word_ratio": (FINEWEB, None, "new_line_ratio", True),
}
_EMPTY = {
    QUALITY: "it fails on documents without words or lines, unless fewer words are dropped.",
    REPETITION: "it also drops empty documents.",
    FINEWEB: "it also drops documents without a filled line.",
}


@dataclass
class NativeFilter:
    """One of datatrove's filters.

    Attributes:
        kind: its class.
        arguments: those that are not switched off.
        steps: ids of the steps it replaces.
        losses: (step id, difference).
    """

    kind: str
    arguments: dict[str, Any] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)
    losses: list[tuple[str, str]] = field(default_factory=list)

    def text(self) -> str:
        """Return the call in Python."""
        values = {**_OFF[self.kind], **self.arguments}
        return f"{self.kind}({', '.join(f'{name}={_text(value)}' for name, value in values.items())})"


def _text(value: Any) -> str:
    if value == float("inf"):
        return 'float("inf")'
    return repr(int(value) if isinstance(value, float) and value.is_integer() else value)


def native_filters(steps: Sequence[tuple[Step, RowOperator]]) -> tuple[NativeFilter, ...]:
    """Return the filters that replace as many steps as possible, at most one of each class."""
    found: dict[str, NativeFilter] = {}
    for step, operator in steps:
        place = _place(operator)
        if place is None or not isinstance(operator, SignalRange):
            continue
        kind, arguments, by_words = place
        filter_ = found.setdefault(kind, NativeFilter(kind))
        if any(name in filter_.arguments and not isinstance(value, tuple) for name, value in arguments.items()):
            continue
        for name, value in arguments.items():
            filter_.arguments[name] = (*filter_.arguments.get(name, ()), *value) if isinstance(value, tuple) else value
        filter_.steps.append(step.id)
        if by_words and not operator.signal.startswith(SPACY.prefix):
            filter_.losses.append((step.id, "datatrove splits words with spaCy, which differs in places."))
    for kind, filter_ in found.items():
        if filter_.steps:
            filter_.losses.append((filter_.steps[0], f"{kind}: {_EMPTY[kind]}"))
    return tuple(filter_ for filter_ in found.values() if filter_.steps)


def _place(operator: RowOperator) -> tuple[str, dict[str, Any], bool] | None:
    """Return filter, arguments and whether words are counted, or None when no filter decides the same."""
    if not isinstance(operator, SignalRange) or operator.mode != "keep" or operator.missing != "keep":
        return None
    if operator.strict_min or operator.strict_max:
        return None
    known = _ARGUMENTS.get(operator.signal.removeprefix(SPACY.prefix))
    if known is None:
        return None
    kind, low, high, by_words = known
    arguments: dict[str, Any] = {}
    for bound, name in ((operator.min, low), (operator.max, high)):
        if bound is None:
            continue
        # 0 switches a filter off there, so it cannot be a bound.
        if name is None or bound <= 0:
            return None
        base, _, n = name.partition(" ")
        arguments[base] = ((int(n), bound),) if n else bound
    return kind, arguments, by_words


_HELPERS = '''

def every(*answers):
    """Return False when an answer is False, else None when one is unknown, else True."""
    if any(answer is False for answer in answers):
        return False
    return None if any(answer is None for answer in answers) else True


def passes(answer, keep, missing):
    """Return whether a rule lets a document pass."""
    return missing if answer is None else answer == keep


def between(value, low=None, high=None, strict_low=False, strict_high=False):
    """Return whether a number lies in a range, None when there is none."""
    if value is None:
        return None
    above = low is None or (value > low if strict_low else value >= low)
    return above and (high is None or (value < high if strict_high else value <= high))


def one_of(value, values):
    """Return whether a text is among values, None when there is none."""
    return None if value is None else value in values


def by_group(value, group, ranges, others):
    """Return whether a number lies in the range of its group."""
    found = ranges.get("" if group is None else group)
    return others if found is None else between(value, **found)
'''

_MAIN = """

if __name__ == "__main__":
    LocalPipelineExecutor(
        pipeline=[
            ParquetReader("documents", text_key="text", id_key="id"),
            *FILTERS,
            ParquetWriter("kept"),
        ],
        tasks=1,
    ).run()
"""


def to_datatrove(recipe: Recipe, facts: Facts) -> Export:
    """Return a Python file with ``FILTERS`` and a local pipeline from the folder ``documents`` to ``kept``.

    The documents carry the columns of ``exporters.rule_columns`` as metadata.
    """
    steps, losses = row_steps(recipe), list(lost_steps(recipe))
    native = native_filters(steps)
    done = {step_id for found in native for step_id in found.steps}
    functions, names, columns, needs_re = [], [], set(), False
    for step, operator in steps:
        if step.id in done:
            continue
        rule = rule_of(operator, facts)
        if rule is None:
            losses.append(_report_loss(step, operator))
            continue
        losses += _differences(step, rule)
        columns |= set(_columns(rule.tests))
        needs_re |= any(isinstance(test, Matches) for test in _flat(rule.tests))
        names.append(_name(step.id))
        functions.append(_function(step, operator, rule))
    losses += [Loss(step_id, text, dropped=False) for found in native for step_id, text in found.losses]
    kinds = sorted({found.kind for found in native} | ({"LambdaFilter"} if names else set()))
    filters = [found.text() for found in native] + [f"LambdaFilter({name})" for name in names]
    found_losses = tuple(losses)
    text = "".join(
        [
            header(recipe, found_losses, mark="#"),
            "import re\n\n" if needs_re else "\n",
            "from datatrove.executor import LocalPipelineExecutor\n",
            f"from datatrove.pipeline.filters import {', '.join(kinds)}\n" if kinds else "",
            "from datatrove.pipeline.readers import ParquetReader\n",
            "from datatrove.pipeline.writers import ParquetWriter\n",
            _HELPERS if names else "",
            *(f"\n\n{function}" for function in functions),
            "\n\nFILTERS = [\n" + "".join(f"    {line},\n" for line in filters) + "]\n",
            _MAIN,
        ]
    )
    return Export("datatrove", text, ".py", found_losses, tuple(sorted(columns - {"id"})), needs_text=True)


def _report_loss(step: Step, operator: RowOperator) -> Loss:
    return Loss(step.id, f"{operator.sentence()}: has no form there; use the SQL export or the bundle.", dropped=True)


def _differences(step: Step, rule: PlainRule) -> Iterator[Loss]:
    if any(isinstance(test, Matches) for test in _flat(rule.tests)):
        yield Loss(
            step.id, "Python's re instead of RE2: some classes and boundaries differ beyond ASCII.", dropped=False
        )


def _flat(tests: Sequence[Test]) -> Iterator[Test]:
    for test in tests:
        if isinstance(test, Every):
            for rule in test.rules:
                yield from _flat(rule.tests)
        else:
            yield test


def _columns(tests: Sequence[Test]) -> Iterator[str]:
    for test in _flat(tests):
        if isinstance(test, (Between, OneOf, ByGroup)):
            yield test.column
        if isinstance(test, ByGroup):
            yield test.by


def _name(step_id: str) -> str:
    return "rule_" + step_id.replace("-", "_")


def _function(step: Step, operator: RowOperator, rule: PlainRule) -> str:
    sentence = " ".join(operator.sentence().split()).replace("\\", "\\\\").replace('"', '\\"')
    return f'def {_name(step.id)}(document):\n    """{sentence}."""\n    return {_passes(rule)}\n'


def _passes(rule: PlainRule) -> str:
    tests = [_test(test) for test in rule.tests]
    answer = tests[0] if len(tests) == 1 else f"every({', '.join(tests)})"
    return f"passes({answer}, keep={rule.keep}, missing={rule.missing})"


def _test(test: Test) -> str:
    if isinstance(test, Between):
        return f"between({_value(test.column)}{_bounds(test)})"
    if isinstance(test, OneOf):
        return f"one_of({_value(test.column)}, {set_text(test.values)})"
    if isinstance(test, Matches):
        flags = ", re.IGNORECASE" if test.ignore_case else ""
        return f"len(re.findall({test.pattern!r}, document.text{flags})) >= {test.least}"
    if isinstance(test, ByGroup):
        ranges = ", ".join(f"{name!r}: dict({_bounds(item)[2:]})" for name, item in test.ranges.items())
        return f"by_group({_value(test.column)}, {_value(test.by)}, {{{ranges}}}, others={test.others})"
    return f"every({', '.join(_passes(rule) for rule in test.rules)})"


def _bounds(test: Between) -> str:
    parts = [f"low={test.low!r}"] if test.low is not None else []
    parts += [f"high={test.high!r}"] if test.high is not None else []
    parts += ["strict_low=True"] if test.strict_low else []
    parts += ["strict_high=True"] if test.strict_high else []
    return "".join(f", {part}" for part in parts)


def _value(column: str) -> str:
    return "document.id" if column == "id" else f"document.metadata.get({column!r})"


def set_text(values: Sequence[str]) -> str:
    """Return a Python set of texts."""
    return "{" + ", ".join(repr(value) for value in values) + "}" if values else "set()"
