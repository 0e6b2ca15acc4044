"""Row rules as a datatrove pipeline in Python: its own filters where they decide the same, else small functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tamis.analytics.datatrove_filters import native_filters
from tamis.analytics.export_conditions import Between, ByGroup, Every, Matches, OneOf, Rule, Test, rule_of
from tamis.analytics.exporters import Export, Loss, header, lost_steps, row_steps
from tamis.analytics.facts import Facts
from tamis.analytics.operator import RowOperator
from tamis.analytics.recipe import Recipe
from tamis.analytics.recipe_step import Step

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
            losses.append(_unsaid(step, operator))
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


def _unsaid(step: Step, operator: RowOperator) -> Loss:
    return Loss(step.id, f"{operator.sentence()}: has no form there; use the SQL export or the bundle.", dropped=True)


def _differences(step: Step, rule: Rule) -> Iterator[Loss]:
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


def _function(step: Step, operator: RowOperator, rule: Rule) -> str:
    sentence = " ".join(operator.sentence().split()).replace("\\", "\\\\").replace('"', '\\"')
    return f'def {_name(step.id)}(document):\n    """{sentence}."""\n    return {_passes(rule)}\n'


def _passes(rule: Rule) -> str:
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
