"""Why a document is kept or dropped, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.duplicates import PairDedup
from tamis.analytics.operators.keep_policy import Keeping
from tamis.analytics.operators.operator import Operator
from tamis.analytics.recipe.outcome import Outcome
from tamis.analytics.study.documents import Verdict, why

NAMES: Mapping[str, str] = {
    "near_dedup": "near-duplicate",
    "semantic_dedup": "same meaning",
    "exact_dedup": "exact duplicate",
    "image_near_dedup": "near-duplicate",
    "image_semantic_dedup": "shows the same",
    "image_exact_dedup": "exact duplicate",
    "boilerplate": "boilerplate",
}
"""What people call what these rules find; other rules go by the id of their step."""


@dataclass(frozen=True)
class Reason:
    """Why one document is kept or dropped.

    Attributes:
        step: number of the step that dropped it, from 1; 0 if it is kept.
        rule: the rule of that step, None if it is kept.
        before: the sentence, up to the twin where there is one.
        after: what follows the twin.
        twin: facts row of the kept twin, or None.
    """

    step: int
    rule: Operator | None
    before: str
    after: str = ""
    twin: int | None = None

    def sentence(self, twin: str = "") -> str:
        """Return the whole sentence.

        Args:
            twin: how the twin begins.
        """
        return f"{self.before} “{twin}”{self.after}" if self.twin is not None else f"{self.before}{self.after}"


def reason(outcome: Outcome, facts: Facts, row: int) -> Reason:
    """Return why a recipe keeps or drops one document, by its facts row."""
    number = int(outcome.deciding[row])
    if number == 0:
        return Reason(0, None, f"Kept: no step of {len(outcome.steps)} drops it" if outcome.steps else "Kept")
    step = outcome.steps[number - 1]
    verdict = next(each for each in why(outcome, facts, row) if each.step == step.id)
    name = NAMES.get(step.operator.name, step.id)
    opening = f"Dropped by step {number}, {name}: "
    rule = step.operator
    if verdict.twin is not None:
        before, after = _beside_twin(rule, verdict)
        return Reason(number, rule, f"{opening}{before}", after, verdict.twin)
    return Reason(number, rule, f"{opening}{_by_value(verdict)}. The rule: {rule.sentence()}")


def verdict_words(verdict: Verdict, rule: Operator) -> str:
    """Return the verdict of one step on a document in words: what was compared, and with what.

    A rule that keeps one of a group compares documents with each other: how many a kept one stands for is no value
    that any threshold is asked of.
    """
    if verdict.passed is None:
        return "not reached"
    word = "passes" if verdict.passed else "fails"
    if isinstance(rule, Keeping):
        if not verdict.passed:
            measured = isinstance(rule, PairDedup) and verdict.similarity is not None
            like = f"{verdict.similarity:.2f} similar to" if measured else "the same as"
            return f"{word}, {like} a kept document" + (f" ({verdict.threshold})" if verdict.threshold else "")
        others = int(verdict.value or 1) - 1
        return word if others < 1 else f"{word}, kept for {others} other{'s' * (others > 1)}"
    if verdict.threshold is None:
        return word
    return f"{word}, {'no value' if verdict.value is None else _rounded(verdict.value)}; asked for: {verdict.threshold}"


def _beside_twin(rule: Operator, verdict: Verdict) -> tuple[str, str]:
    """Return what is said before and after the twin."""
    if isinstance(rule, PairDedup) and verdict.similarity is not None:
        return f"{verdict.similarity:.2f} similar to", f", cut {rule.level:.2f}"
    return "the same as", f", {verdict.threshold}" if verdict.threshold else ""


def _by_value(verdict: Verdict) -> str:
    if verdict.value is None:
        return "it has no value to compare" if verdict.threshold else "not among those it chose"
    return f"{_rounded(verdict.value)}, where the cut is {verdict.threshold}" if verdict.threshold else verdict.value


def _rounded(value: str) -> str:
    """Return a number in four digits, other text as it is."""
    try:
        return f"{float(value):.4g}" if "." in value else value
    except ValueError:
        return value
