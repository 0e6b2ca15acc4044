"""A corpus with its analysis, ready for recipes: the value that pages, commands and notebooks work on.

Artifacts of a study: those of its analysis, and further ones made on request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tamis.analytics.facts.facts import Facts
from tamis.analytics.facts.stored_sets import FrozenSources
from tamis.analytics.operators.operator import RowOperator, measures_of
from tamis.analytics.recipe.outcome import Outcome
from tamis.analytics.recipe.plan import evaluate
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.steps.engine import Engine
from tamis.analytics.steps.pipeline import Analysis, PlannedStep, analyze, find_analysis_so_far, plan_steps
from tamis.analytics.steps.step import StepSpec
from tamis.analytics.study.evidence import LocalEvidence
from tamis.analytics.study.standard_analysis import analysis_steps
from tamis.data.artifact import Artifact
from tamis.data.corpus import Corpus
from tamis.data.documents import Documents
from tamis.data.progress import Progress
from tamis.data.workspace import Workspace


@dataclass(frozen=True, eq=False)
class Study:
    """An analysed corpus in a workspace.

    Attributes:
        corpus: the files.
        documents: their documents.
        workspace: where artifacts and assets are.
        facts: the facts table, in memory.
        evidence: measures, id sets and clusterings.
    """

    corpus: Corpus
    documents: Documents
    workspace: Workspace
    facts: Facts
    evidence: LocalEvidence

    @classmethod
    def open(
        cls,
        corpus: Corpus,
        workspace: Workspace,
        *,
        steps: Sequence[StepSpec] | None = None,
        known: Sequence[StepSpec] | None = None,
        frozen: FrozenSources | None = None,
        engine: Engine | None = None,
        progress: Progress | None = None,
    ) -> Study:
        """Run missing steps of the analysis and load the facts.

        Args:
            corpus: the files.
            workspace: where artifacts and assets are.
            steps: the steps of the analysis, all of them by default; the last one must make the facts.
            known: further steps that measures may build on; only those of the analysis by default.
            frozen: where id sets and clusterings come from; the workspace by default.
            engine: runs shards of the analysis elsewhere.
            progress: where to report.

        Raises:
            TamisError: as the steps raise.
        """
        chosen = tuple(analysis_steps(corpus, workspace) if steps is None else steps)
        found = analyze(corpus, workspace, steps=chosen, engine=engine, progress=progress)
        return cls.of(found, workspace, chosen if known is None else known, frozen=frozen)

    @classmethod
    def of(
        cls,
        analysis: Analysis,
        workspace: Workspace,
        steps: Sequence[StepSpec],
        *,
        frozen: FrozenSources | None = None,
    ) -> Study:
        """Return the study of an analysis; of an unfinished one with the facts that there are so far."""
        corpus, documents, facts = analysis.corpus, analysis.documents, analysis.facts()
        evidence = LocalEvidence.of(facts, corpus, documents, workspace, steps=steps, frozen=frozen)
        return cls(corpus, documents, workspace, facts, evidence)

    @classmethod
    def find_so_far(cls, corpus: Corpus, workspace: Workspace) -> Study | None:
        """Return the study of what is done of the standard analysis, None while the documents have no ids."""
        steps = analysis_steps(corpus, workspace)
        found = find_analysis_so_far(corpus, workspace, plan_steps(corpus, workspace, steps))
        return None if found is None else cls.of(found, workspace, steps)

    def pending(self, recipe: Recipe, selection: Sequence[RowOperator] = ()) -> tuple[PlannedStep, ...]:
        """Return the pending measurements of a recipe and a selection, with estimates."""
        wanted = [*recipe.measures(), *(measure for operator in selection for measure in measures_of(operator))]
        return self.evidence.pending(dict.fromkeys(wanted))

    def measure(
        self,
        recipe: Recipe,
        selection: Sequence[RowOperator] = (),
        *,
        engine: Engine | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Run the pending measurements, their shards on ``engine`` where one is set."""
        wanted = [*recipe.measures(), *(measure for operator in selection for measure in measures_of(operator))]
        self.evidence.measure(dict.fromkeys(wanted), engine=engine, progress=progress)

    def evaluate(self, recipe: Recipe, *, progress: Progress | None = None) -> Outcome:
        """Return what a recipe does; see ``plan.evaluate``."""
        return evaluate(recipe, self.facts, self.evidence, progress=progress)


def artifacts_of(
    study: Study, wanted: Sequence[StepSpec], *, progress: Progress | None = None
) -> Mapping[str, Artifact]:
    """Run missing steps of those wanted and of their inputs, and return the artifacts by step.

    Raises:
        Cancelled: a person stopped the work.
        TamisError: as the steps raise.
    """
    steps = study.evidence.steps_for(wanted)
    found = analyze(study.corpus, study.workspace, steps=steps, documents=study.documents, progress=progress)
    return found.artifacts


def find_artifact(study: Study, name: str, *, also: Sequence[StepSpec] = ()) -> Artifact | None:
    """Return the artifact of a step of the analysis, or of ``also``, or None when the step has not run."""
    steps = study.evidence.steps_for(also) if also else study.evidence.steps
    for planned in plan_steps(study.corpus, study.workspace, steps):
        if planned.spec.name == name:
            return study.workspace.store.find(planned.key)
    return None
