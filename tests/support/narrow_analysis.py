"""An analysis of the few steps that a test is about: the others cost most of the time."""

from __future__ import annotations

from tamis.analytics.embedding.step import TUNED_MODEL
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.steps.step import StepSpec
from tamis.analytics.study.standard_analysis import analysis_steps
from tamis.data.corpus import Corpus
from tamis.data.workspace import Workspace


def narrow_steps(corpus: Corpus, workspace: Workspace, *names: str) -> tuple[StepSpec, ...]:
    """Return the named steps of the standard analysis with all they read, in running order, and their facts."""
    known = {step.name: step for step in analysis_steps(corpus, workspace)}
    needed, todo = set(), {"documents", *names}
    while todo:
        name = todo.pop()
        needed.add(name)
        todo |= set(known[name].upstream) - needed
    chosen = [step for name, step in known.items() if name in needed]
    return (*chosen, facts_step([step for step in chosen if step.name != TUNED_MODEL]))
