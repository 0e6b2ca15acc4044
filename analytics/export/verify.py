"""Verification: compare a run with the bundle's lock and name the first difference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tamis.analytics.export.bundle import Bundle, locked_counts, locked_steps, needed_steps
from tamis.analytics.export.lock import BundleLock, LockedCount, tool_versions
from tamis.analytics.recipe.outcome import Outcome, Selection
from tamis.analytics.steps.measures import steps_of
from tamis.analytics.study.study import Study
from tamis.analytics.training.plan import TrainingPlan, has_training
from tamis.data.errors import TamisError, VerifyError


@dataclass(frozen=True)
class Check:
    """One comparison.

    Attributes:
        name: what was compared: ``recipe``, ``documents``, ``texts``, ``analysis NAME``, ``step ID``, ``selection``,
            ``plan of training``.
        step: id of the recipe step, empty for the others.
        expected, found: the values of the lock and of the run, for people.
        same: whether they agree.
    """

    name: str
    step: str
    expected: str
    found: str
    same: bool


@dataclass(frozen=True)
class Verification:
    """The result of comparing a run with a lock.

    Attributes:
        checks: in order of cause: recipe, documents, analysis, steps, selection, plan of training.
        notes: differences that may leave the result unchanged, such as library versions or the layout of files.
        selection: digest of the selection found.
    """

    checks: tuple[Check, ...]
    notes: tuple[str, ...]
    selection: str

    @property
    def ok(self) -> bool:
        """Return whether everything agrees."""
        return all(check.same for check in self.checks)

    @property
    def first(self) -> Check | None:
        """Return the first check that differs."""
        return next((check for check in self.checks if not check.same), None)

    @property
    def first_step(self) -> str | None:
        """Return the id of the first recipe step that decides differently, None when none does."""
        return next((check.step for check in self.checks if check.step and not check.same), None)

    @property
    def sentence(self) -> str:
        """Return the result as one sentence."""
        first = self.first
        if first is None:
            return f"Everything agrees: selection {self.selection[:16]}"
        text = f"{first.name} differs: expected {first.expected}, found {first.found}"
        if self.first_step and first.step != self.first_step:
            text += f"; the first step that decides otherwise is {self.first_step}"
        return text

    def require(self) -> None:
        """Return, or raise ``VerifyError`` naming the first difference."""
        if not self.ok:
            raise VerifyError(self.sentence, fix="run the recipe on the corpus it was made on, or export it anew")


def compare(bundle: Bundle, study: Study, outcome: Outcome) -> Verification:
    """Return how an outcome agrees with the lock of its bundle.

    Raises:
        VerifyError: the bundle has no lock.
    """
    lock = bundle.lock
    if lock is None:
        raise VerifyError("The bundle has no lock to compare with", value=str(bundle.folder), fix="export a bundle")
    selection = Selection.from_outcome(outcome, study.facts)
    counts = locked_counts(outcome, selection)
    checks = (
        _check("recipe", "", lock.recipe[:16], outcome.recipe.digest[:16]),
        *_inputs(lock, study, counts[0]),
        *_analysis(lock, study, outcome),
        *_steps(lock, counts),
        _check("selection", "", lock.selection[:16], selection.digest[:16]),
        *_training(lock, study, outcome),
    )
    return Verification(checks, tuple(_notes(lock, study)), selection.digest)


def _check(name: str, step: str, expected: Any, found: Any) -> Check:
    return Check(name, step, str(expected), str(found), expected == found)


def _inputs(lock: BundleLock, study: Study, count: LockedCount) -> Iterator[Check]:
    corpus = lock.corpus
    yield _check("documents", "", corpus.documents, study.documents.n)
    yield _check("errors", "", corpus.errors, study.documents.errors.num_rows)
    yield _check("document ids", "", corpus.ids[:16], count.dropped[:16])
    yield _check("texts", "", corpus.texts[:16], study.documents.texts[:16])


def _analysis(lock: BundleLock, study: Study, outcome: Outcome) -> Iterator[Check]:
    """Compare versions and parameters of the analysis steps and measurements the recipe depends on."""
    steps = needed_steps(study.evidence.steps, set(lock.columns.values()))
    found = {
        step.name: step for step in locked_steps([*steps, *steps_of(outcome.recipe.measures(), study.evidence.steps)])
    }
    for expected in lock.steps:
        own = found.get(expected.name)
        actual = "absent" if own is None else f"version {own.version}"
        if own is not None and own.version == expected.version and own.params != expected.params:
            actual += f" with {_differing(expected.params, own.params)}"
        yield Check(f"analysis {expected.name}", "", f"version {expected.version}", actual, own == expected)


def _differing(expected: Any, found: Any) -> str:
    names = sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name))
    return "other " + ", ".join(names)


def _steps(lock: BundleLock, counts: tuple[LockedCount, ...]) -> Iterator[Check]:
    """Compare what every step decided: which documents it dropped and how the number of copies changed.

    Tokens and bytes follow from the texts, which are compared before, so steps are not checked for them.
    """
    for place in range(1, max(len(lock.counts), len(counts))):
        expected, found = _decision(lock.counts, place), _decision(counts, place)
        step = lock.counts[place].step if expected else counts[place].step
        yield Check(f"step {step}", step, _shown(lock.counts, place), _shown(counts, place), expected == found)


def _decision(counts: tuple[LockedCount, ...], place: int) -> tuple[str, str, int, int] | None:
    """Return what identifies the decision of a step, None when there is no such step."""
    if place >= len(counts):
        return None
    before, after = counts[place - 1], counts[place]
    return after.step, after.dropped, before.documents - after.documents, before.copies - after.copies


def _training(lock: BundleLock, study: Study, outcome: Outcome) -> Iterator[Check]:
    """Compare the plan of training, where either side has one."""
    if lock.training is None and not has_training(outcome.recipe):
        return
    try:
        found = TrainingPlan.make(study, outcome).digest[:16] if has_training(outcome.recipe) else "absent"
    except TamisError as error:
        found = f"no plan: {error}"
    yield _check("plan of training", "", "absent" if lock.training is None else lock.training[:16], found)


def _shown(counts: tuple[LockedCount, ...], place: int) -> str:
    if place >= len(counts):
        return "no such step"
    dropped = counts[place - 1].documents - counts[place].documents
    return f"{dropped:,} of {counts[place - 1].documents:,} documents dropped ({counts[place].dropped[:8]})"


def _notes(lock: BundleLock, study: Study) -> Iterator[str]:
    if lock.corpus.fingerprint != study.corpus.fingerprint:
        yield "the files are not the ones the recipe was made on; their documents are compared instead"
    for name, expected in sorted(lock.tools.items()):
        found = tool_versions().get(name, "absent")
        if found != expected:
            yield f"{name} {found} instead of {expected}"
